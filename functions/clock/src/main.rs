//! The clock: on a schedule of one minute, sends messages for what a queue cannot delay long enough, and recovers what was
//! lost; an operator can ask it for more.

use std::sync::Arc;
use std::time::Duration;

use aws::{Environment, Installation};
use engine::Deployment;
use integrations::{Endpoints, Home, Targets, credentials};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

/// What is left of an invocation's time for the last page of the sweep.
const FAREWELL: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() -> Result<(), Error> {
    aws::logs::begin();
    let environment = Environment::read()?;
    let Environment { partition, region, account, .. } = environment.clone();
    let home = Home { partition, region, account };
    let targets = Targets::new(Endpoints::from_environment()?, &home, credentials::environment())
        .withholding(&environment.own_names());
    let installation = environment.installation(Deployment::SharedWorker, Arc::new(targets)).await?;
    let (installation, dead_letters) = (Arc::new(installation), environment.dead_letters.clone());
    // Not `run_concurrent`: there is one at a time, as the template wants it.
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| {
        heed(installation.clone(), dead_letters.clone(), event)
    }))
    .await
}

async fn heed(
    installation: Arc<Installation>,
    dead_letters: Option<String>,
    event: LambdaEvent<Value>,
) -> Result<Value, Error> {
    let until = aws::until(event.context.deadline, FAREWELL, installation.clock.now());
    Ok(installation.heed(&event.payload, dead_letters.as_deref(), until).await?)
}
