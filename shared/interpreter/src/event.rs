//! History events, in AWS's words.
//!
//! An event is declared once, in [`details!`]: the stored shape, the size of its payloads and its members in AWS's JSON
//! follow from that line. `P` is how payloads are held: [`Payload`] in memory, a slot of the entry's table when stored.

mod declaration;
mod members;

pub use asl::StateType;
use serde::{Deserialize, Serialize};

pub use members::{Member, Severity, Wire};

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

declaration::details! {
    ExecutionStarted { input: P => input, role_arn: String => text("roleArn") },
    ExecutionSucceeded { output: P => output },
    ExecutionFailed(why: Failure => failure),
    ExecutionAborted(why: Failure => failure),
    ExecutionTimedOut(why: Failure => failure),
    ExecutionRedriven { count: u64 => number("redriveCount") },

    StateEntered { state: StateType => state_type, name: String => text("name"), input: P => input },
    StateExited {
        state: StateType => state_type,
        name: String => text("name"),
        output: P => output,
        assigned: Option<P> => assigned,
    },
    /// `TaskStateAborted`, `WaitStateAborted`, `ParallelStateAborted`, `MapStateAborted`.
    StateAborted { state: StateType => state_type },

    /// A JSONata expression of a state failed, or its field does not take its result.
    EvaluationFailed {
        state: String => text("state"),
        location: Option<String> => leading_text("location"),
        failure: Failure => leading_failure,
    },

    ActivityScheduled {
        resource: String => text("resource"),
        input: P => input,
        timeout: Option<u64> => seconds("timeoutInSeconds"),
        heartbeat: Option<u64> => seconds("heartbeatInSeconds"),
    },
    ActivityStarted { worker: Option<String> => optional_text("workerName") },
    ActivitySucceeded { output: P => output },
    ActivityFailed(why: Failure => failure),
    ActivityTimedOut(why: Failure => failure),

    LambdaFunctionScheduled {
        resource: String => text("resource"),
        input: P => input,
        timeout: Option<u64> => seconds("timeoutInSeconds"),
        role: Option<String> => credentials,
    },
    LambdaFunctionStarted,
    LambdaFunctionSucceeded { output: P => output },
    LambdaFunctionFailed(why: Failure => failure),
    LambdaFunctionTimedOut(why: Failure => failure),

    TaskScheduled {
        on: TaskResource => resource,
        region: String => text("region"),
        parameters: P => parameters,
        timeout: Option<u64> => seconds("timeoutInSeconds"),
        heartbeat: Option<u64> => seconds("heartbeatInSeconds"),
        role: Option<String> => credentials,
    },
    TaskStarted(on: TaskResource => resource),
    TaskSubmitted { on: TaskResource => resource, output: P => output },
    TaskSucceeded { on: TaskResource => resource, output: P => output },
    TaskFailed { on: TaskResource => resource, failure: Failure => failure },
    TaskTimedOut { on: TaskResource => resource, failure: Failure => failure },

    ParallelStateStarted,
    ParallelStateSucceeded,
    ParallelStateFailed,

    MapStateStarted { length: u64 => number("length") },
    MapStateSucceeded,
    MapStateFailed,
    MapIterationStarted(of: Iteration => iteration),
    MapIterationSucceeded(of: Iteration => iteration),
    MapIterationFailed(of: Iteration => iteration),
    MapIterationAborted(of: Iteration => iteration),
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
        let mut bytes = 0usize;
        self.detail.for_each_payload(&mut |payload| bytes = bytes.saturating_add(payload.bytes()));
        bytes
    }
}
