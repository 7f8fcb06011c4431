//! A little server that speaks Lambda's Invoke API, for tests: functions are closures, every call is recorded.
//!
//! It has two dialects, that of AWS and that of `cargo lambda watch`, which differ in how errors, asynchronous calls and
//! qualified names are answered. Deliberately absent: signatures are recorded and not checked; nothing else of Lambda.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Whom the server imitates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    Aws,
    CargoLambda,
}

/// A function's reply to an event.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// It returns this.
    Returns(Value),
    /// It returns these bytes, JSON or not.
    ReturnsBytes(Vec<u8>),
    /// It fails with this payload.
    Fails(Vec<u8>),
    /// The API refuses, with its own kind of error.
    Refuses { status: u16, code: String, message: String },
    /// The answer to the request is this and nothing else.
    Raw { status: u16, headers: Vec<(String, String)>, body: Vec<u8> },
    /// The answer takes this long.
    After(Duration, Box<Answer>),
    /// There is never an answer.
    Hangs,
    /// The connection breaks before an answer.
    Cuts,
    /// The connection breaks within the answer.
    CutsWithinBody,
}

impl Answer {
    /// A failure as managed runtimes report it.
    pub fn raises(error_type: &str, message: &str) -> Self {
        Self::Fails(json!({"errorType": error_type, "errorMessage": message}).to_string().into_bytes())
    }
}

/// A request to invoke a function, as it arrived.
#[derive(Debug, Clone)]
pub struct Call {
    /// The name in the path, decoded.
    pub function: String,
    /// Path and query as sent.
    pub target: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Call {
    /// A header as text, empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

type Function = Arc<dyn Fn(&Value, &HeaderMap) -> Answer + Send + Sync>;

/// A running server. It stops when it is dropped.
pub struct LambdaServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

struct Shared {
    dialect: Dialect,
    functions: Mutex<BTreeMap<String, Function>>,
    calls: Mutex<Vec<Call>>,
    connections: AtomicU64,
    requests: AtomicU64,
}

type AnswerBody = BoxBody<Bytes, io::Error>;

impl LambdaServer {
    /// Starts at any free port of this machine.
    pub async fn start(dialect: Dialect) -> io::Result<Self> {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), dialect).await
    }

    /// Starts at `address`.
    pub async fn start_at(address: SocketAddr, dialect: Dialect) -> io::Result<Self> {
        crate::watchdog::watch();
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            dialect,
            functions: Mutex::default(),
            calls: Mutex::default(),
            connections: AtomicU64::new(0),
            requests: AtomicU64::new(0),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { address, shared, accepting })
    }

    /// The endpoint, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Makes `function` known under `name`, in place of what was.
    pub fn register(&self, name: &str, function: impl Fn(&Value, &HeaderMap) -> Answer + Send + Sync + 'static) {
        locked(&self.shared.functions).insert(name.to_owned(), Arc::new(function));
    }

    /// Every call so far, in the order of arrival, those of unknown functions too.
    pub fn calls(&self) -> Vec<Call> {
        locked(&self.shared.calls).clone()
    }

    /// How many connections were opened so far.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Drop for LambdaServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // The set's end, when this task is aborted, is the end of every connection.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        shared.connections.fetch_add(1, Ordering::SeqCst);
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let service = service_fn(move |request| respond(Arc::clone(&shared), request));
            // A broken connection is the client's own affair.
            let _ended = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn respond(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<AnswerBody>, io::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let target = head.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let function = head
        .uri
        .path()
        .strip_prefix("/2015-03-31/functions/")
        .and_then(|rest| rest.strip_suffix("/invocations"))
        .map(percent_decoded);
    let Some(function) = function else {
        return Ok(refusal(&shared, 404, "UnknownOperationException", &format!("no operation at {target}")));
    };
    let call = Call { function, target, headers: head.headers, body };
    locked(&shared.calls).push(call.clone());
    let Some(name) = callable_name(&shared, &call.function) else {
        return Ok(not_found(&shared, &call));
    };
    let Some(known) = locked(&shared.functions).get(&name).cloned() else {
        return Ok(not_found(&shared, &call));
    };
    invoke(&shared, &call, &known).await
}

async fn invoke(shared: &Shared, call: &Call, function: &Function) -> Result<Response<AnswerBody>, io::Error> {
    let kind = call.header("x-amz-invocation-type");
    if shared.dialect == Dialect::Aws && kind == "DryRun" {
        return Ok(reply(shared, 204, &[], Bytes::new()));
    }
    let event = if call.body.is_empty() { Ok(json!({})) } else { serde_json::from_slice(&call.body) };
    let Ok(event) = event else {
        return Ok(refusal(shared, 400, "InvalidRequestContentException", "Could not parse request body into json"));
    };
    let mut answer = function(&event, &call.headers);
    while let Answer::After(pause, then) = answer {
        tokio::time::sleep(pause).await;
        answer = *then;
    }
    if shared.dialect == Dialect::Aws && kind == "Event" {
        return Ok(reply(shared, 202, &[], Bytes::new()));
    }
    Ok(match answer {
        Answer::Returns(value) => success(shared, call, Bytes::from(value.to_string())),
        Answer::ReturnsBytes(bytes) => success(shared, call, Bytes::from(bytes)),
        Answer::Fails(payload) => match shared.dialect {
            Dialect::Aws => {
                let headers = [("x-amz-function-error", "Unhandled"), ("x-amz-executed-version", "$LATEST")];
                reply(shared, 200, &headers, Bytes::from(payload))
            }
            Dialect::CargoLambda => reply(shared, 500, &[], Bytes::from(payload)),
        },
        Answer::Refuses { status, code, message } => refusal(shared, status, &code, &message),
        Answer::Raw { status, headers, body } => {
            let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            response(status, &headers, Bytes::from(body))
        }
        Answer::After(..) | Answer::Hangs => std::future::pending().await,
        Answer::Cuts => return Err(io::Error::from(io::ErrorKind::ConnectionReset)),
        Answer::CutsWithinBody => Response::new(BoxBody::new(BrokenBody { polls: 0 })),
    })
}

fn success(shared: &Shared, call: &Call, payload: Bytes) -> Response<AnswerBody> {
    match shared.dialect {
        Dialect::CargoLambda => reply(shared, 200, &[], payload),
        Dialect::Aws => {
            let mut headers = vec![
                ("x-amz-executed-version", "$LATEST"),
                ("x-amzn-remapped-content-length", "0"),
                ("x-amzn-trace-id", "Root=1-0-0;Sampled=0"),
            ];
            if call.header("x-amz-log-type") == "Tail" {
                headers.push(("x-amz-log-result", "U1RBUlQK"));
            }
            reply(shared, 200, &headers, payload)
        }
    }
}

fn not_found(shared: &Shared, call: &Call) -> Response<AnswerBody> {
    match shared.dialect {
        Dialect::Aws => {
            let message = format!("Function not found: {}:$LATEST", call.function);
            refusal(shared, 404, "ResourceNotFoundException", &message)
        }
        Dialect::CargoLambda => reply(shared, 404, &[], Bytes::from_static(b"no such function")),
    }
}

fn refusal(shared: &Shared, status: u16, code: &str, message: &str) -> Response<AnswerBody> {
    let body = json!({"Message": message, "Type": "User"}).to_string();
    reply(shared, status, &[("x-amzn-errortype", code)], Bytes::from(body))
}

fn reply(shared: &Shared, status: u16, headers: &[(&str, &str)], body: Bytes) -> Response<AnswerBody> {
    let id = format!("00000000-0000-4000-8000-{:012}", shared.requests.fetch_add(1, Ordering::SeqCst) + 1);
    let mut all = vec![("content-type", "application/json"), ("x-amzn-requestid", id.as_str())];
    all.extend_from_slice(headers);
    response(status, &all, body)
}

fn response(status: u16, headers: &[(&str, &str)], body: Bytes) -> Response<AnswerBody> {
    let body = Full::new(body).map_err(|never: Infallible| match never {});
    let mut response = Response::new(BoxBody::new(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (http::HeaderName::try_from(*name), HeaderValue::from_str(value)) {
            response.headers_mut().append(name, value);
        }
    }
    response
}

/// The registered name that `function` means; `cargo lambda watch` knows none but bare ones.
fn callable_name(shared: &Shared, function: &str) -> Option<String> {
    let rest = function.rsplit_once(":function:").map_or(function, |(_, rest)| rest);
    match shared.dialect {
        Dialect::CargoLambda => (!function.contains(':')).then(|| function.to_owned()),
        Dialect::Aws => rest.split(':').next().map(str::to_owned),
    }
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        match after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(b'%');
                rest = after;
            }
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A body that begins, is flushed, and then breaks.
struct BrokenBody {
    polls: u8,
}

impl Body for BrokenBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        self.polls = self.polls.saturating_add(1);
        match self.polls {
            1 => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"{\"half\":"))))),
            // While the body has nothing to give, the server sends what it has.
            2 => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
            _ => Poll::Ready(Some(Err(io::Error::from(io::ErrorKind::ConnectionReset)))),
        }
    }
}
