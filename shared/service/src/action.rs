//! The actions: one row for each, beside its code, and the list of them.
//!
//! A row that is not on the list is dead code, which the compiler refuses.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;

use engine::tokens::TaskToken;
use serde::Serialize;
use tokio::sync::oneshot;

use crate::answer::written;
use crate::error::ApiError;
use crate::request::Request;
use crate::service::Service;
use crate::shapes::Member;
use crate::{
    activities, callbacks, executions, express, history, machines, map_runs, start, state_tests, tags, validation,
};

/// An action of the API.
pub(crate) struct Action {
    /// The end of `X-Amz-Target`, behind `AWSStepFunctions.`.
    pub name: &'static str,
    /// The members of its request.
    pub shape: &'static [Member],
    pub run: fn(Asked) -> Running,
}

/// A request whose shape is checked, and the service that answers it.
pub(crate) struct Asked {
    pub service: Arc<Service>,
    pub request: Request,
    /// `amz-sdk-invocation-id`: the same for every attempt of one call.
    pub invocation: Option<String>,
    /// The attempt of a task that waits for the end of what the call starts.
    pub parent: Option<TaskToken>,
    pub client: Client,
}

/// The client of a request: the other end is dropped when it hangs up.
pub(crate) struct Client(pub oneshot::Receiver<Infallible>);

impl Client {
    /// Waits until the client has hung up.
    pub async fn gone(&mut self) {
        let _hung_up = (&mut self.0).await;
    }
}

/// An action that runs. It ends with the body of its answer.
pub(crate) type Running = Pin<Box<dyn Future<Output = Result<String, ApiError>> + Send>>;

/// Runs an action and writes its answer down.
pub(crate) fn answered<A: Serialize>(running: impl Future<Output = Result<A, ApiError>> + Send + 'static) -> Running {
    Box::pin(async move { written(&running.await?) })
}

const ACTIONS: &[Action] = &[
    activities::CREATE_ACTIVITY,
    activities::DELETE_ACTIVITY,
    activities::DESCRIBE_ACTIVITY,
    activities::LIST_ACTIVITIES,
    activities::task::GET_ACTIVITY_TASK,
    callbacks::SEND_TASK_FAILURE,
    callbacks::SEND_TASK_HEARTBEAT,
    callbacks::SEND_TASK_SUCCESS,
    executions::DESCRIBE_EXECUTION,
    executions::STOP_EXECUTION,
    executions::list::LIST_EXECUTIONS,
    executions::redrive::REDRIVE_EXECUTION,
    express::START_SYNC_EXECUTION,
    history::GET_EXECUTION_HISTORY,
    machines::DELETE_STATE_MACHINE,
    machines::LIST_STATE_MACHINES,
    machines::aliases::CREATE_STATE_MACHINE_ALIAS,
    machines::aliases::DELETE_STATE_MACHINE_ALIAS,
    machines::aliases::DESCRIBE_STATE_MACHINE_ALIAS,
    machines::aliases::LIST_STATE_MACHINE_ALIASES,
    machines::aliases::UPDATE_STATE_MACHINE_ALIAS,
    machines::create::CREATE_STATE_MACHINE,
    machines::describe::DESCRIBE_STATE_MACHINE,
    machines::describe::DESCRIBE_STATE_MACHINE_FOR_EXECUTION,
    machines::update::UPDATE_STATE_MACHINE,
    machines::versions::DELETE_STATE_MACHINE_VERSION,
    machines::versions::LIST_STATE_MACHINE_VERSIONS,
    machines::versions::PUBLISH_STATE_MACHINE_VERSION,
    map_runs::DESCRIBE_MAP_RUN,
    map_runs::LIST_MAP_RUNS,
    map_runs::UPDATE_MAP_RUN,
    start::START_EXECUTION,
    state_tests::TEST_STATE,
    tags::LIST_TAGS_FOR_RESOURCE,
    tags::TAG_RESOURCE,
    tags::UNTAG_RESOURCE,
    validation::VALIDATE_STATE_MACHINE_DEFINITION,
];

/// The action of that name.
pub(crate) fn named(name: &str) -> Option<&'static Action> {
    ACTIONS.iter().find(|action| action.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_action_is_found_by_its_own_name() {
        let names: BTreeSet<&str> = ACTIONS.iter().map(|action| action.name).collect();
        assert_eq!(names.len(), ACTIONS.len());
        assert!(named("StartExecution").is_some() && named("startExecution").is_none());
    }
}
