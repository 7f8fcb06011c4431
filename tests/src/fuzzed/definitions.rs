//! Definitions, and what runs through them: machines or diagnostics, and runs that wait or end with a sound history.

use std::sync::LazyLock;

use asl::source::{self, Format};
use asl::{MachineType, StateMachine};
use interpreter::{
    ActivityTarget, Answer, Event, Execution, Limits, Moment, Payload, Snapshot, Stimulus, Timestamp, Wait, step,
};
use serde_json::{Value, json};

use super::{set, two_texts};

/// Events of a history: few, so that endless machines end soon.
const EVENTS: u64 = 400;
/// The stimuli given to an execution before it is left alone.
const STIMULI: i64 = 32;

/// A text as a definition, as the service and as the command line read it.
pub(super) fn definition(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for machine_type in [MachineType::Standard, MachineType::Express] {
        let parsed = asl::parse(text, machine_type);
        assert_eq!(parsed.machine.is_none(), asl::invalid_definition_message(&parsed.diagnostics).is_some());
    }
    for format in [Format::Json, Format::Yaml] {
        let Ok(source) = source::read(text, format) else { continue };
        for diagnostic in source.check(MachineType::Standard) {
            if let Some(span) = source.span_of(&diagnostic) {
                assert!(text.get(span).is_some(), "{diagnostic:?} points beside the text");
            }
        }
    }
}

/// Any machine with any input, which is also what every task answers.
pub(super) fn machine(bytes: &[u8]) {
    let Some((definition, input)) = two_texts(bytes) else { return };
    if let Some(machine) = asl::parse(definition, MachineType::Standard).machine {
        run(&machine, input);
    }
}

/// Any input through machines that look at every part of it.
pub(super) fn input(bytes: &[u8]) {
    let Ok(input) = std::str::from_utf8(bytes) else { return };
    MACHINES.iter().for_each(|machine| run(machine, input));
}

/// Machines of one state that makes something of its input.
static MACHINES: LazyLock<Vec<StateMachine>> = LazyLock::new(|| {
    let pass = |fields: Value| {
        let mut state = json!({"Type": "Pass", "End": true});
        fields.as_object().into_iter().flatten().for_each(|(name, field)| set(&mut state, name, field.clone()));
        state
    };
    let rules = ["NumericLessThan", "StringGreaterThan", "TimestampLessThanEquals", "BooleanEquals"];
    let literals = [json!(1), json!("b"), json!("2020-01-01T00:00:00Z"), json!(true)];
    let rules: Vec<_> = rules
        .iter()
        .zip(literals)
        .map(|(rule, literal)| json!({"Variable": "$.a", *rule: literal, "Next": "E"}))
        .collect();
    let item = json!({"StartAt": "I", "States": {"I": {"Type": "Pass", "Parameters": {"v.$": "$.a"}, "End": true}}});
    let other = json!({"StartAt": "J", "States": {"J": {"Type": "Pass", "InputPath": "$..b", "End": true}}});
    let task = json!({"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f", "End": true,
        "TimeoutSecondsPath": "$.a", "HeartbeatSecondsPath": "$.b", "ResultSelector": {"r.$": "$..a"}, "ResultPath": "$.a[0].b",
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.b.c", "Next": "E"}]});
    let states = [
        pass(json!({"InputPath": "$.a", "OutputPath": "$[0]"})),
        pass(
            json!({"Parameters": {"a.$": "$..a", "b.$": "States.JsonMerge($.a, $.b, false)", "c.$": "States.Format('{} {}', $, $.a)"}}),
        ),
        pass(json!({"Result": 1, "ResultPath": "$.a.b[1].c"})),
        pass(json!({"Assign": {"v.$": "$.a", "w.$": "States.StringToJson($.b)"}, "Parameters": {"v.$": "$v"}})),
        pass(json!({"QueryLanguage": "JSONata", "Assign": {"v": "{% $states.input.a %}"},
            "Output": "{% $merge([$states.input, {'a': $string($states.input), 'n': $sum($states.input.**.b)}]) %}"})),
        json!({"Type": "Choice", "Choices": rules, "Default": "E"}),
        json!({"Type": "Choice", "Choices": [{"And": [{"Variable": "$.a[0].b", "IsPresent": true},
            {"Not": {"Variable": "$.b", "StringMatches": "*a*"}}], "Next": "E"}], "Default": "E"}),
        json!({"Type": "Wait", "SecondsPath": "$.a", "End": true}),
        json!({"Type": "Wait", "TimestampPath": "$.a", "End": true}),
        json!({"Type": "Map", "ItemsPath": "$.a", "MaxConcurrencyPath": "$.b", "Iterator": item, "ResultPath": "$.b", "End": true}),
        json!({"Type": "Map", "QueryLanguage": "JSONata", "Items": "{% $states.input.a %}", "ItemProcessor": item, "End": true}),
        json!({"Type": "Parallel", "Branches": [item, other], "ResultSelector": {"r.$": "$[0].v"}, "End": true}),
        json!({"Type": "Fail", "ErrorPath": "$.a", "CausePath": "States.JsonToString($.b)"}),
        task,
    ];
    let machine = |state: &Value| {
        let mut states = json!({"S": state});
        // The way out only where something leads to it.
        if state.to_string().contains(r#""E""#) {
            set(&mut states, "E", json!({"Type": "Succeed"}));
        }
        asl::parse(&json!({"StartAt": "S", "States": states}).to_string(), MachineType::Standard).machine
    };
    let machines: Vec<StateMachine> = states.iter().filter_map(machine).collect();
    let refused: Vec<_> = states.iter().filter(|state| machine(state).is_none()).collect();
    assert!(refused.is_empty(), "no machines: {refused:#?}");
    machines
});

/// Runs a machine until it ends, waits for time only, or has been told enough.
fn run(machine: &StateMachine, input: &str) {
    if expressions::json::parse(input).is_err() {
        return;
    }
    let token = |_: &Wait| String::from("token");
    let (mut snapshot, mut stimulus) = (begin(machine, input), Stimulus::Started);
    for round in 0..STIMULI {
        let moment = Moment {
            now: Timestamp(round * 1_000),
            seed: [3; 32],
            token: &token,
            activity: &ActivityTarget::none,
            work: interpreter::Work::USUAL,
        };
        let last = snapshot.last_event;
        let step = step(machine, snapshot, stimulus, &moment);
        check(last, &step.events);
        snapshot = step.snapshot;
        assert!(snapshot.last_event <= EVENTS);
        if !snapshot.is_open() {
            return;
        }
        stimulus = next(&snapshot, input);
    }
}

pub(super) fn begin(machine: &StateMachine, input: &str) -> Snapshot {
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

/// The next stimulus that a caller of tasks would give.
fn next(snapshot: &Snapshot, input: &str) -> Stimulus {
    if let Some(wait) = snapshot.unclaimed().next() {
        return Stimulus::TaskClaimed {
            wait,
            owner: "somebody".into(),
            begins: Timestamp(0),
            lease: Timestamp(i64::MAX / 2),
        };
    }
    match snapshot.claimed().next() {
        Some((wait, _)) => {
            let answer = Answer::Succeeded { output: Payload::from_json_text(input) };
            Stimulus::TaskReturned { wait, answer }
        }
        None => Stimulus::Tick,
    }
}

fn check(last: u64, events: &[Event<Payload>]) {
    for (id, event) in (last + 1..).zip(events) {
        assert_eq!(event.id, id, "{events:#?}");
        assert!(event.previous < id, "{events:#?}");
    }
}
