//! How long a holder may hold.
//!
//! In a process that stays there is no end. A worker on Lambda has one: it begins no call that could outlast it, hands
//! over what it cannot take, and finishes what it has. Only its first calls may be cut short by the end, because no
//! other worker would have more time for them.

use std::time::Duration;

use interpreter::Timestamp;

pub(super) struct Term {
    until: Option<Timestamp>,
    /// Nothing has been claimed yet.
    fresh: bool,
    full: Full,
}

/// Whether something had to be left to others.
#[derive(PartialEq, Eq)]
enum Full {
    No,
    Newly,
    Known,
}

impl Term {
    pub fn new(until: Option<Timestamp>) -> Term {
        Term { until, fresh: true, full: Full::No }
    }

    /// How long a call that begins now may take, if it may begin; `wanted` is what its target allows.
    pub fn grant(&mut self, now: Timestamp, wanted: Duration) -> Option<Duration> {
        let Some(until) = self.until else { return Some(wanted) };
        let left = Duration::from_millis(u64::try_from(until.0.saturating_sub(now.0)).unwrap_or(0));
        if left.is_zero() || (wanted > left && !self.fresh) {
            if self.full == Full::No {
                self.full = Full::Newly;
            }
            return None;
        }
        Some(wanted.min(left))
    }

    /// A commit with claims is through: what comes next has to fit the time that is left.
    pub fn claimed(&mut self) {
        self.fresh = false;
    }

    /// Nothing more is begun.
    pub fn is_full(&self) -> bool {
        self.full != Full::No
    }

    /// True once, when something is left to others for the first time.
    pub fn newly_full(&mut self) -> bool {
        let newly = self.full == Full::Newly;
        if newly {
            self.full = Full::Known;
        }
        newly
    }

    /// Nobody said when the holder has to have let go.
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
