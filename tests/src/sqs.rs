//! SQS in process: an HTTP client that records requests, answers what a test laid out, and keeps what is sent.
//!
//! A test takes messages from the records, and delivers them as it likes, or it receives and deletes them in Lambda's place.
//! Deliberately absent: what SQS refuses, and how far it can be trusted; that is tried against emulators of it.

mod kept;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws::Delivery;
use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::Instant;

use self::kept::Kept;
use crate::dynamo::{config, operation_of};

/// The other end of a client of SQS. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct Sqs {
    state: Arc<Mutex<State>>,
    asked: Arc<Notify>,
}

#[derive(Debug, Default)]
struct State {
    log: Vec<(String, Value)>,
    answers: VecDeque<(u16, Value)>,
    /// By operation.
    next: BTreeMap<&'static str, Value>,
    takes: Duration,
    kept: Kept,
}

impl Sqs {
    /// The configuration of a client.
    pub fn config(&self) -> SdkConfig {
        config(self.clone())
    }

    /// From now on an answer takes that long.
    pub fn takes(&self, time: Duration) {
        self.lock().takes = time;
    }

    /// The next request that has none yet is answered with this; without one it succeeds.
    pub fn answers(&self, status: u16, body: Value) {
        self.lock().answers.push_back((status, body));
    }

    /// The next request of that operation succeeds with this.
    pub fn answers_next(&self, operation: &'static str, body: Value) {
        self.lock().next.insert(operation, body);
    }

    /// The requests since the last call of this: operation and body.
    pub fn requests(&self) -> Vec<(String, Value)> {
        std::mem::take(&mut self.lock().log)
    }

    /// The visible messages of a queue, received with that visibility timeout.
    pub fn receive(&self, queue: &str, most: usize, hidden: Duration) -> Vec<Delivery> {
        self.lock().kept.receive(queue, most, hidden)
    }

    /// Puts a message into a queue, as a request with these members would send it.
    pub fn put(&self, queue: &str, message: &Value) {
        self.lock().kept.send(queue, message);
    }

    /// The bodies of all messages of a queue, visible or not.
    pub fn kept(&self, queue: &str) -> Vec<String> {
        self.lock().kept.bodies(queue)
    }

    /// Takes away a message by its last receipt.
    pub fn delete(&self, receipt: &str) {
        self.lock().kept.delete(receipt);
    }

    /// Loses all messages.
    pub fn purge(&self) {
        self.lock().kept.purge();
    }

    /// When a queue has something visible next; `None` when it is empty.
    pub fn next(&self, queue: &str) -> Option<Instant> {
        self.lock().kept.next(queue)
    }

    /// Waits for a request that was not waited for yet.
    pub async fn asked(&self) {
        self.asked.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, request: &HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let (operation, body) = operation_of(request)?;
        let mut state = self.lock();
        let laid_out = state.next.remove(operation.as_str()).map(|answer| (200, answer));
        let laid_out = laid_out.or_else(|| state.answers.pop_front());
        let (status, answer) = laid_out.unwrap_or_else(|| {
            let kept = state.kept.perform(&operation, &body);
            (200, kept.unwrap_or_else(|| success(&operation, &body)))
        });
        state.log.push((operation, body));
        self.asked.notify_one();
        let status = StatusCode::try_from(status).map_err(|error| ConnectorError::user(error.into()))?;
        let mut response = HttpResponse::new(status, SdkBody::from(answer.to_string()));
        response.headers_mut().insert("content-type", "application/x-amz-json-1.0");
        Ok(response)
    }
}

/// What SQS says when it did what was asked.
fn success(operation: &str, body: &Value) -> Value {
    let texts = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    match operation {
        "CreateQueue" => json!({ "QueueUrl": format!("https://queue.invalid/{}", texts("QueueName")) }),
        "GetQueueAttributes" => {
            let name = texts("QueueUrl").rsplit('/').next().unwrap_or_default().to_owned();
            json!({ "Attributes": { "QueueArn": format!("arn:aws:sqs:us-east-1:123456789012:{name}") } })
        }
        _ => json!({}),
    }
}

impl HttpConnector for Sqs {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (answer, takes) = (self.answer(&request), self.lock().takes);
        if takes.is_zero() {
            return HttpConnectorFuture::ready(answer);
        }
        HttpConnectorFuture::new(async move {
            tokio::time::sleep(takes).await;
            answer
        })
    }
}

impl HttpClient for Sqs {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}
