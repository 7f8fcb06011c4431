//! The functions that tasks call, as a script, and the clients who answer task tokens.
//!
//! Every call is logged with its arguments. Definitions of the simulation put the attempt (`$$.State.RetryCount`) and the
//! item into the arguments, so that two equal calls in the log are one attempt started twice.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use engine::ports::{TaskAnswer, TaskCall, Tasks};
use interpreter::{Answer, Failure, Payload, Timestamp, Wait};
use serde::Deserialize;
use serde_json::Value;

use super::disk::Order;
use super::faults::Gate;
use super::random_replies::RandomReplies;
use super::sabotage::Saboteur;
use super::{Chance, Disk, records};

/// A function's reply to one attempt.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    #[serde(default)]
    pub after_ms: u64,
    pub says: Says,
    /// A client that got the task token from the function answers with it.
    #[serde(default)]
    pub then_somebody: Option<Box<Reply>>,
    /// Until they answer, they send a heartbeat this often.
    #[serde(default)]
    pub beats_every_ms: Option<u64>,
    /// Once they have answered, they say this as well.
    #[serde(default)]
    pub again: Option<Box<Says>>,
    /// Another client with the token answers this, at the same time.
    #[serde(default)]
    pub rival: Option<Box<Says>>,
}

impl Reply {
    /// Says that after so long, and no other client answers.
    pub fn after(after_ms: u64, says: Says) -> Reply {
        Reply { after_ms, says, then_somebody: None, beats_every_ms: None, again: None, rival: None }
    }
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

/// The log of calls and the clients' pending answers, which outlive processes.
#[derive(Default)]
pub struct Outside {
    pub calls: Vec<CallMade>,
    /// Calls that a process began, whether they arrived or not.
    pub begun: Vec<CallMade>,
    pub answers: Vec<PendingAnswer>,
    /// The answers of functions to their callers.
    pub said: Vec<(CallMade, TaskAnswer)>,
    /// The answers of clients.
    pub given: Vec<PendingAnswer>,
    /// Answers that were acknowledged as counted.
    pub counted: Vec<PendingAnswer>,
    /// Answers that came too late, and when that was said.
    pub refused: Vec<(PendingAnswer, Order)>,
    /// Executions whose start was acknowledged, in that order.
    pub started: Vec<String>,
    /// Executions whose stop was acknowledged.
    pub stopped: Vec<String>,
    /// Redrives that were acknowledged, by their execution, each with the date that was answered.
    pub redriven: BTreeMap<String, Vec<Timestamp>>,
}

/// An answer to a task token that a client repeats until it is acknowledged.
#[derive(Debug, Clone)]
pub struct PendingAnswer {
    pub at: Timestamp,
    pub execution: String,
    pub wait: Wait,
    pub token: String,
    pub answer: Answer<Payload>,
    pub beats_every_ms: Option<u64>,
    /// Said after it, for nothing.
    pub again: Option<Answer<Payload>>,
    /// Said beside it: one of both counts.
    pub rival: Option<Answer<Payload>>,
}

impl PendingAnswer {
    /// Whether a client was about to send this.
    pub fn has(&self, answer: &Answer<Payload>) -> bool {
        [Some(&self.answer), self.again.as_ref(), self.rival.as_ref()].contains(&Some(answer))
    }
}

/// Shared by everyone who lives outside.
#[derive(Clone, Default)]
pub struct Shared(Arc<Mutex<Outside>>);

impl Shared {
    pub fn lock(&self) -> MutexGuard<'_, Outside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The replies of functions, by the machine that calls and by its state: one reply per attempt, the last one for all that
/// follow.
#[derive(Default)]
pub struct Script {
    pub replies: BTreeMap<String, BTreeMap<String, Vec<Reply>>>,
    /// Says what functions do that have no script.
    pub random_replies: Option<RandomReplies>,
    /// The longest a call can take.
    pub limit: Duration,
    /// Calls take longer than they should, by this chance.
    pub slowness: Option<Mutex<Chance>>,
}

impl Script {
    /// How much longer than it should a call takes.
    fn delay(&self) -> Duration {
        let Some(slowness) = &self.slowness else { return Duration::ZERO };
        let mut chance = slowness.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = u64::try_from(self.limit.as_millis()).unwrap_or(u64::MAX);
        let most = match chance.up_to(64) {
            1 => limit.saturating_add(60_000),
            2..=6 => 20_000,
            7..=24 => 1_500,
            _ => 1,
        };
        Duration::from_millis(chance.up_to(most) - 1)
    }
}

/// The functions as one process reaches them.
pub struct Functions {
    pub script: Arc<Script>,
    pub outside: Shared,
    pub disk: Disk,
    pub gate: Arc<Gate>,
    pub saboteur: Arc<Saboteur>,
    pub clock: Arc<dyn engine::ports::Clock>,
    /// Told when there is a new answer to give.
    pub asked: Arc<tokio::sync::Notify>,
}

impl Functions {
    fn reply(&self, call: &TaskCall, arguments: &Value) -> Option<Reply> {
        let Some(replies) = self.script.replies.get(machine_of(&call.execution)) else {
            let drawn = self.script.random_replies.as_ref();
            return drawn.map(|random_replies| random_replies.reply(call.resource.takes_token()));
        };
        let replies = replies.get(&call.state)?;
        let attempt = argument(arguments, "try").and_then(Value::as_u64).unwrap_or(0);
        usize::try_from(attempt).ok().and_then(|attempt| replies.get(attempt)).or(replies.last()).cloned()
    }

    async fn arrived(&self, call: TaskCall) -> TaskAnswer {
        let arguments: Value = serde_json::from_str(&call.arguments).unwrap_or_default();
        self.outside.lock().calls.push(CallMade::of(&call));
        let Some(reply) = self.reply(&call, &arguments) else {
            return TaskAnswer::Failed { error: "Unscripted".into(), cause: Some(call.state) };
        };
        if let Some(somebody) = &reply.then_somebody {
            self.ask_somebody(&call, &arguments, somebody);
        }
        // An express execution's five minutes would be over.
        let delay = if is_express(&call.execution) { Duration::ZERO } else { self.script.delay() };
        tokio::time::sleep(Duration::from_millis(reply.after_ms).saturating_add(delay)).await;
        self.gate.point().await;
        if matches!(reply.says, Says::Panics) {
            // Without the hook, which would print.
            std::panic::resume_unwind(Box::new("a planned panic"));
        }
        spoken(&reply.says, &arguments)
    }

    fn ask_somebody(&self, call: &TaskCall, arguments: &Value, reply: &Reply) {
        let Some(wait) = records::wait_of(&self.disk, &call.execution, &call.arguments) else { return };
        let Some(token) = argument(arguments, "token").and_then(Value::as_str).map(str::to_owned) else { return };
        let answer = as_answer(spoken(&reply.says, arguments));
        let other = |says: &Option<Box<Says>>| says.as_ref().map(|says| as_answer(spoken(says, arguments)));
        let (again, rival) = (other(&reply.again), other(&reply.rival));
        let at = self.clock.now().plus_millis(i64::try_from(reply.after_ms).unwrap_or(i64::MAX));
        let (execution, beats_every_ms) = (call.execution.clone(), reply.beats_every_ms);
        let pending = PendingAnswer { at, execution, wait, token, answer, beats_every_ms, again, rival };
        let mut outside = self.outside.lock();
        outside.given.push(pending.clone());
        outside.answers.push(pending);
        drop(outside);
        self.asked.notify_waiters();
    }
}

#[async_trait]
impl Tasks for Functions {
    async fn call(&self, call: TaskCall) -> TaskAnswer {
        let (timeout, made) = (call.timeout, CallMade::of(&call));
        self.outside.lock().begun.push(made.clone());
        // The request is on its way: it arrives whether or not its sender still lives.
        self.gate.point().await;
        if self.saboteur.repeats_a_call() {
            let _as_after_a_retry_of_a_client = tokio::time::timeout(timeout, self.arrived(call.clone())).await;
        }
        let answer = tokio::time::timeout(timeout, self.arrived(call)).await;
        let answer = answer.unwrap_or_else(|_| TaskAnswer::Failed {
            error: "Lambda.ClientExecutionTimeoutException".into(),
            cause: Some("The call was cut.".into()),
        });
        self.outside.lock().said.push((made, answer.clone()));
        answer
    }

    async fn limit(&self, _call: &TaskCall) -> Duration {
        self.script.limit
    }
}

impl CallMade {
    fn of(call: &TaskCall) -> CallMade {
        let (execution, state, arguments) = (call.execution.clone(), call.state.clone(), call.arguments.clone());
        CallMade { execution, state, arguments }
    }
}

/// A reply as the interpreter's stimulus.
pub(super) fn as_answer(said: TaskAnswer) -> Answer<Payload> {
    match said {
        TaskAnswer::Succeeded { output } | TaskAnswer::Concluded { output } | TaskAnswer::Started { output, .. } => {
            Answer::Succeeded { output: Payload::from_json_text(output) }
        }
        TaskAnswer::Running => Answer::Failed(Failure::of(Some("Running".into()), None)),
        TaskAnswer::Failed { error, cause } => Answer::Failed(Failure::of(Some(error), cause)),
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

pub(super) fn is_express(execution: &str) -> bool {
    execution.split(':').nth(5) == Some("express")
}

/// The machine's name in an execution's ARN.
fn machine_of(execution: &str) -> &str {
    execution.split(':').nth(6).unwrap_or_default()
}

/// An argument of the function, wherever the integration puts it.
fn argument<'v>(arguments: &'v Value, name: &str) -> Option<&'v Value> {
    arguments.get(name).or_else(|| arguments.get("Payload")?.get(name))
}
