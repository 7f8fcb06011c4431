//! Steps, and their results until these are committed or, for an Express execution, for good.

use std::collections::BTreeSet;
use std::time::Duration;

use interpreter::{Event, Moment, Payload, Snapshot, Stimulus, ThreadPath, Timestamp, Wait, Work, step};
use tokio::runtime::{Handle, RuntimeFlavor};

use super::Deliver;
use super::claim::Claim;
use super::live::Live;
use super::permits::Permit;
use super::time_budget::TimeBudget;
use crate::ports::Stage;

/// The result of the steps of one round.
#[derive(Default)]
pub(super) struct Steps {
    pub events: Vec<Event<Payload>>,
    pub changed: BTreeSet<ThreadPath>,
    /// The time of the last step: none is earlier than one before it.
    pub at: Timestamp,
    /// Bytes of what is new.
    bytes: usize,
    /// When the first of them began, of [`crate::ports::Clock::elapsed`].
    begun: Option<Duration>,
    /// They have taken long enough.
    long: bool,
}

/// With steps that took so long a commit takes in nothing more.
const LONG: Duration = Duration::from_secs(1);

impl Steps {
    /// True when there is nothing to commit.
    pub fn changed_nothing(&self) -> bool {
        self.events.is_empty() && self.changed.is_empty()
    }

    /// True when they are enough for one commit: what else has arrived is left to the next, and what comes due after that,
    /// too.
    pub fn fill(&self, commit_bytes: usize) -> bool {
        self.long || self.bytes >= commit_bytes
    }

    /// Forgets what the steps did: nothing is written down of an Express execution, so what it may hold in memory is its
    /// snapshot.
    pub fn forget(&mut self) {
        self.events.clear();
        self.changed.clear();
        (self.bytes, self.begun, self.long) = (0, None, false);
    }
}

/// The bounds of claims.
pub(super) struct ClaimLimits<'a> {
    pub budget: &'a mut TimeBudget,
    /// How many milliseconds the commit may take where it claims what was released.
    pub allowance: i64,
    /// The right to one call that was waited for.
    pub permit: Option<Permit>,
}

impl Deliver {
    /// One step; what it did joins the others.
    pub(super) fn step(&self, live: &mut Live, stimulus: Stimulus, now: Timestamp, steps: &mut Steps) {
        let execution = live.snapshot.execution.clone();
        let begun = self.world.clock.elapsed();
        let token = |wait: &Wait| self.signer.task_token((&execution.arn, execution.started), wait);
        steps.at = steps.at.max(now);
        let before = std::mem::replace(&mut live.snapshot, Snapshot::bare(execution.clone(), 0));
        let activity = |arn: &str, state: &str| self.activity_target(live, arn, state);
        let (now, seed) = (steps.at, self.world.clock.seed());
        let costs = Work { processor_time: self.world.clock.processor_time(), ..Work::USUAL };
        let moment = Moment { now, seed, token: &token, activity: &activity, work: costs };
        let work = || step(&live.machine, before, stimulus, &moment);
        let step = if live.machine.evaluates_jsonata { beside_others(work) } else { work() };
        live.snapshot = step.snapshot;
        steps.bytes += step.bytes;
        steps.events.extend(step.events);
        steps.changed.extend(step.changed);
        let ended = self.world.clock.elapsed();
        steps.long |= ended.saturating_sub(*steps.begun.get_or_insert(begun)) > LONG;
    }

    /// Claims what is unclaimed, as far as calls may begin and the time budget reaches.
    pub(super) async fn claim(
        &self,
        live: &mut Live,
        now: Timestamp,
        mut limits: ClaimLimits<'_>,
        steps: &mut Steps,
    ) -> Vec<Claim> {
        let mut claims = Vec::new();
        let open: Vec<Wait> = live.snapshot.unclaimed().collect();
        for wait in open {
            if steps.fill(self.commit_bytes) {
                break;
            }
            let Some(permit) = limits.permit.take().or_else(|| self.permits.try_call(&live.snapshot.execution.arn))
            else {
                break;
            };
            let Some(mut claim) = Claim::of(live, wait.clone(), permit) else { continue };
            let wanted = self.world.tasks.limit(&claim.call).await.min(claim.call.timeout);
            let allowance = if live.is_released(&wait) { limits.allowance } else { 0 };
            let Some(granted) = limits.budget.grant(now.plus_millis(allowance), wanted) else { continue };
            let begins = claim.grant(now, allowance, granted);
            if claim.call.stage == Stage::Begin {
                claim.call.test = live.test_case.as_mut().map(|test_case| test_case.call(&claim.call.state));
            }
            let (owner, lease) = (self.owner.clone(), claim.lease);
            self.step(live, Stimulus::TaskClaimed { wait, owner, begins, lease }, now, steps);
            claims.push(claim);
        }
        if !live.snapshot.is_open() {
            // A claim found no room in the history, which ended the execution: nothing is called for it any more.
            claims.clear();
        }
        claims
    }
}

/// Does work that may take seconds without holding up the other tasks of this thread.
pub(crate) fn beside_others<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        // A runtime of one thread has no other to hand its tasks to.
        _ => work(),
    }
}

#[cfg(test)]
mod tests {
    use interpreter::{Detail, Failure};

    use super::*;

    #[test]
    fn an_express_execution_keeps_nothing_of_the_steps_behind_it() {
        let event =
            Event { id: 1, previous: 0, at: Timestamp(1), detail: Detail::ExecutionFailed(Failure::of(None, None)) };
        let (events, changed) = (vec![event], BTreeSet::from([ThreadPath::root()]));
        let mut steps = Steps { events, changed, at: Timestamp(1), bytes: 250_000, begun: None, long: false };
        assert!(!steps.changed_nothing() && steps.fill(250_000) && !steps.fill(250_001));
        steps.forget();
        assert!(steps.changed_nothing() && !steps.fill(1));
        steps.long = true;
        assert!(steps.fill(1), "they took long");
        steps.forget();
        assert!(!steps.fill(1));
        assert_eq!(steps.at, Timestamp(1), "no step is earlier than one before it");
    }
}
