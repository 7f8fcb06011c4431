//! What can happen to an execution from outside, in the past tense.

use crate::{Answer, Failure, Payload, Timestamp, Wait};

/// Something that happened. Stale and repeated ones change nothing.
#[derive(Debug, Clone, PartialEq)]
pub enum Stimulus {
    Started,
    /// Time went by, or a long run was cut: whatever is due or ready now is done.
    Looked,
    /// `owner` makes the call of this attempt, and it is over at the lease's end.
    TaskClaimed {
        wait: Wait,
        owner: String,
        lease: Timestamp,
    },
    /// The call returned. Without a task token that is the task's answer; with one, its submission.
    TaskReturned {
        wait: Wait,
        answer: Answer<Payload>,
    },
    /// SendTaskSuccess or SendTaskFailure.
    TaskAnswered {
        wait: Wait,
        answer: Answer<Payload>,
    },
    /// SendTaskHeartbeat, sent at that time.
    TaskHeartbeat {
        wait: Wait,
        at: Timestamp,
    },
    /// Whoever made the call is gone; whether the task ran is unknown.
    TaskLost {
        wait: Wait,
    },
    StopRequested(Failure),
}
