//! The worker: reads the work queue, advances executions and performs their tasks.
//!
//! Messages that could not be dealt with are named in the answer, so that SQS gives only those again.

use std::sync::Arc;
use std::time::Duration;

use aws::{Delivery, Environment, Installation};
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use engine::Deployment;
use integrations::{AwsCalls, Endpoints, Home, Targets, credentials};
use lambda_runtime::{Error, LambdaEvent, service_fn};

/// What is left of an invocation's time for the last commit and the answer.
const FAREWELL: Duration = Duration::from_secs(5);
/// How often a message was received, among its attributes.
const RECEIVED: &str = "ApproximateReceiveCount";

#[tokio::main]
async fn main() -> Result<(), Error> {
    aws::logs::begin();
    let environment = Environment::read()?;
    let Environment { partition, region, account, .. } = environment.clone();
    let home = Home { partition, region, account };
    let targets = Targets::new(Endpoints::from_environment()?, &home, credentials::environment())
        .withholding(&environment.own_names())
        .allowing_aws(AwsCalls::from_environment())
        .asking_timeouts();
    let installation = environment.installation(Deployment::SharedWorker, Arc::new(targets)).await?;
    let installation = Arc::new(installation);
    lambda_runtime::run_concurrent(service_fn(move |event: LambdaEvent<SqsEvent>| work(installation.clone(), event)))
        .await
}

async fn work(installation: Arc<Installation>, event: LambdaEvent<SqsEvent>) -> Result<SqsBatchResponse, Error> {
    let until = aws::until(event.context.deadline, FAREWELL, installation.clock.now());
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
