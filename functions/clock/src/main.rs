//! The clock: on a schedule of one minute, sends messages for what a queue cannot delay long enough, and recovers what was
//! lost.

use std::sync::Arc;
use std::time::Duration;

use aws::{Environment, Installation, Tally};
use integrations::{Endpoints, Home, Targets};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;
use service::Role;

/// What is left of an invocation's time for the last page of the sweep.
const FAREWELL: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() -> Result<(), Error> {
    lambda_runtime::tracing::init_default_subscriber();
    let environment = Environment::read()?;
    let Environment { partition, region, account, .. } = environment.clone();
    let targets = Targets::new(Endpoints::from_environment()?, &Home { partition, region, account })
        .withholding(&environment.own_names());
    let installation = environment.installation(Role::Shares, Arc::new(targets)).await?;
    let (installation, dead_letters) = (Arc::new(installation), environment.dead_letters.clone());
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| {
        minute(installation.clone(), dead_letters.clone(), event)
    }))
    .await
}

async fn minute(
    installation: Arc<Installation>,
    dead_letters: Option<String>,
    event: LambdaEvent<Value>,
) -> Result<(), Error> {
    let until = aws::until(event.context.deadline, FAREWELL, installation.clock.now());
    let tally = installation.tick(dead_letters.as_deref(), until).await?;
    let Tally { woken, swept, stuck, stamped, buried, given_up, dead } = tally;
    tracing::info!(woken, swept, stuck, stamped, buried, given_up, dead, "a minute");
    installation.report(&tally);
    Ok(())
}
