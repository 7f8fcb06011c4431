//! A clock that stands still until a test moves it, and whose chance is a count.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use engine::ports::Clock;
use interpreter::Timestamp;

/// Time by hand.
#[derive(Debug)]
pub struct HandClock {
    now: AtomicI64,
    drawn: AtomicU64,
}

impl HandClock {
    pub fn at(now: Timestamp) -> HandClock {
        HandClock { now: AtomicI64::new(now.0), drawn: AtomicU64::new(0) }
    }

    pub fn move_by_days(&self, days: i64) {
        self.move_by_millis(days * 24 * 60 * 60 * 1_000);
    }

    pub fn move_by_millis(&self, millis: i64) {
        self.now.fetch_add(millis, Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::SeqCst))
    }

    fn elapsed(&self) -> Duration {
        // Moving this clock by hand is the passing of time.
        Duration::from_millis(u64::try_from(self.now.load(Ordering::SeqCst)).unwrap_or(0))
    }

    fn seed(&self) -> [u8; 32] {
        let mut seed = [0; 32];
        let drawn = self.drawn.fetch_add(1, Ordering::SeqCst);
        seed.iter_mut().zip(drawn.to_be_bytes()).for_each(|(place, byte)| *place = byte);
        seed
    }

    async fn sleep_until(&self, time: Timestamp) {
        self.now.fetch_max(time.0, Ordering::SeqCst);
    }
}
