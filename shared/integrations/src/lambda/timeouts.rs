//! How long functions may run: asked once each, so that a worker with little time left still takes calls that are short.
//!
//! A worker begins no call that could outlast it. Without this every call of a function would count as one of 15
//! minutes, and a workflow of many short ones would need a fresh worker for each. An answer holds for some minutes, since
//! a function's timeout may be changed; without an answer Lambda's own limit is assumed.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::Deserialize;

use super::LambdaTarget;
use super::invocation::Invocation;
use crate::caller::Destination;
use crate::exchange::Request;

/// How long an answer holds.
const HOLDS: Duration = Duration::from_secs(5 * 60);
/// The longest that asking may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// A function's configuration with all its environment has a few KB.
const ANSWER_LIMIT: usize = 256 << 10;
/// Functions that are remembered at most.
const REMEMBERED: usize = 1_000;
/// The time for the exchange around the function itself, and for a call that begins later than its claim.
const WAY: Duration = Duration::from_secs(20);

#[derive(Default)]
pub(super) struct Timeouts(Mutex<HashMap<String, (Duration, Instant)>>);

/// The part of a function's configuration that is read.
#[derive(Deserialize)]
struct Configuration {
    #[serde(rename = "Timeout")]
    timeout: u64,
}

impl Timeouts {
    fn known(&self, function: &str) -> Option<Duration> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(function).filter(|(_, since)| since.elapsed() < HOLDS).map(|(limit, _)| *limit)
    }

    fn remember(&self, function: String, limit: Duration) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(function, (limit, Instant::now()));
    }
}

impl LambdaTarget {
    /// The longest a call can take, the way there and back included.
    pub(super) async fn limit_of(&self, invocation: &Invocation) -> Duration {
        let Some(timeouts) = &self.timeouts else { return Self::LIMIT };
        let name = match &invocation.qualifier {
            Some(qualifier) => format!("{}:{qualifier}", invocation.function),
            None => invocation.function.clone(),
        };
        if let Some(limit) = timeouts.known(&name) {
            return limit;
        }
        let limit = self.asked(invocation).await.map_or(Self::LIMIT, |seconds| Duration::from_secs(seconds) + WAY);
        timeouts.remember(name, limit.min(Self::LIMIT));
        limit.min(Self::LIMIT)
    }

    /// The function's own timeout in seconds, by GetFunctionConfiguration.
    async fn asked(&self, invocation: &Invocation) -> Option<u64> {
        let path = invocation.path(self.naming, "configuration").ok()?;
        let (method, body, headers) = (http::Method::GET, Bytes::new(), Vec::new());
        let request = Request { method, path, headers, body, timeout: PATIENCE, answer_limit: ANSWER_LIMIT };
        let answer = self.caller.send(&Destination::usual(super::SERVICE, &self.home.region), None, request).await;
        let answer = answer.inspect_err(|error| {
            tracing::debug!(function = invocation.function, %error, "how long a function may run is not known");
        });
        let configuration: Configuration = serde_json::from_slice(&answer.ok()?.body).ok()?;
        Some(configuration.timeout)
    }
}
