//! Steps in hand: what they did, until it is committed or, for an express execution, for good.

use std::collections::BTreeSet;

use asl::StateMachine;
use interpreter::{Event, Moment, Payload, Snapshot, Stimulus, ThreadPath, Timestamp, Wait, step};

use super::Deliver;
use super::calls::Claim;

/// What a round of steps did.
#[derive(Default)]
pub(super) struct Round {
    pub events: Vec<Event<Payload>>,
    pub changed: BTreeSet<ThreadPath>,
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
        let step = step(machine, before, stimulus, &moment);
        *snapshot = step.snapshot;
        round.events.extend(step.events);
        round.changed.extend(step.changed);
    }

    /// Claims what is unclaimed, as far as calls may begin.
    pub(super) fn claim(
        &self,
        machine: &StateMachine,
        snapshot: &mut Snapshot,
        now: Timestamp,
        round: &mut Round,
    ) -> Vec<Claim> {
        let mut claims = Vec::new();
        let open: Vec<Wait> = snapshot.unclaimed().collect();
        for wait in open {
            let Ok(permit) = self.calls.clone().try_acquire_owned() else { break };
            let Some(claim) = Claim::of(self, machine, snapshot, wait.clone(), now, permit) else { continue };
            let (owner, lease) = (self.owner.clone(), claim.lease);
            self.step(machine, snapshot, Stimulus::TaskClaimed { wait, owner, lease }, now, round);
            claims.push(claim);
        }
        claims
    }
}
