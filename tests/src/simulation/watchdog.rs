//! Ends a world that would go on without end in real time, whether or not its virtual time passes.
//!
//! A process that goes round in circles calls its ports again and again: for the time if for nothing else. A world counts that,
//! and has an end when it was asked far more often than any world that comes to its own. The same seed gives the same
//! count, on a machine of any speed. Absent: what asks for nothing, as a loop within the interpreter would.

use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Error;
use tokio::sync::Notify;

/// Questions to the clocks of a world after which it goes round in circles. The longest of 20,000 random worlds asks some
/// thousands.
const MOST: u64 = 1_000_000;
/// A process that calls its ports that often after the end never lets the world end.
const AFTERWARDS: u64 = 1_000;

/// Counts what a world asks its clocks.
#[derive(Debug, Default)]
pub struct Watchdog {
    watches: bool,
    asked: AtomicU64,
    barks: Notify,
}

impl Watchdog {
    /// One that is awake.
    pub fn watching() -> Watchdog {
        Watchdog { watches: true, ..Watchdog::default() }
    }

    /// A port is called.
    pub fn asked(&self) {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        if !self.watches {
            return;
        }
        if asked == MOST {
            self.barks.notify_one();
        } else if asked > MOST + AFTERWARDS {
            // Without the hook, which would print. It ends the task that asks, and so lets others live.
            std::panic::resume_unwind(Box::new("the world has ended"));
        }
    }

    pub fn count(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// Waits until the world goes round in circles.
    pub async fn barks(&self) -> Error {
        self.barks.notified().await;
        Error::new(Circles)
    }
}

/// A world goes round in circles.
#[derive(Debug)]
pub struct Circles;

impl std::fmt::Display for Circles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "it goes round in circles: the time was asked for {MOST} times")
    }
}

impl std::error::Error for Circles {}
