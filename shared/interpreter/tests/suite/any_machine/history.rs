//! The invariants of every history, whatever the machine and whatever happened to it.

use std::collections::{BTreeMap, BTreeSet};

use asl::{Kind, QueryLanguage, State, StateId, StateMachine, Transition};
use interpreter::{Closing, Detail, Event, Failure, Iteration, Payload, Phase, Snapshot, StateType, Step, Timestamp};
use serde_json::Value;

/// A history as it grows, and what has to be known of it to check what comes next.
pub struct History<'m> {
    machine: &'m StateMachine,
    events: Vec<Event<Payload>>,
    /// Entered events that a state of no threads inside has left again.
    left: BTreeSet<u64>,
    /// How many of a state were entered and not left.
    open: BTreeMap<String, u64>,
    /// How many iterations of a Map were started and have not ended.
    iterations: BTreeMap<(String, u32), u64>,
    /// Every value that was ever assigned, by the variable's name.
    assigned: BTreeSet<(String, String)>,
}

impl<'m> History<'m> {
    pub fn of(machine: &'m StateMachine) -> History<'m> {
        History {
            machine,
            events: Vec::new(),
            left: BTreeSet::new(),
            open: BTreeMap::new(),
            iterations: BTreeMap::new(),
            assigned: BTreeSet::new(),
        }
    }

    /// The execution is about to be redriven: iterations that have not succeeded go on, and no others.
    pub fn redrive(&mut self, before: &Snapshot) {
        self.iterations.clear();
        for (path, frame) in before.kept() {
            let Some((outer, index)) = path.parent().filter(|_| !matches!(frame.phase, Phase::Finished { .. })) else {
                continue;
            };
            let outer = before.kept_frame(&outer).expect("a thread lies in another");
            let state = self.machine.state(StateId(outer.state)).expect("a state of the machine");
            if matches!(state.kind, Kind::Map(_)) {
                *self.iteration(&Iteration { name: state.name.to_string(), index }) += 1;
            }
        }
    }

    /// Takes what a step added.
    pub fn hear(&mut self, step: &Step, now: Timestamp) {
        for event in &step.events {
            self.check(event, now);
            self.events.push(event.clone());
        }
        self.check_variables(&step.snapshot);
        self.check_closing(&step.snapshot);
    }

    /// Looks at the whole once the execution has ended.
    pub fn end(&self, snapshot: &Snapshot) {
        let Some((Closing::Succeeded { .. }, _)) = &snapshot.closed else { return };
        let names = names_outermost(self.machine);
        for name in &names {
            assert_eq!(self.open.get(name.as_str()).copied().unwrap_or(0), 0, "{name} was not left");
        }
        for (iteration, open) in &self.iterations {
            assert_eq!(*open, 0, "{iteration:?} has no end");
        }
        // One thread: a state is left before the next is entered.
        let mut inside = None;
        for event in &self.events {
            match &event.detail {
                Detail::StateEntered { name, .. } if names.contains(name) => {
                    assert_eq!(inside.replace(name), None, "{name} is entered inside another");
                }
                Detail::StateExited { name, .. } if names.contains(name) => assert_eq!(inside.take(), Some(name)),
                _ => {}
            }
        }
    }

    fn event(&self, id: u64) -> Option<&Event<Payload>> {
        self.events.get(usize::try_from(id).ok()?.checked_sub(1)?)
    }

    fn state(&self, name: &str) -> &'m State {
        self.machine.states.iter().find(|state| &*state.name == name).expect("a state of the machine")
    }

    fn check(&mut self, event: &Event<Payload>, now: Timestamp) {
        assert_eq!(event.id, self.events.len() as u64 + 1, "ids without a gap");
        assert!(event.previous < event.id, "event {} follows {}", event.id, event.previous);
        assert_eq!(event.id == 1, matches!(event.detail, Detail::ExecutionStarted { .. }), "{event:?}");
        assert!(event.at <= now, "{event:?} lies in the future");
        // An execution that times out ends when its time is over, however late that is noticed.
        if let (Some(before), false) = (self.events.last(), matches!(event.detail, Detail::ExecutionTimedOut(_))) {
            assert!(before.at <= event.at, "{event:?} happened before {before:?}");
        }
        match &event.detail {
            Detail::ExecutionRedriven { .. } => {
                let ended = self.event(event.id - 1).and_then(|before| closing(&before.detail));
                assert!(ended.is_some(), "it was redriven before it ended");
                assert_eq!(event.previous, event.id - 1);
            }
            Detail::StateEntered { state, name, .. } => self.entered(event, *state, name),
            Detail::StateExited { state, name, assigned, .. } => {
                let open = self.open.get_mut(name).filter(|open| **open > 0);
                *open.unwrap_or_else(|| panic!("{name} is left and was not entered")) -= 1;
                self.exited(event, *state, name, assigned.as_ref());
            }
            Detail::EvaluationFailed { state, location, failure } => {
                let cause = failure.cause.as_deref().unwrap_or_default();
                if failure.error.as_deref() == Some("States.DataLimitExceeded") {
                    assert!(
                        cause.contains("variable size limit exceeded") || cause.starts_with("Variable size"),
                        "{cause}"
                    );
                    assert!(location.as_ref().is_some_and(|location| location.ends_with("Assign")), "{location:?}");
                    return;
                }
                assert_eq!(failure.error.as_deref(), Some("States.QueryEvaluationError"));
                assert!(cause.contains(&format!("state '{state}' (entered at the event id #")), "{cause}");
                assert!(location.as_ref().is_none_or(|location| (1..=256).contains(&location.chars().count())));
                assert_eq!(self.state(state).query_language, QueryLanguage::Jsonata, "{state}");
            }
            // The interpreter's own error about a damaged journal.
            Detail::ExecutionFailed(Failure { cause: Some(cause), .. }) => {
                assert!(!cause.contains("does not fit its definition"), "{cause}");
            }
            Detail::MapIterationStarted(iteration) => *self.iteration(iteration) += 1,
            Detail::MapIterationSucceeded(iteration)
            | Detail::MapIterationFailed(iteration)
            | Detail::MapIterationAborted(iteration) => {
                let open = self.iteration(iteration);
                assert!(*open > 0, "{iteration:?} ends and was not started");
                *open -= 1;
            }
            _ => {}
        }
    }

    fn iteration(&mut self, iteration: &Iteration) -> &mut u64 {
        self.iterations.entry((iteration.name.clone(), iteration.index)).or_default()
    }

    fn entered(&mut self, event: &Event<Payload>, state: StateType, name: &str) {
        assert_eq!(type_of(self.state(name)), state);
        *self.open.entry(name.to_owned()).or_default() += 1;
        let before = self.event(event.previous).map(|before| &before.detail);
        let begins = matches!(
            before,
            None | Some(Detail::StateExited { .. } | Detail::ParallelStateStarted | Detail::MapIterationStarted(_))
        );
        assert!(begins, "{name} is entered after {before:?}");
    }

    fn exited(&mut self, event: &Event<Payload>, of: StateType, name: &str, assigned: Option<&Payload>) {
        let state = self.state(name);
        assert_eq!(type_of(state), of);
        if !matches!(of, StateType::Parallel | StateType::Map) {
            let entered = self.entered_by(event, name);
            assert!(self.left.insert(entered), "{name} of event {entered} is left twice");
        }
        // These leave in one way.
        if let Kind::Pass(_) | Kind::Wait(_) = state.kind {
            assert_eq!(assigned.is_some(), state.data.assign.is_some(), "{name}");
        }
        let Some(assigned) = assigned else { return };
        assert!(assigns(state), "{name} assigns nothing");
        let Value::Object(variables) = assigned.value() else { panic!("{name} assigned {assigned:?}") };
        assert!(!variables.is_empty());
        for (variable, value) in variables {
            assert!(variable.starts_with(|first: char| first.is_alphabetic()), "{variable}");
            self.assigned.insert((variable.clone(), value.to_string()));
        }
    }

    /// The Entered event of a state without threads inside that is left with `event`.
    fn entered_by(&self, event: &Event<Payload>, name: &str) -> u64 {
        let mut id = event.previous;
        loop {
            let Some(before) = self.event(id) else { panic!("{event:?} leads to nothing") };
            match &before.detail {
                Detail::StateEntered { name: entered, .. } if entered == name => return id,
                Detail::EvaluationFailed { state, .. } if state == name => id = before.previous,
                Detail::ActivityScheduled { .. }
                | Detail::ActivityStarted { .. }
                | Detail::ActivitySucceeded { .. }
                | Detail::ActivityFailed(_)
                | Detail::ActivityTimedOut(_)
                | Detail::LambdaFunctionScheduled { .. }
                | Detail::LambdaFunctionStarted
                | Detail::LambdaFunctionSucceeded { .. }
                | Detail::LambdaFunctionFailed(_)
                | Detail::LambdaFunctionTimedOut(_)
                | Detail::TaskScheduled { .. }
                | Detail::TaskStarted(_)
                | Detail::TaskSubmitted { .. }
                | Detail::TaskSucceeded { .. }
                | Detail::TaskFailed { .. }
                | Detail::TaskTimedOut { .. } => id = before.previous,
                other => panic!("between the events of {name} lies {other:?}"),
            }
        }
    }

    /// A thread knows nothing that was not assigned.
    fn check_variables(&self, snapshot: &Snapshot) {
        for (path, frame) in snapshot.frames() {
            let variables = frame.variables.as_ref().and_then(|variables| variables.value().as_object());
            for (name, value) in variables.into_iter().flatten() {
                let known = self.assigned.contains(&(name.clone(), value.to_string()));
                assert!(known, "{path:?} has {name} = {value}, which nothing assigned");
            }
        }
    }

    fn check_closing(&self, snapshot: &Snapshot) {
        let closes = |event: &&Event<Payload>| closing(&event.detail).is_some();
        let reopens = |event: &&Event<Payload>| matches!(event.detail, Detail::ExecutionRedriven { .. });
        let closed = snapshot.closed.as_ref().map(|(closing, _)| closing.clone());
        let reopened = self.events.iter().filter(reopens).count();
        assert_eq!(self.events.iter().filter(closes).count(), reopened + usize::from(closed.is_some()));
        assert_eq!(self.events.last().and_then(|last| closing(&last.detail)), closed);
    }
}

/// How an event ends the execution, if it does.
fn closing(detail: &Detail<Payload>) -> Option<Closing<Payload>> {
    match detail {
        Detail::ExecutionSucceeded { output } => Some(Closing::Succeeded { output: output.clone() }),
        Detail::ExecutionFailed(failure) => Some(Closing::Failed(failure.clone())),
        Detail::ExecutionAborted(failure) => Some(Closing::Aborted(failure.clone())),
        Detail::ExecutionTimedOut(failure) => Some(Closing::TimedOut(failure.clone())),
        _ => None,
    }
}

fn type_of(state: &State) -> StateType {
    match state.kind {
        Kind::Task(_) => StateType::Task,
        Kind::Parallel(_) => StateType::Parallel,
        Kind::Map(_) => StateType::Map,
        Kind::Pass(_) => StateType::Pass,
        Kind::Wait(_) => StateType::Wait,
        Kind::Choice(_) => StateType::Choice,
        Kind::Succeed => StateType::Succeed,
        Kind::Fail(_) => StateType::Fail,
    }
}

/// Whether a state has an Assign anywhere.
fn assigns(state: &State) -> bool {
    let rules = match &state.kind {
        Kind::Choice(choice) => choice.rules.as_slice(),
        _ => &[],
    };
    let own = state.data.assign.is_some();
    own || rules.iter().any(|rule| rule.assign.is_some()) || state.catch.iter().any(|catcher| catcher.assign.is_some())
}

/// The names of the states that lie in no other.
fn names_outermost(machine: &StateMachine) -> BTreeSet<String> {
    let (mut found, mut waiting) = (BTreeSet::new(), vec![machine.flow.start_at]);
    while let Some(state) = waiting.pop().and_then(|id| machine.state(id)) {
        if found.insert(state.name.to_string()) {
            waiting.extend(follows(state));
        }
    }
    found
}

fn follows(state: &State) -> Vec<StateId> {
    let mut next: Vec<StateId> = state.catch.iter().map(|catcher| catcher.next).collect();
    let transition = match &state.kind {
        Kind::Task(task) => task.transition,
        Kind::Parallel(parallel) => parallel.transition,
        Kind::Map(map) => map.transition,
        Kind::Pass(pass) => pass.transition,
        Kind::Wait(wait) => wait.transition,
        Kind::Choice(choice) => {
            next.extend(choice.rules.iter().map(|rule| rule.next).chain(choice.default));
            Transition::End
        }
        Kind::Succeed | Kind::Fail(_) => Transition::End,
    };
    if let Transition::Next(id) = transition {
        next.push(id);
    }
    next
}
