//! Single states, and distributed Maps, as a test of one state reads them.

use asl::{AnyService, Kind, MachineType, Parsed, Transition, invalid_definition_message};
use serde_json::{Value, json};

fn lone(state: &Value) -> Parsed {
    asl::parse_state(&state.to_string(), &AnyService)
}

fn refusal(parsed: &Parsed) -> Option<String> {
    invalid_definition_message(&parsed.diagnostics)
}

#[test]
fn a_single_state_may_hand_on_to_states_that_are_not_there() {
    let parsed = lone(&json!({"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage",
        "Parameters": {"QueueUrl": "q", "MessageBody": "b"}, "Next": "Then",
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}]}));
    let machine = parsed.machine.unwrap();
    let state = &machine.states[0];
    assert_eq!(&*state.name, asl::LONE_STATE);
    let name = |id| &*machine.state(id).unwrap().name;
    let Kind::Task(task) = &state.kind else { panic!() };
    let Transition::Next(next) = task.transition else { panic!() };
    assert_eq!((name(next), name(state.catch[0].next)), ("Then", "Caught"));
}

#[test]
fn the_target_of_a_single_state_may_have_the_name_of_a_state_inside_it() {
    let parsed = lone(&json!({"Type": "Map", "Next": "Inner", "ItemProcessor": {"StartAt": "Inner", "States": {
        "Inner": {"Type": "Pass", "End": true}}}}));
    let machine = parsed.machine.unwrap();
    let Kind::Map(map) = &machine.states[0].kind else { panic!() };
    let Transition::Next(next) = map.transition else { panic!() };
    assert_eq!(&*machine.state(next).unwrap().name, "Inner");
}

#[test]
fn a_single_state_is_refused_at_its_place_in_a_machine() {
    for (state, expected) in [
        (
            json!({"Type": "Parallel", "Branches": [], "End": true}),
            "Value cannot be empty at /States/StateName/Branches",
        ),
        (
            json!({"Type": "Map", "End": true, "ItemProcessor": {"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}}}}),
            "B at /States/StateName/ItemProcessor/States/A/Next",
        ),
        (json!({"Type": "Pass"}), "/States/StateName"),
    ] {
        let refused = refusal(&lone(&state)).unwrap_or_default();
        assert!(refused.contains(expected), "{refused}");
    }
    assert!(refusal(&asl::parse_state("no json", &AnyService)).is_some());
}

#[test]
fn a_distributed_map_is_read_for_a_test_only() {
    let state = json!({"Type": "Map", "End": true, "ItemProcessor": {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "I", "States": {"I": {"Type": "Pass", "End": true}}}});
    let machine = lone(&state).machine.unwrap();
    let Kind::Map(map) = &machine.states[0].kind else { panic!() };
    assert!(map.distribution.is_distributed);
    let whole = json!({"StartAt": "M", "States": {"M": state}}).to_string();
    assert!(asl::parse(&whole, MachineType::Standard).machine.is_none());
    assert!(asl::parse_for_test(&whole, &AnyService).machine.is_some());
}
