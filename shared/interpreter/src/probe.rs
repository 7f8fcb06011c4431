//! A test of one state: the same step as an execution's, which ends where the state hands on, would be retried or fails.
//!
//! A [`TestRun`] is an execution that begins in the tested state, inside the states around it, so that failures go their
//! way outwards. Its [`Probe`] rides on the step: it answers tasks, branches and iterations with a mock, notes what each
//! field of the state made of its data, and takes the end. Deliberately absent: API texts about requests, and calls.

mod inspection;

use std::cell::RefCell;
use std::sync::Arc;

use asl::{Kind, MOST_SECONDS, State, StateId, StateMachine, Transition};
use serde_json::{Map, Value};

use crate::context::map_member;
use crate::evaluation::EvaluationInputs;
use crate::failure::Raised;
use crate::run::{Outcome, Run};
use crate::step::apply;
use crate::{
    Answer, Attempt, Closing, Execution, Failure, Frame, Iterations, Moment, Payload, Phase, Snapshot, Stimulus,
    ThreadPath, Wait,
};

pub use inspection::Inspection;

/// What is tested, beside the machine.
#[derive(Debug, Clone)]
pub struct StateTest {
    pub state: StateId,
    pub variables: Option<Payload>,
    /// The context object.
    pub context: Map<String, Value>,
    pub mock: Option<Mock>,
    /// How often the Retrier that applies has been used.
    pub retries: u64,
    /// How many iterations of the Map have failed.
    pub failed_iterations: Option<u64>,
    /// The content of the object that the Map's ItemReader names.
    pub items_read: Option<String>,
}

/// The answer in the place of a task, of all branches or of all iterations.
#[derive(Debug, Clone)]
pub enum Mock {
    Result(Payload),
    Error(Failure),
}

/// How a test ended.
#[derive(Debug, Clone, PartialEq)]
pub enum TestOutcome {
    /// `next` is `None` where the state is the last.
    Succeeded {
        output: Payload,
        next: Option<String>,
    },
    Failed(Failure),
    Retriable(Failure),
    Caught {
        failure: Failure,
        output: Payload,
        next: Option<String>,
    },
    /// The request makes no sense, as only its values show.
    Refused(String),
}

/// A test on its way.
#[derive(Debug)]
pub struct TestRun {
    machine: StateMachine,
    snapshot: Snapshot,
    probe: Option<Probe>,
}

/// What rides on a step of a test.
#[derive(Debug)]
pub(crate) struct Probe {
    path: ThreadPath,
    test: StateTest,
    /// The name of the tested state in its definition.
    name: Arc<str>,
    seen: RefCell<Inspection>,
    caught: Option<Failure>,
    outcome: Option<TestOutcome>,
}

impl TestRun {
    /// A test about to start; `None` when the machine has no such state.
    pub fn begin(mut machine: StateMachine, execution: Execution, test: StateTest) -> Option<TestRun> {
        let tested = machine.state(test.state)?.clone();
        let around = enclosing(&machine, test.state);
        let name = tested.name.clone();
        // AWS: the texts call it so, whatever its name is.
        let shown = State { name: Arc::from(asl::LONE_STATE), ..tested.as_ref().clone() };
        *machine.states.get_mut(test.state.0 as usize)? = Arc::new(shown);
        let seconds = execution.limits.seconds;
        let mut snapshot = Snapshot::bare(Arc::new(execution), seconds);
        let mut path = ThreadPath::root();
        for outer in around {
            let phase = match machine.state(outer).map(|state| &state.kind) {
                Some(Kind::Map(_)) => Phase::Map(Iterations {
                    input: snapshot.execution.input.clone(),
                    items: Payload::from_json_text("[]"),
                    total: 1,
                    next: 1,
                    done: 0,
                    held: 0,
                    at_once: 1,
                }),
                Some(_) | None => Phase::Parallel { open: 1, held: 0 },
            };
            snapshot.put(path.clone(), frame(&snapshot, outer, &test, phase));
            path = path.child(0);
        }
        snapshot.put(path.clone(), frame(&snapshot, test.state, &test, Phase::Ready));
        let probe = Probe { path, test, name, seen: RefCell::default(), caught: None, outcome: None };
        Some(TestRun { machine, snapshot, probe: Some(probe) })
    }

    /// Applies a stimulus. The first one is [`Stimulus::Started`].
    pub fn step(self, stimulus: Stimulus, moment: &Moment<'_>) -> TestRun {
        let TestRun { machine, snapshot, probe } = self;
        let mut run = Run::new(&machine, snapshot, moment);
        run.probe = probe;
        if run.snapshot.is_open() {
            apply(&mut run, stimulus);
            run.settle();
        }
        let (snapshot, probe) = (run.snapshot, run.probe);
        TestRun { machine, snapshot, probe }
    }

    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The call that the tested Task asks for, until it has returned.
    pub fn call(&self) -> Option<(Wait, &asl::Task, &Attempt<Payload>)> {
        let path = &self.probe.as_ref()?.path;
        let frame = self.snapshot.frame(path)?;
        let Phase::Task(attempt) = &frame.phase else { return None };
        let Kind::Task(task) = &self.machine.state(StateId(frame.state))?.kind else { return None };
        Some((Wait { path: path.clone(), attempt_id: frame.attempt_id }, task, attempt))
    }

    /// The end, once it is there, and what was seen on the way.
    pub fn ended(self) -> Option<(TestOutcome, Inspection)> {
        let probe = self.probe?;
        let outcome = match probe.outcome {
            Some(outcome) => outcome,
            None => match self.snapshot.closed? {
                (Closing::Failed(failure) | Closing::Aborted(failure) | Closing::TimedOut(failure), _) => {
                    TestOutcome::Failed(failure)
                }
                (Closing::Succeeded { output }, _) => TestOutcome::Succeeded { output, next: None },
            },
        };
        Some((outcome, probe.seen.into_inner()))
    }
}

fn frame(snapshot: &Snapshot, state: StateId, test: &StateTest, phase: Phase<Payload>) -> Frame<Payload> {
    Frame {
        state: state.0,
        input: snapshot.execution.input.clone(),
        last_event: 0,
        entered: 0,
        entered_at: snapshot.execution.started,
        retries: Vec::new(),
        attempt_id: 0,
        variables: test.variables.clone(),
        phase,
    }
}

/// Whether a state is run for the items of a Map.
pub fn is_within_map(machine: &StateMachine, inner: StateId) -> bool {
    let is_map = |id: &StateId| machine.state(*id).is_some_and(|state| matches!(state.kind, Kind::Map(_)));
    enclosing(machine, inner).iter().any(is_map)
}

/// The Maps and Parallels that a state lies in, from outside.
fn enclosing(machine: &StateMachine, inner: StateId) -> Vec<StateId> {
    let mut around = Vec::new();
    let mut inner = inner;
    while let Some(outer) =
        machine.states.iter().find(|state| levels(state).any(|start| reaches(machine, start, inner)))
    {
        around.insert(0, outer.id);
        inner = outer.id;
    }
    around
}

/// Where the levels of states directly within a state start.
fn levels(state: &State) -> impl Iterator<Item = StateId> + '_ {
    let (branches, processor) = match &state.kind {
        Kind::Parallel(parallel) => (parallel.branches.as_slice(), None),
        Kind::Map(map) => (&[][..], Some(map.processor.start_at)),
        Kind::Task(_) | Kind::Pass(_) | Kind::Wait(_) | Kind::Choice(_) | Kind::Succeed | Kind::Fail(_) => {
            (&[][..], None)
        }
    };
    branches.iter().map(|branch| branch.start_at).chain(processor)
}

/// Whether the level of states that starts at `start` has this state. Every state of a level is reached from its start.
fn reaches(machine: &StateMachine, start: StateId, wanted: StateId) -> bool {
    let (mut pending, mut visited) = (vec![start], std::collections::BTreeSet::new());
    while let Some(id) = pending.pop() {
        if id == wanted {
            return true;
        }
        if visited.insert(id)
            && let Some(state) = machine.state(id)
        {
            pending.extend(state.catch.iter().map(|catcher| catcher.next));
            pending.extend(state.kind.targets());
        }
    }
    false
}

impl Probe {
    pub fn context_object(&self, inputs: EvaluationInputs<'_>) -> Value {
        let mut members = self.test.context.clone();
        if let Some(item) = inputs.item {
            members.insert("Map".to_owned(), map_member(item));
        }
        Value::Object(members)
    }

    pub fn retries(&self) -> u64 {
        self.test.retries
    }

    pub fn test(&self) -> &StateTest {
        &self.test
    }
}

impl Run<'_> {
    /// Lets a test see a step of the tested state's data flow; nothing in an execution.
    pub fn note(&self, path: &ThreadPath, note: impl FnOnce(&mut Inspection)) {
        if let Some(probe) = &self.probe
            && probe.path == *path
            && let Ok(mut seen) = probe.seen.try_borrow_mut()
        {
            note(&mut seen);
        }
    }

    pub fn note_retrier(&self, at: usize) {
        self.note_handler(|seen| seen.retry_index = Some(at));
    }

    pub fn note_catcher(&mut self, index: usize, failure: &Failure) {
        self.note_handler(|seen| seen.catch_index = Some(index));
        if let Some(probe) = &mut self.probe {
            probe.caught = Some(failure.clone());
        }
    }

    /// The Retriers and Catchers of the states around the tested one count, too.
    fn note_handler(&self, note: impl FnOnce(&mut Inspection)) {
        if let Some(Ok(mut seen)) = self.probe.as_ref().map(|probe| probe.seen.try_borrow_mut()) {
            note(&mut seen);
        }
    }

    /// The mock's answer to a task.
    pub fn mock_answer(&self) -> Option<Answer<Payload>> {
        Some(match self.probe.as_ref()?.test.mock.clone()? {
            Mock::Result(output) => Answer::Succeeded { output },
            Mock::Error(failure) => Answer::Failed(failure),
        })
    }

    /// The mock in the place of the branches of a Parallel. In a test there always is one.
    pub fn mocked_branches(&self, then: Transition) -> Option<Outcome> {
        Some(match self.probe.as_ref()?.test.mock.clone()? {
            Mock::Result(result) => Outcome::Leave { result, then },
            Mock::Error(failure) => Outcome::Raise(Raised { from_branch: true, ..Raised::by_name(failure) }),
        })
    }

    /// The tested state, or one around it, hands on: with this the test ends.
    pub fn end_test(&mut self, path: &ThreadPath, output: Payload, then: Transition) {
        let variables = self.snapshot.frame(path).and_then(|frame| frame.variables.clone());
        let next = match then {
            Transition::End => None,
            Transition::Next(id) => self.machine.state(id).map(|state| state.name.to_string()),
        };
        if let Some(probe) = &mut self.probe {
            let own = match then {
                Transition::Next(id) if id == probe.test.state => Some(probe.name.to_string()),
                Transition::Next(_) | Transition::End => next,
            };
            let output = output.clone();
            probe.outcome = Some(match probe.caught.take() {
                None => TestOutcome::Succeeded { output, next: own },
                Some(failure) => TestOutcome::Caught { failure, output, next: own },
            });
        }
        self.note_handler(|seen| seen.variables = variables);
        self.close_test(Closing::Succeeded { output });
    }

    /// A Retrier would try again: with this the test ends.
    pub fn end_test_with_retry(&mut self, delay: i64, failure: &Failure) {
        // AWS: unverified what becomes of parts of a second.
        self.note_handler(|seen| seen.backoff_seconds = Some((delay / 1000).min(MOST_SECONDS as i64)));
        if let Some(probe) = &mut self.probe {
            probe.outcome = Some(TestOutcome::Retriable(failure.clone()));
        }
        self.close_test(Closing::Failed(failure.clone()));
    }

    /// The request makes no sense: with this the test ends.
    pub fn refuse_test(&mut self, text: &str) -> Outcome {
        if let Some(probe) = &mut self.probe {
            probe.outcome = Some(TestOutcome::Refused(text.to_owned()));
        }
        self.close_test(Closing::Failed(Failure::default()));
        Outcome::Done
    }
}
