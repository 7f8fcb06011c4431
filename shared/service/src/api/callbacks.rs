//! SendTaskSuccess, SendTaskFailure, SendTaskHeartbeat: answers to waits for a task token.
//!
//! A token is its own address, sealed: forged ones cost no read. An answer is durable when it is acknowledged.

use interpreter::{Answer, Failure, Payload};
use serde_json::{Value, json};

use super::Service;
use super::error::ApiError;
use super::request::Request;
use engine::deliver::{DeliverError, Delivered};
use engine::tokens::{Purpose, TaskToken};

impl Service {
    pub(super) async fn send_task_success(&self, mut request: Request) -> Result<Value, ApiError> {
        let output = request.take("output").unwrap_or_default();
        let token = self.task_token(&request)?;
        if output.trim().is_empty() {
            // AWS: unverified, as StartExecution words it.
            return Err(ApiError::InvalidOutput("Invalid output.".to_owned()));
        }
        expressions::json::parse(&output).map_err(|error| ApiError::InvalidOutput(error.message))?;
        self.answer_task(token, Answer::Succeeded { output: Payload::from_json_text(output) }).await
    }

    pub(super) async fn send_task_failure(&self, mut request: Request) -> Result<Value, ApiError> {
        let failure = Failure { error: request.take("error"), cause: request.take("cause") };
        let token = self.task_token(&request)?;
        self.answer_task(token, Answer::Failed(failure)).await
    }

    pub(super) async fn send_task_heartbeat(&self, request: Request) -> Result<Value, ApiError> {
        let token = self.task_token(&request)?;
        acknowledged(self.deliver().heartbeat(&token.execution, token.wait()).await)
    }

    async fn answer_task(&self, token: TaskToken, answer: Answer<Payload>) -> Result<Value, ApiError> {
        acknowledged(self.deliver().answer(&token.execution, token.wait(), answer).await)
    }

    fn task_token(&self, request: &Request) -> Result<TaskToken, ApiError> {
        self.seal.open(Purpose::Task, request.required("taskToken")).ok_or(ApiError::InvalidToken)
    }
}

fn acknowledged(delivered: Result<Delivered, DeliverError>) -> Result<Value, ApiError> {
    match delivered {
        Ok(Delivered { counted: true, .. }) => Ok(json!({})),
        // AWS: whatever ended the wait: an answer, a timeout, a stop.
        Ok(Delivered { counted: false, .. }) => Err(ApiError::TaskTimedOut),
        Err(DeliverError::NoSuchExecution) => Err(ApiError::TaskDoesNotExist),
        Err(error) => Err(error.into()),
    }
}
