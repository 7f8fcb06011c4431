//! The functions that tasks call, as a script, and the people who answer task tokens.
//!
//! Every call is logged with its arguments. Definitions of the simulation put the attempt (`$$.State.RetryCount`) and the
//! item into the arguments, so that two equal calls in the log are one attempt started twice.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use interpreter::{Answer, Failure, Payload, Timestamp, Wait};
use serde::Deserialize;
use serde_json::Value;
use service::ports::{TaskAnswer, TaskCall, Tasks};

use super::faults::Gate;
use super::{Disk, records};

/// What a function does at one attempt.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    #[serde(default)]
    pub after_ms: u64,
    pub says: Says,
    /// Somebody who got the task token from the function answers with it.
    #[serde(default)]
    pub then_somebody: Option<Box<Reply>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Says {
    Returns(Value),
    /// Returns what stands in its arguments' `item`.
    Echoes,
    Fails {
        error: String,
        cause: Option<String>,
    },
    /// The code that makes the call panics.
    Panics,
}

/// One call that a function got.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallMade {
    pub execution: String,
    pub state: String,
    pub arguments: String,
}

/// What outlives processes: the log of calls, and what people are about to say.
#[derive(Default)]
pub struct Outside {
    pub calls: Vec<CallMade>,
    pub answers: Vec<PendingAnswer>,
    /// Answers that were acknowledged as counted.
    pub counted: Vec<(String, Answer<Payload>)>,
}

/// An answer to a task token that somebody keeps giving until it is acknowledged.
#[derive(Debug, Clone)]
pub struct PendingAnswer {
    pub at: Timestamp,
    pub execution: String,
    pub wait: Wait,
    pub answer: Answer<Payload>,
}

/// Shared by everyone who lives outside.
#[derive(Clone, Default)]
pub struct Shared(Arc<Mutex<Outside>>);

impl Shared {
    pub fn lock(&self) -> MutexGuard<'_, Outside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The functions as one process reaches them.
pub struct Functions {
    /// By the state that calls: one reply per attempt, the last one for all that follow.
    pub replies: BTreeMap<String, Vec<Reply>>,
    pub outside: Shared,
    pub disk: Disk,
    pub gate: Arc<Gate>,
    pub clock: Arc<dyn service::ports::Clock>,
    /// Told when there is a new answer to give.
    pub asked: Arc<tokio::sync::Notify>,
}

impl Functions {
    fn reply(&self, call: &TaskCall, arguments: &Value) -> Option<&Reply> {
        let replies = self.replies.get(&call.state)?;
        let attempt = argument(arguments, "try").and_then(Value::as_u64).unwrap_or(0);
        usize::try_from(attempt).ok().and_then(|attempt| replies.get(attempt)).or(replies.last())
    }

    fn ask_somebody(&self, call: &TaskCall, arguments: &Value, reply: &Reply) {
        let Some(wait) = records::wait_of(&self.disk, &call.execution, &call.arguments) else { return };
        let answer = match spoken(&reply.says, arguments) {
            TaskAnswer::Succeeded { output } => Answer::Succeeded { output: Payload::from_json_text(output) },
            TaskAnswer::Failed { error, cause } => Answer::Failed(Failure { error: Some(error), cause }),
        };
        let at = self.clock.now().plus_millis(i64::try_from(reply.after_ms).unwrap_or(i64::MAX));
        self.outside.lock().answers.push(PendingAnswer { at, execution: call.execution.clone(), wait, answer });
        self.asked.notify_waiters();
    }
}

#[async_trait]
impl Tasks for Functions {
    async fn call(&self, call: TaskCall) -> TaskAnswer {
        self.gate.point().await;
        let arguments: Value = serde_json::from_str(&call.arguments).unwrap_or_default();
        self.outside.lock().calls.push(CallMade {
            execution: call.execution.clone(),
            state: call.state.clone(),
            arguments: call.arguments.clone(),
        });
        let Some(reply) = self.reply(&call, &arguments) else {
            return TaskAnswer::Failed { error: "Unscripted".into(), cause: Some(call.state) };
        };
        if let Some(somebody) = &reply.then_somebody {
            self.ask_somebody(&call, &arguments, somebody);
        }
        tokio::time::sleep(Duration::from_millis(reply.after_ms)).await;
        self.gate.point().await;
        if matches!(reply.says, Says::Panics) {
            // Without the hook, which would print.
            std::panic::resume_unwind(Box::new("a planned panic"));
        }
        spoken(&reply.says, &arguments)
    }

    fn limit(&self, _resource: &asl::Resource) -> Duration {
        Duration::from_secs(900)
    }
}

fn spoken(says: &Says, arguments: &Value) -> TaskAnswer {
    match says {
        Says::Returns(value) => TaskAnswer::Succeeded { output: value.to_string() },
        Says::Echoes => {
            TaskAnswer::Succeeded { output: argument(arguments, "item").cloned().unwrap_or_default().to_string() }
        }
        Says::Fails { error, cause } => TaskAnswer::Failed { error: error.clone(), cause: cause.clone() },
        Says::Panics => TaskAnswer::Failed { error: "Panicked".into(), cause: None },
    }
}

/// An argument of the function, wherever the integration puts it.
fn argument<'v>(arguments: &'v Value, name: &str) -> Option<&'v Value> {
    arguments.get(name).or_else(|| arguments.get("Payload")?.get(name))
}
