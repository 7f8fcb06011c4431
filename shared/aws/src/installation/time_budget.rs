//! The time budget of an invocation.

use std::time::Duration;

use interpreter::Timestamp;

/// Deadlines before this are durations. Lambda is younger.
const EARLIEST_MS: u64 = 1_000_000_000_000;

/// When an invocation has to end its work: its `deadline`, in milliseconds since 1970, less the `shutdown_margin` for the
/// last commit and the response.
///
/// `cargo lambda watch` gives every function the deadline 600,000: ten minutes, not a time. It is read as a duration,
/// because an invocation without a time budget would leave all work to the next invocation, for ever.
pub fn work_until(deadline: u64, shutdown_margin: Duration, now: Timestamp) -> Timestamp {
    let begun = if deadline < EARLIEST_MS { now } else { Timestamp(0) };
    let left = i64::try_from(deadline).unwrap_or(i64::MAX);
    let margin = i64::try_from(shutdown_margin.as_millis()).unwrap_or(i64::MAX);
    Timestamp(begun.0.saturating_add(left).saturating_sub(margin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_a_time_and_cargo_lambdas_ten_minutes_are_ten_minutes() {
        let (now, second) = (Timestamp(1_700_000_000_000), Duration::from_secs(1));
        assert_eq!(work_until(1_700_000_900_000, second, now), Timestamp(1_700_000_899_000));
        assert_eq!(work_until(600_000, second, now), Timestamp(1_700_000_599_000));
        assert_eq!(work_until(u64::MAX, second, now), Timestamp(i64::MAX - 1_000));
    }
}
