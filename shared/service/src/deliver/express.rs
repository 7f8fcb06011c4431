//! Express executions: the same steps, in memory, from start to end.

use std::sync::Arc;

use asl::StateMachine;
use interpreter::{Closing, Event, Moment, Payload, Snapshot, Stimulus, Timestamp, step};

use super::calls::{Calls, Claim};
use super::{Deliver, Start};

/// How an express execution ended.
#[derive(Debug)]
pub struct ExpressEnd {
    pub closing: Closing<Payload>,
    pub stopped: Timestamp,
    pub events: Vec<Event<Payload>>,
}

impl Deliver {
    /// Runs an execution to its end. Nothing is stored.
    pub async fn express(self: &Arc<Self>, start: Start) -> ExpressEnd {
        let snapshot = Snapshot::begin(&start.machine, start.execution);
        let mut run = InMemory { deliver: self, machine: start.machine, snapshot, events: Vec::new() };
        let mut calls = Calls::default();
        let mut stimuli = vec![Stimulus::Started];
        loop {
            let now = self.world.clock.now();
            for stimulus in stimuli.drain(..) {
                run.step(stimulus, now);
            }
            run.step(Stimulus::Looked, now);
            let claims = run.claim(now);
            calls.cut_stale(&run.snapshot);
            for claim in claims {
                calls.begin(self, claim);
            }
            if let Some((closing, stopped)) = run.snapshot.closed.clone() {
                return ExpressEnd { closing, stopped, events: run.events };
            }
            if run.snapshot.ready().next().is_some() {
                continue;
            }
            let starved = run.snapshot.unclaimed().next().is_some();
            tokio::select! {
                stimulus = calls.next() => stimuli.push(stimulus),
                () = self.world.clock.sleep_until(run.snapshot.due().unwrap_or(now)) => {}
                _ = self.calls.acquire(), if starved => {}
            }
            stimuli.extend(calls.ready());
        }
    }
}

struct InMemory<'a> {
    deliver: &'a Deliver,
    machine: Arc<StateMachine>,
    snapshot: Snapshot,
    events: Vec<Event<Payload>>,
}

impl InMemory<'_> {
    fn step(&mut self, stimulus: Stimulus, now: Timestamp) {
        let execution = self.snapshot.execution.clone();
        let token = |wait: &interpreter::Wait| self.deliver.seal.task_token(&execution.arn, wait);
        let moment = Moment { now, seed: self.deliver.world.clock.seed(), token: &token };
        let snapshot = std::mem::replace(&mut self.snapshot, Snapshot::bare(execution.clone(), 0));
        let step = step(&self.machine, snapshot, stimulus, &moment);
        self.snapshot = step.snapshot;
        self.events.extend(step.events);
    }

    fn claim(&mut self, now: Timestamp) -> Vec<Claim> {
        let mut claims = Vec::new();
        let open: Vec<_> = self.snapshot.unclaimed().collect();
        for wait in open {
            let Ok(permit) = self.deliver.calls.clone().try_acquire_owned() else { break };
            let claim = Claim::of(self.deliver, &self.machine, &self.snapshot, wait.clone(), now, permit);
            let Some(claim) = claim else { continue };
            let (owner, lease) = (self.deliver.owner.clone(), claim.lease);
            self.step(Stimulus::TaskClaimed { wait, owner, lease }, now);
            claims.push(claim);
        }
        claims
    }
}
