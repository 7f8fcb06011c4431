//! Processes that may die: all that they reach of the world goes through a gate, which lets nothing through any more once
//! they are dead.

use std::sync::Arc;
use std::time::Duration;

use crate::cloud::Process;
use anyhow::Result;
use aws::clients;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use engine::Deployment;
use engine::ports::{TaskAnswer, TaskCall, Tasks};

use super::Cloud;
use crate::dynamo::{config, response};
use crate::simulation::{Effect, Failing, Gate, Plan};

/// A process that may die, and the gate that all its calls go through.
#[derive(Clone)]
pub(super) struct Crashable {
    pub installation: Arc<Process>,
    pub gate: Arc<Gate>,
}

impl Cloud {
    /// A process that has a share in the work. One that dies or fails before it is ready is never called.
    pub(super) async fn begin(&self, tasks: &Arc<dyn Tasks>, plan: Plan) -> Result<Crashable> {
        let mut gate = Arc::new(Gate::new(plan));
        loop {
            let crashable = GatedTasks { tasks: tasks.clone(), gate: gate.clone() };
            let through = |client: SharedHttpConnector| config(Gated { client, gate: gate.clone() });
            let dynamodb = clients::dynamodb(&through(SharedHttpConnector::new(self.dynamo.clone())));
            let sqs = clients::sqs(&through(SharedHttpConnector::new(self.sqs.clone())));
            let joined = self.joined((dynamodb, sqs), Deployment::SharedWorker, Arc::new(crashable));
            tokio::select! {
                biased;
                installation = joined => match installation {
                    Err(_) if gate.fails() => {}
                    installation => return Ok(Crashable { installation: Arc::new(installation?), gate }),
                },
                _ = gate.death() => {}
            }
            gate = Arc::new(Gate::new(Plan::default()));
        }
    }
}

/// The gate between a process and the world: nothing passes once the process is dead.
#[derive(Clone)]
struct Gated {
    client: SharedHttpConnector,
    gate: Arc<Gate>,
}

impl std::fmt::Debug for Gated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Gated")
    }
}

impl HttpConnector for Gated {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Gated { client, gate } = self.clone();
        HttpConnectorFuture::new(async move {
            gate.point().await;
            let answer = match gate.fault() {
                None => client.call(request).await,
                Some(Failing { effect: Effect::None, retryable }) => refusal(retryable),
                Some(Failing { effect: Effect::Happened, .. }) => {
                    let _the_caller_never_learns = client.call(request).await;
                    Err(ConnectorError::io("the connection broke before the answer".into()))
                }
            };
            gate.point().await;
            answer
        })
    }
}

impl HttpClient for Gated {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

/// The errors of a service that refuses a request. The SDK takes either for final.
fn refusal(retryable: bool) -> Result<HttpResponse, ConnectorError> {
    let code = if retryable { "OverLimit" } else { "AccessDeniedException" };
    response(400, &serde_json::json!({ "__type": code, "message": "as planned" }).to_string())
}

struct GatedTasks {
    tasks: Arc<dyn Tasks>,
    gate: Arc<Gate>,
}

#[async_trait::async_trait]
impl Tasks for GatedTasks {
    async fn call(&self, call: TaskCall) -> TaskAnswer {
        self.gate.point().await;
        let answer = self.tasks.call(call).await;
        self.gate.point().await;
        answer
    }

    async fn limit(&self, call: &TaskCall) -> Duration {
        self.tasks.limit(call).await
    }
}
