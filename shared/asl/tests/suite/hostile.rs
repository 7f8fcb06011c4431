//! Definitions meant to do harm, and definitions damaged at random: diagnostics, never a panic, in bounded time.

use asl::source::{self, Format};
use asl::{MachineType, Severity, load, parse};
use proptest::prelude::*;
use serde_json::{Value, json};

fn assert_refused(text: &str) {
    let parsed = parse(text, MachineType::Standard);
    assert!(parsed.machine.is_none());
    assert!(parsed.diagnostics.iter().any(|one| one.severity == Severity::Error));
}

#[test]
fn refuses_nesting_of_ten_thousand_levels() {
    assert_refused(&"[".repeat(10_000));
    assert_refused(&format!("{}{}", r#"{"States":"#.repeat(10_000), "}".repeat(10_000)));
    let condition = format!("{}1{}", r#"{"Not":"#.repeat(10_000), "}".repeat(10_000));
    assert_refused(&format!(r#"{{"StartAt":"A","States":{{"A":{{"Type":"Choice","Choices":[{condition}]}}}}}}"#));
}

#[test]
fn bounds_what_is_said_about_many_faults_in_places_with_long_names() {
    let faults: serde_json::Map<String, Value> = (0..20_000).map(|i| (format!("f{i}"), Value::Null)).collect();
    let mut state = faults;
    state.insert("Type".into(), "Pass".into());
    let name = "n".repeat(300_000);
    let text = json!({"StartAt": name, "States": {name.clone(): state}}).to_string();
    let parsed = parse(&text, MachineType::Standard);
    assert!(parsed.diagnostics.len() < 20);
    assert!(parsed.diagnostics.iter().map(|one| one.wire_text().len()).sum::<usize>() < 4 << 20);
}

#[test]
fn reads_a_megabyte_of_states() {
    let mut states = serde_json::Map::new();
    for i in 0..20_000 {
        states.insert(format!("S{i}"), json!({"Type": "Pass", "Next": format!("S{}", i + 1)}));
    }
    states.insert("S20000".into(), json!({"Type": "Succeed"}));
    let parsed = parse(&json!({"StartAt": "S0", "States": states}).to_string(), MachineType::Standard);
    assert_eq!(parsed.machine.map(|machine| machine.states.len()), Some(20_001));
}

#[test]
fn looks_for_spelling_in_bounded_time() {
    let mut states = serde_json::Map::new();
    for i in 0..10_000 {
        states.insert(
            format!("AlmostTheSameName{i:05}"),
            json!({"Type": "Pass", "Next": format!("AlmostTheSameName{i:05}x")}),
        );
    }
    assert_refused(&json!({"StartAt": "AlmostTheSameName00000", "States": states}).to_string());
}

#[test]
fn refuses_aliases_that_multiply_and_depth_without_end() {
    let mut laughs = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for i in 1..12 {
        let list = format!("*a{}, ", i - 1).repeat(10);
        laughs.push_str(&format!("a{i}: &a{i} [{list}]\n"));
    }
    assert!(source::read(&laughs, Format::Yaml).is_err());
    assert!(source::read(&"[".repeat(10_000), Format::Yaml).is_err());
    assert!(source::read(&"- ".repeat(10_000), Format::Yaml).is_err());
    assert!(source::read("a: &a [*a]", Format::Yaml).is_err());
}

#[test]
fn reads_expressions_that_are_long_or_deep_in_bounded_time() {
    let machine = |expression: String| {
        let state = json!({"Type": "Pass", "QueryLanguage": "JSONata", "Output": expression, "End": true});
        json!({"StartAt": "A", "States": {"A": state}}).to_string()
    };
    for (open, close) in [("(", ")"), ("[", "]"), ("{'a':", "}"), ("-", ""), ("$f(", ")"), ("function(){", "}")] {
        let deep = format!("{{% {}1{} %}}", open.repeat(20_000), close.repeat(20_000));
        let parsed = parse(&machine(deep), MachineType::Standard);
        assert_eq!(parsed.machine.is_none(), parsed.diagnostics.iter().any(|one| one.severity == Severity::Error));
    }
    let long = format!("{{% {}1 %}}", "1 + ".repeat(50_000));
    parse(&machine(long), MachineType::Standard);
    assert_refused(&machine(format!("{{% {} %}}", vec!["name"; 50_000].join(" + "))));
}

#[test]
fn bounds_what_scopes_within_scopes_cost() {
    let assign: serde_json::Map<String, Value> = (0..2_000).map(|i| (format!("v{i}"), Value::Null)).collect();
    let mut level = json!({"StartAt": "Leaf", "States": {"Leaf": {"Type": "Pass", "Assign": assign, "End": true}}});
    for depth in 0..20 {
        level = json!({"StartAt": format!("P{depth}"), "States": {
            format!("P{depth}"): {"Type": "Parallel", "Assign": assign, "Branches": [level], "End": true}}});
    }
    let parsed = parse(&level.to_string(), MachineType::Standard);
    assert!(parsed.machine.is_none());
    assert!(parsed.diagnostics.len() <= 1_001);
}

/// A way through all states forth and back, on which each assigns a variable and reads that of the next.
#[test]
fn bounds_what_variables_cost() {
    let state = |i: usize| {
        let choices: Vec<Value> = [i + 1, i.saturating_sub(1), i * 7 % 5_000]
            .iter()
            .map(|next| json!({"Variable": format!("$v{next}"), "IsNull": true, "Next": format!("s{next}")}))
            .collect();
        json!({"Type": "Choice", "Choices": choices, "Default": "end", "Assign": {format!("v{i}"): 1}})
    };
    let mut states: serde_json::Map<String, Value> = (0..5_000).map(|i| (format!("s{i}"), state(i))).collect();
    states.insert("s5000".to_owned(), json!({"Type": "Succeed"}));
    states.insert("end".to_owned(), json!({"Type": "Succeed"}));
    let parsed = parse(&json!({"StartAt": "s0", "States": states}).to_string(), MachineType::Standard);
    assert!(parsed.machine.is_some());
    assert!((256..=1_000).contains(&parsed.diagnostics.len()), "{}", parsed.diagnostics.len());
}

/// A definition with something of everything.
fn definition() -> Value {
    json!({
        "StartAt": "T", "TimeoutSeconds": 100, "States": {
            "T": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "TimeoutSeconds": 5,
                "Parameters": {"FunctionName": "f", "Payload.$": "States.Format('{}', $.a)"}, "ResultPath": "$.r",
                "Retry": [{"ErrorEquals": ["A", "B"], "MaxDelaySeconds": 9}],
                "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "F", "Assign": {"e.$": "$.Error"}}], "Next": "M"},
            "M": {"Type": "Map", "ItemsPath": "$.items", "MaxConcurrency": 3, "ItemSelector": {"v.$": "$$.Map.Item.Value"},
                "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, "StartAt": "P", "States": {
                    "P": {"Type": "Parallel", "Branches": [
                        {"StartAt": "W", "States": {"W": {"Type": "Wait", "TimestampPath": "$.t", "End": true}}},
                        {"StartAt": "X", "States": {"X": {"Type": "Pass", "Result": [1, null], "End": true}}}], "End": true}}},
                "Next": "C"},
            "C": {"Type": "Choice", "Choices": [{"And": [{"Variable": "$.a", "IsPresent": true},
                {"Not": {"Variable": "$.b", "TimestampEquals": "2020-01-01T00:00:00Z"}}], "Next": "D"}], "Default": "F"},
            "D": {"Type": "Map", "ItemReader": {"Resource": "arn:aws:states:::s3:getObject",
                    "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"}},
                "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"}, "StartAt": "Y",
                    "States": {"Y": {"Type": "Succeed"}}}, "End": true},
            "F": {"Type": "Fail", "ErrorPath": "$.e", "Cause": "c"}
        }
    })
}

/// A definition with something of everything that JSONata has.
fn definition_in_jsonata() -> Value {
    json!({
        "QueryLanguage": "JSONata", "StartAt": "T", "States": {
            "T": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "TimeoutSeconds": "{% $states.input.t %}",
                "Arguments": {"FunctionName": "f", "Payload": ["{% $states.input %}", {"a": "{% $v %}"}]},
                "Credentials": {"RoleArn": "{% $states.input.r %}"}, "Assign": {"v": "{% $states.result.v %}"},
                "Output": "{% $merge([$states.input, $states.result]) %}",
                "Catch": [{"ErrorEquals": ["States.ALL"], "Output": "{% $states.errorOutput %}", "Assign": {"e": 1},
                    "Next": "F"}], "Next": "M"},
            "M": {"Type": "Map", "Items": [1, "{% 2 %}"], "MaxConcurrency": "{% 3 %}", "ItemSelector": {"v": "{% $v %}"},
                "ToleratedFailurePercentage": "{% 4 %}", "ItemProcessor": {"StartAt": "P", "States": {
                    "P": {"Type": "Parallel", "Arguments": "{% $states.input %}", "Branches": [
                        {"StartAt": "W", "States": {"W": {"Type": "Wait", "Timestamp": "{% $now() %}", "End": true}}},
                        {"StartAt": "X", "States": {"X": {"Type": "Pass", "Assign": {"w": 1}, "End": true}}}],
                        "End": true}}}, "Next": "C"},
            "C": {"Type": "Choice", "Assign": {"v": 2}, "Output": [1], "Choices": [
                {"Condition": "{% $v = 1 %}", "Output": {"a": "{% 'x' %}"}, "Next": "S"}, {"Condition": true, "Next": "F"}],
                "Default": "F"},
            "S": {"Type": "Succeed", "Output": "{% $states.context.Execution.Id %}"},
            "F": {"Type": "Fail", "Error": "{% $e %}", "Cause": "c"}
        }
    })
}

/// Replaces, removes or renames one of the values, counted through the whole definition.
fn damage(value: &mut Value, which: &mut usize, with: &Value) -> bool {
    if *which == 0 {
        *value = with.clone();
        return true;
    }
    *which -= 1;
    match value {
        Value::Object(map) => {
            let keys: Vec<String> = map.keys().cloned().collect();
            for key in keys {
                if *which == 0 && with.is_null() {
                    map.remove(&key);
                    return true;
                }
                if let (0, Some(name)) = (*which, with.as_str()) {
                    let moved = map.remove(&key).unwrap_or_default();
                    map.insert(name.to_owned(), moved);
                    return true;
                }
                if map.get_mut(&key).is_some_and(|inner| damage(inner, which, with)) {
                    return true;
                }
            }
            false
        }
        Value::Array(items) => items.iter_mut().any(|item| damage(item, which, with)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn replacements() -> impl Strategy<Value = Value> {
    let words = [
        "",
        "$",
        "$.a[",
        "$$.x",
        "$v",
        "States.Format('",
        "{% 1 %}",
        "{% a %}",
        "{% $states.errorOutput %}",
        "{% (",
        "{%}",
        "v",
        "states",
        "JSONata",
        "JSONPath",
        "Task",
        "Map",
        "Choice",
        "Next",
        "End",
        "Retry",
        "Output",
        "Condition",
        "And",
        "States.ALL",
        "W",
        "F",
        "arn:aws:states:::",
        "2020",
        "DISTRIBUTED",
    ];
    let literals =
        [json!(null), json!(true), json!(-1), json!(1.5), json!(u64::MAX), json!([]), json!({}), json!([[]])];
    prop_oneof![
        Just(json!({"QueryLanguage": "JSONata", "StartAt": "X", "States": {"QueryLanguage": "JSONata"}})),
        prop::sample::select(words.to_vec()).prop_map(Value::from),
        prop::sample::select(literals.to_vec()),
        any::<String>().prop_map(Value::from),
    ]
}

proptest! {
    #[test]
    fn damaged_definitions_are_machines_or_have_errors(
        damages in prop::collection::vec((0usize..220, replacements()), 1..5),
        express in any::<bool>(),
        jsonata in any::<bool>(),
    ) {
        let mut broken = if jsonata { definition_in_jsonata() } else { definition() };
        for (mut which, with) in damages {
            damage(&mut broken, &mut which, &with);
        }
        let machine_type = if express { MachineType::Express } else { MachineType::Standard };
        let text = broken.to_string();
        let parsed = parse(&text, machine_type);
        let wrong = parsed.diagnostics.iter().any(|one| one.severity == Severity::Error);
        prop_assert_eq!(parsed.machine.is_some(), !wrong, "{}", text);
        let source = source::read(&text, Format::Json).unwrap();
        for one in &parsed.diagnostics {
            if let Some(span) = source.span_of(one) {
                prop_assert!(text.get(span).is_some());
            }
        }
        for one in source.check(machine_type) {
            prop_assert!(source.span_of(&one).is_none_or(|span| text.get(span).is_some()), "{}", text);
        }
        // An accepted definition is read again as it was; any other is read or refused.
        let loaded = load(&text);
        if let Some(machine) = parsed.machine {
            prop_assert_eq!(loaded, Ok(machine), "{}", text);
        }
    }

    #[test]
    fn any_text_is_read_without_a_panic(text in any::<String>(), tail in "[-\\[\\]{}:,&*!|>'\"#%@\\n a-c0-9é]{0,60}") {
        for text in [text, tail] {
            parse(&text, MachineType::Express);
            let _ = source::read(&text, Format::Yaml);
            let _ = source::read(&text, Format::Json);
        }
    }
}
