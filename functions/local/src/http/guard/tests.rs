//! Every action of the API with every kind of a request that is not to be answered, and what a key may.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use http_body_util::Full;
use keys::canonical::{self, Segments, Signed};
use keys::secret::Master;
use keys::signature::{Scope, sign, string_to_sign};
use serde_json::{Value, json};
use service::Answer;

use super::*;
use crate::access_keys::{Grant, Key};
use crate::http::limits::Limits;
use crate::http::routes::{receive, tests::Entrance, tests::SOURCE};

const PREFIX: &str = "arn:aws:states:us-east-1:123456789012:";
const ADMIN: &str = "SWAKAAAAAAAAAAAAAAAA";
const EXPIRED: &str = "SWAKBBBBBBBBBBBBBBBB";
const NOBODYS: &str = "SWAKCCCCCCCCCCCCCCCC";
const NOTHING: &str = "SWAKDDDDDDDDDDDDDDDD";
const DEV: &str = "SWAKEEEEEEEEEEEEEEEE";

fn role(role: &str, machines: &str) -> Grant {
    Grant::Role { role: role.to_owned(), machines: machines.to_owned() }
}

fn entrance() -> Entrance {
    Entrance::with(false, |directory| {
        let none = json!({ "Statement": { "Effect": "Allow", "Action": "s3:*", "Resource": "*" } });
        let keys = [
            (ADMIN, role("admin", "*"), None),
            (EXPIRED, role("admin", "*"), Some(1)),
            (NOTHING, Grant::Policy(none), None),
            (DEV, role("admin", "dev-*"), None),
        ];
        KeyFile::change(directory, |file| {
            file.keys.extend(keys.map(|(id, grant, expires)| Key {
                id: id.to_owned(),
                name: format!("name-{id}"),
                grant,
                created: 0,
                expires,
            }));
            Ok(())
        })
        .unwrap();
    })
}

fn master(entrance: &Entrance) -> Master {
    KeyFile::read(entrance.directory.path()).unwrap().unwrap().master().unwrap()
}

/// A request as an SDK makes it.
#[derive(Clone)]
struct Sent {
    region: &'static str,
    offset: i64,
    headers: Vec<(String, String)>,
    body: String,
}

impl Sent {
    fn new(action: &str, body: &Value) -> Sent {
        let headers = [
            ("content-type", "application/x-amz-json-1.0"),
            ("host", "localhost:8083"),
            ("x-amz-target", &format!("AWSStepFunctions.{action}")),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        Sent { region: "us-east-1", offset: 0, headers, body: body.to_string() }
    }

    fn header(mut self, name: &str, value: &str) -> Sent {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn signed(mut self, key: &str, secret: &str) -> Sent {
        let time = jiff::Timestamp::from_second(jiff::Timestamp::now().as_second() + self.offset).unwrap();
        let date: String = time.to_string().chars().filter(|letter| !"-:".contains(*letter)).collect();
        self.headers.push(("x-amz-date".to_owned(), date.clone()));
        let mut names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        let (day, scope) = (&date[..8], Scope { region: self.region, service: "states" });
        let signed =
            Signed { method: "POST", path: "/", query: "", headers: &self.headers, body: self.body.as_bytes() };
        let text = string_to_sign(&date, day, scope, &canonical::request(&signed, &names, Segments::Normalized));
        let signature = sign(secret, day, scope, &text);
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={key}/{day}/{}/states/aws4_request, SignedHeaders={}, Signature={signature}",
            self.region,
            names.join(";")
        );
        self.headers.push(("authorization".to_owned(), authorization));
        self
    }

    async fn to(self, entrance: &Entrance) -> Result<Call, Answer> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
        }
        let mut request = Request::new(Full::new(Bytes::from(self.body)));
        (*request.method_mut(), *request.headers_mut()) = (Method::POST, headers);
        let received = receive(request, &Limits::new(usize::MAX), entrance.door()).await?;
        let mut call = received.call;
        if let Some(caller) = received.caller {
            let open = |token: &str| token.strip_prefix("token of ").map(str::to_owned);
            entrance.guard.authorize(&caller, &mut call, SOURCE, open)?;
        }
        Ok(call)
    }
}

/// A request that is about `machine`, as far as the action is about anything.
fn about(action: &str, machine: &str) -> (Value, bool) {
    let execution = format!("{PREFIX}execution:{machine}:e");
    match access::about(action).unwrap() {
        About::Member("activityArn") => (json!({ "activityArn": format!("{PREFIX}activity:{machine}") }), false),
        About::Member("executionArn") => (json!({ "executionArn": execution }), true),
        About::Member("mapRunArn") => (json!({ "mapRunArn": format!("{PREFIX}mapRun:{machine}/m:1") }), true),
        About::Member(member) => (json!({ member: format!("{PREFIX}stateMachine:{machine}") }), true),
        About::NewMachine => (json!({ "name": machine }), true),
        About::NewActivity => (json!({ "name": machine }), false),
        About::Token => (json!({ "taskToken": format!("token of {execution}") }), true),
        About::Everything => (json!({}), false),
    }
}

fn code(answered: Result<Call, Answer>) -> (Option<&'static str>, String) {
    let Err(answer) = answered else { return (None, String::new()) };
    assert_eq!(answer.status, 400);
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert!(body["__type"].as_str().unwrap().ends_with(answer.error.unwrap()), "{body}");
    let text = body.get("message").or_else(|| body.get("Message")).and_then(Value::as_str).unwrap();
    (answer.error, text.to_owned())
}

#[tokio::test]
async fn no_action_is_answered_for_a_request_that_is_not_a_keys() {
    let entrance = entrance();
    let master = master(&entrance);
    let secret = |key: &str| master.secret(key);
    let mut count = 0;
    for action in access::actions() {
        let plain = Sent::new(action, &about(action, "m").0);
        let good = plain.clone().signed(ADMIN, &secret(ADMIN));
        let mut twice = good.clone();
        twice.headers.push(("x-amz-target".to_owned(), format!("AWSStepFunctions.{action}")));
        let tampered = Sent { body: "{ }".to_owned(), ..good.clone() };
        let (late, early) = (Sent { offset: -301, ..plain.clone() }, Sent { offset: 330, ..plain.clone() });
        let elsewhere = Sent { region: "eu-west-1", ..plain.clone() };
        let token = plain.clone().header("x-amz-security-token", "t");
        let cases = [
            ("MissingAuthenticationTokenException", "Missing Authentication Token", plain.clone()),
            ("UnrecognizedClientException", "security token", plain.clone().signed(NOBODYS, &secret(NOBODYS))),
            ("UnrecognizedClientException", "security token", plain.clone().signed("AKIAIOSFODNN7EXAMPLE", "any")),
            ("UnrecognizedClientException", "security token", plain.clone().signed(EXPIRED, &secret(EXPIRED))),
            ("UnrecognizedClientException", "security token", token.signed(ADMIN, &secret(ADMIN))),
            ("InvalidSignatureException", "does not match", plain.clone().signed(ADMIN, "wrong")),
            ("InvalidSignatureException", "does not match", tampered),
            (
                "InvalidSignatureException",
                "does not match",
                good.clone().header("content-type", "application/x-amz-json-1.1"),
            ),
            ("InvalidSignatureException", "does not match", good.clone().header("host", "127.0.0.1:8083")),
            ("InvalidSignatureException", "Signature expired: ", late.signed(ADMIN, &secret(ADMIN))),
            ("InvalidSignatureException", "Signature not yet current: ", early.signed(ADMIN, &secret(ADMIN))),
            ("InvalidSignatureException", "valid region", elsewhere.signed(ADMIN, &secret(ADMIN))),
            ("InvalidSignatureException", "not signed: x-amz-more", good.clone().header("x-amz-more", "1")),
            ("IncompleteSignatureException", "more than once", twice),
            ("IncompleteSignatureException", "algorithm", plain.clone().header("authorization", "Bearer \"x\"")),
            (
                "AccessDeniedException",
                "is not authorized to perform: states:",
                plain.clone().signed(NOTHING, &secret(NOTHING)),
            ),
        ];
        for (name, text, sent) in cases {
            let (error, said) = code(sent.to(&entrance).await);
            assert_eq!(error, Some(name), "{action} {text}: {said}");
            assert!(said.contains(text), "{action}: {said}");
            count += 1;
        }
        assert_eq!(code(good.to(&entrance).await).0, None, "{action} of a key that may");
    }
    assert_eq!(count, 37 * 16);
}

#[tokio::test]
async fn a_key_for_some_machines_may_nothing_on_others() {
    let entrance = entrance();
    let secret = master(&entrance).secret(DEV);
    for action in access::actions() {
        let (own, covers) = about(action, "dev-1");
        let answered = code(Sent::new(action, &own).signed(DEV, &secret).to(&entrance).await);
        assert_eq!(answered.0.is_none(), covers, "{action} {own}: {answered:?}");
        let (others, _) = about(action, "prod");
        let (error, text) = code(Sent::new(action, &others).signed(DEV, &secret).to(&entrance).await);
        assert_eq!(error, Some("AccessDeniedException"), "{action}");
        let user =
            format!("User: arn:aws:iam::123456789012:user/name-{DEV} is not authorized to perform: states:{action}");
        assert!(text.starts_with(&user) && text.contains(" on resource: "), "{text}");
    }
    // What names nothing is about everything.
    let long = format!("{PREFIX}stateMachine:dev-{}", "x".repeat(3_000));
    for body in [json!({}), json!([]), json!({ "stateMachineArn": 1 }), json!({ "stateMachineArn": long })] {
        let sent = Sent::new("StartExecution", &body).signed(DEV, &secret);
        assert_eq!(code(sent.to(&entrance).await).0, Some("AccessDeniedException"), "{body}");
    }
    let no_token = Sent::new("SendTaskSuccess", &json!({ "taskToken": "forged" })).signed(DEV, &secret);
    assert_eq!(code(no_token.to(&entrance).await).0, Some("AccessDeniedException"));
}

#[tokio::test]
async fn an_action_that_there_is_not_is_allowed_to_no_key() {
    let entrance = entrance();
    let sent = Sent::new("DropEverything", &json!({})).signed(ADMIN, &master(&entrance).secret(ADMIN));
    assert_eq!(code(sent.to(&entrance).await).0, Some("AccessDeniedException"));
}

#[tokio::test]
async fn two_keys_that_send_one_invocation_id_make_two_calls() {
    let entrance = entrance();
    let id = "6f9e4a5c-1d7b-4a0f-9c3e-2b8d7e6f5a41";
    let mut seen = Vec::new();
    for key in [ADMIN, ADMIN, DEV] {
        let sent = Sent::new("StartExecution", &about("StartExecution", "dev-1").0);
        let sent = sent.header("amz-sdk-invocation-id", id).signed(key, &master(&entrance).secret(key));
        let Ok(call) = sent.to(&entrance).await else { panic!("{key} was refused") };
        seen.push(call.invocation.unwrap());
    }
    assert!(seen[0] == seen[1] && seen[0] != seen[2] && seen[0].len() == id.len(), "{seen:?}");
}

#[tokio::test]
async fn keys_are_asked_for_once_there_are_any_and_a_revoked_one_is_refused_at_the_next_request() {
    let entrance = Entrance::open();
    let directory = entrance.directory.path();
    let plain = Sent::new("ListStateMachines", &json!({}));
    assert_eq!(code(plain.clone().to(&entrance).await).0, None, "no keys, none asked for");
    KeyFile::change(directory, |file| {
        let (id, name) = (ADMIN.to_owned(), "a".to_owned());
        file.keys.push(Key { id, name, grant: role("read", "*"), created: 0, expires: None });
        Ok(())
    })
    .unwrap();
    let secret = master(&entrance).secret(ADMIN);
    let missing = Some("MissingAuthenticationTokenException");
    assert_eq!(code(plain.clone().to(&entrance).await).0, missing);
    assert_eq!(code(plain.clone().signed(ADMIN, &secret).to(&entrance).await).0, None);
    KeyFile::change(directory, |file| {
        file.keys.clear();
        Ok(())
    })
    .unwrap();
    let unknown = Some("UnrecognizedClientException");
    assert_eq!(code(plain.clone().signed(ADMIN, &secret).to(&entrance).await).0, unknown);
    for broken in [true, false] {
        let path = KeyFile::path(directory);
        if broken {
            std::fs::write(path, "{").unwrap()
        } else {
            std::fs::remove_file(path).unwrap()
        }
        assert_eq!(code(plain.clone().signed(ADMIN, &secret).to(&entrance).await).0, unknown, "broken: {broken}");
        assert_eq!(code(plain.clone().to(&entrance).await).0, missing, "broken: {broken}");
    }
}

#[tokio::test]
async fn a_server_told_to_require_keys_asks_for_them_before_there_are_any() {
    let entrance = Entrance::with(true, |_| {});
    let plain = Sent::new("ListStateMachines", &json!({}));
    assert_eq!(code(plain.to(&entrance).await).0, Some("MissingAuthenticationTokenException"));
}
