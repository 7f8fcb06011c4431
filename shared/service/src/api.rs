//! The API: AWS's actions by name, JSON in and JSON out, without HTTP.
//!
//! [`Service::answer`] parses a body once, checks it against the shape of its action ([`shapes`]), runs the action and
//! words the answer. Actions live in one file per family; [`events`] is the one place that knows how events look on the
//! wire, [`error`] the one that knows errors. Absent: versions and aliases, activities, distributed Maps, redrive and
//! TestState, which are answered as unknown operations by name; and authentication, which belongs to who speaks HTTP.

mod arn;
mod callbacks;
mod error;
mod events;
mod executions;
mod express;
mod history;
mod machines;
mod names;
mod paging;
mod registry;
mod request;
mod shapes;
mod start;
mod tags;
mod validation;
pub mod wire;

use std::sync::Arc;

use interpreter::Timestamp;
use serde_json::Value;
use tracing::Instrument;

pub use error::ApiError;

use engine::Engine;
use engine::deliver::Deliver;
use engine::tokens::Seal;
use registry::Registry;
use request::Request;

/// A call of an action.
#[derive(Debug)]
pub struct Call {
    /// What follows `AWSStepFunctions.` in `X-Amz-Target`.
    pub action: String,
    pub body: Vec<u8>,
    /// `amz-sdk-invocation-id`: the same for every attempt of one call.
    pub invocation: Option<String>,
}

/// The answer to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// JSON.
    pub body: String,
    /// The error's name, for the header `x-amzn-ErrorType`.
    pub error: Option<&'static str>,
}

impl Answer {
    fn good(body: String) -> Answer {
        Answer { status: 200, body, error: None }
    }
}

impl From<ApiError> for Answer {
    fn from(error: ApiError) -> Self {
        Answer { status: error.status(), body: error.body(), error: Some(error.name()) }
    }
}

/// Step Functions, over the ports of one installation.
pub struct Service {
    engine: Arc<Engine>,
    registry: Registry,
    seal: Seal,
    home: arn::Home,
    /// In milliseconds.
    retention: i64,
}

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

impl Service {
    pub fn new(engine: Arc<Engine>) -> Arc<Service> {
        let settings = engine.settings();
        Arc::new(Service {
            registry: Registry::new(engine.world(), settings.deployment),
            seal: Seal::new(settings.keys.clone()),
            home: arn::Home::of(settings),
            retention: i64::from(settings.retention_days).saturating_mul(DAY_MS),
            engine,
        })
    }

    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// A new request's id.
    pub fn request_id(&self) -> String {
        names::random_uuid(self.engine.world().clock.seed())
    }

    /// Answers a call. What was begun is finished even when the caller goes away, and a panic ends this call only.
    pub async fn answer(self: &Arc<Self>, call: Call) -> Answer {
        let service = self.clone();
        let running = tokio::spawn(async move { service.run(call).await }.in_current_span());
        match running.await {
            Ok(Ok(body)) => Answer::good(body),
            Ok(Err(error)) => error.into(),
            Err(error) => {
                tracing::error!(%error, "a request was not answered");
                ApiError::Internal.into()
            }
        }
    }

    /// Removes state machines whose deletion waited for executions that have ended.
    pub async fn sweep_deleting(&self) -> Result<(), ApiError> {
        self.registry.sweep_deleting().await
    }

    async fn run(self: Arc<Self>, call: Call) -> Result<String, ApiError> {
        let Call { action, body, invocation } = call;
        let parse = |shape| Request::parse(&body, shape);
        let text = |value: Value| value.to_string();
        match action.as_str() {
            "StartExecution" => self.start_execution(parse(shapes::START_EXECUTION)?, invocation).await.map(text),
            "DescribeExecution" => self.describe_execution(parse(shapes::DESCRIBE_EXECUTION)?).await.map(text),
            "GetExecutionHistory" => self.get_execution_history(parse(shapes::GET_EXECUTION_HISTORY)?).await,
            "StartSyncExecution" => {
                self.start_sync_execution(parse(shapes::START_SYNC_EXECUTION)?, invocation).await.map(text)
            }
            "StopExecution" => self.stop_execution(parse(shapes::STOP_EXECUTION)?).await.map(text),
            "ListExecutions" => self.list_executions(parse(shapes::LIST_EXECUTIONS)?).await.map(text),
            "SendTaskSuccess" => self.send_task_success(parse(shapes::SEND_TASK_SUCCESS)?).await.map(text),
            "SendTaskFailure" => self.send_task_failure(parse(shapes::SEND_TASK_FAILURE)?).await.map(text),
            "SendTaskHeartbeat" => self.send_task_heartbeat(parse(shapes::SEND_TASK_HEARTBEAT)?).await.map(text),
            "CreateStateMachine" => self.create_state_machine(parse(shapes::CREATE_STATE_MACHINE)?).await.map(text),
            "UpdateStateMachine" => self.update_state_machine(parse(shapes::UPDATE_STATE_MACHINE)?).await.map(text),
            "DeleteStateMachine" => self.delete_state_machine(parse(shapes::DELETE_STATE_MACHINE)?).await.map(text),
            "DescribeStateMachine" => {
                self.describe_state_machine(parse(shapes::DESCRIBE_STATE_MACHINE)?).await.map(text)
            }
            "DescribeStateMachineForExecution" => {
                let request = parse(shapes::DESCRIBE_STATE_MACHINE_FOR_EXECUTION)?;
                self.describe_state_machine_for_execution(request).await.map(text)
            }
            "ListStateMachines" => self.list_state_machines(parse(shapes::LIST_STATE_MACHINES)?).await.map(text),
            "TagResource" => self.tag_resource(parse(shapes::TAG_RESOURCE)?).await.map(text),
            "UntagResource" => self.untag_resource(parse(shapes::UNTAG_RESOURCE)?).await.map(text),
            "ListTagsForResource" => {
                self.list_tags_for_resource(parse(shapes::LIST_TAGS_FOR_RESOURCE)?).await.map(text)
            }
            "ValidateStateMachineDefinition" => {
                let sdk = self.engine.world().tasks.sdk_services();
                validation::validate(&parse(shapes::VALIDATE_STATE_MACHINE_DEFINITION)?, sdk).map(text)
            }
            other => Err(ApiError::UnknownOperation(unknown(other))),
        }
    }

    fn now(&self) -> Timestamp {
        self.engine.now()
    }

    fn deliver(&self) -> &Arc<Deliver> {
        self.engine.deliver()
    }

    /// Whether something that ended then is gone.
    fn is_expired(&self, ended: Timestamp) -> bool {
        self.now().0.saturating_sub(ended.0) > self.retention
    }
}

/// Actions of AWS that are not here yet.
const UNAVAILABLE: [&str; 18] = [
    "CreateActivity",
    "CreateStateMachineAlias",
    "DeleteActivity",
    "DeleteStateMachineAlias",
    "DeleteStateMachineVersion",
    "DescribeActivity",
    "DescribeMapRun",
    "DescribeStateMachineAlias",
    "GetActivityTask",
    "ListActivities",
    "ListMapRuns",
    "ListStateMachineAliases",
    "ListStateMachineVersions",
    "PublishStateMachineVersion",
    "RedriveExecution",
    "TestState",
    "UpdateMapRun",
    "UpdateStateMachineAlias",
];

fn unknown(action: &str) -> String {
    if UNAVAILABLE.contains(&action) {
        return format!("The operation {action} is not available in Stepwell yet.");
    }
    let shown: String = action.chars().take(80).collect();
    format!("There is no operation {shown} in Step Functions.")
}

/// A point in time on the wire: seconds since 1970, milliseconds behind the point.
#[expect(clippy::cast_precision_loss, reason = "milliseconds fit the 53 bits for the next 285,000 years")]
fn epoch(time: Timestamp) -> Value {
    Value::from(time.0 as f64 / 1000.0)
}
