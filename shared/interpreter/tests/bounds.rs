//! Bounds that no golden case can show, since its files would be too deep or too large.

use asl::{MachineType, StateMachine};
use interpreter::{
    Answer, Detail, Event, Execution, Failure, Limits, Moment, Payload, Snapshot, Step, Stimulus, Timestamp, Wait, step,
};

fn begin(machine: &StateMachine, input: String, limits: Limits) -> Snapshot {
    let execution = Execution {
        arn: "arn:aws:states:us-east-1:123456789012:execution:m:e".into(),
        name: "e".into(),
        role_arn: "arn:aws:iam::123456789012:role/r".into(),
        machine_arn: "arn:aws:states:us-east-1:123456789012:stateMachine:m".into(),
        machine_name: "m".into(),
        region: "us-east-1".into(),
        started: Timestamp(0),
        input: Payload::from_json_text(input),
        limits,
    };
    Snapshot::begin(machine, execution)
}

fn tell(machine: &StateMachine, snapshot: Snapshot, stimulus: Stimulus) -> Step {
    let token = |_: &Wait| String::new();
    step(machine, snapshot, stimulus, &Moment { now: Timestamp(0), seed: [0; 32], token: &token })
}

const ONE_TASK: &str = r#"{"StartAt":"A","States":{"A":{"Type":"Task","End":true,
    "Resource":"arn:aws:lambda:us-east-1:123456789012:function:a"}}}"#;

/// The last event of an execution whose only task answers with that many nested arrays.
fn end_with(depth: usize) -> Option<Event<Payload>> {
    let machine = asl::parse(ONE_TASK, MachineType::Standard).machine?;
    let started = tell(&machine, begin(&machine, "{}".into(), Limits::STANDARD), Stimulus::Started).snapshot;
    let wait = started.unclaimed().next()?;
    let claim = Stimulus::TaskClaimed { wait: wait.clone(), owner: "me".into(), lease: Timestamp(1_000) };
    let claimed = tell(&machine, started, claim).snapshot;
    let output = Payload::from_json_text(format!("{}{}", "[".repeat(depth), "]".repeat(depth)));
    let returned = Stimulus::TaskReturned { wait, answer: Answer::Succeeded { output } };
    tell(&machine, claimed, returned).events.into_iter().last()
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
    assert_eq!(failure, Failure::new("States.Runtime", "The result nests deeper than 128 levels."));
}

const MAP: &str = r#"{"StartAt":"M","States":{"M":{"Type":"Map","ResultPath":null,"ResultSelector":{},"End":true,
    "ItemProcessor":{"StartAt":"P","States":{"P":{"Type":"Pass","End":true,
    "Result":"0123456789012345678901234567890123456789012345678901234567890123456789"}}}}}}"#;

/// The last event of a Map over that many items, each of 72 bytes of output, where a payload may have 100 bytes.
fn map_over(items: usize) -> Option<Detail<Payload>> {
    let machine = asl::parse(MAP, MachineType::Standard).machine?;
    let input = format!("[{}]", vec!["0"; items].join(","));
    let limits = Limits { payload_bytes: 100, ..Limits::STANDARD };
    let mut snapshot = begin(&machine, input, limits);
    let (mut stimulus, mut last) = (Stimulus::Started, None);
    while snapshot.is_open() {
        let step = tell(&machine, snapshot, stimulus);
        (snapshot, stimulus) = (step.snapshot, Stimulus::Looked);
        last = step.events.into_iter().last().or(last);
    }
    last.map(|event| event.detail)
}

#[test]
fn finished_iterations_hold_256_payloads_at_most() {
    let Some(Detail::ExecutionFailed(failure)) = map_over(356) else { panic!("the Map did not fail") };
    assert_eq!(failure.error.as_deref(), Some("States.DataLimitExceeded"));
    assert!(failure.cause.is_some_and(|cause| cause.starts_with("The state/task 'M' returned a result")));
}

#[test]
fn a_map_that_holds_less_is_joined() {
    // Its output is the input of 71 bytes; 35 outputs of 72 bytes together are more than one payload, and no matter.
    assert!(matches!(map_over(35), Some(Detail::ExecutionSucceeded { .. })));
}
