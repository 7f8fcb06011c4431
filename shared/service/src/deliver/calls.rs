//! Calls of tasks in flight.

use std::time::Duration;

use asl::{Kind, Resource, StateId, StateMachine};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use interpreter::{Answer, Failure, Payload, Snapshot, Stimulus, Timestamp, Wait};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::{AbortHandle, JoinHandle};

use super::Deliver;
use crate::ports::{TaskAnswer, TaskCall};

/// How much longer than its own TimeoutSeconds a call may take before it is cut: the timeout is the workflow's to tell.
const AFTER_TIMEOUT: Duration = Duration::from_millis(500);

/// An attempt that has been claimed and may begin once the claim is durable.
pub(super) struct Claim {
    pub wait: Wait,
    call: TaskCall,
    pub lease: Timestamp,
    permit: OwnedSemaphorePermit,
}

/// The calls that a holder makes.
#[derive(Default)]
pub(super) struct Calls {
    running: FuturesUnordered<Running>,
    waits: Vec<(Wait, AbortHandle)>,
}

type Running = std::pin::Pin<Box<dyn Future<Output = (Wait, Option<TaskAnswer>)> + Send>>;

impl Claim {
    /// A claim of an attempt, as of `now`.
    pub fn of(
        deliver: &Deliver,
        machine: &StateMachine,
        snapshot: &Snapshot,
        wait: Wait,
        now: Timestamp,
        permit: OwnedSemaphorePermit,
    ) -> Option<Claim> {
        let (frame, attempt) = snapshot.attempt(&wait)?;
        let state = machine.state(StateId(frame.state))?;
        let Kind::Task(task) = &state.kind else { return None };
        let limit = deliver.world.tasks.limit(&task.resource);
        let timeout = match attempt.timeout {
            Some(seconds) if !waits_outside(&task.resource) => limit.min(Duration::from_secs(seconds) + AFTER_TIMEOUT),
            _ => limit,
        };
        let call = TaskCall {
            resource: task.resource.clone(),
            arguments: attempt.arguments.text().to_owned(),
            timeout,
            execution: snapshot.execution.arn.clone(),
            state: state.name.to_string(),
            role: attempt.role.clone(),
        };
        let lease = now.plus_millis(i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX));
        Some(Claim { wait, call, lease, permit })
    }
}

/// With a task token the timeout is about the answer, not about the call.
fn waits_outside(resource: &Resource) -> bool {
    match resource {
        Resource::Integration(on) => on.pattern == asl::Pattern::WaitForTaskToken,
        Resource::Lambda { .. } | Resource::Activity { .. } => false,
    }
}

impl Calls {
    pub fn is_empty(&self) -> bool {
        self.waits.is_empty()
    }

    /// True while the call for this wait is in flight.
    pub fn makes(&self, wait: &Wait) -> bool {
        self.waits.iter().any(|(made, _)| made == wait)
    }

    /// Begins the call of a claim that is durable.
    pub fn begin(&mut self, deliver: &Deliver, claim: Claim) {
        let tasks = deliver.world.tasks.clone();
        let Claim { wait, call, permit, .. } = claim;
        // A task of its own: a panic in it is a lost attempt, not a lost execution.
        let running: JoinHandle<TaskAnswer> = tokio::spawn(async move {
            let answer = tasks.call(call).await;
            drop(permit);
            answer
        });
        self.waits.push((wait.clone(), running.abort_handle()));
        self.running.push(Box::pin(async move { (wait, running.await.ok()) }));
    }

    /// The next call that returned; never ends while there is none.
    pub async fn next(&mut self) -> Stimulus {
        match self.running.next().await {
            Some(returned) => self.returned(returned),
            None => std::future::pending().await,
        }
    }

    /// What else has returned already.
    pub fn ready(&mut self) -> Vec<Stimulus> {
        let mut ready = Vec::new();
        while let Some(Some(returned)) = futures_util::FutureExt::now_or_never(self.running.next()) {
            ready.push(self.returned(returned));
        }
        ready
    }

    /// Cuts the calls whose attempts are over: they timed out, or a sibling failed.
    pub fn cut_stale(&mut self, snapshot: &Snapshot) {
        self.waits.retain(|(wait, running)| {
            let current = snapshot.is_open() && snapshot.attempt(wait).is_some();
            if !current {
                running.abort();
            }
            current
        });
    }

    fn returned(&mut self, (wait, answer): (Wait, Option<TaskAnswer>)) -> Stimulus {
        self.waits.retain(|(open, _)| *open != wait);
        match answer {
            None => Stimulus::TaskLost { wait },
            Some(TaskAnswer::Failed { error, cause }) => {
                Stimulus::TaskReturned { wait, answer: Answer::Failed(Failure { error: Some(error), cause }) }
            }
            Some(TaskAnswer::Succeeded { output }) => {
                Stimulus::TaskReturned { wait, answer: Answer::Succeeded { output: Payload::from_json_text(output) } }
            }
        }
    }
}
