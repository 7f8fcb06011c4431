//! One step at work: the snapshot on its way to the next, the events so far, and what every state type shares.
//!
//! A state type's file answers an [`Outcome`]; entering, leaving, failing and closing exist once, here and in `data`,
//! `recovery` and `threads`.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;

use asl::{Kind, State, StateId, StateMachine, Transition};
use expressions::{Chance, Fuel};

use crate::failure::{DATA_LIMIT_EXCEEDED, EvaluationFailure, RUNTIME, Raised, TIMEOUT};
use crate::probe::Probe;
use crate::redrive::AllSetAside;
use crate::threads::HELD_PAYLOADS;
use crate::{
    Closing, Detail, Event, Failure, Frame, Moment, Payload, Phase, Snapshot, StateType, ThreadPath, Timestamp, Wait,
    states,
};

/// Events and bytes of payloads after which a long run is cut into another step.
const BUDGET_EVENTS: usize = 1_000;
const BUDGET_BYTES: usize = 8 << 20;
/// Bytes that the threads of an execution may hold whatever a payload may have.
const LEAST_HELD: usize = 64 << 20;
/// What it costs to read a byte of a payload and write it; see [`Fuel`].
const BYTE_COST: u64 = 10;
/// JSONata payloads and expressions likewise: each may take seconds, and the execution hears nothing meanwhile.
const BUDGET_EVALUATIONS: u32 = 250;

/// The next action of a state.
pub(crate) enum Outcome {
    /// It waits for something outside, or for its own threads.
    Wait(Phase<Payload>),
    /// Its work is done with this result.
    Leave { result: Payload, then: Transition },
    /// It failed.
    Raise(Raised),
    /// The state has already been left or failed further in.
    Done,
}

pub(crate) struct Run<'a> {
    pub machine: &'a StateMachine,
    pub moment: &'a Moment<'a>,
    pub chance: Chance,
    /// What the expressions of a state may still cost, and what the step has cost.
    pub fuel: Fuel,
    pub snapshot: Snapshot,
    pub events: Vec<Event<Payload>>,
    pub changed: BTreeSet<ThreadPath>,
    /// See [`crate::redrive`].
    pub aside: AllSetAside,
    ready: VecDeque<ThreadPath>,
    /// How often JSONata was evaluated.
    pub evaluations: Cell<u32>,
    /// Bytes of the payloads of events and new threads, of variables, and of answers that no event tells yet.
    pub bytes: usize,
    /// The history is full: nothing more is recorded but the end.
    full: bool,
    /// The stored execution does not fit its definition.
    damaged: bool,
    /// One state is tested, and nothing runs behind it.
    pub probe: Option<Probe>,
}

impl<'a> Run<'a> {
    pub fn new(machine: &'a StateMachine, snapshot: Snapshot, moment: &'a Moment<'a>) -> Run<'a> {
        let ready = snapshot.ready().cloned().collect();
        let chance = Chance::from_seed(moment.seed);
        let (events, changed) = (Vec::new(), BTreeSet::new());
        Run {
            machine,
            moment,
            chance,
            fuel: Fuel::new(moment.work),
            snapshot,
            events,
            changed,
            aside: AllSetAside::new(),
            ready,
            evaluations: Cell::new(0),
            bytes: 0,
            full: false,
            damaged: false,
            probe: None,
        }
    }

    /// Does everything that is ready or due, until all threads wait or the budget is used up.
    pub fn settle(&mut self) {
        while self.snapshot.is_open() {
            if self.full {
                let max = self.snapshot.execution.limits.events;
                let cause = format!("The execution reached the maximum number of history events ({max}).");
                return self.fail_execution(Failure::new(RUNTIME, cause), self.snapshot.last_event);
            }
            let evaluations = self.evaluations.get();
            let used_up = self.bytes >= BUDGET_BYTES || self.fuel.is_step_used_up();
            if used_up || self.events.len() >= BUDGET_EVENTS || evaluations >= BUDGET_EVALUATIONS {
                return;
            }
            let (held, most) = (self.snapshot.holdings().bytes(), self.most_held());
            if held > most {
                let cause = format!("The threads of the execution hold {held} bytes of data, and may hold {most}.");
                let failure = Failure::new(DATA_LIMIT_EXCEEDED, cause);
                return self.end_by_itself(|run| run.fail_execution(failure, run.snapshot.last_event));
            }
            self.fuel.begin_state();
            if let Some(path) = self.ready.pop_front() {
                self.enter(&path);
            } else if !self.fire_due() {
                return;
            }
        }
    }

    /// Bytes of payloads that all threads may hold: those that one state joins, about.
    // AWS: unverified: no bound of this kind is known of it.
    fn most_held(&self) -> usize {
        HELD_PAYLOADS.saturating_mul(self.snapshot.execution.limits.payload_bytes).max(LEAST_HELD)
    }

    /// Does the earliest thing that is due now; false when nothing is.
    fn fire_due(&mut self) -> bool {
        let now = self.moment.now;
        let first = self.snapshot.first_due().cloned();
        if self.snapshot.deadline <= now && first.as_ref().is_none_or(|(due, _)| self.snapshot.deadline <= *due) {
            self.time_out();
            return true;
        }
        let Some((_, path)) = first.filter(|(due, _)| *due <= now) else { return false };
        let Some(frame) = self.snapshot.frame(&path).cloned() else { return false };
        let Some(state) = self.state_of(&frame) else { return true };
        let outcome = match (&frame.phase, &state.kind) {
            (Phase::Waiting { .. }, Kind::Wait(wait)) => states::wait::resume(self, &path, &state, wait),
            (Phase::Retrying { .. }, _) => self.work(&path, &state),
            (Phase::Task(attempt), Kind::Task(task)) => states::task::overdue(self, &path, task, attempt),
            _ => return self.broken("a thread waits for what its state does not do"),
        };
        self.follow(&path, &state, outcome);
        true
    }

    fn enter(&mut self, path: &ThreadPath) {
        let Some(mut frame) = self.snapshot.frame(path).cloned() else { return };
        if self.stop_if_deleted(path) {
            return;
        }
        let Some(state) = self.state_of(&frame) else { return };
        let detail =
            Detail::StateEntered { state: type_of(&state), name: state.name.to_string(), input: frame.input.clone() };
        frame.entered = self.emit(frame.last_event, detail);
        frame.last_event = frame.entered;
        frame.entered_at = self.moment.now;
        frame.retries.clear();
        // Not ready any more; the state's work says what it is from now on.
        frame.phase = Phase::Finished { output: frame.input.clone() };
        self.put(path, frame);
        let outcome = self.work(path, &state);
        self.follow(path, &state, outcome);
    }

    /// Refuses where the thread's state is of an earlier version and a part of it does not compile any more.
    pub fn usable(&self, path: &ThreadPath) -> Result<(), Raised> {
        let Some(frame) = self.snapshot.frame(path) else { return Ok(()) };
        match self.machine.state(StateId(frame.state)).map(|state| (state, &state.unusable)) {
            Some((state, Some(reason))) => {
                Err(self.located(EvaluationFailure::runtime(&**reason), state, frame.entered))
            }
            Some((_, None)) | None => Ok(()),
        }
    }

    /// Begins the state's work: at its first attempt and at every retry.
    fn work(&mut self, path: &ThreadPath, state: &Arc<State>) -> Outcome {
        states::or_raise!(self.usable(path));
        match &state.kind {
            Kind::Task(task) => states::task::enter(self, path, state, task),
            Kind::Parallel(parallel) => states::parallel::enter(self, path, state, parallel),
            Kind::Map(map) => states::map::enter(self, path, state, map),
            Kind::Pass(pass) => states::pass::enter(self, path, state, pass),
            Kind::Wait(wait) => states::wait::enter(self, path, state, wait),
            Kind::Choice(choice) => states::choice::enter(self, path, state, choice),
            Kind::Succeed => states::succeed::enter(self, path, state),
            Kind::Fail(fail) => states::fail::enter(self, path, state, fail),
        }
    }

    pub fn follow(&mut self, path: &ThreadPath, state: &Arc<State>, outcome: Outcome) {
        match outcome {
            Outcome::Wait(phase) => self.change(path, |frame| frame.phase = phase),
            Outcome::Leave { result, then } => self.leave(path, state, result, then),
            Outcome::Raise(raised) => self.raise(path, raised),
            Outcome::Done => {}
        }
    }

    /// Hands the thread on to its next state, or ends it.
    pub fn go(&mut self, path: &ThreadPath, output: Payload, then: Transition) {
        if self.probe.is_some() {
            return self.end_test(path, output, then);
        }
        match then {
            Transition::Next(StateId(next)) => {
                // The next state of this thread alone looks at it at once.
                let output = if self.ready.is_empty() { output } else { output.unparsed() };
                self.change(path, |frame| {
                    frame.state = next;
                    frame.input = output;
                    frame.phase = Phase::Ready;
                });
                self.ready.push_back(path.clone());
            }
            Transition::End => self.end_thread(path, output),
        }
    }

    /// Starts a thread inside another.
    pub fn spawn(&mut self, path: ThreadPath, frame: Frame<Payload>) {
        self.bytes += frame.input.bytes();
        self.put(&path, frame);
        self.ready.push_back(path);
    }

    /// The thread enters its state before anything that is due.
    pub fn make_ready(&mut self, path: &ThreadPath) {
        self.ready.push_back(path.clone());
    }

    // ---- frames ----

    pub fn put(&mut self, path: &ThreadPath, frame: Frame<Payload>) {
        self.changed.insert(path.clone());
        self.snapshot.put(path.clone(), frame);
    }

    pub fn change(&mut self, path: &ThreadPath, change: impl FnOnce(&mut Frame<Payload>)) {
        if let Some(mut frame) = self.snapshot.take(path) {
            change(&mut frame);
            self.put(path, frame);
        }
    }

    pub fn remove(&mut self, path: &ThreadPath) {
        if self.snapshot.take(path).is_some() {
            self.changed.insert(path.clone());
        }
    }

    /// A new number for a wait of this thread.
    pub fn new_wait(&mut self, path: &ThreadPath) -> Wait {
        self.snapshot.last_attempt_id += 1;
        let attempt_id = self.snapshot.last_attempt_id;
        self.change(path, |frame| frame.attempt_id = attempt_id);
        Wait { path: path.clone(), attempt_id }
    }

    fn state_of(&mut self, frame: &Frame<Payload>) -> Option<Arc<State>> {
        let state = self.machine.state(StateId(frame.state)).cloned();
        if state.is_none() {
            self.broken("a thread is in a state that the definition does not have");
        }
        state
    }

    /// An inconsistency that only a damaged journal can have: the execution fails and its cause says so.
    pub fn broken(&mut self, what: &str) -> bool {
        let cause = format!("The stored execution does not fit its definition: {what}.");
        self.damaged = true;
        self.fail_execution(Failure::new(RUNTIME, cause), self.snapshot.last_event);
        true
    }

    // ---- events ----

    /// Records an event and answers its id.
    pub fn emit(&mut self, previous: u64, detail: Detail<Payload>) -> u64 {
        if self.full || self.snapshot.last_event + 1 >= self.snapshot.execution.limits.events {
            self.full = true;
            return self.snapshot.last_event;
        }
        self.record(previous, self.moment.now, detail)
    }

    /// Records an event of a thread, which becomes its last.
    pub fn emit_on(&mut self, path: &ThreadPath, detail: Detail<Payload>) -> u64 {
        let id = self.emit(self.last_event(path), detail);
        self.change(path, |frame| frame.last_event = id);
        id
    }

    pub fn last_event(&self, path: &ThreadPath) -> u64 {
        self.snapshot.frame(path).map_or(0, |frame| frame.last_event)
    }

    fn record(&mut self, previous: u64, at: Timestamp, detail: Detail<Payload>) -> u64 {
        self.snapshot.last_event += 1;
        let id = self.snapshot.last_event;
        let event = Event { id, previous, at, detail };
        let kept: Result<_, Infallible> = event.try_map(&mut |payload: Payload| Ok(payload.unparsed()));
        let Ok(event) = kept;
        let bytes = event.bytes();
        self.bytes += bytes;
        self.fuel.spend((bytes as u64).saturating_mul(BYTE_COST));
        self.events.push(event);
        id
    }

    // ---- the end ----

    /// Notes that the state machine is deleted. The thread of the execution counts as changed, so that the step is written.
    pub fn mark_deleted(&mut self) {
        if !self.snapshot.machine_deleted {
            self.snapshot.machine_deleted = true;
            self.changed.insert(ThreadPath::root());
        }
    }

    /// Fails the execution in place of a transition if its state machine was deleted.
    ///
    /// AWS: the failure follows the thread's last event; the state is not exited and the next not entered (captured in 2026).
    pub fn stop_if_deleted(&mut self, path: &ThreadPath) -> bool {
        if self.snapshot.machine_deleted {
            let cause = format!("State machine {} has been deleted", self.snapshot.execution.machine_name);
            let last = self.last_event(path);
            self.end_by_itself(|run| run.fail_execution(Failure::new(RUNTIME, cause), last));
        }
        self.snapshot.machine_deleted
    }

    /// Ends the execution as its states did, unless some of what they did found no place in the history any more: then
    /// that is what it fails of, see [`Run::settle`].
    pub fn end_by_itself(&mut self, end: impl FnOnce(&mut Self)) {
        if !self.full {
            end(self);
        }
    }

    pub fn succeed_execution(&mut self, output: Payload, previous: u64) {
        let detail = Detail::ExecutionSucceeded { output: output.clone() };
        self.close(previous, self.moment.now, detail, Closing::Succeeded { output });
    }

    pub fn fail_execution(&mut self, failure: Failure, previous: u64) {
        let detail = Detail::ExecutionFailed(failure.clone());
        self.close(previous, self.moment.now, detail, Closing::Failed(failure));
    }

    pub fn abort_execution(&mut self, failure: Failure) {
        // AWS: the event follows none.
        self.close(0, self.moment.now, Detail::ExecutionAborted(failure.clone()), Closing::Aborted(failure));
    }

    /// The machine's TimeoutSeconds are over. AWS: it stops at start + timeout, however late that is noticed.
    fn time_out(&mut self) {
        let failure = Failure::named(TIMEOUT);
        let at = self.snapshot.deadline;
        self.close(0, at, Detail::ExecutionTimedOut(failure.clone()), Closing::TimedOut(failure));
    }

    /// Ends a test: nothing of the execution goes on.
    pub fn close_test(&mut self, closing: Closing<Payload>) {
        self.snapshot.close((closing, self.moment.now), BTreeMap::new());
        self.ready.clear();
    }

    fn close(&mut self, previous: u64, at: Timestamp, detail: Detail<Payload>, closing: Closing<Payload>) {
        self.record(previous, at, detail);
        self.cancel_all_jobs();
        let kept = self.kept_for_redrive(&closing);
        self.snapshot.close((closing, at), kept);
        self.ready.clear();
    }

    /// True when its end leaves nothing that could go on.
    pub fn is_beyond_redrive(&self) -> bool {
        self.full || self.damaged
    }
}

pub(crate) fn type_of(state: &State) -> StateType {
    state.kind.state_type()
}
