//! The only way time and chance come into a step.

use std::fmt;

pub use expressions::Work;
use serde::{Deserialize, Serialize};

use crate::ThreadPath;

/// A point in time: milliseconds since 1970-01-01T00:00:00Z, the resolution AWS records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// This point and `seconds` more; the end of time when that is further than it can say.
    pub fn plus_seconds(self, seconds: u64) -> Timestamp {
        let millis = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000);
        Timestamp(self.0.saturating_add(millis))
    }

    pub fn plus_millis(self, millis: i64) -> Timestamp {
        Timestamp(self.0.saturating_add(millis))
    }
}

/// ISO 8601 in UTC with milliseconds, as the context object shows times.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(time) => write!(f, "{time:.3}"),
            Err(_) => write!(f, "{}", self.0),
        }
    }
}

/// The time and the chance that one step sees.
///
/// The same step with the same moment gives the same bytes, so every bug replays.
pub struct Moment<'a> {
    /// The time: never before the execution's last entry.
    pub now: Timestamp,
    /// The seed of all random numbers of the step, from the operating system.
    pub seed: [u8; 32],
    /// Makes the task token of a wait.
    pub token: &'a dyn Fn(&Wait) -> String,
    /// What performs the tasks of an activity, by its ARN and the name of the state.
    pub activity: &'a dyn Fn(&str, &str) -> ActivityTarget,
    /// How much the expressions of a state, and of the whole step, may cost.
    pub work: Work,
}

/// What performs the tasks of an activity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActivityTarget {
    /// The activity does not exist.
    Absent,
    /// Workers that take them out of its queue.
    Workers,
    /// A mock of the execution's test case, which is called.
    Mock,
}

impl ActivityTarget {
    /// Where there are no activities.
    pub fn none(_arn: &str, _state: &str) -> ActivityTarget {
        ActivityTarget::Absent
    }
}

/// The address of a stimulus: one wait of one thread.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Wait {
    pub path: ThreadPath,
    /// Counts the waits of the whole execution, so that a path used again never answers for what was there before.
    #[serde(rename = "turn")]
    pub attempt_id: u64,
}
