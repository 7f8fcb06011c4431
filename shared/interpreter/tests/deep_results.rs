//! A task's result that nests deeper than anything later could read: it fails the task, instead of being lost.
//!
//! Not a golden case, since no JSON file can hold such a result.

use asl::MachineType;
use interpreter::{
    Answer, Detail, Event, Execution, Limits, Moment, Payload, Snapshot, Stimulus, Timestamp, Wait, step,
};

const DEFINITION: &str = r#"{"StartAt":"A","States":{"A":{"Type":"Task","End":true,
    "Resource":"arn:aws:lambda:us-east-1:123456789012:function:a"}}}"#;

/// The last event of an execution whose only task answers with that many nested arrays.
fn end_with(depth: usize) -> Option<Event<Payload>> {
    let machine = asl::parse(DEFINITION, MachineType::Standard).machine?;
    let execution = Execution {
        arn: "arn:aws:states:us-east-1:123456789012:execution:m:e".into(),
        name: "e".into(),
        role_arn: "arn:aws:iam::123456789012:role/r".into(),
        machine_arn: "arn:aws:states:us-east-1:123456789012:stateMachine:m".into(),
        machine_name: "m".into(),
        region: "us-east-1".into(),
        started: Timestamp(0),
        input: Payload::from_json_text("{}"),
        limits: Limits::STANDARD,
    };
    let token = |_: &Wait| String::new();
    let moment = Moment { now: Timestamp(0), seed: [0; 32], token: &token };
    let started = step(&machine, Snapshot::begin(&machine, execution), Stimulus::Started, &moment).snapshot;
    let wait = started.unclaimed().next()?;
    let claim = Stimulus::TaskClaimed { wait: wait.clone(), owner: "me".into(), lease: Timestamp(1_000) };
    let claimed = step(&machine, started, claim, &moment).snapshot;
    let output = Payload::from_json_text(format!("{}{}", "[".repeat(depth), "]".repeat(depth)));
    let returned = Stimulus::TaskReturned { wait, answer: Answer::Succeeded { output } };
    step(&machine, claimed, returned, &moment).events.into_iter().last()
}

#[test]
fn a_result_of_128_levels_is_taken() {
    let end = end_with(128).map(|event| event.detail);
    assert!(matches!(end, Some(Detail::ExecutionSucceeded { .. })), "{end:?}");
}

#[test]
fn a_deeper_result_fails_the_task() {
    let Some(Detail::ExecutionFailed(failure)) = end_with(129).map(|event| event.detail) else {
        panic!("the execution did not fail");
    };
    assert_eq!(failure.error.as_deref(), Some("States.Runtime"));
    assert_eq!(failure.cause.as_deref(), Some("The result nests deeper than 128 levels."));
}
