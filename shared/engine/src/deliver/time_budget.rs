//! How long an actor may keep its execution.
//!
//! In a process that stays there is no end. A worker on Lambda has one: it begins no call that could outlast it, leaves
//! what it cannot take to other workers, and finishes what it has. Only its first calls may be cut short by the end,
//! because no other worker would have more time for them.

use std::time::Duration;

use interpreter::Timestamp;

pub(super) struct TimeBudget {
    until: Option<Timestamp>,
    /// Nothing has been claimed yet.
    fresh: bool,
    exceeded: Exceeded,
}

/// Whether a call had to be left to other workers.
#[derive(PartialEq, Eq)]
enum Exceeded {
    No,
    Newly,
    Known,
}

impl TimeBudget {
    /// Until then; `None`: without end.
    pub fn new(until: Option<Timestamp>) -> TimeBudget {
        TimeBudget { until, fresh: true, exceeded: Exceeded::No }
    }

    /// How long a call that begins now may take, if it may begin; `wanted` is what its target allows.
    pub fn grant(&mut self, now: Timestamp, wanted: Duration) -> Option<Duration> {
        let Some(until) = self.until else { return Some(wanted) };
        let left = Duration::from_millis(u64::try_from(until.0.saturating_sub(now.0)).unwrap_or(0));
        if left.is_zero() || (wanted > left && !self.fresh) {
            if self.exceeded == Exceeded::No {
                self.exceeded = Exceeded::Newly;
            }
            return None;
        }
        Some(wanted.min(left))
    }

    /// A commit with claims is durable: what comes next has to fit the time that is left.
    pub fn claimed(&mut self) {
        self.fresh = false;
    }

    /// A call did not fit: nothing more is begun.
    pub fn is_exceeded(&self) -> bool {
        self.exceeded != Exceeded::No
    }

    /// True once, after a call did not fit for the first time.
    pub fn newly_exceeded(&mut self) -> bool {
        let newly = self.exceeded == Exceeded::Newly;
        if newly {
            self.exceeded = Exceeded::Known;
        }
        newly
    }

    /// True when it has no end: the process stays.
    pub fn is_endless(&self) -> bool {
        self.until.is_none()
    }

    pub fn is_over(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| until <= now)
    }

    /// The earlier of `due` and the end.
    pub fn or_end(&self, due: Option<Timestamp>) -> Option<Timestamp> {
        due.into_iter().chain(self.until).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);
    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_process_that_stays_grants_every_call_its_time() {
        let mut budget = TimeBudget::new(None);
        budget.claimed();
        assert_eq!(budget.grant(NOW, SECOND * 900), Some(SECOND * 900));
        assert!(budget.is_endless() && !budget.is_over(NOW) && !budget.is_exceeded());
        assert_eq!((budget.or_end(None), budget.or_end(Some(NOW))), (None, Some(NOW)));
    }

    #[test]
    fn a_fresh_worker_takes_any_call_and_cuts_it_short_at_its_end() {
        let mut budget = TimeBudget::new(Some(NOW.plus_seconds(10)));
        assert_eq!(budget.grant(NOW, SECOND * 900), Some(SECOND * 10));
        assert_eq!(budget.grant(NOW, SECOND * 3), Some(SECOND * 3));
        assert!(!budget.is_exceeded());
    }

    #[test]
    fn a_worker_claims_what_its_remaining_time_covers_and_leaves_the_rest_once() {
        let mut budget = TimeBudget::new(Some(NOW.plus_seconds(10)));
        budget.claimed();
        assert_eq!(budget.grant(NOW, SECOND * 10), Some(SECOND * 10));
        assert!(!budget.is_exceeded() && !budget.newly_exceeded());
        assert_eq!(budget.grant(NOW, SECOND * 11), None);
        assert!(budget.is_exceeded());
        assert!(budget.newly_exceeded() && !budget.newly_exceeded(), "other workers are woken once");
        assert_eq!(budget.grant(NOW, SECOND * 11), None);
        assert!(!budget.newly_exceeded());
    }

    #[test]
    fn nothing_begins_when_the_time_is_over() {
        let mut budget = TimeBudget::new(Some(NOW));
        assert!(budget.is_over(NOW) && !budget.is_over(NOW.plus_millis(-1)));
        assert_eq!(budget.grant(NOW, SECOND), None);
        assert_eq!(budget.or_end(Some(NOW.plus_seconds(1))), Some(NOW));
        assert_eq!(budget.or_end(Some(NOW.plus_millis(-1))), Some(NOW.plus_millis(-1)));
    }
}
