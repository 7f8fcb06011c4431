//! The audit of requests whose key is not known: a flood of them is counted, not listed.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::guard::Source;

/// Lines in a window; what is more is counted.
const LISTED: u32 = 10;
const WINDOW: Duration = Duration::from_secs(1);

/// The refusals of the window that is open.
#[derive(Default)]
pub struct Refusals(Mutex<Option<Window>>);

struct Window {
    begun: Instant,
    listed: u32,
    counted: u64,
}

impl Refusals {
    /// Lists a refusal, or counts it.
    pub fn note(&self, error: &str, action: &str, source: Source<'_>) {
        let (is_listed, counted) = self.taken(Instant::now());
        if counted > 0 {
            tracing::warn!(target: "audit", counted, "further calls refused before");
        }
        if is_listed {
            let Source { address, request } = source;
            tracing::warn!(target: "audit", error, action, %address, request, "call refused");
        }
    }

    /// Whether a refusal is listed, and how many were only counted in the window that it ends.
    fn taken(&self, now: Instant) -> (bool, u64) {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *open {
            Some(window) if now.duration_since(window.begun) < WINDOW => {
                if window.listed < LISTED {
                    window.listed += 1;
                    return (true, 0);
                }
                window.counted = window.counted.saturating_add(1);
                (false, 0)
            }
            window => {
                let before = window.replace(Window { begun: now, listed: 1, counted: 0 });
                (true, before.map_or(0, |window| window.counted))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted_and_the_count_is_told() {
        let (refusals, begin) = (Refusals::default(), Instant::now());
        let listed = (0..25).filter(|_| refusals.taken(begin).0).count();
        assert_eq!(listed, 10);
        assert_eq!(refusals.taken(begin + WINDOW), (true, 15));
        assert_eq!(refusals.taken(begin + 2 * WINDOW), (true, 0));
    }
}
