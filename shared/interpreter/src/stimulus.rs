//! The stimuli an execution takes from outside, in the past tense.

use crate::{Answer, Failure, Payload, Timestamp, Wait};

/// One input of [`crate::step`]. Stale and repeated ones change nothing.
#[derive(Debug, Clone, PartialEq)]
pub enum Stimulus {
    Started,
    /// Time went by, or a long run was cut: whatever is due or ready now is done.
    Tick,
    /// `owner` makes the call of this attempt: its time runs from `begins`, and it is over at the lease's end.
    TaskClaimed {
        wait: Wait,
        owner: String,
        begins: Timestamp,
        lease: Timestamp,
    },
    /// `owner` has not begun the call that it claimed, and never will: any worker may claim it again.
    TaskReleased {
        wait: Wait,
        owner: String,
    },
    /// A worker took the task out of the queue of its activity: its time runs from now on.
    TaskLeased {
        wait: Wait,
        /// `workerName`.
        worker: Option<String>,
    },
    /// `owner` still makes the call that it claimed, for a clock was set: the lease is over then, and the time of a task that
    /// its call ends so many milliseconds later.
    TaskRenewed {
        wait: Wait,
        owner: String,
        lease: Timestamp,
        later_ms: i64,
    },
    /// The call returned. Without a task token that is the task's answer, as it is for a job; with one, its submission.
    TaskReturned {
        wait: Wait,
        answer: Answer<Payload>,
    },
    /// The call returned and started a job: `ids` are its target's own words for it. `subscribed`: its end will be signalled.
    JobStarted {
        wait: Wait,
        output: Payload,
        ids: String,
        subscribed: bool,
    },
    /// A poll found the job running.
    JobPolled {
        wait: Wait,
    },
    /// The job has ended, as whatever runs it says: a poll will tell how.
    JobSignalled {
        wait: Wait,
    },
    /// The job of an attempt that is over was cancelled, as far as that was possible.
    JobCancelled {
        wait: Wait,
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
    /// The worker that made the call is gone; whether the task ran is unknown.
    TaskLost {
        wait: Wait,
    },
    StopRequested(Failure),
    /// RedriveExecution: an execution that ended without success goes on where it failed.
    RedriveRequested,
    /// DeleteStateMachine deleted the state machine: the execution goes on to its next transition, which fails it.
    MachineDeleted,
}

impl Stimulus {
    /// The wait that it is about.
    pub fn wait(&self) -> Option<&Wait> {
        match self {
            Stimulus::TaskClaimed { wait, .. }
            | Stimulus::TaskReleased { wait, .. }
            | Stimulus::TaskRenewed { wait, .. }
            | Stimulus::TaskLeased { wait, .. }
            | Stimulus::TaskReturned { wait, .. }
            | Stimulus::JobStarted { wait, .. }
            | Stimulus::JobPolled { wait }
            | Stimulus::JobSignalled { wait }
            | Stimulus::JobCancelled { wait }
            | Stimulus::TaskAnswered { wait, .. }
            | Stimulus::TaskHeartbeat { wait, .. }
            | Stimulus::TaskLost { wait } => Some(wait),
            Stimulus::Started | Stimulus::Tick | Stimulus::StopRequested(_) => None,
            Stimulus::RedriveRequested | Stimulus::MachineDeleted => None,
        }
    }
}
