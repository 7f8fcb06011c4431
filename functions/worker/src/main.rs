//! The worker: reads the work queue, advances executions and performs their tasks.
//!
//! Messages that could not be dealt with are named in the answer, so that SQS gives only those again.

use std::sync::Arc;
use std::time::Duration;

use aws::{Environment, Installation, message};
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use integrations::{Endpoints, Home, Targets};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use service::Role;
use service::worker::Worker;

/// What is left of an invocation's time for the last commit and the answer.
const FAREWELL: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() -> Result<(), Error> {
    lambda_runtime::tracing::init_default_subscriber();
    let environment = Environment::read()?;
    let Environment { partition, region, account, .. } = environment.clone();
    let targets = Targets::new(Endpoints::from_environment()?, &Home { partition, region, account })
        .withholding(&environment.own_names())
        .asking_timeouts();
    let installation = environment.installation(Role::Shares, Arc::new(targets)).await?;
    let installation = Arc::new(installation);
    lambda_runtime::run_concurrent(service_fn(move |event: LambdaEvent<SqsEvent>| work(installation.clone(), event)))
        .await
}

async fn work(installation: Arc<Installation>, event: LambdaEvent<SqsEvent>) -> Result<SqsBatchResponse, Error> {
    let worker = Worker::new(installation.service.clone());
    let until = aws::until(event.context.deadline, FAREWELL, installation.clock.now());
    let mut answer = SqsBatchResponse::default();
    let (mut messages, mut ids) = (Vec::new(), Vec::new());
    for record in event.payload.records {
        let id = record.message_id.unwrap_or_default();
        match message::read(record.body.as_deref().unwrap_or_default()) {
            Ok(message) => {
                messages.push(message);
                ids.push(id);
            }
            Err(error) => {
                tracing::error!(message = id, %error, "a message cannot be read");
                answer.add_failure(id);
            }
        }
    }
    for undone in worker.handle(messages, until).await {
        answer.add_failure(ids.get(undone.place).cloned().unwrap_or_default());
    }
    installation.metrics.flush(installation.clock.now());
    Ok(answer)
}
