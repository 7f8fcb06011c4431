//! Definitions as machines: numbers in document order, defaults, and fields in their types.

use asl::{
    Catcher, Choice, DataFlow, Distribution, Fail, Integration, ItemBatcher, ItemFormat, ItemReader, Items, Jitter,
    Kind, MachineType, Parallel, Pass, Pattern, QueryLanguage, Resource, ResultPath, Retrier, Rule, Selection, State,
    StateId, StateMachine, Task, Template, Test, Text, Transition, ValueSource, Wait, WaitUntil, parse,
};
use serde_json::{Value, json};

fn machine(definition: &Value) -> StateMachine {
    let parsed = parse(&definition.to_string(), MachineType::Standard);
    assert_eq!(parsed.diagnostics, []);
    parsed.machine.unwrap()
}

fn state(state: &Value) -> State {
    let machine = machine(&json!({"StartAt": "S", "States": {"S": state}}));
    machine.states[0].as_ref().clone()
}

#[test]
fn numbers_states_in_document_order_through_all_nestings() {
    let leaf = json!({"Type": "Pass", "End": true});
    let machine = machine(&json!({"StartAt": "C", "TimeoutSeconds": 7, "Comment": "c", "States": {
        "A": {"Type": "Parallel", "Branches": [
            {"StartAt": "B", "States": {"B1": leaf, "B": {"Type": "Pass", "Next": "B1"}}},
            {"StartAt": "D", "States": {"D": leaf}}], "End": true},
        "C": {"Type": "Map", "Iterator": {"StartAt": "E", "States": {"E": leaf}}, "Next": "A"}
    }}));
    let names: Vec<&str> = machine.states.iter().map(|state| state.name.as_ref()).collect();
    assert_eq!(names, ["A", "B1", "B", "D", "C", "E"]);
    assert!(machine.states.iter().enumerate().all(|(place, state)| state.id.0 as usize == place));
    assert_eq!(machine.flow.start_at, StateId(4));
    assert_eq!((machine.timeout_seconds, machine.comment.as_deref()), (Some(7), Some("c")));
    let Kind::Parallel(parallel) = &machine.states[0].kind else { panic!() };
    assert_eq!(parallel.branches.iter().map(|branch| branch.start_at.0).collect::<Vec<_>>(), [2, 3]);
    let Kind::Map(map) = &machine.states[4].kind else { panic!() };
    assert_eq!((map.processor.start_at, map.transition), (StateId(5), Transition::Next(StateId(0))));
    assert_eq!((&map.max_concurrency, &map.items), (&ValueSource::Literal(0), &Items::Path(Selection::Everything)));
    assert_eq!(machine.state(StateId(6)), None);
}

#[test]
fn fills_in_the_defaults_of_a_retrier() {
    let state = state(&json!({"Type": "Map", "ItemProcessor": {"StartAt": "I", "States": {"I": {"Type": "Succeed"}}},
        "Retry": [{"ErrorEquals": ["A"]}], "End": true}));
    let retrier = &state.retry[0];
    assert_eq!((retrier.interval_seconds, retrier.max_attempts, retrier.backoff_rate), (1, 3, 2.0));
    assert_eq!((retrier.max_delay_seconds, retrier.jitter), (None, Jitter::None));
}

#[test]
fn keeps_parameters_of_a_map_as_its_item_selector() {
    let state = state(&json!({"Type": "Map", "Iterator": {"StartAt": "I", "States": {"I": {"Type": "Succeed"}}},
        "Parameters": {"a": 1}, "End": true}));
    let Kind::Map(map) = &state.kind else { panic!() };
    assert!(map.item_selector.is_some());
    assert_eq!(state.data.arguments, None);
}

#[test]
fn tells_null_paths_from_absent_ones() {
    let none = state(&json!({"Type": "Pass", "InputPath": null, "OutputPath": null, "ResultPath": null, "End": true}));
    assert_eq!((&none.data.input_path, &none.data.output_path), (&Selection::Nothing, &Selection::Nothing));
    assert_eq!(none.data.result_path, ResultPath::Discard);
    let all = state(&json!({"Type": "Pass", "InputPath": "$", "ResultPath": "$", "Result": null, "End": true}));
    assert_eq!((&all.data.input_path, &all.data.result_path), (&Selection::Everything, &ResultPath::Replace));
    let Kind::Pass(pass) = &all.kind else { panic!() };
    assert_eq!(pass.result, Some(Value::Null));
    let some = state(&json!({"Type": "Pass", "InputPath": "$.a", "ResultPath": "$.b", "End": true}));
    assert!(matches!(some.data.input_path, Selection::At(path) if path.text() == "$.a"));
    assert!(matches!(some.data.result_path, ResultPath::At(path) if path.text() == "$.b"));
}

#[test]
fn takes_the_resource_of_a_task_apart() {
    let arn = "arn:aws-cn:states:::aws-sdk:s3:getObject.waitForTaskToken";
    let state = state(&json!({"Type": "Task", "Resource": arn, "Parameters": {}, "TimeoutSeconds": 9,
        "HeartbeatSecondsPath": "$.h", "End": true}));
    let Kind::Task(task) = &state.kind else { panic!() };
    let integration = Integration {
        arn: arn.to_owned(),
        service: "aws-sdk:s3".to_owned(),
        action: "getObject".to_owned(),
        pattern: Pattern::WaitForTaskToken,
    };
    assert_eq!(integration.resource(), "getObject.waitForTaskToken");
    assert_eq!(task.resource, Resource::Integration(integration));
    assert_eq!(task.timeout, Some(ValueSource::Literal(9)));
    assert!(matches!(&task.heartbeat, Some(ValueSource::Path(path)) if path.text() == "$.h"));
}

#[test]
fn reads_times_and_texts() {
    let wait = state(&json!({"Type": "Wait", "Timestamp": "1970-01-01T01:00:05+01:00", "End": true}));
    let Kind::Wait(wait) = wait.kind else { panic!() };
    assert!(
        matches!(wait.until, WaitUntil::Timestamp(ValueSource::Literal(time)) if time.floor_milliseconds() == 5_000)
    );
    let fail = state(&json!({"Type": "Fail", "Error": "E", "CausePath": "$.c"}));
    let Kind::Fail(fail) = fail.kind else { panic!() };
    assert_eq!(fail.error, Some(Text::Literal("E".to_owned())));
    assert!(matches!(fail.cause, Some(Text::From(_))));
}

fn jsonata(mut fields: Value) -> State {
    fields["QueryLanguage"] = "JSONata".into();
    state(&fields)
}

#[test]
fn fills_in_the_fields_of_jsonata_and_leaves_the_others_at_their_defaults() {
    let task = jsonata(json!({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke",
        "Arguments": {"FunctionName": "{% $states.input.f %}"}, "Assign": {"a": "{% $states.result.b %}"},
        "Output": "{% $states.result %}", "TimeoutSeconds": "{% 5 %}", "HeartbeatSeconds": 2,
        "Credentials": "{% $states.input.role %}", "End": true}));
    assert_eq!(task.query_language, QueryLanguage::Jsonata);
    assert_eq!((&task.data.input_path, &task.data.output_path), (&Selection::Everything, &Selection::Everything));
    assert_eq!((&task.data.result_path, &task.data.result_selector), (&ResultPath::Replace, &None));
    assert!(matches!(task.data.arguments, Some(Template::Jsonata(_))));
    assert!(matches!(task.data.assign, Some(Template::Jsonata(_))));
    assert!(task.data.output.is_some());
    let Kind::Task(task) = task.kind else { panic!() };
    assert!(matches!(task.timeout, Some(ValueSource::Jsonata(five)) if five.text() == "5"));
    assert_eq!(task.heartbeat, Some(ValueSource::Literal(2)));
    assert!(matches!(task.credentials, Some(Template::Jsonata(_))));
}

#[test]
fn reads_a_map_in_jsonata() {
    let processor = json!({"StartAt": "I", "States": {"I": {"Type": "Pass", "Parameters": {}, "End": true}}});
    let map = jsonata(json!({"Type": "Map", "Items": [1, "{% 2 %}"], "ItemSelector": {"a": "{% 3 %}"},
        "MaxConcurrency": "{% 4 %}", "ToleratedFailureCount": "{% 5 %}", "ToleratedFailurePercentage": "{% 6.5 %}",
        "ItemProcessor": processor, "End": true}));
    let Kind::Map(map) = map.kind else { panic!() };
    assert!(matches!(map.items, Items::Jsonata(_)));
    assert!(matches!(map.item_selector, Some(Template::Jsonata(_))));
    assert!(matches!(map.max_concurrency, ValueSource::Jsonata(_)));
    assert!(matches!(map.tolerated_failure_count, Some(ValueSource::Jsonata(_))));
    assert!(matches!(map.tolerated_failure_percentage, Some(ValueSource::Jsonata(_))));
    assert!(!map.has_distributed_fields);
    let plain = jsonata(json!({"Type": "Map", "ItemProcessor": processor, "ItemBatcher": {}, "End": true}));
    let Kind::Map(plain) = plain.kind else { panic!() };
    assert_eq!((plain.items, plain.has_distributed_fields), (Items::Path(Selection::Everything), true));
}

#[test]
fn reads_waits_choices_failures_and_catchers_in_jsonata() {
    let wait = jsonata(json!({"Type": "Wait", "Seconds": "{% 1 %}", "End": true}));
    assert!(matches!(wait.kind, Kind::Wait(wait) if matches!(wait.until, WaitUntil::Seconds(ValueSource::Jsonata(_)))));
    let wait = jsonata(json!({"Type": "Wait", "Timestamp": "{% $now() %}", "End": true}));
    assert!(
        matches!(wait.kind, Kind::Wait(wait) if matches!(wait.until, WaitUntil::Timestamp(ValueSource::Jsonata(_))))
    );
    let fail = jsonata(json!({"Type": "Fail", "Error": "E", "Cause": "{% 'c' %}"}));
    let Kind::Fail(fail) = fail.kind else { panic!() };
    assert_eq!(fail.error, Some(Text::Literal("E".to_owned())));
    assert!(matches!(fail.cause, Some(Text::Jsonata(_))));

    let machine = machine(&json!({"QueryLanguage": "JSONata", "StartAt": "C", "States": {
        "C": {"Type": "Choice", "Output": "{% 1 %}", "Assign": {"a": 1}, "Choices": [
            {"Condition": "{% $states.input.b %}", "Output": "{% 2 %}", "Next": "P"},
            {"Condition": true, "Assign": {"a": 2}, "Next": "P"}], "Default": "P"},
        "P": {"Type": "Parallel", "Branches": [{"StartAt": "X", "States": {"X": {"Type": "Succeed"}}}],
            "Catch": [{"ErrorEquals": ["States.ALL"], "Output": "{% $states.errorOutput %}", "Next": "Z"}], "Next": "Z"},
        "Z": {"Type": "Succeed", "Output": {"done": true}}}}));
    assert!(machine.states[0].data.output.is_some() && machine.states[0].data.assign.is_some());
    let Kind::Choice(choice) = &machine.states[0].kind else { panic!() };
    assert!(matches!(choice.rules[0].test, Test::Jsonata(_)) && choice.rules[0].output.is_some());
    assert_eq!(choice.rules[1].test, Test::Always(true));
    assert!(choice.rules[1].assign.is_some());
    assert!(machine.states[1].catch[0].output.is_some());
    assert!(machine.states[3].data.output.is_some());
}

/// Every struct is taken apart field by field: a field that is new has to be given here, in a definition that only the
/// tables of fields make valid, and has to arrive.
#[test]
fn every_field_of_a_task_and_its_state_arrives() {
    let state = machine(&json!({"StartAt": "T", "States": {"Z": {"Type": "Succeed"}, "T": {
        "Type": "Task", "Comment": "c", "QueryLanguage": "JSONPath", "InputPath": "$.i", "Parameters": {"FunctionName": "f"},
        "ResultSelector": {"a": 1}, "ResultPath": "$.r", "Assign": {"v": 1}, "OutputPath": "$.o",
        "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", "TimeoutSeconds": 9, "HeartbeatSecondsPath": "$.h",
        "Credentials": {"RoleArn": "r"}, "Next": "Z",
        "Retry": [{"Comment": "c", "ErrorEquals": ["E"], "IntervalSeconds": 2, "MaxAttempts": 4, "BackoffRate": 1.5,
            "MaxDelaySeconds": 60, "JitterStrategy": "FULL"}],
        "Catch": [{"Comment": "c", "ErrorEquals": ["E"], "ResultPath": "$.e", "Assign": {"w": 1}, "Next": "Z"}]}}}));
    let StateMachine { comment: _, query_language: _, timeout_seconds: _, flow: _, states, evaluates_jsonata: _ } =
        state;
    let State { id, name, comment, query_language, unusable, data, retry, catch, kind } = states[1].as_ref().clone();
    assert_eq!(unusable, None);
    assert_eq!((id.0, &*name, comment.as_deref(), query_language), (1, "T", Some("c"), QueryLanguage::JsonPath));
    let DataFlow { input_path, arguments, result_selector, result_path, assign, output_path, output } = data;
    assert!(matches!((input_path, output_path), (Selection::At(_), Selection::At(_))));
    assert!(arguments.is_some() && result_selector.is_some() && assign.is_some() && output.is_none());
    assert!(matches!(result_path, ResultPath::At(_)));
    let Retrier { error_equals, interval_seconds, max_attempts, backoff_rate, max_delay_seconds, jitter } = &retry[0];
    assert_eq!((error_equals.as_slice(), *interval_seconds, *max_attempts), (&["E".to_owned()][..], 2, 4));
    assert_eq!((*backoff_rate, *max_delay_seconds, *jitter), (1.5, Some(60), Jitter::Full));
    let Catcher { error_equals, result_path, assign, output, next } = &catch[0];
    assert!(
        error_equals.len() == 1 && matches!(result_path, ResultPath::At(_)) && assign.is_some() && output.is_none()
    );
    assert_eq!(next.0, 0);
    let Kind::Task(Task { resource, timeout, heartbeat, credentials, transition }) = kind else { panic!() };
    assert!(matches!(resource, Resource::Integration(_)) && timeout.is_some() && heartbeat.is_some());
    assert!(credentials.is_some() && transition == Transition::Next(StateId(0)));
}

/// The same for the fields of the other types.
#[test]
fn every_field_of_the_other_types_arrives() {
    let level = json!({"Comment": "c", "StartAt": "I", "States": {"I": {"Type": "Succeed"}}});
    let map = state(
        &json!({"Type": "Map", "ItemsPath": "$.i", "ItemSelector": {"a": 1}, "MaxConcurrency": 2, "Label": "l",
        "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, "StartAt": "I", "States": {"I": {"Type": "Succeed"}}},
        "ItemReader": {"Resource": "arn:aws:states:::s3:getObject", "Parameters": {}, "ReaderConfig": {"InputType": "CSV",
            "CSVHeaderLocation": "GIVEN", "CSVHeaders": ["h"], "CSVDelimiter": "TAB", "MaxItems": 7}},
        "ItemBatcher": {"MaxItemsPerBatch": 5, "MaxInputBytesPerBatchPath": "$.b", "BatchInput": {"c": 1}},
        "ResultWriter": {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {}}, "ToleratedFailureCount": 3,
        "ToleratedFailurePercentage": 4.5, "End": true}),
    );
    let Kind::Map(map) = map.kind else { panic!() };
    let asl::Map {
        items,
        item_selector,
        processor,
        has_distributed_fields,
        distribution,
        max_concurrency,
        tolerated_failure_count,
        tolerated_failure_percentage,
        transition,
    } = map;
    assert!(matches!(items, Items::Path(Selection::At(_))) && item_selector.is_some() && has_distributed_fields);
    assert_eq!(
        (processor.start_at, transition, max_concurrency),
        (StateId(1), Transition::End, ValueSource::Literal(2))
    );
    assert!(tolerated_failure_count.is_some() && tolerated_failure_percentage.is_some());
    let Distribution { is_distributed, reader, batcher, has_writer } = *distribution;
    let ItemReader { arguments, format, items_pointer, max_items } = reader.unwrap();
    assert!(!is_distributed && has_writer && arguments.is_some() && items_pointer.is_none());
    assert_eq!(format, ItemFormat::Csv { delimiter: '\t', headers: Some(vec!["h".to_owned()]) });
    assert_eq!(max_items, Some(ValueSource::Literal(7)));
    let ItemBatcher { max_items, max_bytes, input } = batcher.unwrap();
    assert!(matches!(max_bytes, Some(ValueSource::Path(_))) && input.is_some());
    assert_eq!(max_items, Some(ValueSource::Literal(5)));

    let parallel = state(&json!({"Type": "Parallel", "Branches": [level], "End": true}));
    let Kind::Parallel(Parallel { branches, transition }) = parallel.kind else { panic!() };
    assert_eq!((branches.len(), transition), (1, Transition::End));
    let pass = state(&json!({"Type": "Pass", "Result": 1, "End": true}));
    let Kind::Pass(Pass { result, transition }) = pass.kind else { panic!() };
    assert_eq!((result, transition), (Some(json!(1)), Transition::End));
    let wait = state(&json!({"Type": "Wait", "SecondsPath": "$.s", "End": true}));
    let Kind::Wait(Wait { until, transition }) = wait.kind else { panic!() };
    assert!(matches!(until, WaitUntil::Seconds(ValueSource::Path(_))) && transition == Transition::End);
    let fail = state(&json!({"Type": "Fail", "Error": "E", "CausePath": "$.c"}));
    let Kind::Fail(Fail { error, cause }) = fail.kind else { panic!() };
    assert!(error.is_some() && cause.is_some());
    let choice = machine(&json!({"StartAt": "C", "States": {"Z": {"Type": "Succeed"}, "C": {"Type": "Choice",
        "Choices": [{"Comment": "c", "Variable": "$.a", "IsNull": true, "Assign": {"v": 1}, "Next": "Z"}], "Default": "Z"}}}));
    let Kind::Choice(Choice { rules, default }) = choice.states[1].kind.clone() else { panic!() };
    let Rule { test, assign, output, next } = rules[0].clone();
    assert!(matches!(test, Test::Compare(_)) && assign.is_some() && output.is_none());
    assert_eq!((next, default), (StateId(0), Some(StateId(0))));
}
