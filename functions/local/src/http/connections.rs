//! Accepts connections, closes slow and idle ones, and stops the server.
//!
//! At the first signal the server drains: it keeps its connections but starts nothing (`serve/drain.rs`); when the drain is
//! over it finishes the requests in flight and closes. A second signal ends the drain at once.

use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use http::{HeaderValue, Request, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use service::ApiError;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OwnedSemaphorePermit;

use super::body::throw_away;
use super::limits::Admission;
use super::routes::{Routes, response};
use super::write_deadline::WriteDeadline;

/// For the head of a request, and between two requests on one connection.
const HEAD_TIME: Duration = Duration::from_secs(30);
/// The time of a connection that is refused because there are too many.
const TURN_AWAY_TIME: Duration = Duration::from_secs(5);
/// The least time that requests in flight have to finish once the drain is over; more if the drain's time is not.
const LAST_REQUESTS: Duration = Duration::from_secs(4);
/// Pause after a connection could not be accepted: most likely there are too many.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The signals that stop the server.
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
    pub async fn signalled(&mut self) {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = self.terminate.recv() => {}
        }
    }

    #[cfg(not(unix))]
    pub async fn signalled(&mut self) {
        let _asked_or_impossible = tokio::signal::ctrl_c().await;
    }
}

/// Answers connections until a signal stops the server, then drains and finishes the requests in flight.
pub async fn serve(listener: TcpListener, routes: Routes, mut stop: Stop) {
    let (graceful, server, drain) = (GracefulShutdown::new(), protocol(), routes.drain.clone());
    let mut drained = pin!(drain.done());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.signalled() => {
                if drain.is_begun() {
                    tracing::warn!("server: second signal, drain cut short; task calls in flight count as lost");
                    return;
                }
                drain.begin();
                continue;
            }
            () = &mut drained => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "server: connection not accepted, retrying after a pause");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // Responses are small and written at once: waiting for more only delays them.
        let _as_fast_as_it_goes = stream.set_nodelay(true);
        let place = match routes.limits.admission() {
            Admission::Served(place) => place,
            Admission::TurnedAway(place) => {
                tokio::spawn(turn_away(stream, place));
                continue;
            }
            Admission::Closed => continue,
        };
        let routes = routes.clone();
        let answer = service_fn(move |request| routes.clone().answer(request, peer.ip()));
        let stream = TokioIo::new(WriteDeadline::new(stream));
        let connection = graceful.watch(server.serve_connection(stream, answer));
        tokio::spawn(async move {
            let _place = place;
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection broken");
            }
        });
    }
    drop(listener);
    tokio::select! {
        finished = tokio::time::timeout(drain.time_left().max(LAST_REQUESTS), graceful.shutdown()) => {
            if finished.is_err() {
                tracing::warn!("server: requests cut off, they did not finish in time");
            }
        }
        () = stop.signalled() => tracing::warn!("server: second signal, requests cut off"),
    }
}

fn protocol() -> http1::Builder {
    let mut protocol = http1::Builder::new();
    protocol.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME);
    protocol
}

/// Answers one request with a throttling error, and closes the connection.
async fn turn_away(stream: TcpStream, _place: OwnedSemaphorePermit) {
    let answer = service_fn(|request: Request<Incoming>| async {
        throw_away(pin!(request.into_body())).await;
        let mut response = response(ApiError::Throttled.into(), "", None);
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        Ok::<_, Infallible>(response)
    });
    let connection = protocol().keep_alive(false).serve_connection(TokioIo::new(WriteDeadline::new(stream)), answer);
    if tokio::time::timeout(TURN_AWAY_TIME, connection).await.is_err() {
        tracing::debug!("connection dropped, its client neither read the throttling error nor closed");
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::http::body::BODY_TIME;
    use crate::http::limits::Limits;
    use crate::http::routes::{receive, tests::Entrance};

    /// The response to a client that sends `begun` and then nothing, and when the server hangs up, in virtual time.
    async fn answer_to_silence_after(begun: &str) -> (String, Duration) {
        let (mut client, server) = tokio::io::duplex(1 << 16);
        let answer = service_fn(|request| async {
            let received = receive(request, &Limits::new(usize::MAX), Entrance::open().door()).await;
            let answer = received.map_or_else(|answer| answer, |_| panic!("a whole request"));
            Ok::<_, Infallible>(response(answer, "id", None))
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
        let head = "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-amz-json-1.0\r\n";
        let whole = format!("{head}x-amz-target: AWSStepFunctions.ListStateMachines\r\ncontent-length: 9\r\n\r\n{{");
        for (begun, limit, expected) in
            [("", HEAD_TIME, ""), (head, HEAD_TIME, ""), (&*whole, BODY_TIME, "RequestTimeoutException")]
        {
            let (answer, after) = answer_to_silence_after(begun).await;
            assert!(answer.contains(expected) && answer.is_empty() == expected.is_empty(), "{begun}: {answer}");
            assert!(after >= limit && after < limit + Duration::from_secs(1), "{begun}: {after:?}");
        }
    }
}
