//! Steps in hand: what they did, until it is committed or, for an express execution, for good.

use std::collections::BTreeSet;

use asl::StateMachine;
use interpreter::{Call, Event, Moment, Payload, Snapshot, Stimulus, ThreadPath, Timestamp, Wait, step};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::OwnedSemaphorePermit;

use super::Deliver;
use super::calls::Claim;
use super::rehearsal::Rehearsal;
use super::term::Term;

/// What a round of steps did.
#[derive(Default)]
pub(super) struct Round {
    pub events: Vec<Event<Payload>>,
    pub changed: BTreeSet<ThreadPath>,
    /// The time of its last step: none is earlier than one before it.
    pub at: Timestamp,
    /// How much of what calls brought it took in.
    pub taken: usize,
    /// Bytes of what is new in it.
    pub bytes: usize,
    /// The right to one call that was waited for.
    pub turn: Option<OwnedSemaphorePermit>,
    /// How many milliseconds its commit may take where it claims what was released.
    pub allowance: i64,
}

impl Deliver {
    /// One step; what it did joins the round.
    pub(super) fn step(
        &self,
        machine: &StateMachine,
        snapshot: &mut Snapshot,
        stimulus: Stimulus,
        now: Timestamp,
        round: &mut Round,
    ) {
        let execution = snapshot.execution.clone();
        let token = |wait: &Wait| self.seal.task_token(&execution.arn, wait);
        round.at = round.at.max(now);
        let moment = Moment { now: round.at, seed: self.world.clock.seed(), token: &token };
        let before = std::mem::replace(snapshot, Snapshot::bare(execution.clone(), 0));
        let work = || step(machine, before, stimulus, &moment);
        let step = if machine.evaluates_jsonata { beside_others(work) } else { work() };
        *snapshot = step.snapshot;
        round.bytes += step.bytes;
        round.events.extend(step.events);
        round.changed.extend(step.changed);
    }

    /// It is enough for one commit: what else happened is left to the next, and what comes due after that, too.
    pub(super) fn is_full(&self, round: &Round) -> bool {
        round.bytes >= self.commit_bytes
    }

    /// Claims what is unclaimed, as far as calls may begin and the term reaches.
    pub(super) async fn claim(
        &self,
        machine: &StateMachine,
        snapshot: &mut Snapshot,
        rehearsal: &mut Option<Rehearsal>,
        now: Timestamp,
        term: &mut Term,
        round: &mut Round,
    ) -> Vec<Claim> {
        let (mut claims, mut turn) = (Vec::new(), round.turn.take());
        let open: Vec<Wait> = snapshot.unclaimed().collect();
        for wait in open {
            if self.is_full(round) {
                break;
            }
            let Some(permit) = turn.take().or_else(|| self.calls.clone().try_acquire_owned().ok()) else { break };
            let Some(mut claim) = Claim::of(machine, snapshot, wait.clone(), permit) else { continue };
            let wanted = self.world.tasks.limit(&claim.call).await.min(claim.call.timeout);
            let allowance = if is_released(snapshot, &wait) { round.allowance } else { 0 };
            let Some(granted) = term.grant(now.plus_millis(allowance), wanted) else { continue };
            let begins = claim.grant(now, allowance, granted);
            claim.rehearse(rehearsal);
            let (owner, lease) = (self.owner.clone(), claim.lease);
            self.step(machine, snapshot, Stimulus::TaskClaimed { wait, owner, begins, lease }, now, round);
            claims.push(claim);
        }
        if !snapshot.is_open() {
            // A claim found no room in the history, which ended the execution: nothing is called for it any more.
            claims.clear();
        }
        claims
    }
}

fn is_released(snapshot: &Snapshot, wait: &Wait) -> bool {
    snapshot.attempt(wait).is_some_and(|(_, attempt)| attempt.call != Call::Unclaimed)
}

/// Does work that may take seconds without holding up the other tasks of this thread.
fn beside_others<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        // One thread has nobody to hand its tasks to.
        _ => work(),
    }
}
