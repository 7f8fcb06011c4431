//! The Step Functions API as a Lambda function, behind a Function URL or API Gateway.
//!
//! Workers do the rest of an execution: the function answers and releases it.

mod event;

use std::sync::Arc;

use aws::{Environment, Installation};
use engine::Deployment;
use event::{Format, Request};
use integrations::{Endpoints, Home, InvalidEndpoint, Targets, credentials};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;
use service::Service;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let (_, installation) = Environment::start(Deployment::ApiOnly, targets).await?;
    let service = Service::new(installation.engine.clone());
    lambda_runtime::run_concurrent(service_fn(move |event: LambdaEvent<Value>| {
        answer(service.clone(), installation.clone(), event)
    }))
    .await
}

/// The task targets, without the installation's own table and queues.
fn targets(own: &Environment) -> Result<Targets, InvalidEndpoint> {
    let Environment { partition, region, account, .. } = own.clone();
    let home = Home { partition, region, account };
    let targets = Targets::new(Endpoints::from_environment()?, &home, credentials::environment());
    Ok(targets.withholding(&own.own_names()).denying_roles(&own.own_arns()).in_machine_roles(own.in_machine_roles()))
}

async fn answer(
    service: Arc<Service>,
    installation: Arc<Installation>,
    event: LambdaEvent<Value>,
) -> Result<Value, Error> {
    let id = event.context.request_id;
    let format = Format::of(&event.payload);
    let answer = match Request::read(event.payload).and_then(Request::call) {
        Ok(call) => service.answer(call).await,
        Err(refused) => refused,
    };
    installation.metrics.flush(installation.clock.now());
    Ok(event::response(&answer, &id, format))
}
