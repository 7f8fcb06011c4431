//! How an HTTP request reaches a function: the events of Function URLs and HTTP APIs (format 2.0), and of REST APIs (1.0).

use aws_lambda_events::apigw::ApiGatewayProxyRequest;
use aws_lambda_events::lambda_function_urls::LambdaFunctionUrlRequest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use serde_json::{Map, Value, json};
use service::wire::{self, Head, MOST_BYTES, refused};
use service::{Answer, Call};

/// The two formats of events, and of the answers to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// 1.0
    RestApi,
    /// 2.0
    Url,
}

impl Format {
    pub fn of(event: &Value) -> Format {
        // Not by `httpMethod`: `cargo lambda watch` has that in events of 2.0, too, and always says GET there.
        if event.get("rawPath").is_some() { Format::Url } else { Format::RestApi }
    }
}

/// An HTTP request as both formats tell it.
pub struct Request {
    method: String,
    path: String,
    headers: HeaderMap,
    body: String,
    is_base64: bool,
}

impl Request {
    /// Reads an event of either format, or says what is answered instead.
    pub fn read(event: Value) -> Result<Request, Answer> {
        let read = match Format::of(&event) {
            Format::RestApi => from_rest_api(event),
            Format::Url => from_url(event),
        };
        read.map_err(|_| refused(400, "SerializationException", "The event is not one of an HTTP request."))
    }

    /// The call that the request makes, or what is answered instead.
    pub fn call(self) -> Result<Call, Answer> {
        let header = |name: &str| self.headers.get(name).and_then(|value| value.to_str().ok());
        let Head { action, invocation } = Head::read(&self.method, &self.path, header)?;
        let body = if self.is_base64 {
            STANDARD
                .decode(&self.body)
                .map_err(|_| refused(400, "SerializationException", "The body of the event is not base64."))?
        } else {
            self.body.into_bytes()
        };
        if body.len() > MOST_BYTES {
            return Err(wire::too_large());
        }
        Ok(Call { action, body, invocation })
    }
}

fn from_url(event: Value) -> serde_json::Result<Request> {
    let event: LambdaFunctionUrlRequest = serde_json::from_value(event)?;
    Ok(Request {
        method: event.request_context.http.method.unwrap_or_default(),
        path: root(event.raw_path.as_deref(), None),
        headers: event.headers,
        body: event.body.unwrap_or_default(),
        is_base64: event.is_base64_encoded,
    })
}

fn from_rest_api(event: Value) -> serde_json::Result<Request> {
    let event: ApiGatewayProxyRequest = serde_json::from_value(event)?;
    Ok(Request {
        method: event.http_method.to_string(),
        path: root(event.path.as_deref(), event.request_context.stage.as_deref()),
        headers: event.headers,
        body: event.body.unwrap_or_default(),
        is_base64: event.is_base64_encoded,
    })
}

/// The path without the stage that some gateways leave in it.
fn root(path: Option<&str>, stage: Option<&str>) -> String {
    let path = path.unwrap_or("/");
    let bare = stage.and_then(|stage| path.strip_prefix('/')?.strip_prefix(stage)).unwrap_or(path);
    if bare.is_empty() { "/".to_owned() } else { bare.to_owned() }
}

/// The answer in the shape of a format. They differ in the cookies: `cargo lambda watch` refuses an answer of 2.0 without
/// them, and the documentation of 1.0 has no such member.
pub fn response(answer: &Answer, id: &str, format: Format) -> Value {
    let headers: Map<String, Value> =
        answer.headers(id).map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
    let mut shown =
        json!({ "statusCode": answer.status, "headers": headers, "body": answer.body, "isBase64Encoded": false });
    if let (Format::Url, Value::Object(members)) = (format, &mut shown) {
        members.insert("cookies".to_owned(), json!([]));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url_event(body: &str, is_base64: bool) -> Value {
        json!({
            "version": "2.0", "rawPath": "/", "rawQueryString": "", "isBase64Encoded": is_base64, "body": body,
            "headers": {
                "content-type": "application/x-amz-json-1.0", "x-amz-target": "AWSStepFunctions.StartExecution",
                "amz-sdk-invocation-id": "i"
            },
            "requestContext": { "timeEpoch": 0, "http": { "method": "POST", "path": "/" } }
        })
    }

    fn rest_event(path: &str) -> Value {
        json!({
            "httpMethod": "POST", "path": path, "body": "{}", "isBase64Encoded": false,
            "headers": {
                "Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "AWSStepFunctions.ListActivities"
            },
            "multiValueHeaders": {}, "multiValueQueryStringParameters": {}, "queryStringParameters": {},
            "requestContext": { "stage": "prod", "httpMethod": "POST", "requestTimeEpoch": 0, "identity": {} }
        })
    }

    fn call(event: Value) -> Result<Call, Answer> {
        Request::read(event).and_then(Request::call)
    }

    #[test]
    fn a_base64_body_of_a_function_url_is_decoded() {
        let call = call(url_event(&STANDARD.encode("{\"a\":1}"), true)).unwrap();
        assert_eq!((&*call.action, &*call.body), ("StartExecution", &b"{\"a\":1}"[..]));
        assert_eq!(call.invocation.as_deref(), Some("i"));
    }

    #[test]
    fn cargo_lambda_watch_says_a_method_in_events_of_urls() {
        let mut event = url_event("{}", false);
        event["httpMethod"] = json!("GET");
        assert_eq!(call(event).unwrap().action, "StartExecution");
    }

    #[test]
    fn a_plain_body_is_taken_as_it_is() {
        assert_eq!(call(url_event("{}", false)).unwrap().body, b"{}");
    }

    #[test]
    fn a_rest_api_may_leave_its_stage_in_the_path() {
        for path in ["/", "/prod", "/prod/"] {
            assert_eq!(call(rest_event(path)).unwrap().action, "ListActivities", "{path}");
        }
        assert_eq!(call(rest_event("/elsewhere")).unwrap_err().status, 404);
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for event in [json!({}), json!({"Records": []}), json!({"httpMethod": 5}), json!("text")] {
            assert_eq!(call(event).unwrap_err().status, 400);
        }
        assert_eq!(call(url_event("no base64!", true)).unwrap_err().status, 400);
        assert_eq!(call(url_event(&"x".repeat(MOST_BYTES + 1), false)).unwrap_err().status, 413);
    }

    #[test]
    fn an_answer_has_its_headers() {
        let shown = response(&refused(404, "UnknownOperationException", "no"), "r", Format::RestApi);
        assert_eq!(shown["statusCode"], 404);
        assert_eq!(shown["headers"]["x-amzn-errortype"], "UnknownOperationException");
        assert_eq!(shown["headers"]["x-amzn-requestid"], "r");
        assert_eq!(shown.get("cookies"), None);
        assert_eq!(response(&refused(404, "a", "b"), "r", Format::Url)["cookies"], json!([]));
    }
}
