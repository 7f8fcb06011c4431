//! How much this process does at a time: executions that are loaded, and calls in flight.
//!
//! Starts and wake-ups need a permit for their execution; requests that end or answer something go on without one, so that
//! clients are not kept waiting by what others started. Each call in flight has a permit of its own.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of input for which an execution counts once more.
const WEIGHT_BYTES: usize = 16 << 10;

/// The right to one call, or to one execution. Dropping it gives it back.
pub(super) type Permit = OwnedSemaphorePermit;

pub(super) struct Permits {
    calls: Arc<Semaphore>,
    executions: Arc<Semaphore>,
    /// Permits of `executions` in all.
    all_executions: usize,
}

impl Permits {
    /// `calls` in flight at most, `executions` loaded at most (about).
    pub fn new(calls: usize, executions: usize) -> Permits {
        let semaphore = |permits: usize| Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS)));
        let executions = semaphore(executions);
        Permits { calls: semaphore(calls), all_executions: executions.available_permits(), executions }
    }

    /// For an execution that starts with an input of so many bytes; `None` when it has to be refused as throttled.
    pub fn for_start(&self, input_bytes: usize) -> Option<Permit> {
        let weight = (input_bytes / WEIGHT_BYTES).saturating_add(1);
        let weight = u32::try_from(weight).unwrap_or(u32::MAX);
        self.executions.clone().try_acquire_many_owned(weight).ok()
    }

    /// For an execution that a message named: waits for room.
    pub async fn for_wake_up(&self) -> Option<Permit> {
        // Never closed, so there is always one in the end.
        self.executions.clone().acquire_owned().await.ok()
    }

    /// For an execution that a request is about: it goes on without one when there is no room.
    pub fn for_request(&self) -> Option<Permit> {
        self.executions.clone().try_acquire_owned().ok()
    }

    /// How many permits for executions are taken, of which a large input takes several.
    pub fn taken_executions(&self) -> usize {
        self.all_executions.saturating_sub(self.executions.available_permits())
    }

    /// True when a call may begin.
    pub fn has_call(&self) -> bool {
        self.calls.available_permits() > 0
    }

    /// For a call, if one may begin.
    pub fn try_call(&self) -> Option<Permit> {
        self.calls.clone().try_acquire_owned().ok()
    }

    /// For a call: waits until one may begin. An actor that was given it has to use it or let it drop: given back to be
    /// taken again, it would go to the next in the queue, and so from one to the other without a call.
    pub async fn call(&self) -> Option<Permit> {
        // Never closed, so there is always one in the end.
        self.calls.clone().acquire_owned().await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_execution_counts_once_and_once_more_for_every_16_kib_of_its_input() {
        for (bytes, refused, taken) in [(0, 0, 1), ((16 << 10) - 1, 0, 1), (16 << 10, 1, 2), (256 << 10, 16, 17)] {
            assert!(Permits::new(1, taken).for_start(bytes).is_some(), "{bytes} bytes");
            assert!(Permits::new(1, refused).for_start(bytes).is_none(), "{bytes} bytes");
        }
    }

    #[tokio::test]
    async fn a_start_is_throttled_while_a_request_goes_on_without_a_permit() {
        let permits = Permits::new(1, 1);
        assert_eq!(permits.taken_executions(), 0);
        let taken = permits.for_wake_up().await;
        assert!(taken.is_some());
        assert_eq!(permits.taken_executions(), 1);
        assert!(permits.for_start(0).is_none() && permits.for_request().is_none());
        drop(taken);
        assert!(permits.for_start(0).is_some());
    }

    #[tokio::test]
    async fn calls_in_flight_are_bounded() {
        let permits = Permits::new(1, 1);
        assert!(permits.has_call());
        let call = permits.try_call();
        assert!(call.is_some() && permits.try_call().is_none() && !permits.has_call());
        drop(call);
        assert!(permits.call().await.is_some());
    }
}
