//! Any valid machine, told anything in any order: never a panic, always an end, always a sound history. And what is left
//! of a valid definition after some damage is refused, or is such a machine.
//!
//! `PROPTEST_CASES` says how many of each are drawn (256 unless it is set). The engine's tests share `machines`
//! and `world`.

mod damage;
mod history;
mod machines;
mod world;

use std::collections::BTreeMap;

use asl::{MachineType, StateMachine};
use interpreter::{Closing, Frame, Payload, Snapshot, Step, Stimulus, ThreadPath, Timestamp};
use proptest::prelude::*;

use self::history::History;

/// Few, so that loops end.
const EVENTS: u64 = 400;

/// Threads as a reader knows them who is told only what each step changed.
#[derive(Default)]
struct Told(BTreeMap<ThreadPath, Frame<Payload>>);

impl Told {
    fn hear(&mut self, step: &Step) {
        let snapshot = &step.snapshot;
        for path in &step.changed {
            match snapshot.frame(path).or(snapshot.kept_frame(path)) {
                Some(frame) => _ = self.0.insert(path.clone(), frame.clone()),
                None => _ = self.0.remove(path),
            }
        }
        if !snapshot.is_open() && snapshot.kept().len() == 0 {
            self.0.clear();
        }
    }

    /// The threads of an execution that runs, or those that a redrive goes on with.
    fn knows(&self, snapshot: &Snapshot) -> bool {
        self.0.iter().eq(snapshot.frames().chain(snapshot.kept()))
    }
}

fn check_numbers(before: &Snapshot, step: &Step) {
    for (id, event) in (before.last_event + 1..).zip(&step.events) {
        assert_eq!(event.id, id, "ids without a gap");
        assert!(event.previous < id, "event {id} follows {}", event.previous);
    }
    assert_eq!(step.snapshot.last_event, before.last_event + step.events.len() as u64);
    assert!(step.snapshot.last_event <= EVENTS, "{} events", step.snapshot.last_event);
    assert!(step.snapshot.last_attempt_id >= before.last_attempt_id, "numbers of waits are not used twice");
}

/// The same again: nothing happens, unless a long run was cut and goes on.
fn check_repetition(machine: &StateMachine, stimulus: &Stimulus, now: Timestamp, step: &Step) {
    // What is redriven may fail at once, and can be redriven again then.
    if step.snapshot.ready().next().is_some() || *stimulus == Stimulus::RedriveRequested {
        return;
    }
    let again = world::stepped(machine, step.snapshot.clone(), stimulus.clone(), now);
    assert!(again.events.is_empty(), "{stimulus:?} once more: {:#?}", again.events);
    assert_eq!(again.snapshot, step.snapshot, "{stimulus:?} once more");
}

fn check_replay(machine: &StateMachine, before: &Snapshot, stimulus: &Stimulus, now: Timestamp, step: &Step) {
    let replayed = world::stepped(machine, before.clone(), stimulus.clone(), now);
    assert_eq!(replayed.events, step.events);
    assert_eq!(replayed.snapshot, step.snapshot);
    assert_eq!(replayed.changed, step.changed);
}

fn check_waiting(snapshot: &Snapshot) {
    if snapshot.is_open() {
        assert!(snapshot.frame(&ThreadPath::root()).is_some(), "an open execution has its own thread");
        assert!(snapshot.due().is_some(), "time ends it at last");
    } else {
        assert_eq!(snapshot.frames().count(), 0, "a closed execution has no threads");
        let kept = snapshot.kept().len();
        assert!(kept == 0 || snapshot.kept_frame(&ThreadPath::root()).is_some(), "what is kept has its own thread");
        match &snapshot.closed {
            Some((Closing::Succeeded { .. }, _)) => assert_eq!(kept, 0, "what succeeded is not redriven"),
            // The history is full, or nearly.
            _ if snapshot.last_event >= EVENTS => {}
            _ => assert!(kept > 0, "it failed and cannot be redriven"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_machine_told_anything_ends_with_a_sound_history(
        machine in world::machine(),
        actions in world::actions(),
    ) {
        let begin = world::begin(&machine, machines::input(), EVENTS);
        let mut told = Told::default();
        told.0.extend(begin.frames().map(|(path, frame)| (path.clone(), frame.clone())));
        let mut history = History::of(&machine);
        let end = world::play(&machine, begin, &actions, |before, stimulus, now, step| {
            check_numbers(before, step);
            check_replay(&machine, before, stimulus, now, step);
            check_repetition(&machine, stimulus, now, step);
            check_waiting(&step.snapshot);
            if *stimulus == Stimulus::RedriveRequested && !before.is_open() {
                history.redrive(before);
            }
            history.hear(step, now);
            told.hear(step);
            assert!(told.knows(&step.snapshot), "a change that was not told after {stimulus:?}");
        });
        prop_assert!(!end.is_open(), "it does not end");
        history.end(&end);
    }

    #[test]
    fn what_is_left_of_a_damaged_definition_is_refused_or_ends(
        definition in machines::definition(),
        damages in damage::damages(),
        actions in world::actions(),
    ) {
        let text = damage::damaged(definition, &damages).to_string();
        let Some(machine) = asl::parse(&text, MachineType::Standard).machine else { return Ok(()) };
        let begin = world::begin(&machine, machines::input(), EVENTS);
        let end = world::play(&machine, begin, &actions, |before, _, _, step| {
            check_numbers(before, step);
            check_waiting(&step.snapshot);
        });
        prop_assert!(!end.is_open(), "it does not end: {text}");
    }
}
