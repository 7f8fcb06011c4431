//! Wall-clock time that is never set back.
//!
//! What was promised is promised by the wall clock: a Wait, a timeout, a retention. When that clock is set ahead, or the machine
//! was suspended, what is due is due. When it is set back, nobody may wait longer for it: this time goes on as it did, a
//! little slower ([`SLEW`]) until the wall clock has come up with it. So each execution sees time pass evenly, and a
//! Wait of a minute is late by less than a second.
//!
//! After a restart time is the wall clock's.

use std::time::Duration;

use interpreter::Timestamp;

/// While it is ahead of the wall clock, it loses one part in so many.
const SLEW: i64 = 100;
/// It is not ahead by more than this: a clock that was wrong by more is better followed.
const MOST_AHEAD_MS: i64 = 2 * 60 * 60 * 1_000;
/// The wall clock is told as set back when it is behind by more than this.
const STEP_MS: i64 = 1_000;

/// Bends the readings of a wall clock.
#[derive(Debug, Default)]
pub struct SteadyTime(Option<Shown>);

/// The last reading.
#[derive(Debug)]
struct Shown {
    micros: i64,
    elapsed: Duration,
    /// The wall clock is known to be behind.
    behind: bool,
}

/// A reading of a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    pub now: Timestamp,
    /// Present when the wall clock has just been found set back, by so many milliseconds.
    pub set_back_ms: Option<i64>,
}

impl SteadyTime {
    /// The time when the wall clock shows `wall`, and `elapsed` has passed since some moment, by a clock that nobody sets.
    pub fn read(&mut self, wall: Duration, elapsed: Duration) -> Reading {
        let wall = micros(wall);
        let (mut now, mut behind, mut set_back_ms) = (wall, false, None);
        if let Some(shown) = &self.0 {
            let passed = micros(elapsed.saturating_sub(shown.elapsed));
            let steady = shown.micros.saturating_add(passed).saturating_sub(passed / SLEW);
            let ahead_ms = steady.saturating_sub(wall) / 1_000;
            behind = ahead_ms > STEP_MS;
            if behind && !shown.behind {
                set_back_ms = Some(ahead_ms);
            }
            if ahead_ms <= MOST_AHEAD_MS {
                now = wall.max(steady);
            }
        }
        self.0 = Some(Shown { micros: now, elapsed, behind });
        Reading { now: Timestamp(now / 1_000), set_back_ms }
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: i64 = 1_700_000_000_000;

    /// A clock whose wall is stepped, in milliseconds.
    #[derive(Default)]
    struct Stepped {
        time: SteadyTime,
        passed: i64,
        steps: i64,
    }

    impl Stepped {
        fn read(&mut self) -> Reading {
            let of = |ms: i64| Duration::from_millis(u64::try_from(ms).expect("is after 1970"));
            self.time.read(of(BEGIN + self.passed + self.steps), of(self.passed))
        }

        fn now(&mut self) -> i64 {
            self.read().now.0 - BEGIN
        }
    }

    #[test]
    fn a_clock_that_is_not_set_is_shown_as_it_is() {
        let mut clock = Stepped::default();
        for passed in [0, 1, 500, 60_000, 3_600_000] {
            clock.passed = passed;
            assert_eq!(clock.read(), Reading { now: Timestamp(BEGIN + passed), set_back_ms: None });
        }
    }

    #[test]
    fn a_step_ahead_is_followed_at_once() {
        for step in [1_000, 60_000, 1_200_000, 3_600_000] {
            let mut clock = Stepped::default();
            clock.now();
            (clock.passed, clock.steps) = (5, step);
            assert_eq!(clock.now(), 5 + step);
        }
    }

    #[test]
    fn a_wait_of_a_minute_is_late_by_less_than_a_second_however_far_the_clock_is_set_back() {
        for step in [1, 1_000, 60_000, 3_600_000] {
            let mut clock = Stepped::default();
            clock.now();
            clock.steps = -step;
            let mut waited = 0;
            while clock.now() < 60_000 {
                waited += 10;
                clock.passed = waited;
            }
            assert!((60_000..61_000).contains(&waited), "set back by {step}: {waited}");
        }
    }

    #[test]
    fn it_never_goes_back_and_comes_together_with_the_wall_clock_in_the_end() {
        let mut clock = Stepped::default();
        let mut last = clock.now();
        clock.steps = -60_000;
        let mut apart = 0;
        for minute in 1..=120 {
            clock.passed = minute * 60_000;
            let now = clock.now();
            assert!(now > last, "minute {minute}");
            last = now;
            apart = now - (clock.passed - 60_000);
        }
        assert_eq!(apart, 0);
    }

    #[test]
    fn a_clock_that_was_wrong_by_years_is_followed() {
        let mut clock = Stepped::default();
        clock.now();
        clock.steps = -2 * 365 * 24 * 3_600_000;
        let reading = clock.read();
        assert_eq!((reading.now.0 - BEGIN, reading.set_back_ms), (clock.steps, Some(-clock.steps)));
    }

    #[test]
    fn that_the_clock_was_set_back_is_told_once() {
        let mut clock = Stepped::default();
        clock.now();
        clock.steps = -60_000;
        assert_eq!(clock.read().set_back_ms, Some(60_000));
        clock.passed = 1_000;
        assert_eq!(clock.read().set_back_ms, None);
    }
}
