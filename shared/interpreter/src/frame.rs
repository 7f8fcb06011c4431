//! One thread of states: where it is, what it holds and what it waits for.
//!
//! `P` is how payloads are held: [`crate::Payload`] in memory, a slot or an address when stored.

use serde::{Deserialize, Serialize};

use crate::{Failure, Timestamp};

/// Which thread: the branch or iteration taken at each fan-out, from outside. Empty is the execution's own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ThreadPath(pub Vec<u32>);

impl ThreadPath {
    pub fn root() -> ThreadPath {
        ThreadPath::default()
    }

    pub fn child(&self, index: u32) -> ThreadPath {
        let mut path = Vec::with_capacity(self.0.len() + 1);
        path.extend_from_slice(&self.0);
        path.push(index);
        ThreadPath(path)
    }

    /// The enclosing thread and the place in it; `None` for the root.
    pub fn parent(&self) -> Option<(ThreadPath, u32)> {
        let (index, outer) = self.0.split_last()?;
        Some((ThreadPath(outer.to_vec()), *index))
    }

    pub fn is_inside(&self, outer: &ThreadPath) -> bool {
        self.0.len() > outer.0.len() && self.0.starts_with(&outer.0)
    }
}

/// A thread.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Frame<P> {
    /// The state's place in the definition.
    pub state: u32,
    /// The state's raw input.
    pub input: P,
    /// The thread's last event: the next one's `previousEventId`.
    #[serde(rename = "chain")]
    pub last_event: u64,
    /// The id of the state's Entered event, and when that was.
    pub entered: u64,
    pub entered_at: Timestamp,
    /// How often each Retrier has been used in this visit of the state.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retries: Vec<u64>,
    /// The current wait's, see [`crate::Wait`].
    #[serde(rename = "turn")]
    pub attempt_id: u64,
    /// The workflow variables that the thread sees, as one object.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub variables: Option<P>,
    pub phase: Phase<P>,
}

fn none<P>() -> Option<P> {
    None
}

/// The activity of a thread.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Phase<P> {
    /// About to enter its state.
    Ready,
    /// In a Wait.
    Waiting { until: Timestamp },
    /// Between two attempts of a Retrier.
    Retrying { until: Timestamp },
    /// In a Task.
    Task(Attempt<P>),
    /// In a Parallel, with that many branches open; those that are done hold that many bytes.
    Parallel {
        open: u32,
        #[serde(default)]
        held: u64,
    },
    /// In a Map.
    Map(Iterations<P>),
    /// A branch or iteration that is done, until its siblings are.
    Finished { output: P },
}

/// One attempt of a Task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt<P> {
    pub arguments: P,
    /// `TimeoutSeconds` and `HeartbeatSeconds`, resolved.
    pub timeout: Option<u64>,
    pub heartbeat: Option<u64>,
    /// `Credentials.RoleArn`, resolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    pub call: Call,
    /// When `TimeoutSeconds` are over; set when the attempt starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// When the next heartbeat is overdue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beat: Option<Timestamp>,
    /// An answer that came before the call returned.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub parked: Option<Answer<P>>,
    /// The job that the call started, while it runs: from then on the calls of the attempt are polls, which may be repeated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<Job>,
}

/// A job that an attempt started. It is over when a poll finds that, or when a client uses the task token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// The target's own words for what it started: it polls and cancels by them.
    pub ids: String,
    /// How often a poll found it running.
    #[serde(default)]
    pub polls: u32,
    /// When it is polled next, unless a poll is under way.
    pub next: Timestamp,
    /// Its end is signalled; polls are for signals that were lost.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub subscribed: bool,
    /// Its end was signalled while a poll was under way, which may have come too early.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub signalled: bool,
}

/// How far the call of an attempt is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Call {
    /// No worker has claimed it.
    Unclaimed,
    /// `owner` makes it; it is over by the lease's end.
    Claimed {
        owner: String,
        lease: Timestamp,
        /// The owner gave the claim back before it began the call: any worker may claim it again. A program that does not
        /// know this member calls the attempt lost at the lease's end, as that of any owner that is gone.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        released: bool,
    },
    /// It returned, and the attempt waits for its task token, or for its job's next poll.
    Returned,
    /// The task is in the queue of its activity: no worker has taken it. Since format 3 of entries.
    Queued,
    /// A worker of the activity has the task, and its task token. Since format 3 of entries.
    Leased,
}

impl Call {
    /// True when any worker may claim it.
    pub fn is_free(&self) -> bool {
        match self {
            Call::Unclaimed => true,
            Call::Claimed { released, .. } => *released,
            Call::Returned | Call::Queued | Call::Leased => false,
        }
    }

    /// The owner of the claim, and the end of its lease.
    pub fn claim(&self) -> Option<(&str, Timestamp)> {
        match self {
            Call::Claimed { owner, lease, released: false } => Some((owner, *lease)),
            Call::Claimed { released: true, .. } | Call::Unclaimed => None,
            Call::Returned | Call::Queued | Call::Leased => None,
        }
    }
}

/// The outcome of an attempt, as its call or its task token reports it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Answer<P> {
    Succeeded { output: P },
    Failed(Failure),
}

/// The state of a Map.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Iterations<P> {
    /// The state's effective input, for the ItemSelector.
    pub input: P,
    /// The array that is iterated.
    pub items: P,
    pub total: u32,
    /// The first index that has not been started.
    pub next: u32,
    /// How many are done, and how many bytes their outputs have.
    pub done: u32,
    #[serde(default)]
    pub held: u64,
    /// How many run at a time; 0 in what was stored before this was kept.
    #[serde(default)]
    pub at_once: u32,
}

/// How long after its lease an attempt without an answer counts as lost, in milliseconds.
pub const LOST_AFTER_LEASE_MS: i64 = 30_000;

impl<P> Frame<P> {
    /// When this thread is due, if time alone can move it.
    pub fn due(&self) -> Option<Timestamp> {
        match &self.phase {
            Phase::Waiting { until } | Phase::Retrying { until } => Some(*until),
            Phase::Task(attempt) => attempt.due(),
            Phase::Ready | Phase::Parallel { .. } | Phase::Map(_) | Phase::Finished { .. } => None,
        }
    }

    /// Shows each of its payloads.
    pub(crate) fn each_payload(&self, look: &mut dyn FnMut(&P)) {
        look(&self.input);
        self.variables.iter().for_each(&mut *look);
        match &self.phase {
            Phase::Ready | Phase::Waiting { .. } | Phase::Retrying { .. } | Phase::Parallel { .. } => {}
            Phase::Finished { output } => look(output),
            Phase::Map(map) => [&map.input, &map.items].into_iter().for_each(look),
            Phase::Task(attempt) => {
                look(&attempt.arguments);
                if let Some(Answer::Succeeded { output }) = &attempt.parked {
                    look(output);
                }
            }
        }
    }

    /// The same frame with its payloads held another way; the first error ends it.
    pub fn try_map<Q, E>(self, f: &mut dyn FnMut(P) -> Result<Q, E>) -> Result<Frame<Q>, E> {
        Ok(Frame {
            state: self.state,
            input: f(self.input)?,
            last_event: self.last_event,
            entered: self.entered,
            entered_at: self.entered_at,
            retries: self.retries,
            attempt_id: self.attempt_id,
            variables: self.variables.map(&mut *f).transpose()?,
            phase: self.phase.try_map(f)?,
        })
    }
}

impl<P> Phase<P> {
    fn try_map<Q, E>(self, f: &mut dyn FnMut(P) -> Result<Q, E>) -> Result<Phase<Q>, E> {
        Ok(match self {
            Phase::Ready => Phase::Ready,
            Phase::Waiting { until } => Phase::Waiting { until },
            Phase::Retrying { until } => Phase::Retrying { until },
            Phase::Parallel { open, held } => Phase::Parallel { open, held },
            Phase::Finished { output } => Phase::Finished { output: f(output)? },
            Phase::Map(map) => Phase::Map(Iterations {
                input: f(map.input)?,
                items: f(map.items)?,
                total: map.total,
                next: map.next,
                done: map.done,
                held: map.held,
                at_once: map.at_once,
            }),
            Phase::Task(attempt) => Phase::Task(Attempt {
                arguments: f(attempt.arguments)?,
                timeout: attempt.timeout,
                heartbeat: attempt.heartbeat,
                role: attempt.role,
                call: attempt.call,
                deadline: attempt.deadline,
                beat: attempt.beat,
                job: attempt.job,
                parked: match attempt.parked {
                    None => None,
                    Some(Answer::Failed(failure)) => Some(Answer::Failed(failure)),
                    Some(Answer::Succeeded { output }) => Some(Answer::Succeeded { output: f(output)? }),
                },
            }),
        })
    }
}

impl<P> Attempt<P> {
    fn due(&self) -> Option<Timestamp> {
        let lost = self.call.claim().map(|(_, lease)| lease.plus_millis(LOST_AFTER_LEASE_MS));
        let poll = self.job.as_ref().filter(|_| self.call == Call::Returned).map(|job| job.next);
        [self.deadline, self.beat, lost, poll].into_iter().flatten().min()
    }
}
