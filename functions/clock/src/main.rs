//! The scheduler: once a minute it sends messages for due times that SQS cannot delay long enough, and recovers lost
//! messages; it also runs operator commands.

use std::sync::Arc;
use std::time::Duration;

use aws::{Environment, Installation, NoTargets};
use engine::Deployment;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

/// The part of an invocation's time that is kept for the last page of the sweep.
const SHUTDOWN_MARGIN: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() -> Result<(), Error> {
    let (environment, installation) = Environment::start(Deployment::SharedWorker, NoTargets::of).await?;
    // Not `run_concurrent`: the template allows one invocation at a time.
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| {
        handle(installation.clone(), environment.dead_letters.clone(), event)
    }))
    .await
}

async fn handle(
    installation: Arc<Installation>,
    dead_letters: Option<String>,
    event: LambdaEvent<Value>,
) -> Result<Value, Error> {
    let until = aws::work_until(event.context.deadline, SHUTDOWN_MARGIN, installation.clock.now());
    Ok(installation.handle_event(&event.payload, dead_letters.as_deref(), until).await?)
}
