//! The scheduler: once a minute it sends messages for due times that SQS cannot delay long enough, and recovers lost
//! messages; it also removes state machines whose deletion is complete, and runs operator commands.

use std::sync::Arc;
use std::time::Duration;

use aws::{Environment, Installation, NoTargets};
use engine::Deployment;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;
use service::Service;

/// The part of an invocation's time that is kept for the last page of the sweep.
const SHUTDOWN_MARGIN: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() -> Result<(), Error> {
    let (environment, installation) = Environment::start(Deployment::SharedWorker, NoTargets::of).await?;
    let service = Service::new(installation.engine.clone());
    // Not `run_concurrent`: the template allows one invocation at a time.
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| {
        handle(installation.clone(), service.clone(), environment.dead_letters.clone(), event)
    }))
    .await
}

async fn handle(
    installation: Arc<Installation>,
    service: Arc<Service>,
    dead_letters: Option<String>,
    event: LambdaEvent<Value>,
) -> Result<Value, Error> {
    let until = aws::work_until(event.context.deadline, SHUTDOWN_MARGIN, installation.clock.now());
    let answer = installation.handle_event(&event.payload, dead_letters.as_deref(), until).await?;
    service.sweep_deleting().await.map_err(|error| format!("state machines in deletion: {error:?}"))?;
    Ok(answer)
}
