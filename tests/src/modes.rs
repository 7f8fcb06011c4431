//! How much the tests do: the normal mode ends within minutes, the long mode takes as long as it takes.
//!
//! `STEPWELL_LONG=1` is the long mode. A test whose strength is a count asks [`count`], so that both modes and the
//! environment have their say in one place; work that takes minutes tells where it is through [`Progress`].

use std::io::Write as _;
use std::time::{Duration, Instant};

/// How often long work says where it is.
const TELL: Duration = Duration::from_secs(10);

/// Whether this is the long mode.
pub fn long_mode() -> bool {
    std::env::var("STEPWELL_LONG").is_ok_and(|value| !matches!(value.as_str(), "" | "0"))
}

/// The number that an environment variable holds.
pub fn number_in(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// How often something is done: as a variable says, or else by the mode.
pub fn count(variable: &str, normal: u64, long: u64) -> u64 {
    number_in(variable).unwrap_or(if long_mode() { long } else { normal })
}

/// Says on standard error, past the test harness that keeps what tests print, how far long work has come.
#[derive(Debug)]
pub struct Progress {
    what: &'static str,
    total: u64,
    begun: Instant,
    told: Instant,
}

impl Progress {
    /// Of `total` such things.
    pub fn new(what: &'static str, total: u64) -> Progress {
        let now = Instant::now();
        Progress { what, total, begun: now, told: now }
    }

    /// That many are done. Said every ten seconds at most, and never when all takes less.
    pub fn at(&mut self, done: u64) {
        if self.told.elapsed() >= TELL {
            self.told = Instant::now();
            let (what, total, seconds) = (self.what, self.total, self.begun.elapsed().as_secs());
            // A closed standard error loses the line, which is no failure.
            let _told = writeln!(std::io::stderr(), "{what}: {done} of {total} after {seconds} s");
        }
    }
}
