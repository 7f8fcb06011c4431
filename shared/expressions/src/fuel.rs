//! The work of expressions, counted, so that no state holds up the others of its process.
//!
//! A unit is about a nanosecond of a usual machine. Paths, templates, functions and conditions count what they look at and
//! make, so the same expression over the same data costs the same everywhere. JSONata's engine counts nothing; its
//! evaluations cost the processor time that they took, by the clock that the caller brings, and a fixed sum where there is none.
//! Counting never fails by itself: whether anything is left is asked before each expression, so one goes over by what a single
//! expression can take, for which there are bounds of their own.

use std::cell::Cell;

use crate::error::EvaluationError;

/// The work that an expression may do, and a clock for what cannot be counted.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    /// What the expressions of one state may cost.
    pub per_state: u64,
    /// What a step may cost before it is cut between two states.
    pub per_step: u64,
    /// Nanoseconds of processor time that this thread has used; always 0 where nothing is measured.
    pub processor_time: fn() -> u64,
}

impl Work {
    /// Two seconds for a state and half of one for a step; nothing is measured.
    pub const USUAL: Work = Work { per_state: 2_000_000_000, per_step: 500_000_000, processor_time: || 0 };
}

/// What is left of the work of a state, and what a step has cost.
#[derive(Debug)]
pub struct Fuel {
    work: Work,
    left: Cell<u64>,
    spent: Cell<u64>,
}

impl Fuel {
    /// Any evaluation of JSONata costs that much at least.
    pub(crate) const EVALUATION: u64 = 20_000;

    pub fn new(work: Work) -> Fuel {
        Fuel { work, left: Cell::new(work.per_state), spent: Cell::new(0) }
    }

    /// Another state begins: it may cost as much as any.
    pub fn begin_state(&self) {
        self.left.set(self.work.per_state);
    }

    /// True when the step has cost so much that it is to be cut.
    pub fn is_step_used_up(&self) -> bool {
        self.spent() >= self.work.per_step
    }

    /// What the step has cost so far.
    pub fn spent(&self) -> u64 {
        self.spent.get()
    }

    /// Counts work that was done.
    #[inline]
    pub fn spend(&self, work: u64) {
        self.left.set(self.left.get().saturating_sub(work));
        self.spent.set(self.spent.get().saturating_add(work));
    }

    /// Counts so many times a unit of work.
    #[inline]
    pub(crate) fn spend_for(&self, times: usize, work: u64) {
        self.spend((times as u64).saturating_mul(work));
    }

    /// Refuses to begin anything more where nothing is left.
    // AWS: unverified: no bound of this kind is known of it.
    #[inline]
    pub fn check(&self) -> Result<(), EvaluationError> {
        if self.left.get() > 0 { Ok(()) } else { Err(self.used_up()) }
    }

    fn used_up(&self) -> EvaluationError {
        let seconds = self.work.per_state as f64 / 1e9;
        EvaluationError::runtime(format!(
            "The expressions of the state take too long to evaluate: about {seconds} seconds of computing are allowed."
        ))
    }

    pub(crate) fn left(&self) -> u64 {
        self.left.get()
    }

    pub(crate) fn processor_time(&self) -> fn() -> u64 {
        self.work.processor_time
    }

    /// Does work that cannot be counted, and counts the processor time it took.
    pub(crate) fn measure<T>(&self, work: impl FnOnce() -> T) -> T {
        let before = (self.work.processor_time)();
        let result = work();
        let took = (self.work.processor_time)().saturating_sub(before);
        self.spend(took.max(Fuel::EVALUATION));
        result
    }
}

impl Default for Fuel {
    /// As much as there usually is.
    fn default() -> Fuel {
        Fuel::new(Work::USUAL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_has_its_own_share_and_a_step_the_sum_of_its_states() {
        let fuel = Fuel::new(Work { per_state: 100, per_step: 150, ..Work::USUAL });
        fuel.spend(99);
        assert!(fuel.check().is_ok() && !fuel.is_step_used_up());
        fuel.spend(1);
        assert!(fuel.check().is_err());
        fuel.begin_state();
        assert!(fuel.check().is_ok() && !fuel.is_step_used_up());
        fuel.spend_for(usize::MAX, 2);
        assert!(fuel.check().is_err() && fuel.is_step_used_up());
    }

    #[test]
    fn the_refusal_says_how_much_is_allowed() {
        let fuel = Fuel::new(Work { per_state: 0, ..Work::USUAL });
        assert!(fuel.check().unwrap_err().cause.contains("about 0 seconds"));
        let cause = Fuel::default().used_up().cause;
        assert!(cause.contains("about 2 seconds of computing are allowed"), "{cause}");
    }
}
