//! Until when an invocation may work.

use std::time::Duration;

use interpreter::Timestamp;

/// Deadlines before this are no times. Lambda is younger.
const EARLIEST_MS: u64 = 1_000_000_000_000;

/// The moment at which work has to end: the invocation's `deadline`, in milliseconds since 1970, without what is kept
/// for its `farewell`.
///
/// `cargo lambda watch` tells every function the deadline 600,000, which it may have meant as ten minutes. It is taken as
/// that: an invocation without any time would leave everything to the next one, for ever.
pub fn until(deadline: u64, farewell: Duration, now: Timestamp) -> Timestamp {
    let begun = if deadline < EARLIEST_MS { now } else { Timestamp(0) };
    let left = i64::try_from(deadline).unwrap_or(i64::MAX);
    let farewell = i64::try_from(farewell.as_millis()).unwrap_or(i64::MAX);
    Timestamp(begun.0.saturating_add(left).saturating_sub(farewell))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_a_time_and_cargo_lambdas_ten_minutes_are_ten_minutes() {
        let (now, second) = (Timestamp(1_700_000_000_000), Duration::from_secs(1));
        assert_eq!(until(1_700_000_900_000, second, now), Timestamp(1_700_000_899_000));
        assert_eq!(until(600_000, second, now), Timestamp(1_700_000_599_000));
        assert_eq!(until(u64::MAX, second, now), Timestamp(i64::MAX - 1_000));
    }
}
