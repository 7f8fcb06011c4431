//! One HTTP exchange: connect, send once, read a bounded answer.
//!
//! A connection that never opened is tried again, since nothing was sent. Nothing else is: a request that was sent
//! may have been executed. Deliberately absent: proxies, redirects, HTTP/2.

use std::error::Error as _;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::exchange::{Answer, CallError};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Short, so that a connection the other side has dropped is rarely taken from the pool.
const POOL_IDLE: Duration = Duration::from_secs(10);
const POOL_PER_HOST: usize = 64;
/// Lambda answers after up to 15 minutes of silence; gateways in between forget connections much sooner.
const TCP_KEEPALIVE: Duration = Duration::from_secs(60);
/// The pauses before the second and the third try to connect.
const CONNECT_PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(250)];

/// A pool of connections. Plain HTTP never loads the certificates TLS needs, which takes tens of milliseconds.
pub(crate) enum Connection {
    Plain(Client<HttpConnector, Full<Bytes>>),
    Tls(Client<HttpsConnector<HttpConnector>, Full<Bytes>>),
}

impl Connection {
    pub(crate) fn plain() -> Self {
        Self::Plain(client().build(connector()))
    }

    /// Trusts what the operating system trusts.
    pub(crate) fn tls() -> Result<Self, CallError> {
        let mut connector = connector();
        connector.enforce_http(false);
        let builder = HttpsConnectorBuilder::new()
            .with_native_roots()
            .map_err(|error| CallError::NotSent { reason: format!("No trusted certificates: {error}") })?;
        Ok(Self::Tls(client().build(builder.https_or_http().enable_http1().wrap_connector(connector))))
    }

    /// Sends `request` once and reads at most `limit` bytes of the answer's body.
    pub(crate) async fn exchange(&self, request: http::Request<Bytes>, limit: usize) -> Result<Answer, CallError> {
        let (head, body) = request.into_parts();
        let authority = head.uri.authority().map(ToString::to_string).unwrap_or_default();
        let mut pauses = CONNECT_PAUSES.iter();
        let response = loop {
            let attempt = http::Request::from_parts(head.clone(), Full::new(body.clone()));
            let sent = match self {
                Self::Plain(client) => client.request(attempt).await,
                Self::Tls(client) => client.request(attempt).await,
            };
            match sent {
                Ok(response) => break response,
                Err(error) if error.is_connect() => match pauses.next() {
                    Some(pause) => tokio::time::sleep(*pause).await,
                    None => {
                        let reason = format!("Connect to {authority} failed: {}", innermost(&error));
                        return Err(CallError::NotSent { reason });
                    }
                },
                Err(error) => {
                    let reason = format!("{authority} failed to respond: {}", innermost(&error));
                    return Err(CallError::Lost { reason });
                }
            }
        };
        let (head, body) = response.into_parts();
        let body = Limited::new(body, limit).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                CallError::TooLarge { limit }
            } else {
                CallError::Lost { reason: format!("{authority} did not finish its answer: {error}") }
            }
        })?;
        Ok(Answer { status: head.status, headers: head.headers, body: body.to_bytes() })
    }
}

fn client() -> hyper_util::client::legacy::Builder {
    let mut builder = Client::builder(TokioExecutor::new());
    builder
        .pool_idle_timeout(POOL_IDLE)
        .pool_timer(TokioTimer::new())
        .pool_max_idle_per_host(POOL_PER_HOST)
        // A request that met a closing connection may have left already as far as anyone can tell.
        .retry_canceled_requests(false);
    builder
}

fn connector() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
    connector.set_keepalive(Some(TCP_KEEPALIVE));
    connector
}

/// The text at the bottom of a chain of errors: `Connection refused`, not `client error`.
fn innermost(error: &Error) -> String {
    let mut deepest = error.source();
    while let Some(next) = deepest.and_then(|error| error.source()) {
        deepest = Some(next);
    }
    deepest.map_or_else(|| error.to_string(), ToString::to_string)
}
