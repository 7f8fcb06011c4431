//! SendTaskSuccess, SendTaskFailure, SendTaskHeartbeat: answers to waits for a task token.
//!
//! A token is its own address, signed: forged ones cost no read. An answer is durable when it is acknowledged.

use engine::deliver::{DeliverError, Delivered};
use engine::tokens::{Purpose, TaskToken};
use interpreter::{Answer, Failure, Payload};

use crate::action::{Action, answered};
use crate::answer::Nothing;
use crate::error::ApiError;
use crate::request::Request;
use crate::service::Service;
use crate::shapes::{CAUSE, ERROR, PAYLOAD, TASK_TOKEN, optional, required};

pub(crate) const SEND_TASK_SUCCESS: Action = Action {
    name: "SendTaskSuccess",
    shape: &[required("taskToken", TASK_TOKEN), required("output", PAYLOAD)],
    run: |asked| answered(async move { asked.service.send_task_success(asked.request).await }),
};

pub(crate) const SEND_TASK_FAILURE: Action = Action {
    name: "SendTaskFailure",
    shape: &[required("taskToken", TASK_TOKEN), optional("error", ERROR), optional("cause", CAUSE)],
    run: |asked| answered(async move { asked.service.send_task_failure(asked.request).await }),
};

pub(crate) const SEND_TASK_HEARTBEAT: Action = Action {
    name: "SendTaskHeartbeat",
    shape: &[required("taskToken", TASK_TOKEN)],
    run: |asked| answered(async move { asked.service.send_task_heartbeat(asked.request).await }),
};

impl Service {
    async fn send_task_success(&self, mut request: Request) -> Result<Nothing, ApiError> {
        let output = request.take("output").unwrap_or_default();
        let token = self.task_token(&request)?;
        if output.trim().is_empty() {
            // AWS: unverified, as StartExecution words it.
            return Err(ApiError::InvalidOutput("Invalid output.".to_owned()));
        }
        if expressions::json::parse(&output).is_err() {
            return Err(ApiError::OutputIsNoJson(output));
        }
        self.answer_task(token, Answer::Succeeded { output: Payload::from_json_text(output) }).await
    }

    async fn send_task_failure(&self, mut request: Request) -> Result<Nothing, ApiError> {
        let failure = Failure { error: request.take("error"), cause: request.take("cause") };
        let token = self.task_token(&request)?;
        self.answer_task(token, Answer::Failed(failure)).await
    }

    async fn send_task_heartbeat(&self, request: Request) -> Result<Nothing, ApiError> {
        let token = self.task_token(&request)?;
        acknowledged(self.deliver().heartbeat(&token).await, token)
    }

    async fn answer_task(&self, token: TaskToken, answer: Answer<Payload>) -> Result<Nothing, ApiError> {
        acknowledged(self.deliver().answer(&token, answer).await, token)
    }

    /// The execution that a task token is about; `None`: it is no token of this installation's.
    pub fn about_token(&self, token: &str) -> Option<String> {
        let token: TaskToken = self.seal.verified(Purpose::Task, token)?;
        Some(token.execution)
    }

    fn task_token(&self, request: &Request) -> Result<TaskToken, ApiError> {
        self.seal.verified(Purpose::Task, request.required("taskToken")).ok_or(ApiError::InvalidToken)
    }
}

fn acknowledged(delivered: Result<Delivered, DeliverError>, token: TaskToken) -> Result<Nothing, ApiError> {
    match delivered {
        Ok(Delivered { counted: true, .. }) => Ok(Nothing {}),
        // AWS: the token of a wait that a failing sibling cancelled is still good (captured for a heartbeat; unverified for an
        // answer, and where the execution has ended).
        Ok(Delivered { cancelled: true, .. }) => Ok(Nothing {}),
        // AWS: whatever ended the wait: an answer, a timeout, a stop.
        Ok(Delivered { counted: false, .. }) => match token.activity {
            None => Err(ApiError::TaskTimedOut),
            // AWS: captured: the text names the activity.
            Some(arn) => Err(ApiError::ActivityTaskTimedOut(arn)),
        },
        Err(DeliverError::NoSuchExecution) => Err(ApiError::TaskDoesNotExist),
        Err(error) => Err(error.into()),
    }
}
