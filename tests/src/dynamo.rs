//! DynamoDB in process: the unmodified SDK client over an HTTP client that is an emulator.
//!
//! Requests are logged as they came, with the capacity the emulator counted for them, and faults happen where a test asks
//! for them: an answer that is lost after the request was done, throttling, an error of the server.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use dynoxide::{Database, DynoxideError};
use serde_json::Value;

/// A DynamoDB of one test. Clones are the same one.
#[derive(Clone)]
pub struct Dynamo {
    database: Database,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    log: Vec<Request>,
    faults: VecDeque<(&'static str, Fault)>,
    takes: Duration,
    /// Rows of an index that are told at a time, if these are fewer than who asks wants.
    rows: Option<u64>,
}

/// A request that was made.
#[derive(Debug, Clone)]
pub struct Request {
    /// `PutItem`, `Query`, …
    pub operation: String,
    pub body: Value,
    /// Capacity units of table and indexes together, as far as the emulator counts them.
    pub units: f64,
}

/// A fault of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is done, and the answer never arrives.
    LosesAnswer,
    /// It is refused for its rate.
    Throttles,
    /// The server fails before doing it.
    Breaks,
}

impl Dynamo {
    pub fn new() -> Result<Dynamo> {
        crate::watchdog::watch();
        Ok(Dynamo { database: Database::memory()?, state: Arc::default() })
    }

    /// The configuration of a client.
    pub fn config(&self) -> SdkConfig {
        config(self.clone())
    }

    /// From now on an answer takes that long.
    pub fn takes(&self, time: Duration) {
        self.lock().takes = time;
    }

    /// From now on an index tells so many rows at a time, as if they were large.
    pub fn tells_rows(&self, rows: u64) {
        self.lock().rows = Some(rows);
    }

    /// The next request of that operation meets `fault`; those asked for before come first.
    pub fn meets(&self, operation: &'static str, fault: Fault) {
        self.lock().faults.push_back((operation, fault));
    }

    /// The requests since the last call of this.
    pub fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.lock().log)
    }

    /// A request arrives once more, later than its sender knows.
    pub fn arrives_again(&self, request: &Request) -> Result<String> {
        Ok(self.perform(&request.operation, &request.body.to_string())?)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fault(&self, operation: &str) -> Option<Fault> {
        let mut state = self.lock();
        let place = state.faults.iter().position(|(of, _)| *of == operation)?;
        state.faults.remove(place).map(|(_, fault)| fault)
    }

    fn answer(&self, operation: &str, mut body: Value) -> Result<HttpResponse, ConnectorError> {
        let fault = self.fault(operation);
        let refusal = match fault {
            Some(Fault::Throttles) => Some((400, "ProvisionedThroughputExceededException")),
            Some(Fault::Breaks) => Some((500, "InternalServerError")),
            Some(Fault::LosesAnswer) | None => None,
        };
        if let Some((status, code)) = refusal {
            return response(status, &serde_json::json!({ "__type": code, "message": "as asked for" }).to_string());
        }
        let logged = body.clone();
        if let Value::Object(members) = &mut body {
            members.insert("ReturnConsumedCapacity".into(), "TOTAL".into());
            if let (Some(rows), true) = (self.lock().rows, members.contains_key("IndexName")) {
                let wanted = members.get("Limit").and_then(Value::as_u64).unwrap_or(rows);
                members.insert("Limit".into(), wanted.min(rows).into());
            }
        }
        let (status, text) = match self.perform(operation, &body.to_string()) {
            Ok(text) => (200, text),
            Err(error) => (error.status_code(), error.to_json()),
        };
        let answer: Value = serde_json::from_str(&text).unwrap_or_default();
        let consumed = answer.get("ConsumedCapacity").map(|capacity| match capacity {
            Value::Array(tables) => tables.iter().filter_map(units).sum(),
            table => units(table).unwrap_or_default(),
        });
        let request = Request { operation: operation.to_owned(), body: logged, units: consumed.unwrap_or_default() };
        self.lock().log.push(request);
        if fault == Some(Fault::LosesAnswer) {
            return Err(ConnectorError::io("the connection broke before the answer".into()));
        }
        response(status, &text)
    }

    fn perform(&self, operation: &str, body: &str) -> Result<String, DynoxideError> {
        let unreadable = |error: serde_json::Error| DynoxideError::ValidationException(error.to_string());
        /// Reads the request, performs it, writes the answer.
        macro_rules! perform {
            ($($name:literal => $method:ident,)*) => {
                match operation {
                    $($name => {
                        let request = serde_json::from_str(body).map_err(unreadable)?;
                        serde_json::to_string(&self.database.$method(request)?).map_err(unreadable)
                    })*
                    other => Err(DynoxideError::ValidationException(format!("{other} is not emulated"))),
                }
            };
        }
        perform! {
            "CreateTable" => create_table,
            "DescribeTable" => describe_table,
            "UpdateTimeToLive" => update_time_to_live,
            "DescribeTimeToLive" => describe_time_to_live,
            "PutItem" => put_item,
            "GetItem" => get_item,
            "UpdateItem" => update_item,
            "DeleteItem" => delete_item,
            "Query" => query,
            "Scan" => scan,
            "TransactWriteItems" => transact_write_items,
        }
    }
}

fn units(table: &Value) -> Option<f64> {
    table.get("CapacityUnits")?.as_f64()
}

/// An answer in AWS's JSON protocols.
pub fn response(status: u16, text: &str) -> Result<HttpResponse, ConnectorError> {
    let status = StatusCode::try_from(status).map_err(|error| ConnectorError::user(error.into()))?;
    let mut response = HttpResponse::new(status, SdkBody::from(text));
    response.headers_mut().insert("content-type", "application/x-amz-json-1.0");
    Ok(response)
}

impl std::fmt::Debug for Dynamo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Dynamo")
    }
}

impl HttpConnector for Dynamo {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let answer = operation_of(&request).and_then(|(operation, body)| self.answer(&operation, body));
        let takes = self.lock().takes;
        HttpConnectorFuture::new(async move {
            // The emulator answers within the call: without this one task would starve the others.
            tokio::task::yield_now().await;
            if !takes.is_zero() {
                tokio::time::sleep(takes).await;
            }
            answer
        })
    }
}

impl HttpClient for Dynamo {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

/// The operation and the body of a request in AWS's JSON protocols.
pub fn operation_of(request: &HttpRequest) -> Result<(String, Value), ConnectorError> {
    let broken = |what: &str| ConnectorError::user(what.to_owned().into());
    let target = request.headers().get("x-amz-target").ok_or_else(|| broken("a request without a target"))?;
    let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
    let bytes = request.body().bytes().ok_or_else(|| broken("a streamed request"))?;
    let body = serde_json::from_slice(bytes).map_err(|error| ConnectorError::user(error.into()))?;
    Ok((operation, body))
}

/// A configuration whose requests go to `client`.
pub fn config(client: impl HttpClient + 'static) -> SdkConfig {
    let credentials = Credentials::new("test", "test", None, None, "tests");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .sleep_impl(TokioSleep::new())
        .http_client(client)
        .build()
}

/// A configuration whose requests go to an emulator at `endpoint`, as those of `account`.
pub async fn config_at(endpoint: &str, account: &str) -> SdkConfig {
    let credentials = Credentials::new(account, "test", None, None, "tests");
    let config = aws_config::defaults(BehaviorVersion::latest()).region(Region::new("us-east-1"));
    config.credentials_provider(credentials).endpoint_url(endpoint).load().await
}
