//! Claims whose calls this actor has not begun: their commit took too long, or its outcome is unknown.
//!
//! Only the worker that made such a claim knows that nothing was called, so its next round releases the attempt before
//! anything that is due is done. Then any worker may claim it, mostly this one in the same commit; what this worker has no
//! time for is left to others. The attempt keeps its Started event; the new claim writes no second one and does not count
//! as a retry. Each claim reckons with a commit as long as the last one, so a store that is slow, but not ever slower, is
//! waited for.
//!
//! Another worker that saw such a claim at its lease's end, or at the end of its time, may have written meanwhile that it
//! is lost or timed out; then it is not current any more, and releasing it changes nothing: the first commit decides.

use interpreter::{Stimulus, Timestamp, Wait};

use super::live::Live;

/// The longest that a claim reckons with: longer than the store is tried for one commit. It delays the moment at which the
/// loss of its owner is noticed.
const LONGEST_MS: i64 = 120_000;

#[derive(Default)]
pub(super) struct UnstartedClaims {
    waits: Vec<Wait>,
    /// When they were claimed.
    since: Option<Timestamp>,
}

impl UnstartedClaims {
    /// Claims of these waits are about to be committed at `now`.
    pub fn add<'a>(&mut self, claimed: impl IntoIterator<Item = &'a Wait>, now: Timestamp) {
        let before = self.waits.len();
        self.waits.extend(claimed.into_iter().cloned());
        if self.waits.len() > before {
            self.since = Some(now);
        }
    }

    /// A commit is durable, and with it every release: what remains are the claims that it came too late for.
    pub fn keep(&mut self, late: Vec<Wait>) {
        self.waits = late;
    }

    pub fn is_empty(&self) -> bool {
        self.waits.is_empty()
    }

    pub fn contains(&self, wait: &Wait) -> bool {
        self.waits.contains(wait)
    }

    /// How many milliseconds a commit may take that claims them again at `now`.
    pub fn allowance(&self, now: Timestamp) -> i64 {
        self.since.map_or(0, |since| now.0.saturating_sub(since.0).clamp(0, LONGEST_MS))
    }

    /// Releases those that are still claimed by `owner`. A call that was not made is not counted by a test case.
    pub fn release(&self, live: &mut Live, owner: &str) -> Vec<Stimulus> {
        let mut released = Vec::new();
        for wait in &self.waits {
            let attempt = live.snapshot.attempt(wait).map(|(_, attempt)| attempt);
            if attempt.and_then(|attempt| attempt.call.claim()).is_none_or(|(claimed_by, _)| claimed_by != owner) {
                continue;
            }
            // Polls are not counted.
            let begins = attempt.is_some_and(|attempt| attempt.job.is_none());
            let state = live.state_of(wait).filter(|_| begins).map(str::to_owned);
            if let (Some(test_case), Some(state)) = (&mut live.test_case, state) {
                test_case.take_back(&state);
            }
            released.push(Stimulus::TaskReleased { wait: wait.clone(), owner: owner.to_owned() });
        }
        released
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::deliver::example::{self, NOW};

    fn one(wait: &Wait) -> UnstartedClaims {
        let mut unstarted = UnstartedClaims::default();
        unstarted.add([wait], NOW);
        unstarted
    }

    #[test]
    fn an_attempt_whose_call_was_never_begun_is_released_by_its_owner_alone() {
        let mut live = example::plain_task();
        let wait = example::claim(&mut live, "worker", NOW, 10);
        assert_eq!(one(&wait).release(&mut live, "another"), []);
        let owner = "worker".to_owned();
        let released = Stimulus::TaskReleased { wait: wait.clone(), owner };
        assert_eq!(one(&wait).release(&mut live, "worker"), std::slice::from_ref(&released));
        example::apply(&mut live, released, NOW);
        assert_eq!(
            live.snapshot.unclaimed().collect::<Vec<_>>(),
            std::slice::from_ref(&wait),
            "any worker may claim it"
        );
        assert_eq!(one(&wait).release(&mut live, "worker"), [], "it is released already");
    }

    #[test]
    fn a_call_that_was_not_made_is_not_counted_by_a_test_case() {
        let mut live = example::plain_task();
        let wait = example::claim(&mut live, "worker", NOW, 10);
        live.test_case = example::test_case(BTreeMap::from([("A".to_owned(), 3)]));
        let calls = |live: &Live| live.test_case.as_ref().map(|case| case.calls().clone());
        one(&wait).release(&mut live, "another");
        assert_eq!(calls(&live), Some(BTreeMap::from([("A".to_owned(), 3)])));
        one(&wait).release(&mut live, "worker");
        assert_eq!(calls(&live), Some(BTreeMap::from([("A".to_owned(), 2)])));
    }

    #[test]
    fn a_new_claim_reckons_with_a_commit_as_long_as_the_last_up_to_two_minutes() {
        let mut unstarted = UnstartedClaims::default();
        assert_eq!(unstarted.allowance(NOW), 0, "nothing was claimed");
        let live = example::plain_task();
        let wait = live.snapshot.unclaimed().next().expect("is unclaimed");
        unstarted.add([&wait], NOW);
        for (passed, allowance) in [(-5, 0), (0, 0), (70, 70), (120_000, 120_000), (120_001, 120_000)] {
            assert_eq!(unstarted.allowance(NOW.plus_millis(passed)), allowance);
        }
        unstarted.add([], NOW.plus_millis(50));
        assert_eq!(unstarted.allowance(NOW.plus_millis(70)), 70, "nothing was claimed since");
        assert!(unstarted.contains(&wait) && !unstarted.is_empty());
        unstarted.keep(Vec::new());
        assert!(unstarted.is_empty());
    }
}
