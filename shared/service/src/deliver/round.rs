//! Steps in hand: what they did, until it is committed or, for an express execution, for good.

use std::collections::BTreeSet;

use asl::StateMachine;
use interpreter::{Event, Moment, Payload, Snapshot, Stimulus, ThreadPath, Timestamp, Wait, step};
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
    /// The right to one call that was waited for.
    pub turn: Option<OwnedSemaphorePermit>,
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
        let moment = Moment { now, seed: self.world.clock.seed(), token: &token };
        let before = std::mem::replace(snapshot, Snapshot::bare(execution.clone(), 0));
        let work = || step(machine, before, stimulus, &moment);
        let step = if machine.evaluates_jsonata { beside_others(work) } else { work() };
        *snapshot = step.snapshot;
        round.events.extend(step.events);
        round.changed.extend(step.changed);
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
            let Some(permit) = turn.take().or_else(|| self.calls.clone().try_acquire_owned().ok()) else { break };
            let Some(mut claim) = Claim::of(machine, snapshot, wait.clone(), permit) else { continue };
            let wanted = self.world.tasks.limit(&claim.call).await.min(claim.call.timeout);
            let Some(granted) = term.grant(now, wanted) else { continue };
            claim.grant(now, granted);
            claim.rehearse(rehearsal);
            let (owner, lease) = (self.owner.clone(), claim.lease);
            self.step(machine, snapshot, Stimulus::TaskClaimed { wait, owner, lease }, now, round);
            claims.push(claim);
        }
        if !snapshot.is_open() {
            // A claim found no room in the history, which ended the execution: nothing is called for it any more.
            claims.clear();
        }
        claims
    }
}

/// Does work that may take seconds without holding up the other tasks of this thread.
fn beside_others<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        // One thread has nobody to hand its tasks to.
        _ => work(),
    }
}
