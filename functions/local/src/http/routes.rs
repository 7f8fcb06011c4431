//! From a request to its response: requests of web pages are refused, `/health` is answered, calls go to the service.
//!
//! A web page in a browser on the operator's machine must not reach the server. A page of another site sends `Origin`,
//! whatever bytes it has. A page whose name its owner rebinds to this address sends that name as `Host`: only names that
//! no such page can have are served, which are IP addresses, `localhost`, and what `--host` and `--allowed-host` name.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use service::wire::{self, Head, refused};
use service::{Answer, ApiError, Call, Service};

use super::body::{BODY_TIME, Uncollected, collect, throw_away};
use super::guard::{Caller, Guard, Source};
use super::limits::{AnswerRoom, Limits, Room};
use crate::serve::Drain;

/// The prefix that SDKs put before the host for StartSyncExecution.
const SYNC_PREFIX: &str = "sync-";

/// The names that a request's `Host` may have, beside IP addresses and `localhost`.
#[derive(Clone)]
pub struct AllowedHosts(Arc<[String]>);

impl AllowedHosts {
    pub fn new(names: impl IntoIterator<Item = String>) -> AllowedHosts {
        AllowedHosts(names.into_iter().map(|name| name.to_ascii_lowercase()).collect())
    }

    /// Whether every `Host` of a request is allowed; one without any comes from no browser.
    fn allow(&self, headers: &HeaderMap) -> bool {
        headers.get_all(header::HOST).iter().all(|host| host.to_str().is_ok_and(|host| self.allows(host)))
    }

    fn allows(&self, host: &str) -> bool {
        let name = host_name(host).to_ascii_lowercase();
        let name = name.strip_suffix('.').unwrap_or(&name);
        let bare = name.strip_prefix(SYNC_PREFIX).unwrap_or(name);
        let address = bare.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(bare);
        let local = bare == "localhost" || bare.ends_with(".localhost");
        local || address.parse::<IpAddr>().is_ok() || self.0.iter().any(|allowed| allowed == name || allowed == bare)
    }
}

/// A host without its port.
fn host_name(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !name.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// Answers the requests of a server.
#[derive(Clone)]
pub struct Routes {
    service: Arc<Service>,
    pub limits: Limits,
    hosts: AllowedHosts,
    guard: Arc<Guard>,
    pub drain: Drain,
}

impl Routes {
    pub fn new(service: Arc<Service>, (hosts, guard): (AllowedHosts, Guard), drain: Drain, memory: usize) -> Routes {
        Routes { service, limits: Limits::new(memory), hosts, guard: Arc::new(guard), drain }
    }

    pub async fn answer(
        self,
        request: Request<Incoming>,
        address: IpAddr,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        if request.method() == Method::GET && request.uri().path() == "/health" {
            return Ok(healthy());
        }
        let (begun, id) = (Instant::now(), self.service.request_id());
        let target = text(request.headers(), "x-amz-target").map(str::to_owned);
        let (answer, room) = self.call(request, Source { address, request: &id }).await;
        let (status, error) = (answer.status, answer.error);
        tracing::debug!(target, request = id, status, error, took = ?begun.elapsed(), "request answered");
        Ok(response(answer, &id, room))
    }

    async fn call(&self, request: Request<Incoming>, source: Source<'_>) -> (Answer, Option<AnswerRoom>) {
        let door = Door { hosts: &self.hosts, guard: &self.guard, source };
        let Received { mut call, caller, _room } = match receive(request, &self.limits, door).await {
            Ok(received) => received,
            Err(answer) => return (answer, None),
        };
        if let Some(caller) = caller {
            let open = |token: &str| self.service.about_token(token);
            if let Err(denied) = self.guard.authorize(&caller, &mut call, source, open) {
                return (denied.into(), None);
            }
        }
        if self.drain.is_begun() && call.action.starts_with("Start") {
            return (ApiError::Throttled.into(), None);
        }
        let Some(_place) = self.limits.request(&call.action) else { return (ApiError::Throttled.into(), None) };
        // A task that was leased is given to one worker, once.
        let repeatable = !call.action.starts_with("Start") && call.action != "GetActivityTask";
        let answer = self.service.answer(call).await;
        match self.limits.answer(answer.body.len(), repeatable).await {
            Some(room) => (answer, Some(room)),
            None => (ApiError::Throttled.into(), None),
        }
    }
}

/// A call, and the room that its body takes.
pub struct Received {
    pub call: Call,
    /// The key that signed it, where keys are asked for.
    pub caller: Option<Caller>,
    _room: Room,
}

/// What a request has to pass.
#[derive(Clone, Copy)]
pub struct Door<'a> {
    pub hosts: &'a AllowedHosts,
    pub guard: &'a Guard,
    pub source: Source<'a>,
}

/// The call that a request makes, or the response that refuses it.
pub async fn receive<B>(request: Request<B>, limits: &Limits, door: Door<'_>) -> Result<Received, Answer>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (head, body) = request.into_parts();
    if !door.hosts.allow(&head.headers) {
        let text = "The header Host has a name that is not this server's: --allowed-host takes more names.";
        return Err(refused(403, "AccessDeniedException", text));
    }
    let Head { action, invocation } =
        Head::read(head.method.as_str(), head.uri.path(), |name| text(&head.headers, name))?;
    let mut body = pin!(body);
    let claim = match door.guard.claim(&head, jiff::Timestamp::now().as_second()) {
        Ok(claim) => claim,
        Err(refusal) => {
            throw_away(body).await;
            return Err(door.guard.refuse(&refusal, &action, door.source));
        }
    };
    let mut room = limits.body();
    let answer = match tokio::time::timeout(BODY_TIME, collect(body.as_mut(), &mut room)).await {
        Ok(Ok(body)) => {
            let caller = claim.map(|claim| door.guard.verify(claim, &head, &body)).transpose();
            let caller = caller.map_err(|refusal| door.guard.refuse(&refusal, &action, door.source))?;
            return Ok(Received { call: Call { action, body, invocation }, caller, _room: room });
        }
        Ok(Err(Uncollected::BrokenOff)) => {
            return Err(refused(400, "IncompleteBodyException", "The body of the request broke off."));
        }
        Err(_) => return Err(refused(408, "RequestTimeoutException", "The body of the request came too slowly.")),
        Ok(Err(Uncollected::TooLarge)) => wire::too_large(),
        Ok(Err(Uncollected::NoRoom)) => ApiError::Throttled.into(),
    };
    throw_away(body).await;
    Err(answer)
}

/// The text of a header.
fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let text = headers.get(name)?.to_str();
    // An origin is one whatever bytes it has.
    if name == "origin" { Some(text.unwrap_or_default()) } else { text.ok() }
}

/// The response to a request; `room` is held until the last byte is written.
pub fn response(answer: Answer, id: &str, room: Option<AnswerRoom>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    for (name, value) in answer.headers(id) {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    // A body that was not read to its end cannot be followed by another request.
    if matches!(answer.status, 408 | 413) {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    *response.body_mut() = Full::new(Bytes::from_owner(Held { text: answer.body, _room: room }));
    response
}

fn healthy() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(br#"{"status":"ok"}"#)));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The text of an answer with the room it takes: both end when hyper has written the text.
struct Held {
    text: String,
    _room: Option<AnswerRoom>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

#[cfg(test)]
pub mod tests {
    use service::wire::MOST_BYTES;

    use super::*;

    /// What a request has to pass, with a directory of its own.
    pub struct Entrance {
        hosts: AllowedHosts,
        pub guard: Guard,
        pub directory: tempfile::TempDir,
    }

    impl Entrance {
        /// Without keys.
        pub fn open() -> Entrance {
            Entrance::with(false, |_| {})
        }

        pub fn with(required: bool, prepare: impl FnOnce(&std::path::Path)) -> Entrance {
            let directory = tempfile::tempdir().unwrap();
            prepare(directory.path());
            let home = integrations::Home {
                partition: "aws".to_owned(),
                region: "us-east-1".to_owned(),
                account: "123456789012".to_owned(),
            };
            let guard = Guard::new(directory.path().to_owned(), &home, required).unwrap();
            Entrance { hosts: AllowedHosts::new(["stepwell.example".to_owned()]), guard, directory }
        }

        pub fn door(&self) -> Door<'_> {
            Door { hosts: &self.hosts, guard: &self.guard, source: SOURCE }
        }
    }

    pub const SOURCE: Source<'static> =
        Source { address: IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), request: "request" };

    const GOOD: [(&str, &str); 2] =
        [("content-type", "application/x-amz-json-1.0"), ("x-amz-target", "AWSStepFunctions.ListStateMachines")];

    /// Method, path, headers, body, and the status of the answer.
    type Case<'c> = (Method, &'c str, &'c [(&'c str, &'c str)], &'c str, u16);

    async fn received(method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Result<Call, Answer> {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::from(body.to_owned()))).unwrap();
        receive(request, &Limits::new(usize::MAX), Entrance::open().door()).await.map(|received| received.call)
    }

    #[tokio::test]
    async fn a_request_of_an_sdk_is_a_call() {
        let headers = [GOOD[0], GOOD[1], ("amz-sdk-invocation-id", "i")];
        let call = received(Method::POST, "/", &headers, "{}").await.unwrap();
        assert_eq!(
            (&*call.action, &*call.body, call.invocation.as_deref()),
            ("ListStateMachines", &b"{}"[..], Some("i"))
        );
    }

    #[tokio::test]
    async fn what_is_no_call_is_refused() {
        let (kind, target) = (GOOD[0], GOOD[1]);
        let large = "x".repeat(MOST_BYTES + 1);
        let cases: [Case<'_>; 8] = [
            (Method::GET, "/", &GOOD, "", 404),
            (Method::POST, "/other", &GOOD, "", 404),
            (Method::POST, "/", &[kind], "{}", 404),
            (Method::POST, "/", &[target], "{}", 404),
            (Method::POST, "/", &[kind, ("x-amz-target", "DynamoDB_20120810.ListTables")], "{}", 404),
            (Method::POST, "/", &[("content-type", "text/plain"), target], "{}", 404),
            (Method::POST, "/", &[kind, target, ("origin", "http://example.com")], "{}", 403),
            (Method::POST, "/", &GOOD, &large, 413),
        ];
        for (method, path, headers, body, status) in cases {
            let answer = received(method.clone(), path, headers, body).await.unwrap_err();
            assert_eq!(answer.status, status, "{method} {path} {headers:?}");
            let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
            assert!(body["__type"].as_str().unwrap().ends_with(answer.error.unwrap()), "{body}");
        }
    }

    #[tokio::test]
    async fn a_page_of_another_site_is_refused_whatever_bytes_its_origin_has() {
        let mut request = Request::builder().method(Method::POST).uri("/");
        for (name, value) in GOOD {
            request = request.header(name, value);
        }
        let origin = HeaderValue::from_bytes(b"http://ex\xe4mple.com").unwrap();
        let request = request.header("origin", origin).body(Full::new(Bytes::from_static(b"{}"))).unwrap();
        let entrance = Entrance::open();
        let received = receive(request, &Limits::new(usize::MAX), entrance.door()).await;
        let answer = received.map(|received| received.call).unwrap_err();
        assert_eq!(answer.status, 403);
    }

    #[tokio::test]
    async fn a_page_that_rebinds_its_name_is_refused() {
        let cases = [
            ("127.0.0.1:8083", true),
            ("localhost:8083", true),
            ("LOCALHOST", true),
            ("sync-localhost:8083", true),
            ("sync-127.0.0.1", true),
            ("[::1]:8083", true),
            ("192.168.1.5:8083", true),
            ("stepwell.example:8083", true),
            ("sync-stepwell.example", true),
            ("evil.example", false),
            ("evil.example:8083", false),
            ("localhost.evil.example", false),
            ("127.0.0.1.evil.example", false),
            ("", false),
        ];
        for (host, allowed) in cases {
            let headers = [GOOD[0], GOOD[1], ("host", host)];
            let received = received(Method::POST, "/", &headers, "{}").await;
            assert_eq!(received.map_err(|answer| answer.status).err(), (!allowed).then_some(403), "{host}");
        }
    }
}
