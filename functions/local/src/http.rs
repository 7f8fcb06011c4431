//! AWS JSON 1.0 over HTTP/1.1: what stands between a connection and [`Service::answer`].
//!
//! Slow or endless requests are cut by time and size, what is too much at a time is refused ([`limits`]), keep-alive connections are closed when idle, and stopping finishes
//! the requests in hand. Requests of browsers are refused, so that no web page reaches a server on its reader's
//! machine. Any signature is accepted; absent: TLS, HTTP/2, authentication.

mod limits;

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use service::wire::{self, Head, MOST_BYTES, refused};
use service::{Answer, ApiError, Call, Service};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OwnedSemaphorePermit;

use limits::{Admission, Limits, Room};

/// For the head of a request, and between two requests on one connection.
const HEAD_TIME: Duration = Duration::from_secs(30);
const BODY_TIME: Duration = Duration::from_secs(30);
/// What is read and thrown away of a body that is too large: a client that is still sending would otherwise find its
/// connection reset and never see why.
const OVERFLOW_BYTES: usize = 16 << 20;
const OVERFLOW_TIME: Duration = Duration::from_secs(1);
/// What a client has that is turned away because there are too many.
const TURN_AWAY_TIME: Duration = Duration::from_secs(5);
/// What requests in hand have left once the server is told to stop.
const LAST_REQUESTS: Duration = Duration::from_secs(10);
/// Pause after a connection could not be accepted: most likely there are too many.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// When to stop.
pub struct Stop {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Stop {
    /// On SIGTERM and Ctrl-C.
    pub fn on_signals() -> std::io::Result<Stop> {
        Ok(Stop {
            #[cfg(unix)]
            terminate: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?,
        })
    }

    #[cfg(unix)]
    async fn told(&mut self) {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = self.terminate.recv() => {}
        }
    }

    #[cfg(not(unix))]
    async fn told(&mut self) {
        let _asked_or_impossible = tokio::signal::ctrl_c().await;
    }
}

/// Answers connections until told to stop, then finishes the requests in hand.
pub async fn serve(listener: TcpListener, service: Arc<Service>, mut stop: Stop) {
    let (graceful, server, limits) = (GracefulShutdown::new(), protocol(), Limits::new());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.told() => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // Answers are small and written at once: waiting for more only delays them.
        let _as_fast_as_it_goes = stream.set_nodelay(true);
        let place = match limits.admission() {
            Admission::Served(place) => place,
            Admission::TurnedAway(place) => {
                tokio::spawn(turn_away(stream, place));
                continue;
            }
            Admission::Closed => continue,
        };
        let (service, limits) = (service.clone(), limits.clone());
        let answer = service_fn(move |request| exchange(service.clone(), limits.clone(), request));
        let connection = graceful.watch(server.serve_connection(TokioIo::new(stream), answer));
        tokio::spawn(async move {
            let _place = place;
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection broke");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(LAST_REQUESTS, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests were not finished in time");
    }
}

fn protocol() -> http1::Builder {
    let mut protocol = http1::Builder::new();
    protocol.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME);
    protocol
}

/// Tells a client that there are too many connections, and closes this one.
async fn turn_away(stream: TcpStream, _place: OwnedSemaphorePermit) {
    let answer = service_fn(|request: Request<Incoming>| async {
        let _in_vain = tokio::time::timeout(OVERFLOW_TIME, throw_away(pin!(request.into_body()))).await;
        let mut response = response(ApiError::Throttled.into(), "");
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        Ok::<_, Infallible>(response)
    });
    let connection = protocol().keep_alive(false).serve_connection(TokioIo::new(stream), answer);
    if tokio::time::timeout(TURN_AWAY_TIME, connection).await.is_err() {
        tracing::debug!("a client that was turned away did not leave");
    }
}

async fn exchange(
    service: Arc<Service>,
    limits: Limits,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.method() == Method::GET && request.uri().path() == "/health" {
        return Ok(healthy());
    }
    let (begun, id) = (Instant::now(), service.request_id());
    let target = text(request.headers(), "x-amz-target").map(str::to_owned);
    let answer = match receive(request, &limits).await {
        Ok(Received { call, _room }) => match limits.request(&call.action) {
            Some(_place) => service.answer(call).await,
            None => ApiError::Throttled.into(),
        },
        Err(answer) => answer,
    };
    tracing::debug!(target, request = id, status = answer.status, error = answer.error, took = ?begun.elapsed(), "request");
    Ok(response(answer, &id))
}

/// A call, and the room its body takes.
struct Received {
    call: Call,
    _room: Room,
}

/// The call that a request makes, or what it is answered instead.
async fn receive<B>(request: Request<B>, limits: &Limits) -> Result<Received, Answer>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (head, body) = request.into_parts();
    let Head { action, invocation } =
        Head::read(head.method.as_str(), head.uri.path(), |name| text(&head.headers, name))?;
    let mut body = pin!(body);
    let mut room = limits.body();
    let answer = match tokio::time::timeout(BODY_TIME, collect(body.as_mut(), &mut room)).await {
        Ok(Ok(body)) => return Ok(Received { call: Call { action, body, invocation }, _room: room }),
        Ok(Err(Uncollected::BrokenOff)) => {
            return Err(refused(400, "IncompleteBodyException", "The body of the request broke off."));
        }
        Err(_) => return Err(refused(408, "RequestTimeoutException", "The body of the request came too slowly.")),
        Ok(Err(Uncollected::TooLarge)) => wire::too_large(),
        Ok(Err(Uncollected::NoRoom)) => ApiError::Throttled.into(),
    };
    let _in_vain = tokio::time::timeout(OVERFLOW_TIME, throw_away(body)).await;
    Err(answer)
}

/// Why a body was not collected.
enum Uncollected {
    TooLarge,
    NoRoom,
    BrokenOff,
}

/// The whole body, as far as there is room for it.
async fn collect<B: Body<Data = Bytes>>(mut body: Pin<&mut B>, room: &mut Room) -> Result<Vec<u8>, Uncollected> {
    let mut all = Vec::new();
    // Told before it comes, where its length is known.
    if body.size_hint().lower() > MOST_BYTES as u64 {
        return Err(Uncollected::TooLarge);
    }
    while let Some(frame) = body.as_mut().frame().await {
        let frame = frame.map_err(|_| Uncollected::BrokenOff)?;
        let Some(data) = frame.data_ref() else { continue };
        if data.len() > MOST_BYTES - all.len() {
            return Err(Uncollected::TooLarge);
        }
        if !room.grow(data.len()) {
            return Err(Uncollected::NoRoom);
        }
        all.extend_from_slice(data);
    }
    Ok(all)
}

/// Reads on without keeping anything, up to a limit.
async fn throw_away(mut body: Pin<&mut impl Body<Data = Bytes>>) {
    let mut left = OVERFLOW_BYTES;
    while let Some(Ok(frame)) = body.as_mut().frame().await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(length) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

fn response(answer: Answer, id: &str) -> Response<Full<Bytes>> {
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
    *response.body_mut() = Full::new(Bytes::from(answer.body));
    response
}

fn healthy() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(br#"{"status":"ok"}"#)));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

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
        receive(request, &Limits::new()).await.map(|received| received.call)
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

    /// What a client gets that sends `begun` and then nothing, in virtual time, and when the server hangs up.
    async fn answer_to_silence_after(begun: &str) -> (String, Duration) {
        let (mut client, server) = tokio::io::duplex(1 << 16);
        let answer = service_fn(|request| async {
            let received = receive(request, &Limits::new()).await;
            let answer = received.map_or_else(|answer| answer, |_| panic!("a whole request"));
            Ok::<_, Infallible>(response(answer, "id"))
        });
        let connection = tokio::spawn(protocol().serve_connection(TokioIo::new(server), answer));
        let begin = tokio::time::Instant::now();
        client.write_all(begun.as_bytes()).await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        let _broken_or_closed = connection.await.unwrap();
        (answer, begin.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_stops_sending_is_hung_up_on() {
        let head = "POST / HTTP/1.1\r\nhost: h\r\ncontent-type: application/x-amz-json-1.0\r\n";
        let whole = format!("{head}x-amz-target: AWSStepFunctions.ListStateMachines\r\ncontent-length: 9\r\n\r\n{{");
        for (begun, limit, expected) in
            [("", HEAD_TIME, ""), (head, HEAD_TIME, ""), (&*whole, BODY_TIME, "RequestTimeoutException")]
        {
            let (answer, after) = answer_to_silence_after(begun).await;
            assert!(answer.contains(expected) && answer.is_empty() == expected.is_empty(), "{begun}: {answer}");
            assert!(after >= limit && after < limit + Duration::from_secs(1), "{begun}: {after:?}");
        }
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
}
