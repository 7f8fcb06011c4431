//! SQS in process, as far as its shapes: an HTTP client that records requests and answers what a test laid out.
//!
//! Deliberately absent: a queue. Whether messages arrive is SQS's own affair, and tried against an emulator of it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

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

use crate::dynamo::{config, operation_of};

/// The other end of a client of SQS. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct Sqs {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    log: Vec<(String, Value)>,
    answers: VecDeque<(u16, Value)>,
    /// By operation.
    next: BTreeMap<&'static str, Value>,
    takes: Duration,
}

impl Sqs {
    /// What a client has to be built from.
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

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, request: &HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let (operation, body) = operation_of(request)?;
        let mut state = self.lock();
        let laid_out = state.next.remove(operation.as_str()).map(|answer| (200, answer));
        let laid_out = laid_out.or_else(|| state.answers.pop_front());
        let (status, answer) = laid_out.unwrap_or_else(|| (200, success(&operation, &body)));
        state.log.push((operation, body));
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
        "SendMessageBatch" => {
            let entries = body.get("Entries").and_then(Value::as_array).cloned().unwrap_or_default();
            let sent = entries.iter().filter_map(|entry| entry.get("Id"));
            let sent = sent.map(|id| json!({ "Id": id, "MessageId": id, "MD5OfMessageBody": "" })).collect::<Vec<_>>();
            json!({ "Successful": sent, "Failed": [] })
        }
        _ => json!({ "MessageId": "1" }),
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
