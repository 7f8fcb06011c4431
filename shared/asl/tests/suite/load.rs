//! Stored definitions: an earlier version accepted them, and they load as long as their structure is right.

use asl::{MachineType, State, load, parse};
use serde_json::{Value, json};

/// The states of a definition that is refused at creation, each with the error that makes it unusable.
fn loaded(definition: &Value) -> Vec<(String, Option<String>)> {
    let text = definition.to_string();
    assert_eq!(parse(&text, MachineType::Standard).machine, None, "{text}");
    let named = |state: &State| (state.name.to_string(), state.unusable.as_deref().map(str::to_owned));
    load(&text).unwrap().states.iter().map(|state| named(state)).collect()
}

#[test]
fn a_state_with_an_error_is_unusable_and_no_other() {
    let succeed = json!({"Type": "Succeed"});
    let states = loaded(&json!({"StartAt": "P", "States": {
        "P": {"Type": "Parallel", "Branches": [{"StartAt": "I", "States": {
            "I": {"Type": "Pass", "InputPath": "$.[", "Next": "J"}, "J": succeed}}], "Next": "Z"},
        "Z": succeed}}));
    let unusable: Vec<(&str, bool)> = states.iter().map(|(name, error)| (name.as_str(), error.is_some())).collect();
    assert_eq!(unusable, [("P", false), ("I", true), ("J", false), ("Z", false)]);
    assert_eq!(
        states[1].1.as_deref(),
        Some("Value must be a valid JSONPath. at /States/P/Branches[0]/States/I/InputPath")
    );
}

#[test]
fn every_part_that_holds_a_path_or_an_expression_may_have_become_invalid() {
    let inner = json!({"StartAt": "I", "States": {"I": {"Type": "Succeed"}}});
    let lambda = "arn:aws:lambda:us-east-1:123456789012:function:f";
    let query = json!({"QueryLanguage": "JSONata"});
    let states = [
        json!({"Type": "Pass", "OutputPath": "$.["}),
        json!({"Type": "Pass", "ResultPath": "$.a["}),
        json!({"Type": "Pass", "Parameters": {"a.$": "$.["}}),
        json!({"Type": "Pass", "Assign": {"a.$": "States.Nothing()"}}),
        json!({"Type": "Pass", "Output": "{% ( %}", "QueryLanguage": query["QueryLanguage"]}),
        json!({"Type": "Task", "Resource": "arn:aws:states:::nothing:atAll"}),
        json!({"Type": "Task", "Resource": lambda, "TimeoutSecondsPath": "$.["}),
        json!({"Type": "Task", "Resource": lambda, "ResultSelector": {"a.$": "$.["}}),
        json!({"Type": "Task", "Resource": lambda, "Catch": [{"ErrorEquals": ["E"], "ResultPath": "$.a[", "Next": "Z"}]}),
        json!({"Type": "Task", "Resource": lambda, "Retry": [{"ErrorEquals": ["E"], "IntervalSeconds": -1}]}),
        json!({"Type": "Wait", "SecondsPath": "$.["}),
        json!({"Type": "Map", "ItemsPath": "$.[", "ItemProcessor": inner}),
        json!({"Type": "Map", "MaxConcurrencyPath": "$.[", "ItemSelector": {"a.$": "$.["}, "ItemProcessor": inner}),
        json!({"Type": "Choice", "Choices": [{"Variable": "$.[", "IsNull": true, "Next": "Z"}], "Default": "Z"}),
        json!({"Type": "Fail", "ErrorPath": "$.["}),
    ];
    for mut state in states {
        if !["Choice", "Fail"].contains(&state["Type"].as_str().unwrap()) {
            state["Next"] = "Z".into();
        }
        let all = loaded(&json!({"StartAt": "S", "States": {"S": state, "Z": {"Type": "Succeed"}}}));
        let unusable: Vec<&str> =
            all.iter().filter(|(_, error)| error.is_some()).map(|(name, _)| name.as_str()).collect();
        assert_eq!(unusable, ["S"], "{state}");
    }
}

#[test]
fn a_rule_that_only_refuses_changes_nothing_of_what_is_stored() {
    let invoke = "arn:aws:states:::lambda:invoke";
    let states = [
        json!({"Type": "Pass", "FieldOfAnEarlierVersion": 1}),
        json!({"Type": "Pass", "Assign": {"not a name": 1}}),
        json!({"Type": "Task", "Resource": invoke, "Parameters": {"Function": "f"}}),
        json!({"Type": "Task", "Resource": invoke, "Parameters": {"FunctionName": "f"}, "TimeoutSeconds": 5,
            "HeartbeatSeconds": 5}),
    ];
    for mut state in states {
        state["End"] = true.into();
        let all = loaded(&json!({"StartAt": "S", "States": {"S": state}}));
        assert_eq!(all, [("S".to_owned(), None)], "{state}");
    }
}

#[test]
fn a_definition_without_errors_loads_as_it_was_created() {
    let text = include_str!("../../../../tests/workflows/order_pipeline.json");
    assert_eq!(load(text).unwrap(), parse(text, MachineType::Standard).machine.unwrap());
}

#[test]
fn a_structure_that_no_version_accepted_does_not_load() {
    for text in [
        "",
        "[]",
        "{",
        r#"{"StartAt":"A","States":{}}"#,
        r#"{"StartAt":"B","States":{"A":{"Type":"Succeed"}}}"#,
        r#"{"StartAt":"A","States":{"A":{"Type":"Sleep"}}}"#,
        r#"{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"B"}}}"#,
        r#"{"StartAt":"A","States":{"A":{"Type":"Map","End":true}}}"#,
    ] {
        assert!(load(text).is_err(), "{text}");
    }
}
