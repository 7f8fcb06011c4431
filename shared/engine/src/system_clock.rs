//! The port `Clock` as every installation has it: the machine's own time, never set back, and the operating system's chance.

use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;
use interpreter::Timestamp;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::ports::Clock;
use crate::{Guarded, SteadyTime};

/// Sleeps are cut into pieces of this length: the wall clock may be set, and laptops are closed.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// Wall clock and chance.
pub struct SystemClock {
    /// Begun with the operating system's chance once, because later that could fail and [`Clock::seed`] cannot.
    chance: Guarded<ChaCha20Rng>,
    begun: Instant,
    time: Guarded<SteadyTime>,
}

impl SystemClock {
    /// Fails when the operating system has no chance to give.
    pub fn new() -> Result<Self, getrandom::Error> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)?;
        let chance = Guarded::new(ChaCha20Rng::from_seed(seed));
        Ok(Self { chance, begun: Instant::now(), time: Guarded::default() })
    }
}

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        // A clock before 1970 is a broken clock: everything is due then, as good as anything.
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let reading = self.time.lock().read(since_1970, self.begun.elapsed());
        if let Some(by_ms) = reading.set_back_ms {
            tracing::warn!(by_ms, "clock: wall clock was set back, timers go on by this process's own time");
        }
        reading.now
    }

    fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    fn seed(&self) -> [u8; 32] {
        let mut seed = [0; 32];
        self.chance.lock().fill_bytes(&mut seed);
        seed
    }

    fn processor_time(&self) -> fn() -> u64 {
        || {
            let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
            let (seconds, nanos) = (u64::try_from(time.tv_sec).unwrap_or(0), u64::try_from(time.tv_nsec).unwrap_or(0));
            seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
        }
    }

    async fn sleep_until(&self, time: Timestamp) {
        loop {
            let left = time.0.saturating_sub(self.now().0);
            let Some(left) = u64::try_from(left).ok().filter(|left| *left > 0) else {
                return;
            };
            tokio::time::sleep(Duration::from_millis(left).min(LONGEST_SLEEP)).await;
        }
    }
}
