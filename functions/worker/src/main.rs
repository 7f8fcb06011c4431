//! The worker: reads the work queue, advances executions and performs their tasks.
//!
//! The response names the failed messages, so that SQS delivers only those again.

use std::sync::Arc;
use std::time::Duration;

use aws::{Delivery, Environment, Installation};
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use engine::{Deployment, Engine, Settings};
use integrations::{AwsCalls, Endpoints, Home, InvalidEndpoint, Targets, credentials};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use service::Service;

/// The part of an invocation's time that is kept for the last commit and the response.
const SHUTDOWN_MARGIN: Duration = Duration::from_secs(5);
/// The attribute with a message's number of deliveries.
const RECEIVED: &str = "ApproximateReceiveCount";

#[tokio::main]
async fn main() -> Result<(), Error> {
    let (_, installation) = Environment::start(Deployment::SharedWorker, targets).await?;
    // Tasks start nested executions by the API as an API process has it: other workers drive them.
    let settings = Settings { deployment: Deployment::ApiOnly, ..installation.engine.settings().clone() };
    let _service = Service::new(Engine::new(installation.engine.world().clone(), settings));
    lambda_runtime::run_concurrent(service_fn(move |event: LambdaEvent<SqsEvent>| work(installation.clone(), event)))
        .await
}

/// The task targets, without the installation's own table and queues.
fn targets(own: &Environment) -> Result<Targets, InvalidEndpoint> {
    let Environment { partition, region, account, .. } = own.clone();
    let home = Home { partition, region, account };
    let targets = Targets::new(Endpoints::from_environment()?, &home, credentials::environment());
    Ok(targets
        .withholding(&own.own_names())
        .denying_roles(&own.own_arns())
        .in_machine_roles(own.in_machine_roles())
        .allowing_aws(AwsCalls::from_environment())
        .asking_timeouts())
}
async fn work(installation: Arc<Installation>, event: LambdaEvent<SqsEvent>) -> Result<SqsBatchResponse, Error> {
    let until = aws::work_until(event.context.deadline, SHUTDOWN_MARGIN, installation.clock.now());
    let batch: Vec<Delivery> = event.payload.records.into_iter().map(delivery).collect();
    let mut answer = SqsBatchResponse::default();
    for id in installation.work(&batch, until).await {
        answer.add_failure(id);
    }
    Ok(answer)
}

fn delivery(record: SqsMessage) -> Delivery {
    Delivery {
        id: record.message_id.unwrap_or_default(),
        receipt: record.receipt_handle.unwrap_or_default(),
        body: record.body.unwrap_or_default(),
        times: record.attributes.get(RECEIVED).and_then(|times| times.parse().ok()).unwrap_or_default(),
    }
}
