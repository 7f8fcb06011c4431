//! Express executions: the same steps, in memory, from start to end.

use std::collections::BTreeMap;
use std::sync::Arc;

use interpreter::{Closing, Payload, Snapshot, Stimulus, Timestamp};
use tracing::Instrument;

use super::actor::turn_of;
use super::calls::Calls;
use super::inbox::TimedStimulus;
use super::live::Live;
use super::loaded::status_of;
use super::steps::{ClaimLimits, Steps};
use super::test_case_run::TestCaseRun;
use super::time_budget::TimeBudget;
use super::{Deliver, Start, span};
use crate::Deployment;
use crate::ports::Happening;

/// How an Express execution ended.
#[derive(Debug, Clone)]
pub struct ExpressEnd {
    pub closing: Closing<Payload>,
    pub started: Timestamp,
    pub stopped: Timestamp,
}

impl Deliver {
    /// Runs an execution to its end. Nothing is stored.
    pub async fn express(self: &Arc<Self>, start: Start) -> ExpressEnd {
        let span = span(&start.execution.arn);
        Box::pin(self.run_to_end(start)).instrument(span).await
    }

    async fn run_to_end(self: &Arc<Self>, start: Start) -> ExpressEnd {
        let Start { machine, execution, head } = start;
        let (snapshot, test_case) = (Snapshot::begin(&machine, execution), TestCaseRun::of(&head, BTreeMap::new()));
        let mut live = Live::new(machine, snapshot, test_case);
        let (mut steps, mut calls, mut budget) = (Steps::default(), Calls::default(), TimeBudget::new(None));
        let mut arrived = vec![TimedStimulus { at: head.started, stimulus: Stimulus::Started }];
        let (mut permit, mut turn) = (None, None);
        let mut holding = self.memory.hold(live.held_bytes());
        self.world.metrics.count(Happening::Started { machine: &head.machine_arn });
        loop {
            let now = self.world.clock.now();
            // In memory, so no other process could take its calls over.
            let alone = Deployment::SingleProcess;
            for renewed in calls.renewals(&live.snapshot, &self.owner, &*self.world.clock, alone) {
                let at = live.snapshot.due().map_or(now, |due| now.min(due.plus_millis(-1)));
                self.step(&mut live, renewed, at, &mut steps);
            }
            for stimulus in arrived.drain(..).map(|one| one.stimulus).chain([Stimulus::Tick]) {
                self.step(&mut live, stimulus, now, &mut steps);
            }
            self.log(&head, &live.snapshot, &steps.events);
            steps.forget();
            holding.change(live.held_bytes());
            let limits = ClaimLimits { budget: &mut budget, allowance: 0, permit: permit.take() };
            let claims = self.claim(&mut live, now, limits, &mut steps).await;
            self.log(&head, &live.snapshot, &steps.events);
            steps.forget();
            calls.cut_stale(&live.snapshot);
            for claim in claims {
                calls.begin(self, claim);
            }
            if let Some((closing, stopped)) = live.snapshot.closed.clone() {
                self.count_end(&head.machine_arn, status_of(&closing), head.started, stopped);
                return ExpressEnd { closing, started: head.started, stopped };
            }
            if live.snapshot.ready().next().is_some() {
                // A long run was cut: other executions get their turn first.
                tokio::task::yield_now().await;
                continue;
            }
            let starved = live.snapshot.unclaimed().next().is_some();
            if starved {
                turn.get_or_insert_with(|| self.permits.call(&head.arn));
            } else {
                turn = None;
            }
            tokio::select! {
                // The same world gives the same run.
                biased;
                completions = calls.next(|| self.world.clock.now()) => arrived.extend(completions),
                () = self.world.clock.sleep_until(live.snapshot.due().unwrap_or(now)) => {}
                Some(waited) = turn_of(&mut turn), if starved => (permit, turn) = (waited, None),
            }
            arrived.extend(calls.ready(self.world.clock.now()));
        }
    }
}
