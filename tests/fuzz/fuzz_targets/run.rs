//! Any definition that is valid, with any input: it waits or ends, within its limits.
#![no_main]

use interpreter::{Execution, Limits, Moment, Payload, Snapshot, Stimulus, Timestamp, Wait, step};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|texts: (&str, &str)| {
    let (definition, input) = texts;
    let Some(machine) = asl::parse(definition, asl::MachineType::Standard).machine else { return };
    if expressions::json::parse(input).is_err() {
        return;
    }
    let execution = Execution {
        arn: "arn:aws:states:us-east-1:123456789012:execution:m:e".into(),
        name: "e".into(),
        role_arn: "arn:aws:iam::123456789012:role/r".into(),
        machine_arn: "arn:aws:states:us-east-1:123456789012:stateMachine:m".into(),
        machine_name: "m".into(),
        region: "us-east-1".into(),
        started: Timestamp(0),
        input: Payload::from_json_text(input),
        limits: Limits { events: 2_000, ..Limits::STANDARD },
    };
    let token = |_: &Wait| String::from("token");
    let mut snapshot = Snapshot::begin(&machine, execution);
    let mut stimulus = Stimulus::Started;
    for now in 0..8 {
        let moment = Moment { now: Timestamp(now * 1_000), seed: [3; 32], token: &token };
        snapshot = step(&machine, snapshot, stimulus, &moment).snapshot;
        stimulus = Stimulus::Looked;
    }
});
