//! The reference: the pure interpreter alone, without faults, told what the outside did.
//!
//! The possible ends of an execution depend on what happened outside: which attempt was answered with what and when, which
//! was lost, when a client stopped it. Its journal says all of that. [`Reference::of`] starts the same machine afresh, in
//! memory, and replays those facts alone: claims, answers, losses, heartbeats, the stop, and the times of the commits. It
//! has to come to the same events, with the same ids, links, times and payloads, to the same threads after each commit,
//! and to the same end.
//!
//! Why that is sound: the interpreter is what says what a machine does (golden cases hold it to AWS), and it is a function
//! of these facts. So a run that agrees ended where a run without faults would have, had the same attempts been lost; and
//! whatever the deliver loop, the journal or a race did to an execution beyond its facts shows as a difference. That the
//! facts themselves happened, each once, is for [`super::check`], which knows the outside.
//!
//! Not compared: what chance made (UUIDs) and the seals of task tokens.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use anyhow::{Context, Result, bail, ensure};
use asl::StateMachine;
use engine::entry::{self, Entry};
use engine::ports::Record;
use interpreter::{
    ActivityTarget, Answer, Attempt, Call, Closing, Detail, Event, Execution, Failure, Frame, Moment, Payload, Phase,
    Snapshot, Step, Stimulus, TaskResource, ThreadPath, Timestamp, Wait, step,
};

use super::disk::Decided;
use super::redacted::{alike, token_like};

/// The cause of a lost attempt.
const LOST: &str = "was lost; whether the task ran is unknown";

/// The reference's knowledge of an execution.
pub struct Reference {
    /// By the number of the wait.
    pub attempts: BTreeMap<u64, Tried>,
    pub events: Vec<Event<Payload>>,
    pub closing: Closing<Payload>,
    pub closed_at: Timestamp,
}

/// An attempt of a task.
#[derive(Debug, Clone)]
pub struct Tried {
    pub state: String,
    pub arguments: String,
    /// A worker began its call, or was about to.
    pub started: bool,
    /// The process that claimed it last.
    pub owner: Option<String>,
    /// `None` when it was cut short: by a stop, a sibling that failed, the machine's own timeout or a full history.
    pub ended: Option<Ending>,
    /// The entry since which no answer counts: it has one, or it is over.
    pub settled_in: Option<u64>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Ending {
    Answered(Answer<Payload>),
    Lost,
    TimedOut,
}

impl Reference {
    /// Replays a closed execution from all its records, and from what was decided beside them.
    pub fn of(machine: &StateMachine, records: &[Record], decided: &[Decided]) -> Result<Reference> {
        let answered = decided.iter().filter_map(|one| Some((one.attempt_id, one.answer.clone()?)));
        let answered: BTreeMap<u64, Answer<Payload>> = answered.collect();
        let mut replay: Option<Replay<'_>> = None;
        for record in records {
            let entry = entry::decode(record.sequence, &record.body)?;
            let replay = match &mut replay {
                Some(replay) => replay,
                none => {
                    let (head, input) = entry.head.as_ref().context("the first entry has no head")?;
                    none.insert(Replay::begin(machine, execution(head, input), answered.clone()))
                }
            };
            replay.entry(entry).with_context(|| format!("in entry {}", record.sequence))?;
            replay.note_settled(record.sequence);
        }
        let replay = replay.context("an execution without entries")?;
        let (closing, closed_at) = replay.snapshot.closed.context("the last entry does not close it")?;
        Ok(Reference { attempts: replay.attempts, events: replay.heard, closing, closed_at })
    }
}

/// Without chance, and with tokens that are only alike.
fn stepped(machine: &StateMachine, before: Snapshot, stimulus: Stimulus, now: Timestamp) -> Step {
    let execution = before.execution.clone();
    let token = |wait: &Wait| token_like(&execution.arn, wait);
    step(
        machine,
        before,
        stimulus,
        &Moment { now, seed: [0; 32], token: &token, activity: &ActivityTarget::none, work: interpreter::Work::USUAL },
    )
}

fn execution(head: &entry::Head, input: &Payload) -> Execution {
    Execution {
        arn: head.arn.clone(),
        name: head.name.clone(),
        role_arn: head.role_arn.clone(),
        machine_arn: head.machine_arn.clone(),
        machine_name: head.machine_name.clone(),
        region: head.region.clone(),
        started: head.started,
        input: input.clone(),
        limits: head.limits,
    }
}

struct Replay<'m> {
    machine: &'m StateMachine,
    snapshot: Snapshot,
    /// Events of the reference that the journal has not been compared with yet.
    ahead: VecDeque<Event<Payload>>,
    heard: Vec<Event<Payload>>,
    attempts: BTreeMap<u64, Tried>,
    /// By the last event of an attempt, the number of its wait.
    attempt_ids: BTreeMap<u64, u64>,
    /// By the number of the wait, the answer that lay in its cell.
    answered: BTreeMap<u64, Answer<Payload>>,
}

impl<'m> Replay<'m> {
    fn begin(machine: &'m StateMachine, execution: Execution, answered: BTreeMap<u64, Answer<Payload>>) -> Replay<'m> {
        Replay {
            machine,
            snapshot: Snapshot::begin(machine, execution),
            ahead: VecDeque::new(),
            heard: Vec::new(),
            attempts: BTreeMap::new(),
            attempt_ids: BTreeMap::new(),
            answered,
        }
    }

    /// One commit: what it says came in from outside, then its events, then its threads.
    fn entry(&mut self, entry: Entry) -> Result<()> {
        let reopens =
            entry.events.first().is_some_and(|event| matches!(event.detail, Detail::ExecutionRedriven { .. }));
        ensure!(self.snapshot.is_open() || reopens, "an entry after the end");
        self.take_in_silence(&entry)?;
        self.take_in_what_came_just_before(&entry);
        let late_by = |due: Timestamp| entry.at.0.saturating_sub(due.0);
        let late = self.snapshot.frames().filter_map(|(path, frame)| Some((path.clone(), late_by(frame.due()?))));
        let late: BTreeMap<ThreadPath, i64> = late.collect();
        for event in &entry.events {
            if self.ahead.is_empty() && !self.has_no_room(event) {
                ensure!(event.at <= entry.at, "it is later than its entry: {event:?}");
                // The attempts that this entry began may show that there was room.
                self.take_in_what_was_released(&entry);
                let stimulus = self.stimulus(event, &entry);
                // Stimuli from before it was written count from before what was due when it was: the return of a call, an
                // answer that lay in its cell. The end of the machine's own time is recorded as of that, whenever it is seen.
                let is_late = matches!(event.detail, Detail::ExecutionTimedOut(_));
                let at = if is_late { entry.at } else { event.at };
                if self.is_silent_at(at) {
                    // The process that read this had applied what was due.
                    self.step(Stimulus::Tick, at);
                }
                self.step(stimulus, at);
            }
            self.compare(event)?;
        }
        if entry.head.is_none() && self.snapshot.is_open() {
            // A due time that left no event: a Retrier's pause before a state that fails on its way in.
            self.step(Stimulus::Tick, entry.at);
        }
        ensure!(self.ahead.is_empty(), "an event is missing: {:?}", self.ahead);
        ensure!(entry.last_event == self.snapshot.last_event, "it says {} is the last event", entry.last_event);
        ensure!(
            alike(&entry.closed, &self.snapshot.closed),
            "closed: {:?} instead of {:?}",
            entry.closed,
            self.snapshot.closed
        );
        self.take_in_pauses(&entry, &late);
        for (path, frame) in entry.threads() {
            self.compare_thread(path, frame)?;
        }
        Ok(())
    }

    /// Keeps which attempts no answer counts for any more.
    fn note_settled(&mut self, sequence: u64) {
        let open = |frame: &Frame<Payload>| match &frame.phase {
            Phase::Task(attempt) if attempt.parked.is_none() => Some(frame.attempt_id),
            _ => None,
        };
        let open: BTreeSet<u64> = self.snapshot.frames().filter_map(|(_, frame)| open(frame)).collect();
        let over = !self.snapshot.is_open();
        for (attempt_id, tried) in &mut self.attempts {
            if over || !open.contains(attempt_id) {
                tried.settled_in.get_or_insert(sequence);
            }
        }
    }

    /// Something is due by then, and leaves no event: a state is tried again that fails on its way in.
    fn is_silent_at(&self, now: Timestamp) -> bool {
        let due = self.snapshot.due().is_some_and(|due| due <= now);
        due && stepped(self.machine, self.snapshot.clone(), Stimulus::Tick, now).events.is_empty()
    }

    fn step(&mut self, stimulus: Stimulus, now: Timestamp) {
        let nothing = Snapshot::bare(self.snapshot.execution.clone(), 0);
        let before = std::mem::replace(&mut self.snapshot, nothing);
        let done = stepped(self.machine, before, stimulus, now);
        self.snapshot = done.snapshot;
        self.ahead.extend(done.events);
        for (_, frame) in self.snapshot.frames() {
            let Phase::Task(attempt) = &frame.phase else { continue };
            let state = self.machine.state(asl::StateId(frame.state));
            self.attempt_ids.insert(frame.last_event, frame.attempt_id);
            let tried = self.attempts.entry(frame.attempt_id).or_insert_with(|| Tried {
                state: state.map(|state| state.name.to_string()).unwrap_or_default(),
                arguments: attempt.arguments.text().to_owned(),
                started: false,
                owner: None,
                ended: None,
                settled_in: None,
            });
            if let Some((owner, _)) = attempt.call.claim() {
                tried.owner = Some(owner.to_owned());
            }
        }
    }

    /// Changes of a thread without an event: heartbeats, answers that came before their call returned, and claims that
    /// were released and made again, because their call had not been begun.
    fn take_in_silence(&mut self, entry: &Entry) -> Result<()> {
        for (path, frame) in entry.threads() {
            let Some(frame) = frame else { continue };
            let Phase::Task(theirs) = frame.phase else { continue };
            let own_time = |from: Timestamp| theirs.timeout.map(|seconds| from.plus_seconds(seconds));
            let whole = theirs.call.is_free() || theirs.deadline >= own_time(entry.at);
            let mut cut_short = false;
            self.change(path, frame.attempt_id, |mine| {
                let claims = [&mine.call, &theirs.call].iter().all(|call| matches!(call, Call::Claimed { .. }));
                if claims && (&mine.call, mine.deadline) != (&theirs.call, theirs.deadline) {
                    let renewed = is_renewed((&mine.call, mine.deadline), (&theirs.call, theirs.deadline));
                    mine.call = theirs.call.clone();
                    (mine.deadline, mine.beat) = (theirs.deadline, theirs.beat);
                    cut_short = !whole && !renewed;
                }
                if mine.call != Call::Unclaimed && mine.beat.is_some() {
                    mine.beat = theirs.beat;
                }
                if let (None, Some(parked)) = (&mine.parked, theirs.parked) {
                    mine.parked = match parked {
                        Answer::Succeeded { output } => output.map(|output| Answer::Succeeded { output }),
                        Answer::Failed(failure) => Some(Answer::Failed(failure)),
                    };
                }
            });
            ensure!(!cut_short, "an attempt that was claimed again has not its whole time: {path:?}");
        }
        Ok(())
    }

    /// A change whose only trace is that an attempt whose time was over did not time out: it was answered before its call
    /// returned, or there was a heartbeat, and then the commit ended it. Of its whole time only an answer with its token can
    /// come to be known when it is over.
    fn take_in_what_came_just_before(&mut self, entry: &Entry) {
        self.take_in_what_was_released(entry);
        let mut overdue = Vec::new();
        for (path, frame) in self.snapshot.frames() {
            let Phase::Task(attempt) = &frame.phase else { continue };
            let late = attempt.deadline.is_some_and(|deadline| deadline <= entry.at);
            let missed = attempt.beat.is_some_and(|beat| beat <= entry.at);
            if missed || late {
                let silent = missed || self.answered.contains_key(&frame.attempt_id);
                overdue.push((
                    path.clone(),
                    frame.attempt_id,
                    frame.last_event,
                    attempt.call == Call::Returned,
                    silent,
                ));
            }
        }
        for (path, attempt_id, last_event, returned, silent) in overdue {
            let next = |last_event: u64| entry.events.iter().find(|event| event.previous == last_event);
            let submitted = next(last_event).filter(|next| matches!(next.detail, Detail::TaskSubmitted { .. }));
            let end = submitted.map_or(next(last_event), |submitted| next(submitted.id));
            // An answer that comes some events after the submission, or later, was said after it, too.
            let is_after = |(submitted, end): (&Event<Payload>, &Event<Payload>)| {
                end.id > submitted.id + 1 || end.at > submitted.at
            };
            let after = submitted.zip(end).is_some_and(is_after);
            let end = end.map(|event| &event.detail);
            let parked = submitted.is_none()
                && !returned
                && matches!(end,
                Some(Detail::TaskSucceeded { on, .. } | Detail::TaskFailed { on, .. }) if by_token(on));
            let answer = match end {
                Some(Detail::TaskTimedOut { .. }) => continue,
                _ if !silent && !parked => continue,
                _ if after => None,
                Some(Detail::TaskSucceeded { output, .. }) => Some(Answer::Succeeded { output: output.clone() }),
                Some(Detail::TaskFailed { failure, .. }) if !is_lost(failure) => Some(Answer::Failed(failure.clone())),
                _ => None,
            };
            self.change(&path, attempt_id, |attempt| match answer.filter(|_| !returned) {
                Some(answer) => _ = attempt.parked.get_or_insert(answer),
                None => attempt.beat = Some(entry.at.plus_millis(1)),
            });
        }
    }

    /// A change whose only trace is that nothing happened to a claim whose time was over: it was released, and its thread cut
    /// short by another in the same commit, so that it does not stand in it.
    fn take_in_what_was_released(&mut self, entry: &Entry) {
        let is_over = |frame: &Frame<Payload>| frame.due().is_some_and(|due| due <= entry.at);
        let goes_on =
            |last_event: u64| entry.events.iter().any(|event| event.previous == last_event && is_of_attempt(event));
        // Another thread may be in its place by then.
        let is_gone = |path: &ThreadPath, attempt_id: u64| {
            let has_it = |frame: Option<Frame<_>>| frame.is_some_and(|frame| frame.attempt_id == attempt_id);
            entry.threads().any(|(gone, frame)| gone == path && !has_it(frame))
        };
        let is_full = entry.last_event >= self.snapshot.execution.limits.events;
        let is_told = |frame: &Frame<Payload>| entry.events.iter().any(|event| event.previous == frame.last_event);
        // In a full history a timeout leaves no trace either, unless there was room for what was due after it.
        let has_room = |path: &ThreadPath, frame: &Frame<Payload>| {
            let later = |(of, other): (&ThreadPath, &Frame<Payload>)| {
                is_over(other) && is_told(other) && (other.due(), of) > (frame.due(), path)
            };
            !is_full || self.snapshot.frames().any(later)
        };
        let without_trace = |path: &ThreadPath, frame: &Frame<Payload>| {
            !goes_on(frame.last_event) && (entry.closed.is_some() || is_gone(path, frame.attempt_id))
        };
        let over = self
            .snapshot
            .frames()
            .filter(|(path, frame)| is_over(frame) && without_trace(path, frame) && has_room(path, frame));
        let over: Vec<(ThreadPath, u64)> = over.map(|(path, frame)| (path.clone(), frame.attempt_id)).collect();
        for (path, attempt_id) in over {
            self.change(&path, attempt_id, |attempt| {
                if let Call::Claimed { released, .. } = &mut attempt.call {
                    *released = true;
                    (attempt.deadline, attempt.beat) = (None, None);
                }
            });
        }
    }

    fn change(&mut self, path: &ThreadPath, attempt_id: u64, change: impl FnOnce(&mut Attempt<Payload>)) {
        let Some(mut frame) = self.snapshot.frame(path).filter(|frame| frame.attempt_id == attempt_id).cloned() else {
            return;
        };
        if let Phase::Task(attempt) = &mut frame.phase {
            change(attempt);
            self.snapshot.put(path.clone(), frame);
        }
    }

    /// The cause of this event, by its content.
    fn stimulus(&mut self, event: &Event<Payload>, entry: &Entry) -> Stimulus {
        let Some((wait, call)) = self.wait_before(event) else {
            return match &event.detail {
                Detail::ExecutionStarted { .. } => Stimulus::Started,
                Detail::ExecutionAborted(failure) => Stimulus::StopRequested(failure.clone()),
                Detail::ExecutionRedriven { .. } => Stimulus::RedriveRequested,
                _ => Stimulus::Tick,
            };
        };
        match &event.detail {
            Detail::LambdaFunctionStarted | Detail::TaskStarted(_) => {
                let (owner, lease) = claim_in(entry, &wait);
                Stimulus::TaskClaimed { wait, owner, begins: event.at, lease }
            }
            Detail::LambdaFunctionSucceeded { output } | Detail::TaskSubmitted { output, .. } => {
                Stimulus::TaskReturned { wait, answer: Answer::Succeeded { output: output.clone() } }
            }
            Detail::LambdaFunctionFailed(failure) => self.failed(wait, failure, &call),
            Detail::TaskFailed { failure, on } if !by_token(on) || call != Call::Returned => {
                self.failed(wait, failure, &call)
            }
            Detail::TaskFailed { failure, .. } => {
                Stimulus::TaskAnswered { wait, answer: Answer::Failed(failure.clone()) }
            }
            Detail::TaskSucceeded { output, on } => {
                let answer = Answer::Succeeded { output: output.clone() };
                match (by_token(on), call) {
                    (false, _) => Stimulus::TaskReturned { wait, answer },
                    (true, Call::Returned) => Stimulus::TaskAnswered { wait, answer },
                    // Answered before the call returned, which then was lost or failed: the answer counts.
                    (true, Call::Claimed { .. } | Call::Unclaimed | Call::Queued | Call::Leased) => {
                        let path = wait.path.clone();
                        self.change(&path, wait.attempt_id, |attempt| _ = attempt.parked.get_or_insert(answer));
                        Stimulus::TaskLost { wait }
                    }
                }
            }
            _ => Stimulus::Tick,
        }
    }

    /// Its failure is what the call returned, or what a client answered before it was lost, or that it was lost.
    fn failed(&self, wait: Wait, failure: &Failure, call: &Call) -> Stimulus {
        let parked = self.snapshot.attempt(&wait).is_some_and(|(_, attempt)| attempt.parked.is_some());
        if is_lost(failure) || (parked && *call != Call::Returned) {
            Stimulus::TaskLost { wait }
        } else {
            Stimulus::TaskReturned { wait, answer: Answer::Failed(failure.clone()) }
        }
    }

    /// The attempt whose last event this one follows.
    fn wait_before(&self, event: &Event<Payload>) -> Option<(Wait, Call)> {
        self.snapshot.frames().find_map(|(path, frame)| match &frame.phase {
            Phase::Task(attempt) if frame.last_event == event.previous => {
                Some((Wait { path: path.clone(), attempt_id: frame.attempt_id }, attempt.call.clone()))
            }
            _ => None,
        })
    }

    /// The history is full: what happened then has no event, only the end that it led to.
    fn has_no_room(&self, event: &Event<Payload>) -> bool {
        let full = event.id == self.snapshot.execution.limits.events && event.id == self.snapshot.last_event + 1;
        full && matches!(event.detail, Detail::ExecutionFailed(_))
    }

    fn compare(&mut self, event: &Event<Payload>) -> Result<()> {
        let expected = match self.ahead.pop_front() {
            Some(expected) => expected,
            None if self.has_no_room(event) => {
                self.run_full(event);
                self.ahead.pop_front().context("the history ends as a full one, and is not full")?
            }
            None => bail!("nothing outside led to {event:?}"),
        };
        ensure!(alike(event, &expected), "{event:?}\ninstead of {expected:?}");
        self.note(event);
        self.heard.push(event.clone());
        Ok(())
    }

    /// Whatever happens when there is no room for its event, the execution ends in the same way.
    fn run_full(&mut self, event: &Event<Payload>) {
        let task = |(path, frame): (&ThreadPath, &Frame<Payload>)| match &frame.phase {
            // Nothing can happen to a claim that was released which would need an event.
            Phase::Task(Attempt { call: Call::Claimed { released: true, .. }, .. }) => None,
            Phase::Task(attempt) => {
                Some((Wait { path: path.clone(), attempt_id: frame.attempt_id }, attempt.call.clone()))
            }
            _ => None,
        };
        let any = self.snapshot.frames().find_map(task);
        self.step(Stimulus::Tick, event.at);
        let Some((wait, call)) = any.filter(|_| self.ahead.is_empty()) else { return };
        let stimulus = match call {
            Call::Unclaimed => Stimulus::TaskClaimed { wait, owner: String::new(), begins: event.at, lease: event.at },
            Call::Claimed { .. } => Stimulus::TaskLost { wait },
            Call::Queued => Stimulus::TaskLeased { wait, worker: None },
            Call::Returned | Call::Leased => {
                Stimulus::TaskAnswered { wait, answer: Answer::Failed(Failure::default()) }
            }
        };
        self.step(stimulus, event.at);
    }

    /// Keeps what an event says of its attempt.
    fn note(&mut self, event: &Event<Payload>) {
        let succeeded = |output: &Payload| Ending::Answered(Answer::Succeeded { output: output.clone() });
        let failed = |failure: &Failure| {
            if is_lost(failure) { Ending::Lost } else { Ending::Answered(Answer::Failed(failure.clone())) }
        };
        let ending = match &event.detail {
            // As they were sent, with the token's own seal.
            Detail::LambdaFunctionScheduled { input: arguments, .. }
            | Detail::TaskScheduled { parameters: arguments, .. } => {
                let tried = self.attempt_ids.get(&event.id).and_then(|attempt_id| self.attempts.get_mut(attempt_id));
                if let Some(tried) = tried {
                    arguments.text().clone_into(&mut tried.arguments);
                }
                return;
            }
            Detail::LambdaFunctionStarted | Detail::TaskStarted(_) | Detail::TaskSubmitted { .. } => None,
            Detail::LambdaFunctionSucceeded { output } | Detail::TaskSucceeded { output, .. } => {
                Some(succeeded(output))
            }
            Detail::LambdaFunctionFailed(failure) | Detail::TaskFailed { failure, .. } => Some(failed(failure)),
            Detail::LambdaFunctionTimedOut(_) | Detail::TaskTimedOut { .. } => Some(Ending::TimedOut),
            _ => return,
        };
        let Some(attempt_id) = self.attempt_ids.get(&event.previous).copied() else { return };
        self.attempt_ids.insert(event.id, attempt_id);
        let Some(tried) = self.attempts.get_mut(&attempt_id) else { return };
        tried.started = true;
        tried.ended = ending;
    }

    /// A thread as the commit holds it, and as the reference does.
    /// A state that failed again on its way in, without an event, did so at a time of this entry that nothing says: its next
    /// pause does. `late` is how long before the entry something of a thread was due.
    fn take_in_pauses(&mut self, entry: &Entry, late: &BTreeMap<ThreadPath, i64>) {
        for (path, theirs) in entry.threads() {
            let (Some(theirs), Some(mut mine)) = (theirs, self.snapshot.frame(path).cloned()) else { continue };
            let (Phase::Retrying { until: theirs }, Phase::Retrying { until }) = (theirs.phase, &mut mine.phase) else {
                continue;
            };
            let earlier = until.0.saturating_sub(theirs.0);
            if late.get(path).is_some_and(|late| (1..=*late).contains(&earlier)) {
                *until = theirs;
                self.snapshot.put(path.clone(), mine);
            }
        }
    }

    fn compare_thread(&self, path: &ThreadPath, theirs: Option<Frame<Option<Payload>>>) -> Result<()> {
        let (Some(theirs), Some(mine)) = (&theirs, self.snapshot.frame(path)) else {
            let gone = (theirs.is_none(), self.snapshot.frame(path).is_none());
            ensure!(gone == (true, true), "thread {path:?} is gone: {gone:?} in the journal and in the reference");
            return Ok(());
        };
        let (mut held, mut expected) = (Vec::new(), Vec::new());
        let theirs = without_payloads(theirs.clone(), &mut held);
        let mine = without_payloads(mine.clone(), &mut expected);
        ensure!(theirs == mine, "thread {path:?} is {theirs:?}\ninstead of {mine:?}");
        for (held, expected) in held.iter().zip(&expected) {
            let same = held.as_ref().is_none_or(|held| alike(held, expected));
            ensure!(same, "thread {path:?} holds {held:?}\ninstead of {expected:?}");
        }
        Ok(())
    }
}

fn without_payloads<P: Clone>(frame: Frame<P>, payloads: &mut Vec<P>) -> Frame<()> {
    let bare: Result<Frame<()>, std::convert::Infallible> = frame.try_map(&mut |payload| {
        payloads.push(payload);
        Ok(())
    });
    match bare {
        Ok(bare) => bare,
    }
}

fn claim_in(entry: &Entry, wait: &Wait) -> (String, Timestamp) {
    let claimed = entry.threads().find_map(|(path, frame)| match frame?.phase {
        Phase::Task(Attempt { call: Call::Claimed { owner, lease, .. }, .. }) if *path == wait.path => {
            Some((owner, lease))
        }
        _ => None,
    });
    // Without it the execution was over before the entry was.
    claimed.unwrap_or((String::new(), entry.at))
}

/// True when it says what became of a call.
fn is_of_attempt(event: &Event<Payload>) -> bool {
    matches!(
        event.detail,
        Detail::LambdaFunctionSucceeded { .. }
            | Detail::LambdaFunctionFailed(_)
            | Detail::LambdaFunctionTimedOut(_)
            | Detail::TaskSubmitted { .. }
            | Detail::TaskSucceeded { .. }
            | Detail::TaskFailed { .. }
            | Detail::TaskTimedOut { .. }
    )
}

fn by_token(on: &TaskResource) -> bool {
    on.resource.ends_with(".waitForTaskToken")
}

pub(super) fn is_lost(failure: &Failure) -> bool {
    failure.cause.as_ref().is_some_and(|cause| cause.contains(LOST))
}

/// Whether a worker still makes the call that it claimed: the lease ends later, and the time of the task as much later or when
/// it did.
fn is_renewed(mine: (&Call, Option<Timestamp>), theirs: (&Call, Option<Timestamp>)) -> bool {
    let (Some((owner, lease)), Some((now_of, until))) = (mine.0.claim(), theirs.0.claim()) else { return false };
    let moved = until.0.saturating_sub(lease.0);
    let longer = match (mine.1, theirs.1) {
        (Some(before), Some(after)) => after.0.saturating_sub(before.0),
        (None, None) => 0,
        (Some(_), None) | (None, Some(_)) => return false,
    };
    owner == now_of && !mine.0.is_free() && moved > 0 && (longer == 0 || longer == moved)
}
