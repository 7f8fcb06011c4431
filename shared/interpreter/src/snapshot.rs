//! Everything that is known of an execution between two steps.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use asl::StateMachine;
use serde::{Deserialize, Serialize};

use crate::holdings::Holdings;
use crate::{Attempt, Call, Failure, Frame, Payload, Phase, ThreadPath, Timestamp, Wait};

/// How many cancelled waits are remembered.
const CANCELLED_KEPT: usize = 1_000;

/// The facts that stay the same for the whole life of an execution.
#[derive(Debug, Clone, PartialEq)]
pub struct Execution {
    pub arn: String,
    pub name: String,
    pub role_arn: String,
    pub machine_arn: String,
    pub machine_name: String,
    pub region: String,
    pub started: Timestamp,
    pub input: Payload,
    pub limits: Limits,
}

/// AWS's quotas by default; an installation may raise them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of an input, result or output.
    pub payload_bytes: usize,
    /// Events of a history, the closing one included.
    pub events: u64,
    /// Iterations of one inline Map that run at a time.
    pub inline_concurrency: u32,
    /// How deeply arrays and objects of a payload may nest for a worker of before; today's takes what
    /// [`expressions::json::DEEPEST`] says.
    pub nesting: usize,
    /// The longest an execution may run, in seconds, whatever its machine says.
    pub seconds: u64,
    /// The share of its delay that a Wait waits, in millionths: for tests of workflows that wait for days.
    #[serde(default = "whole", skip_serializing_if = "is_whole")]
    pub wait_millionths: u64,
    /// The share of its delay that a Retrier waits, in millionths.
    #[serde(default = "whole", skip_serializing_if = "is_whole")]
    pub retry_millionths: u64,
}

/// All of a delay.
const fn whole() -> u64 {
    1_000_000
}

fn is_whole(millionths: &u64) -> bool {
    *millionths == whole()
}

impl Limits {
    /// Standard workflows: 256 KiB, 25,000 events, one year.
    pub const STANDARD: Limits = Limits {
        payload_bytes: 262_144,
        events: 25_000,
        inline_concurrency: 40,
        nesting: 128,
        seconds: 31_536_000,
        wait_millionths: whole(),
        retry_millionths: whole(),
    };

    /// Express workflows: five minutes, no limit of events but one that bounds memory.
    pub const EXPRESS: Limits = Limits { events: 1_000_000, seconds: 300, ..Limits::STANDARD };
}

/// How an execution ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Closing<P> {
    Succeeded { output: P },
    Failed(Failure),
    Aborted(Failure),
    TimedOut(Failure),
}

/// The last redrive of an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redriven {
    /// How many there were.
    pub count: u32,
    pub at: Timestamp,
    /// The id of its ExecutionRedriven event.
    pub event: u64,
}

/// A job that outlived its attempt: the attempt timed out, a sibling failed, or the execution ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancel {
    pub path: ThreadPath,
    /// The place in the definition of the state that started it.
    pub state: u32,
    /// As in [`crate::Job`]; `None` where the call that starts it was under way, and may have started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ids: Option<String>,
    /// The arguments of that call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<String>,
    /// As in [`Attempt`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
}

/// An execution between two steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    pub execution: Arc<Execution>,
    /// How and when it ended; `None` while it runs.
    pub closed: Option<(Closing<Payload>, Timestamp)>,
    /// The id of the last event.
    pub last_event: u64,
    /// The number of the last wait.
    pub last_attempt_id: u64,
    /// When the machine's `TimeoutSeconds` are over.
    pub deadline: Timestamp,
    /// The state machine was deleted: the next transition fails the execution.
    pub machine_deleted: bool,
    /// The last redrive, if there was one.
    pub redriven: Option<Redriven>,
    /// Of a closed execution: the threads that a redrive goes on with. Empty when there can be none.
    kept: BTreeMap<ThreadPath, Frame<Payload>>,
    /// Jobs of attempts that are over, by the numbers of their waits, until they are cancelled.
    pub cancels: BTreeMap<u64, Cancel>,
    /// Waits for a task token that were given up when a branch beside them failed, by number: the last of them.
    cancelled: BTreeMap<u64, ThreadPath>,
    frames: BTreeMap<ThreadPath, Frame<Payload>>,
    // Derived from `frames`, so that looking for what to do does not cost what exists.
    due: BTreeSet<(Timestamp, ThreadPath)>,
    ready: BTreeSet<ThreadPath>,
    unclaimed: BTreeSet<ThreadPath>,
    queued: BTreeSet<ThreadPath>,
    holdings: Holdings,
}

impl Snapshot {
    /// An execution about to start.
    pub fn begin(machine: &StateMachine, execution: Execution) -> Snapshot {
        let seconds = allowed_seconds(machine, &execution);
        let mut snapshot = Snapshot::bare(Arc::new(execution), seconds);
        let first = Frame {
            state: machine.flow.start_at.0,
            // Its value is parsed for the thread and goes with it.
            input: snapshot.execution.input.another(),
            last_event: 0,
            entered: 0,
            entered_at: snapshot.execution.started,
            retries: Vec::new(),
            attempt_id: 0,
            variables: None,
            phase: Phase::Ready,
        };
        snapshot.put(ThreadPath::root(), first);
        snapshot
    }

    /// An execution without threads, for the journal to fill.
    pub fn bare(execution: Arc<Execution>, seconds: u64) -> Snapshot {
        Snapshot {
            deadline: execution.started.plus_seconds(seconds),
            execution,
            closed: None,
            machine_deleted: false,
            redriven: None,
            kept: BTreeMap::new(),
            cancels: BTreeMap::new(),
            last_event: 0,
            last_attempt_id: 0,
            cancelled: BTreeMap::new(),
            frames: BTreeMap::new(),
            due: BTreeSet::new(),
            ready: BTreeSet::new(),
            unclaimed: BTreeSet::new(),
            queued: BTreeSet::new(),
            holdings: Holdings::default(),
        }
    }

    pub fn is_open(&self) -> bool {
        self.closed.is_none()
    }

    pub fn frames(&self) -> impl Iterator<Item = (&ThreadPath, &Frame<Payload>)> {
        self.frames.iter()
    }

    pub fn frame_count(&self) -> usize {
        self.frames.len()
    }

    pub fn frame(&self, path: &ThreadPath) -> Option<&Frame<Payload>> {
        self.frames.get(path)
    }

    pub fn put(&mut self, path: ThreadPath, frame: Frame<Payload>) {
        self.take(&path);
        if let Some(due) = frame.due() {
            self.due.insert((due, path.clone()));
        }
        match &frame.phase {
            Phase::Ready => _ = self.ready.insert(path.clone()),
            Phase::Task(Attempt { call, .. }) if call.is_free() => _ = self.unclaimed.insert(path.clone()),
            Phase::Task(Attempt { call: Call::Queued, .. }) => _ = self.queued.insert(path.clone()),
            Phase::Task(_) | Phase::Waiting { .. } | Phase::Retrying { .. } => {}
            Phase::Parallel { .. } | Phase::Map(_) | Phase::Finished { .. } => {}
        }
        let outer = frame.variables.as_ref().and_then(|_| self.outer_variables(&path));
        self.holdings.add(&path, &frame, outer.as_ref());
        self.frames.insert(path, frame);
    }

    /// The variables of the thread around a thread.
    pub(crate) fn outer_variables(&self, path: &ThreadPath) -> Option<Payload> {
        let (outer, _) = path.parent()?;
        self.frames.get(&outer)?.variables.clone()
    }

    pub(crate) fn holdings(&self) -> &Holdings {
        &self.holdings
    }

    /// Forgets the parsed values of what a thread holds, but those that a Map goes through: they are looked at for each item.
    pub(crate) fn forget_parsed(&mut self, path: &ThreadPath) {
        if let Some(frame) = self.frames.get_mut(path) {
            frame.input = frame.input.unparsed();
            frame.variables = frame.variables.as_ref().map(Payload::unparsed);
            match &mut frame.phase {
                Phase::Ready | Phase::Waiting { .. } | Phase::Retrying { .. } | Phase::Parallel { .. } => {}
                Phase::Map(_) => {}
                Phase::Finished { output } => *output = output.unparsed(),
                Phase::Task(attempt) => attempt.arguments = attempt.arguments.unparsed(),
            }
        }
    }

    pub fn take(&mut self, path: &ThreadPath) -> Option<Frame<Payload>> {
        let frame = self.frames.remove(path)?;
        if let Some(due) = frame.due() {
            self.due.remove(&(due, path.clone()));
        }
        self.ready.remove(path);
        self.unclaimed.remove(path);
        self.queued.remove(path);
        self.holdings.remove(path, &frame);
        Some(frame)
    }

    /// Everything inside `outer`, not itself, in order.
    pub fn inside(&self, outer: &ThreadPath) -> Vec<ThreadPath> {
        self.frames
            .range((Bound::Excluded(outer), Bound::Unbounded))
            .map(|(path, _)| path)
            .take_while(|path| path.is_inside(outer))
            .cloned()
            .collect()
    }

    /// Threads about to enter a state: a long run was cut, and goes on with the next step.
    pub fn ready(&self) -> impl Iterator<Item = &ThreadPath> {
        self.ready.iter()
    }

    /// Whether a thread goes on with the next step.
    pub(crate) fn is_ready(&self, path: &ThreadPath) -> bool {
        self.ready.contains(path)
    }

    /// The earliest time at which something is due; `None` when the execution is closed.
    pub fn due(&self) -> Option<Timestamp> {
        if !self.is_open() {
            return None;
        }
        Some(self.due.first().map_or(self.deadline, |(due, _)| self.deadline.min(*due)))
    }

    pub(crate) fn first_due(&self) -> Option<&(Timestamp, ThreadPath)> {
        self.due.first()
    }

    /// Attempts without a claim.
    pub fn unclaimed(&self) -> impl Iterator<Item = Wait> + '_ {
        self.unclaimed.iter().filter_map(|path| self.wait_of(path))
    }

    /// Attempts in the queues of their activities.
    pub fn queued(&self) -> impl Iterator<Item = Wait> + '_ {
        self.queued.iter().filter_map(|path| self.wait_of(path))
    }

    fn wait_of(&self, path: &ThreadPath) -> Option<Wait> {
        let frame = self.frames.get(path)?;
        Some(Wait { path: path.clone(), attempt_id: frame.attempt_id })
    }

    /// Attempts with a claim, and its owner.
    pub fn claimed(&self) -> impl Iterator<Item = (Wait, &str)> {
        self.frames.iter().filter_map(|(path, frame)| match &frame.phase {
            Phase::Task(Attempt { call, .. }) => {
                call.claim().map(|(owner, _)| (Wait { path: path.clone(), attempt_id: frame.attempt_id }, owner))
            }
            _ => None,
        })
    }

    /// The attempt that `wait` is about, if it is still the current one.
    pub fn attempt(&self, wait: &Wait) -> Option<(&Frame<Payload>, &Attempt<Payload>)> {
        let frame = self.frames.get(&wait.path).filter(|frame| frame.attempt_id == wait.attempt_id)?;
        match &frame.phase {
            Phase::Task(attempt) => Some((frame, attempt)),
            _ => None,
        }
    }

    /// True while an answer to `wait` would still count.
    pub fn awaits(&self, wait: &Wait) -> bool {
        self.is_open() && self.attempt(wait).is_some_and(|(_, attempt)| attempt.parked.is_none())
    }

    /// The threads that a redrive goes on with, in order.
    pub fn kept(&self) -> impl ExactSizeIterator<Item = (&ThreadPath, &Frame<Payload>)> {
        self.kept.iter()
    }

    pub fn kept_frame(&self, path: &ThreadPath) -> Option<&Frame<Payload>> {
        self.kept.get(path)
    }

    /// Keeps a thread for a redrive, as the journal of a closed execution has it.
    pub fn keep(&mut self, path: ThreadPath, frame: Frame<Payload>) {
        self.kept.insert(path, frame);
    }

    pub(crate) fn take_all(&mut self) -> BTreeMap<ThreadPath, Frame<Payload>> {
        self.holdings = Holdings::default();
        std::mem::take(&mut self.frames)
    }

    /// Opens a closed execution again, its deadline counted from now; `None` when nothing was kept for that.
    // AWS: the year that an execution may be open is counted from its start (documented).
    pub(crate) fn reopen(
        &mut self,
        machine: &StateMachine,
        now: Timestamp,
    ) -> Option<BTreeMap<ThreadPath, Frame<Payload>>> {
        if self.is_open() || self.kept.is_empty() {
            return None;
        }
        let longest = self.execution.started.plus_seconds(self.execution.limits.seconds);
        self.deadline = now.plus_seconds(allowed_seconds(machine, &self.execution)).min(longest);
        self.closed = None;
        Some(std::mem::take(&mut self.kept))
    }

    /// Notes that a wait for a task token is given up because a branch beside it failed. Of the last thousand that is known.
    pub fn cancel(&mut self, wait: Wait) {
        self.cancelled.insert(wait.attempt_id, wait.path);
        if self.cancelled.len() > CANCELLED_KEPT {
            self.cancelled.pop_first();
        }
    }

    pub fn was_cancelled(&self, wait: &Wait) -> bool {
        self.cancelled.get(&wait.attempt_id).is_some_and(|path| *path == wait.path)
    }

    /// The waits that were given up in those threads, or in any when none are named.
    pub fn cancelled(&self, among: Option<&BTreeSet<ThreadPath>>) -> Vec<Wait> {
        let among = |path: &ThreadPath| among.is_none_or(|among| among.contains(path));
        let cancelled = self.cancelled.iter().filter(|(_, path)| among(path));
        cancelled.map(|(attempt_id, path)| Wait { path: path.clone(), attempt_id: *attempt_id }).collect()
    }

    pub(crate) fn close(
        &mut self,
        (closing, at): (Closing<Payload>, Timestamp),
        kept: BTreeMap<ThreadPath, Frame<Payload>>,
    ) {
        self.kept = kept;
        self.frames.clear();
        self.due.clear();
        self.ready.clear();
        self.unclaimed.clear();
        self.queued.clear();
        self.holdings = Holdings::default();
        self.closed = Some((closing, at));
    }
}

/// The longest that an execution of this machine may run, in seconds.
fn allowed_seconds(machine: &StateMachine, execution: &Execution) -> u64 {
    let most = execution.limits.seconds;
    machine.timeout_seconds.map_or(most, |own| own.min(most))
}
