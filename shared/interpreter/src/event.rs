//! History events, in AWS's words.
//!
//! `P` is how payloads are held: [`Payload`] in memory, a slot of the entry's table when stored.

use serde::{Deserialize, Serialize};

use crate::{Failure, Payload, Timestamp};

/// One event of an execution's history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event<P> {
    /// 1, 2, 3, … without gaps.
    pub id: u64,
    /// The event this one followed in its thread; 0 for none.
    pub previous: u64,
    pub at: Timestamp,
    pub detail: Detail<P>,
}

/// The types of states, as the names of their events begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum StateType {
    Task,
    Parallel,
    Map,
    Pass,
    Wait,
    Choice,
    Succeed,
    Fail,
}

/// Which service a Task's events are about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskResource {
    /// `lambda`, `aws-sdk:s3`.
    pub resource_type: String,
    /// `invoke.waitForTaskToken`.
    pub resource: String,
}

/// An iteration of a Map.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Iteration {
    pub name: String,
    pub index: u32,
}

/// The type of an event and its data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Detail<P> {
    ExecutionStarted {
        input: P,
        role_arn: String,
    },
    ExecutionSucceeded {
        output: P,
    },
    ExecutionFailed(Failure),
    ExecutionAborted(Failure),
    ExecutionTimedOut(Failure),

    StateEntered {
        state: StateType,
        name: String,
        input: P,
    },
    StateExited {
        state: StateType,
        name: String,
        output: P,
        assigned: Option<P>,
    },
    /// `TaskStateAborted`, `WaitStateAborted`, `ParallelStateAborted`, `MapStateAborted`.
    StateAborted {
        state: StateType,
    },

    /// A JSONata expression of a state went wrong, or what it answered makes no sense.
    EvaluationFailed {
        state: String,
        location: Option<String>,
        failure: Failure,
    },

    LambdaFunctionScheduled {
        resource: String,
        input: P,
        timeout: Option<u64>,
        role: Option<String>,
    },
    LambdaFunctionStarted,
    LambdaFunctionSucceeded {
        output: P,
    },
    LambdaFunctionFailed(Failure),
    LambdaFunctionTimedOut(Failure),

    TaskScheduled {
        on: TaskResource,
        region: String,
        parameters: P,
        timeout: Option<u64>,
        heartbeat: Option<u64>,
        role: Option<String>,
    },
    TaskStarted(TaskResource),
    TaskSubmitted {
        on: TaskResource,
        output: P,
    },
    TaskSucceeded {
        on: TaskResource,
        output: P,
    },
    TaskFailed {
        on: TaskResource,
        failure: Failure,
    },
    TaskTimedOut {
        on: TaskResource,
        failure: Failure,
    },

    ParallelStateStarted,
    ParallelStateSucceeded,
    ParallelStateFailed,

    MapStateStarted {
        length: u64,
    },
    MapStateSucceeded,
    MapStateFailed,
    MapIterationStarted(Iteration),
    MapIterationSucceeded(Iteration),
    MapIterationFailed(Iteration),
    MapIterationAborted(Iteration),
}

impl<P> Event<P> {
    /// The same event with its payloads held another way; the first error ends it.
    pub fn try_map<Q, E>(self, f: &mut dyn FnMut(P) -> Result<Q, E>) -> Result<Event<Q>, E> {
        Ok(Event { id: self.id, previous: self.previous, at: self.at, detail: self.detail.try_map(f)? })
    }
}

impl Event<Payload> {
    /// The bytes of its payloads.
    pub fn bytes(&self) -> usize {
        match &self.detail {
            Detail::StateExited { output, assigned, .. } => {
                output.bytes() + assigned.as_ref().map_or(0, Payload::bytes)
            }
            Detail::ExecutionStarted { input: payload, .. }
            | Detail::StateEntered { input: payload, .. }
            | Detail::LambdaFunctionScheduled { input: payload, .. }
            | Detail::TaskScheduled { parameters: payload, .. }
            | Detail::ExecutionSucceeded { output: payload }
            | Detail::LambdaFunctionSucceeded { output: payload }
            | Detail::TaskSubmitted { output: payload, .. }
            | Detail::TaskSucceeded { output: payload, .. } => payload.bytes(),
            _ => 0,
        }
    }
}

impl<P> Detail<P> {
    fn try_map<Q, E>(self, f: &mut dyn FnMut(P) -> Result<Q, E>) -> Result<Detail<Q>, E> {
        Ok(match self {
            Detail::ExecutionStarted { input, role_arn } => Detail::ExecutionStarted { input: f(input)?, role_arn },
            Detail::ExecutionSucceeded { output } => Detail::ExecutionSucceeded { output: f(output)? },
            Detail::StateEntered { state, name, input } => Detail::StateEntered { state, name, input: f(input)? },
            Detail::StateExited { state, name, output, assigned } => {
                Detail::StateExited { state, name, output: f(output)?, assigned: assigned.map(f).transpose()? }
            }
            Detail::LambdaFunctionScheduled { resource, input, timeout, role } => {
                Detail::LambdaFunctionScheduled { resource, input: f(input)?, timeout, role }
            }
            Detail::LambdaFunctionSucceeded { output } => Detail::LambdaFunctionSucceeded { output: f(output)? },
            Detail::TaskScheduled { on, region, parameters, timeout, heartbeat, role } => {
                Detail::TaskScheduled { on, region, parameters: f(parameters)?, timeout, heartbeat, role }
            }
            Detail::TaskSubmitted { on, output } => Detail::TaskSubmitted { on, output: f(output)? },
            Detail::TaskSucceeded { on, output } => Detail::TaskSucceeded { on, output: f(output)? },
            Detail::ExecutionFailed(failure) => Detail::ExecutionFailed(failure),
            Detail::ExecutionAborted(failure) => Detail::ExecutionAborted(failure),
            Detail::ExecutionTimedOut(failure) => Detail::ExecutionTimedOut(failure),
            Detail::StateAborted { state } => Detail::StateAborted { state },
            Detail::EvaluationFailed { state, location, failure } => {
                Detail::EvaluationFailed { state, location, failure }
            }
            Detail::LambdaFunctionStarted => Detail::LambdaFunctionStarted,
            Detail::LambdaFunctionFailed(failure) => Detail::LambdaFunctionFailed(failure),
            Detail::LambdaFunctionTimedOut(failure) => Detail::LambdaFunctionTimedOut(failure),
            Detail::TaskStarted(on) => Detail::TaskStarted(on),
            Detail::TaskFailed { on, failure } => Detail::TaskFailed { on, failure },
            Detail::TaskTimedOut { on, failure } => Detail::TaskTimedOut { on, failure },
            Detail::ParallelStateStarted => Detail::ParallelStateStarted,
            Detail::ParallelStateSucceeded => Detail::ParallelStateSucceeded,
            Detail::ParallelStateFailed => Detail::ParallelStateFailed,
            Detail::MapStateStarted { length } => Detail::MapStateStarted { length },
            Detail::MapStateSucceeded => Detail::MapStateSucceeded,
            Detail::MapStateFailed => Detail::MapStateFailed,
            Detail::MapIterationStarted(iteration) => Detail::MapIterationStarted(iteration),
            Detail::MapIterationSucceeded(iteration) => Detail::MapIterationSucceeded(iteration),
            Detail::MapIterationFailed(iteration) => Detail::MapIterationFailed(iteration),
            Detail::MapIterationAborted(iteration) => Detail::MapIterationAborted(iteration),
        })
    }
}
