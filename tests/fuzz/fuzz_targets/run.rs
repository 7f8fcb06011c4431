//! Any definition that is valid, with any input and any answers: it waits or ends, within its limits, and its history is
//! well linked.
//!
//! A text is a definition and, after a zero byte, an input; so the definitions under `tests/golden` are seeds.
#![no_main]

use interpreter::{Answer, Event, Execution, Limits, Moment, Payload, Snapshot, Stimulus, Timestamp, Wait, step};
use libfuzzer_sys::fuzz_target;

const EVENTS: u64 = 2_000;

fn begin(machine: &asl::StateMachine, input: &str) -> Snapshot {
    let execution = Execution {
        arn: "arn:aws:states:us-east-1:123456789012:execution:m:e".into(),
        name: "e".into(),
        role_arn: "arn:aws:iam::123456789012:role/r".into(),
        machine_arn: "arn:aws:states:us-east-1:123456789012:stateMachine:m".into(),
        machine_name: "m".into(),
        region: "us-east-1".into(),
        started: Timestamp(0),
        input: Payload::from_json_text(input),
        limits: Limits { events: EVENTS, ..Limits::STANDARD },
    };
    Snapshot::begin(machine, execution)
}

/// What somebody who makes the calls would say next.
fn next(snapshot: &Snapshot, input: &str) -> Stimulus {
    if let Some(wait) = snapshot.unclaimed().next() {
        return Stimulus::TaskClaimed { wait, owner: "somebody".into(), lease: Timestamp(i64::MAX / 2) };
    }
    match snapshot.claimed().next() {
        Some((wait, _)) => {
            let answer = Answer::Succeeded { output: Payload::from_json_text(input) };
            Stimulus::TaskReturned { wait, answer }
        }
        None => Stimulus::Looked,
    }
}

fn check(last: u64, events: &[Event<Payload>]) {
    for (id, event) in (last + 1..).zip(events) {
        assert_eq!(event.id, id);
        assert!(event.previous < id);
    }
}

fuzz_target!(|text: &str| {
    let (definition, input) = text.split_once('\0').unwrap_or((text, "{}"));
    let Some(machine) = asl::parse(definition, asl::MachineType::Standard).machine else { return };
    if expressions::json::parse(input).is_err() {
        return;
    }
    let token = |_: &Wait| String::from("token");
    let (mut snapshot, mut stimulus) = (begin(&machine, input), Stimulus::Started);
    for now in 0..32 {
        let moment = Moment { now: Timestamp(now * 1_000), seed: [3; 32], token: &token };
        let last = snapshot.last_event;
        let step = step(&machine, snapshot, stimulus, &moment);
        check(last, &step.events);
        snapshot = step.snapshot;
        assert!(snapshot.last_event <= EVENTS);
        stimulus = next(&snapshot, input);
    }
});
