//! The memory budget of a process: what executions hold counts against it, in bytes.
//!
//! Shares of the budget bound what grows with requests: parsed definitions have an eighth, executions half; request bodies and
//! responses have a sixteenth each where a process serves them itself. An execution that is loaded grows as its states
//! say, within the bounds of one execution; while all of them hold more than their share, no other is loaded and
//! starts are throttled, until some have been let go of.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

/// What an execution weighs beside its payloads.
const EXECUTION: usize = 4 << 10;
/// Payloads weigh this many times their text: a step parses what it looks at.
const PAYLOADS: usize = 3;
/// A request is not kept waiting for longer: one execution more does less harm than a stop that does not get through.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// The shares of a budget of so many bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shares {
    pub definitions: usize,
    pub executions: usize,
    pub bodies: usize,
    pub responses: usize,
}

impl Shares {
    pub fn of(budget: usize) -> Shares {
        Shares { definitions: budget / 8, executions: budget / 2, bodies: budget / 16, responses: budget / 16 }
    }
}

/// What executions hold.
#[derive(Debug)]
pub(crate) struct Memory {
    all: usize,
    held: AtomicUsize,
    given_back: Notify,
}

/// The memory of one execution. Dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Holding {
    memory: Arc<Memory>,
    bytes: usize,
}

impl Memory {
    pub fn new(bytes: usize) -> Arc<Memory> {
        Arc::new(Memory { all: bytes, held: AtomicUsize::new(0), given_back: Notify::new() })
    }

    /// False while executions hold more than their share.
    pub fn has_room(&self) -> bool {
        self.held.load(Ordering::Relaxed) < self.all
    }

    /// Waits until there is room, for a bounded time.
    pub async fn room(&self) {
        let room = async {
            loop {
                let mut given_back = std::pin::pin!(self.given_back.notified());
                given_back.as_mut().enable();
                if self.has_room() {
                    return;
                }
                given_back.await;
            }
        };
        let _or_without_room = tokio::time::timeout(LONGEST_WAIT, room).await;
    }

    /// For an execution whose payloads have so many bytes.
    pub fn hold(self: &Arc<Self>, payloads: usize) -> Holding {
        let mut holding = Holding { memory: self.clone(), bytes: 0 };
        holding.change(payloads);
        holding
    }
}

impl Holding {
    /// Its payloads have so many bytes now.
    pub fn change(&mut self, payloads: usize) {
        self.set(payloads.saturating_mul(PAYLOADS).saturating_add(EXECUTION));
    }

    fn set(&mut self, bytes: usize) {
        let held = &self.memory.held;
        if bytes >= self.bytes {
            held.fetch_add(bytes - self.bytes, Ordering::Relaxed);
        } else {
            held.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
            self.memory.given_back.notify_waiters();
        }
        self.bytes = bytes;
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn there_is_room_again_when_an_execution_is_let_go_of_or_holds_less() {
        let memory = Memory::new(100 << 10);
        let mut first = memory.hold(20 << 10);
        let second = memory.hold(20 << 10);
        assert!(!memory.has_room());
        drop(second);
        assert!(memory.has_room());
        first.change(40 << 10);
        assert!(!memory.has_room());
        let (waits, ()) = tokio::join!(tokio::time::timeout(LONGEST_WAIT / 2, memory.room()), async {
            tokio::task::yield_now().await;
            first.change(0);
        });
        assert!(waits.is_ok());
        drop(first);
        assert_eq!(memory.held.load(Ordering::Relaxed), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_waits_for_room_for_a_bounded_time() {
        let memory = Memory::new(1);
        let _holding = memory.hold(0);
        let begun = tokio::time::Instant::now();
        memory.room().await;
        assert_eq!(begun.elapsed(), LONGEST_WAIT);
    }
}
