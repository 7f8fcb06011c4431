//! How much this process does at a time: executions that it keeps in memory, and calls in flight. State machines share both
//! fairly ([`crate::shares`]).
//!
//! A start needs a place for its execution, or is refused. Whatever else has to be done goes on without one: a timer, an
//! answer, a stop never wait for what others started. An execution without a place is let go of as soon as nothing can
//! be done at once, so places bound how many are kept while they wait. Each call in flight has a permit of its own.

use std::sync::Arc;

pub(super) use crate::shares::{Permit, Turn};
use crate::shares::{Pool, machine_of};

/// Bytes of input for which an execution counts once more.
const WEIGHT_BYTES: usize = 16 << 10;

pub(super) struct Permits {
    calls: Arc<Pool>,
    places: Arc<Pool>,
}

impl Permits {
    /// `calls` in flight at most, `executions` kept at most (about).
    pub fn new(calls: usize, executions: usize) -> Permits {
        Permits { calls: Pool::new(calls), places: Pool::new(executions) }
    }

    /// For an execution that starts with an input of so many bytes; `None` when it has to be refused as throttled.
    pub fn for_start(&self, execution: &str, input_bytes: usize) -> Option<Permit> {
        let weight = (input_bytes / WEIGHT_BYTES).saturating_add(1);
        self.places.try_take(machine_of(execution), weight)
    }

    /// For an execution that a message named, or a request is about: it goes on without one when there is no room.
    pub fn for_visit(&self, execution: &str) -> Option<Permit> {
        self.places.try_take(machine_of(execution), 1)
    }

    /// True when executions that only wait for a call should not keep their places: others need them.
    pub fn is_crowded(&self) -> bool {
        self.places.taken() > self.places.all() / 2
    }

    /// True when a call may begin.
    pub fn has_call(&self, execution: &str) -> bool {
        self.calls.has_room(machine_of(execution))
    }

    /// For a call, if one may begin.
    pub fn try_call(&self, execution: &str) -> Option<Permit> {
        self.calls.try_take(machine_of(execution), 1)
    }

    /// For a call: a turn among those that wait. Given back to be taken again, it would go to the next in the queue, and so
    /// from one to the other without a call: an actor that was given a permit uses it or lets it drop.
    pub fn call(&self, execution: &str) -> Turn {
        self.calls.turn(machine_of(execution))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "arn:aws:states:eu-west-1:123456789012:execution:m:one";

    #[test]
    fn an_execution_counts_once_and_once_more_for_every_16_kib_of_its_input() {
        for (bytes, refused, taken) in [(0, 0, 1), ((16 << 10) - 1, 0, 1), (16 << 10, 1, 2), (256 << 10, 16, 17)] {
            assert!(Permits::new(1, taken).for_start(ONE, bytes).is_some(), "{bytes} bytes");
            assert!(Permits::new(1, refused).for_start(ONE, bytes).is_none(), "{bytes} bytes");
        }
    }

    #[test]
    fn a_start_is_throttled_where_a_visit_goes_on_without_a_place() {
        let permits = Permits::new(1, 1);
        assert!(!permits.is_crowded());
        let taken = permits.for_visit(ONE);
        assert!(taken.is_some() && permits.is_crowded());
        assert!(permits.for_start(ONE, 0).is_none() && permits.for_visit(ONE).is_none());
        drop(taken);
        assert!(permits.for_start(ONE, 0).is_some());
    }

    #[tokio::test]
    async fn calls_in_flight_are_bounded() {
        let permits = Permits::new(1, 1);
        assert!(permits.has_call(ONE));
        let call = permits.try_call(ONE);
        assert!(call.is_some() && permits.try_call(ONE).is_none() && !permits.has_call(ONE));
        let turn = permits.call(ONE);
        drop(call);
        assert!(permits.try_call(ONE).is_none(), "the permit is for the one that waits");
        assert!(turn.await.is_some());
        assert!(permits.has_call(ONE), "it was given back");
    }
}
