//! Express executions: the same steps, in memory, from start to end.

use std::collections::BTreeMap;
use std::sync::Arc;

use interpreter::{Closing, Event, Payload, Snapshot, Stimulus, Timestamp};
use tracing::Instrument;

use super::calls::{Calls, Happened};
use super::ledger::status_of;
use super::rehearsal::Rehearsal;
use super::round::Round;
use super::term::Term;
use super::{Deliver, Start, span};
use crate::ports::Happening;

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
        let span = span(&start.execution.arn);
        self.run_to_end(start).instrument(span).await
    }

    async fn run_to_end(self: &Arc<Self>, start: Start) -> ExpressEnd {
        let Start { machine, execution, head } = start;
        let mut rehearsal = Rehearsal::of(&head, BTreeMap::new());
        let mut snapshot = Snapshot::begin(&machine, execution);
        let (mut round, mut calls, mut term) = (Round::default(), Calls::default(), Term::new(None));
        let mut stimuli = vec![Happened { at: head.started, stimulus: Stimulus::Started }];
        self.world.metrics.count(Happening::Started { machine: &head.machine_arn });
        loop {
            let now = self.world.clock.now();
            for happened in stimuli.drain(..).chain([Happened { at: now, stimulus: Stimulus::Tick }]) {
                self.step(&machine, &mut snapshot, happened.stimulus, now, &mut round);
            }
            // Nothing is written down, so nothing is too much.
            round.bytes = 0;
            let claims = self.claim(&machine, &mut snapshot, &mut rehearsal, now, &mut term, &mut round).await;
            calls.cut_stale(&snapshot);
            for claim in claims {
                calls.begin(self, claim);
            }
            if let Some((closing, stopped)) = snapshot.closed.clone() {
                self.count_end(&head.machine_arn, status_of(&closing), head.started, stopped);
                return ExpressEnd { closing, stopped, events: round.events };
            }
            if snapshot.ready().next().is_some() {
                // A long run was cut: others get their turn first.
                tokio::task::yield_now().await;
                continue;
            }
            let starved = snapshot.unclaimed().next().is_some();
            tokio::select! {
                // The same world gives the same run.
                biased;
                returned = calls.next(|| self.world.clock.now()) => stimuli.extend(returned),
                () = self.world.clock.sleep_until(snapshot.due().unwrap_or(now)) => {}
                turn = self.turn(), if starved => round.turn = turn,
            }
            stimuli.extend(calls.ready(self.world.clock.now()));
        }
    }
}
