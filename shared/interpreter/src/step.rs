//! `step`: applies one stimulus to an execution.

use std::sync::Arc;

use asl::{Kind, State, StateId, StateMachine, Task};

use crate::run::{Outcome, Run};
use crate::{Attempt, Call, Detail, Event, Moment, Payload, Phase, Snapshot, Stimulus, ThreadPath, Wait, states};

/// The result of a step. It cannot fail: a workflow's failure is data.
#[derive(Debug)]
pub struct Step {
    pub snapshot: Snapshot,
    /// New events, in order.
    pub events: Vec<Event<Payload>>,
    /// Threads that are new, changed or gone; once the execution is closed, of those that are kept for a redrive.
    pub changed: Vec<ThreadPath>,
    /// Bytes of payloads that are new, about: what it takes to write the step down.
    pub bytes: usize,
}

/// Applies `stimulus`, then runs every state that needs nothing from outside until all threads wait.
///
/// The snapshot is taken by value and grown in place: a caller that loses the race to write the result reads the
/// journal again, which it has to anyway, and no other caller pays for a copy. A long run is cut by a budget of events and
/// bytes; what is left of it is in [`Snapshot::ready`], and [`Stimulus::Tick`] goes on with it.
pub fn step(machine: &StateMachine, snapshot: Snapshot, stimulus: Stimulus, moment: &Moment<'_>) -> Step {
    let mut run = Run::new(machine, snapshot, moment);
    if let Stimulus::JobCancelled { wait } = &stimulus {
        run.cancelled(wait);
    }
    if run.snapshot.is_open() {
        apply(&mut run, stimulus);
        run.settle();
    } else if stimulus == Stimulus::RedriveRequested {
        run.reopen();
        run.settle();
    }
    let (mut snapshot, changed) = (run.snapshot, Vec::from_iter(run.changed));
    // What a thread goes on with at once it would only parse again.
    for path in &changed {
        if !snapshot.is_ready(path) {
            snapshot.forget_parsed(path);
        }
    }
    Step { snapshot, events: run.events, changed, bytes: run.bytes }
}

pub(crate) fn apply(run: &mut Run<'_>, stimulus: Stimulus) {
    match stimulus {
        Stimulus::Started => start(run),
        Stimulus::Tick | Stimulus::RedriveRequested | Stimulus::JobCancelled { .. } => {}
        Stimulus::StopRequested(failure) => run.abort_execution(failure),
        Stimulus::MachineDeleted => run.mark_deleted(),
        Stimulus::TaskClaimed { wait, owner, begins, lease } => {
            with_attempt(run, &wait, |run, wait, task, attempt| {
                if attempt.call.is_free() {
                    states::task::claimed(run, wait, task, attempt, begins, (owner, lease));
                }
                Outcome::Done
            });
        }
        Stimulus::TaskReleased { wait, owner } => {
            with_claim_of(&owner, run, &wait, |run, _| states::task::released(run, &wait));
        }
        Stimulus::TaskRenewed { wait, owner, lease, later_ms } => {
            with_claim_of(&owner, run, &wait, |run, task| states::task::renewed(run, &wait, task, lease, later_ms));
        }
        Stimulus::TaskLeased { wait, worker } => with_attempt(run, &wait, |run, wait, _, attempt| {
            if attempt.call == Call::Queued {
                states::task::leased(run, wait, attempt, worker);
            }
            Outcome::Done
        }),
        Stimulus::TaskReturned { wait, answer } => {
            with_claimed(run, &wait, |run, task, _| states::task::returned(run, &wait, task, answer));
        }
        Stimulus::JobStarted { wait, output, ids, subscribed } => {
            with_attempt(run, &wait, |run, wait, task, attempt| {
                if attempt.call.claim().is_none() || attempt.job.is_some() {
                    return Outcome::Done;
                }
                states::job::started(run, wait, task, output, (ids, subscribed))
            })
        }
        Stimulus::JobPolled { wait } => with_attempt(run, &wait, |run, wait, _, attempt| {
            if attempt.call.claim().is_some() {
                states::job::polled(run, wait);
            }
            Outcome::Done
        }),
        Stimulus::JobSignalled { wait } => with_attempt(run, &wait, |run, wait, _, _| {
            states::job::signalled(run, wait);
            Outcome::Done
        }),
        Stimulus::TaskAnswered { wait, answer } => with_attempt(run, &wait, |run, wait, task, attempt| {
            states::task::answered(run, wait, task, attempt, answer)
        }),
        Stimulus::TaskHeartbeat { wait, at } => with_attempt(run, &wait, |run, wait, _, attempt| {
            states::task::heartbeat(run, wait, attempt, at);
            Outcome::Done
        }),
        Stimulus::TaskLost { wait } => {
            with_claimed(run, &wait, |run, task, attempt| states::task::lost(run, &wait, task, attempt));
        }
    }
}

fn start(run: &mut Run<'_>) {
    if run.snapshot.last_event > 0 {
        return;
    }
    let execution = run.snapshot.execution.clone();
    let detail = Detail::ExecutionStarted { input: execution.input.clone(), role_arn: execution.role_arn.clone() };
    // AWS: the first state's Entered event follows 0, not this one.
    run.emit(0, detail);
}

/// Applies `act` to the attempt a stimulus is about; nothing when it is no longer the current one.
fn with_attempt(
    run: &mut Run<'_>,
    wait: &Wait,
    act: impl FnOnce(&mut Run<'_>, &Wait, &Task, &Attempt<Payload>) -> Outcome,
) {
    let Some((state, attempt)) = current(run, wait) else { return };
    let Kind::Task(task) = &state.kind else { return };
    let outcome = act(run, wait, task, &attempt);
    run.follow(&wait.path, &state, outcome);
}

/// The same, if `owner` has claimed the attempt.
fn with_claim_of(owner: &str, run: &mut Run<'_>, wait: &Wait, act: impl FnOnce(&mut Run<'_>, &Task)) {
    with_attempt(run, wait, |run, _, task, attempt| {
        if attempt.call.claim().is_some_and(|(claimed, _)| claimed == owner) {
            act(run, task);
        }
        Outcome::Done
    });
}

/// The same, if any worker has.
fn with_claimed(run: &mut Run<'_>, wait: &Wait, act: impl FnOnce(&mut Run<'_>, &Task, &Attempt<Payload>) -> Outcome) {
    with_attempt(
        run,
        wait,
        |run, _, task, attempt| {
            if attempt.call.claim().is_some() { act(run, task, attempt) } else { Outcome::Done }
        },
    );
}

fn current(run: &Run<'_>, wait: &Wait) -> Option<(Arc<State>, Attempt<Payload>)> {
    let frame = run.snapshot.frame(&wait.path).filter(|frame| frame.attempt_id == wait.attempt_id)?;
    let Phase::Task(attempt) = &frame.phase else { return None };
    Some((run.machine.state(StateId(frame.state))?.clone(), attempt.clone()))
}
