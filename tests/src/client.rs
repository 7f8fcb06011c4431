//! The smallest client of the wire API: AWS JSON 1.0 over keep-alive connections, no retries, nothing decoded.
//!
//! Stock clients are tested with themselves (`walk.rs`); this one is for tests that need
//! thousands of calls, or have to know whether a call was refused, acknowledged, or cut off. Deliberately absent:
//! signatures, which the server does not check, and types for requests and answers.

#![expect(clippy::indexing_slicing, reason = "an index into JSON does not panic; any other that does fails the test")]

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as Http;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

/// Any role will do: nothing assumes it here.
const ROLE: &str = "arn:aws:iam::123456789012:role/stepwell-tests";
/// How long one call may take before it counts as cut off.
const PATIENCE: Duration = Duration::from_secs(30);
/// A health probe is answered at once or counts as failed.
const PROBE: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(20);

/// Calls one endpoint. Clones share their connections.
#[derive(Debug, Clone)]
pub struct Client {
    http: Http<HttpConnector, Full<Bytes>>,
    endpoint: String,
}

/// Why a call brought no answer.
#[derive(Debug)]
pub enum CallError {
    /// The service said no.
    Refused { status: StatusCode, kind: String, message: String },
    /// The call may or may not have taken effect.
    CutOff(String),
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { status, kind, message } => write!(f, "{status} {kind}: {message}"),
            Self::CutOff(why) => write!(f, "the call was cut off: {why}"),
        }
    }
}

impl std::error::Error for CallError {}

impl CallError {
    /// The name of the error, without the namespace some services put before it; empty when there was no answer.
    pub fn kind(&self) -> &str {
        match self {
            Self::Refused { kind, .. } => kind,
            Self::CutOff(_) => "",
        }
    }
}

impl Client {
    /// A client of `endpoint`, such as `http://127.0.0.1:8083`.
    pub fn new(endpoint: &str) -> Self {
        Self { http: Http::builder(TokioExecutor::new()).build_http(), endpoint: endpoint.to_owned() }
    }

    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// True when the server says that it is well, within [`PROBE`].
    pub async fn is_healthy(&self) -> bool {
        let request = Request::builder().uri(format!("{}/health", self.endpoint)).body(Full::default());
        let Ok(request) = request else { return false };
        let answered = tokio::time::timeout(PROBE, self.http.request(request)).await;
        answered.is_ok_and(|answer| answer.is_ok_and(|response| response.status().is_success()))
    }

    /// Calls an action with its members; the answer is the answer's members.
    pub async fn call(&self, action: &str, members: &Value) -> Result<Value, CallError> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(&self.endpoint)
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", format!("AWSStepFunctions.{action}"))
            .body(Full::from(members.to_string()));
        let cut = |why: &dyn fmt::Display| CallError::CutOff(why.to_string());
        let request = request.map_err(|error| cut(&error))?;
        let exchange = async {
            let response = self.http.request(request).await.map_err(|error| cut(&error))?;
            let status = response.status();
            let body = response.into_body().collect().await.map_err(|error| cut(&error))?.to_bytes();
            Ok((status, body))
        };
        let (status, body) = tokio::time::timeout(PATIENCE, exchange).await.map_err(|_| cut(&"too slow"))??;
        let answer: Value = serde_json::from_slice(&body).map_err(|error| cut(&error))?;
        if status.is_success() { Ok(answer) } else { Err(refusal(status, &answer)) }
    }

    /// Creates a standard state machine; its ARN.
    pub async fn create(&self, name: &str, definition: &Value) -> Result<String> {
        self.create_as(name, "STANDARD", definition).await
    }

    /// Creates a state machine of a type; its ARN.
    pub async fn create_as(&self, name: &str, kind: &str, definition: &Value) -> Result<String> {
        let members = json!({"name": name, "type": kind, "roleArn": ROLE, "definition": definition.to_string()});
        text(&self.call("CreateStateMachine", &members).await?, "stateMachineArn")
    }

    /// Starts an execution; its ARN.
    pub async fn start(&self, machine: &str, name: &str, input: &Value) -> Result<String> {
        let members = json!({"stateMachineArn": machine, "name": name, "input": input.to_string()});
        text(&self.call("StartExecution", &members).await?, "executionArn")
    }

    pub async fn describe(&self, execution: &str) -> Result<Value, CallError> {
        self.call("DescribeExecution", &json!({"executionArn": execution})).await
    }

    /// Waits until an execution is over; its description.
    pub async fn finished(&self, execution: &str, within: Duration) -> Result<Value> {
        let limit = Instant::now() + within;
        loop {
            let description = self.describe(execution).await?;
            if description["status"] != "RUNNING" {
                return Ok(description);
            }
            ensure!(Instant::now() < limit, "{execution} still runs after {within:?}: {:#?}", {
                self.history(execution).await.unwrap_or_default()
            });
            tokio::time::sleep(POLL).await;
        }
    }

    /// The whole history of an execution, checked to be without gaps.
    pub async fn history(&self, execution: &str) -> Result<Vec<Value>> {
        let mut events = Vec::new();
        let mut token = Value::Null;
        loop {
            let members = json!({"executionArn": execution, "maxResults": 1000, "nextToken": token});
            let mut page = self.call("GetExecutionHistory", &members).await?;
            match page["events"].take() {
                Value::Array(more) => events.extend(more),
                other => bail!("not a list of events: {other}"),
            }
            token = page["nextToken"].take();
            if token.is_null() {
                check_links(&events).with_context(|| format!("the history of {execution}"))?;
                return Ok(events);
            }
        }
    }
}

/// The types of events, in order.
pub fn types(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap_or("?")).collect()
}

/// The JSON text in a member, read.
pub fn parsed(value: &Value) -> Result<Value> {
    let text = value.as_str().with_context(|| format!("not a text: {value}"))?;
    Ok(serde_json::from_str(text)?)
}

/// A member that has to be a text.
pub fn text(answer: &Value, member: &str) -> Result<String> {
    Ok(answer[member].as_str().with_context(|| format!("no {member} in {answer}"))?.to_owned())
}

/// Ids count 1 to n, and every event but the first follows an earlier one.
pub(crate) fn check_links(events: &[Value]) -> Result<()> {
    ensure!(!events.is_empty(), "it is empty");
    for (place, event) in (1u64..).zip(events) {
        ensure!(event["id"] == place, "event {place} has the id {}", event["id"]);
        let previous = event["previousEventId"].as_u64().context("no previousEventId")?;
        ensure!(previous < place, "event {place} follows {previous}");
        // AWS: what ends an execution from outside follows nothing.
        let from_outside = event["type"] == "ExecutionAborted" || event["type"] == "ExecutionTimedOut";
        ensure!(previous > 0 || place <= 2 || from_outside, "event {place} follows nothing");
    }
    Ok(())
}

fn refusal(status: StatusCode, answer: &Value) -> CallError {
    let member = |name: &str| answer[name].as_str().unwrap_or_default();
    let kind = member("__type").rsplit('#').next().unwrap_or_default().to_owned();
    CallError::Refused { status, kind, message: member("message").to_owned() }
}
