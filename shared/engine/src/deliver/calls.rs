//! Calls of tasks in flight.

use std::time::Duration;

use asl::{Kind, Resource, StateId, StateMachine};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use interpreter::{Answer, Failure, Payload, Snapshot, Stimulus, Timestamp, Wait};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::{AbortHandle, JoinHandle};
use tracing::Instrument;

use super::Deliver;
use super::rehearsal::Rehearsal;
use crate::ports::{TaskAnswer, TaskCall, TaskRole};

/// A call begins within this of its claim, and has at least half its time left then, or it is claimed again: a function that
/// may take 15 minutes is not cut off because the store was slow. Longer than a busy store's client waits for one answer.
const BEGINS_WITHIN: Duration = Duration::from_secs(15);
/// How much longer than its own TimeoutSeconds a call may take before it is cut: the timeout is the workflow's to tell.
const AFTER_TIMEOUT: Duration = Duration::from_millis(500);

/// An attempt that has been claimed and may begin once the claim is durable.
pub(super) struct Claim {
    pub wait: Wait,
    pub call: TaskCall,
    pub lease: Timestamp,
    /// It begins by then, or is claimed again.
    latest: Timestamp,
    permit: OwnedSemaphorePermit,
}

impl Deliver {
    /// Waits for the right to one more call. Who was given it has to use it or let it drop: given back to be taken again,
    /// it would go to the next in the queue, and so from one to the other without a call.
    pub(super) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        // Never closed, so there is always one in the end.
        self.calls.clone().acquire_owned().await.ok()
    }
}

/// The calls that a holder makes.
#[derive(Default)]
pub(super) struct Calls {
    running: FuturesUnordered<Running>,
    waits: Vec<(Wait, AbortHandle)>,
}

type Running = std::pin::Pin<Box<dyn Future<Output = (Wait, Option<(Timestamp, TaskAnswer)>)> + Send>>;

/// Something that happened, and when. It may be told later: the store is busy with something else, or does not answer.
#[derive(Clone)]
pub(super) struct Happened {
    pub at: Timestamp,
    pub stimulus: Stimulus,
}

impl Claim {
    /// A claim of an attempt, for as long as its state allows.
    pub fn of(machine: &StateMachine, snapshot: &Snapshot, wait: Wait, permit: OwnedSemaphorePermit) -> Option<Claim> {
        let (frame, attempt) = snapshot.attempt(&wait)?;
        let state = machine.state(StateId(frame.state))?;
        let Kind::Task(task) = &state.kind else { return None };
        let timeout = match attempt.timeout {
            Some(seconds) if !waits_outside(&task.resource) => Duration::from_secs(seconds) + AFTER_TIMEOUT,
            _ => Duration::MAX,
        };
        let execution = &snapshot.execution;
        let role = attempt.role.clone().map(|arn| TaskRole {
            arn,
            machine: execution.machine_arn.clone(),
            machine_role: execution.role_arn.clone(),
        });
        let call = TaskCall {
            resource: task.resource.clone(),
            arguments: attempt.arguments.text().to_owned(),
            timeout,
            execution: execution.arn.clone(),
            state: state.name.to_string(),
            role,
            test: None,
        };
        let never = Timestamp(i64::MAX);
        Some(Claim { wait, call, lease: never, latest: never, permit })
    }

    /// Gives it a lease: that long, from when its commit is through by `allowance` milliseconds. Answers from when.
    pub fn grant(&mut self, now: Timestamp, allowance: i64, granted: Duration) -> Timestamp {
        let after =
            |begins: Timestamp, time: Duration| begins.plus_millis(i64::try_from(time.as_millis()).unwrap_or(i64::MAX));
        let begins = now.plus_millis(allowance);
        self.lease = after(begins, granted);
        self.latest = after(begins, BEGINS_WITHIN.min(granted / 2));
        self.call.timeout = granted.saturating_add(Duration::from_millis(u64::try_from(allowance).unwrap_or(0)));
        begins
    }

    /// True when its commit took so long that it is better claimed again.
    pub fn is_late(&self, now: Timestamp) -> bool {
        now > self.latest
    }

    /// Counts the call, where the execution has a test case.
    pub fn rehearse(&mut self, rehearsal: &mut Option<Rehearsal>) {
        self.call.test = rehearsal.as_mut().map(|rehearsal| rehearsal.call(&self.call.state));
    }
}

/// What became of a call, for the log: names of errors, no payloads.
fn outcome(answer: &TaskAnswer) -> &str {
    match answer {
        TaskAnswer::Failed { error, .. } => error,
        TaskAnswer::Succeeded { .. } | TaskAnswer::Concluded { .. } => "succeeded",
    }
}

/// With a task token the timeout is about the answer, not about the call.
pub(super) fn waits_outside(resource: &Resource) -> bool {
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

    /// Begins the call of a claim that is durable: it is over by the lease's end.
    pub fn begin(&mut self, deliver: &Deliver, claim: Claim) {
        let (tasks, clock) = (deliver.world.tasks.clone(), deliver.world.clock.clone());
        let left = claim.lease.0.saturating_sub(clock.now().0);
        let Claim { wait, mut call, permit, .. } = claim;
        call.timeout = call.timeout.min(Duration::from_millis(u64::try_from(left).unwrap_or(0)));
        let span = tracing::info_span!("task", execution = call.execution, state = call.state);
        let calling = async move {
            let answer = tasks.call(call).await;
            tracing::debug!(outcome = outcome(&answer), "a call returned");
            drop(permit);
            (clock.now(), answer)
        };
        // A task of its own: a panic in it is a lost attempt, not a lost execution.
        let running: JoinHandle<(Timestamp, TaskAnswer)> = tokio::spawn(calling.instrument(span));
        self.waits.push((wait.clone(), running.abort_handle()));
        self.running.push(Box::pin(async move { (wait, running.await.ok()) }));
    }

    /// What the next call that returns leads to; never ends while there is none.
    pub async fn next(&mut self, now: impl Fn() -> Timestamp) -> Vec<Happened> {
        match self.running.next().await {
            Some(returned) => self.returned(returned, now()),
            None => std::future::pending().await,
        }
    }

    /// What else has returned already.
    pub fn ready(&mut self, now: Timestamp) -> Vec<Happened> {
        let mut ready = Vec::new();
        while let Some(Some(returned)) = futures_util::FutureExt::now_or_never(self.running.next()) {
            ready.extend(self.returned(returned, now));
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

    fn returned(&mut self, (wait, answer): (Wait, Option<(Timestamp, TaskAnswer)>), now: Timestamp) -> Vec<Happened> {
        self.waits.retain(|(open, _)| *open != wait);
        let (at, answer) = answer.map_or((now, None), |(at, answer)| (at, Some(answer)));
        let stimuli = returned(wait, answer);
        stimuli.into_iter().map(|stimulus| Happened { at, stimulus }).collect()
    }
}

/// What the return of a call leads to.
fn returned(wait: Wait, answer: Option<TaskAnswer>) -> Vec<Stimulus> {
    let succeeded = |output| Answer::Succeeded { output: Payload::from_json_text(output) };
    match answer {
        None => vec![Stimulus::TaskLost { wait }],
        Some(TaskAnswer::Failed { error, cause }) => {
            vec![Stimulus::TaskReturned { wait, answer: Answer::Failed(Failure::of(Some(error), cause)) }]
        }
        Some(TaskAnswer::Succeeded { output }) => {
            vec![Stimulus::TaskReturned { wait, answer: succeeded(output) }]
        }
        // An answer that is there before the call returns counts once it does.
        Some(TaskAnswer::Concluded { output }) => {
            let answer = succeeded(output);
            let early = Stimulus::TaskAnswered { wait: wait.clone(), answer: answer.clone() };
            vec![early, Stimulus::TaskReturned { wait, answer }]
        }
    }
}
