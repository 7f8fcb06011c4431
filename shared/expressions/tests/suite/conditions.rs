//! Choice rules: every operator, combinations, refusals.

use std::collections::BTreeSet;

use crate::world;
use expressions::{Comparison, Condition, Path};
use serde_json::{Value, json};

fn condition(rule: &Value) -> Result<Condition, String> {
    let all = |rules: &Value| rules.as_array().unwrap().iter().map(condition).collect::<Result<Vec<_>, _>>();
    let fields = rule.as_object().unwrap();
    if let Some(rules) = fields.get("And") {
        return all(rules).map(Condition::And);
    }
    if let Some(rules) = fields.get("Or") {
        return all(rules).map(Condition::Or);
    }
    if let Some(rule) = fields.get("Not") {
        return condition(rule).map(|condition| Condition::Not(Box::new(condition)));
    }
    let variable = Path::parse(fields["Variable"].as_str().unwrap()).map_err(|invalid| invalid.message)?;
    let (operator, operand) = fields.iter().find(|(name, _)| Comparison::is_operator(name)).expect("an operator");
    let comparison = Comparison::parse(operator, operand).map_err(|invalid| invalid.message)?;
    Ok(Condition::Test { variable, comparison })
}

fn holds(rule: &Value, input: &Value) -> Result<Value, String> {
    let condition = condition(rule)?;
    world::with_scope(input, |scope| condition.holds(scope).map(Value::Bool).map_err(|error| error.to_string()))
}

#[test]
fn rules_hold_as_the_table_says() {
    world::run(include_str!("cases/conditions.json"), |case| {
        world::compare(case, holds(&case["rule"], &case["input"]))
    });
}

#[test]
fn every_operator_answers_alike_from_a_literal_and_from_a_path() {
    // Operator, what holds against the operand, what does not, the operand.
    let table = [
        ("StringEquals", json!("b"), json!(["a", "B", "b ", "", 1, null, true, ["b"], {}]), json!("b")),
        ("StringLessThan", json!("a"), json!(["b", "c", 1, null]), json!("b")),
        ("StringGreaterThan", json!("c"), json!(["b", "a", 9, null]), json!("b")),
        ("StringLessThanEquals", json!("b"), json!(["c", "b\u{0}", 1]), json!("b")),
        ("StringGreaterThanEquals", json!("b"), json!(["a", "B", 1]), json!("b")),
        ("NumericEquals", json!(1.0), json!([0, 1.1, "1", null, true, [1], {}]), json!(1)),
        ("NumericLessThan", json!(0.9), json!([1, 2, "0", null]), json!(1)),
        ("NumericGreaterThan", json!(1.1), json!([1, 0, "2", null]), json!(1)),
        ("NumericLessThanEquals", json!(1), json!([1.1, "1", null]), json!(1)),
        ("NumericGreaterThanEquals", json!(1), json!([0.9, "1", null]), json!(1)),
        ("BooleanEquals", json!(true), json!([false, null, 1, "true", [true]]), json!(true)),
        (
            "TimestampEquals",
            json!("2012-10-09T20:00:55+01:00"),
            json!(["2012-10-09T19:00:56Z", "2012-10-09T19:00:55", "2012-10-09", "", 1, null]),
            json!("2012-10-09T19:00:55Z"),
        ),
        (
            "TimestampLessThan",
            json!("2012-10-09T19:00:54.999Z"),
            json!(["2012-10-09T19:00:55Z", "2012-10-09T19:00:54", null]),
            json!("2012-10-09T19:00:55Z"),
        ),
        (
            "TimestampGreaterThan",
            json!("2012-10-09T19:00:55.000000001Z"),
            json!(["2012-10-09T19:00:55Z", "x"]),
            json!("2012-10-09T19:00:55Z"),
        ),
        (
            "TimestampLessThanEquals",
            json!("2012-10-09T19:00:55Z"),
            json!(["2012-10-09T19:00:56Z", "x"]),
            json!("2012-10-09T19:00:55Z"),
        ),
        (
            "TimestampGreaterThanEquals",
            json!("2012-10-09T19:00:55Z"),
            json!(["2012-10-09T19:00:54Z", "x"]),
            json!("2012-10-09T19:00:55Z"),
        ),
    ];
    assert_eq!(table.len(), 16);
    for (operator, right, wrong, operand) in table {
        let both = |value: &Value| {
            let input = json!({"v": value, "w": operand});
            let literal = holds(&json!({"Variable": "$.v", operator: operand}), &input);
            let by_path = holds(&json!({"Variable": "$.v", format!("{operator}Path"): "$.w"}), &input);
            assert_eq!(literal, by_path, "{operator} {value}");
            literal
        };
        assert_eq!(both(&right), Ok(json!(true)), "{operator} {right}");
        for value in wrong.as_array().unwrap() {
            assert_eq!(both(value), Ok(json!(false)), "{operator} {value}");
        }
    }
}

#[test]
fn natures_tell_values_apart() {
    let samples = [
        ("IsNull", json!(null)),
        ("IsBoolean", json!(false)),
        ("IsNumeric", json!(1.5)),
        ("IsString", json!("text")),
        ("IsTimestamp", json!("2020-01-01T00:00:00Z")),
        ("", json!([])),
        ("", json!({})),
    ];
    for operator in ["IsNull", "IsBoolean", "IsNumeric", "IsString", "IsTimestamp"] {
        for (nature, value) in &samples {
            let is = operator == *nature || (operator == "IsString" && *nature == "IsTimestamp");
            let input = json!({ "v": value });
            assert_eq!(holds(&json!({"Variable": "$.v", operator: true}), &input), Ok(json!(is)), "{operator} {value}");
            assert_eq!(
                holds(&json!({"Variable": "$.v", operator: false}), &input),
                Ok(json!(!is)),
                "{operator} {value}"
            );
        }
    }
}

#[test]
fn there_are_thirty_nine_operators_and_all_compile() {
    let operators: BTreeSet<&str> = Comparison::OPERATORS.into_iter().collect();
    assert_eq!(operators.len(), 39);
    for operator in operators {
        let operand = match operator {
            _ if operator.ends_with("Path") => json!("$.a"),
            _ if operator.starts_with("Is") || operator.starts_with("Boolean") => json!(true),
            _ if operator.starts_with("Numeric") => json!(1),
            _ => json!("2020-01-01T00:00:00Z"),
        };
        assert!(Comparison::parse(operator, &operand).is_ok(), "{operator}");
        assert!(Comparison::parse(operator, &json!([])).is_err(), "{operator} takes a list");
        assert_eq!(operator.ends_with("Path"), Comparison::parse(operator, &operand).unwrap().operand_path().is_some());
    }
    for name in ["", "Path", "Equals", "StringMatchesPath", "IsNullPath", "BooleanLessThan", "stringEquals", "And"] {
        assert!(!Comparison::is_operator(name));
        assert!(Comparison::parse(name, &json!("$.a")).is_err(), "{name}");
    }
}

#[test]
fn operands_of_a_wrong_type_are_refused_in_words() {
    let refusal = |operator: &str, operand: Value| Comparison::parse(operator, &operand).unwrap_err().message;
    assert_eq!(refusal("StringEquals", json!(1)), "Expected value of type [STRING]");
    assert_eq!(refusal("NumericLessThan", json!("1")), "Expected value of type [NUMBER]");
    assert_eq!(refusal("IsNull", json!(null)), "Expected value of type [BOOLEAN]");
    assert_eq!(refusal("TimestampEquals", json!("2020-01-01")), "String does not match RFC3339 timestamp");
    assert_eq!(refusal("StringEqualsPath", json!(1)), "Expected value of type [STRING]");
    assert!(Comparison::parse("StringEqualsPath", &json!("a")).is_err());
}

#[test]
fn variables_of_a_condition_are_listed_in_order() {
    let rule = json!({"Or": [
        {"And": [{"Variable": "$a.x", "StringEqualsPath": "$b"}, {"Variable": "$.c", "IsNull": true}]},
        {"Not": {"Variable": "$$.d", "StringEqualsPath": "$a"}}
    ]});
    assert_eq!(condition(&rule).unwrap().variables(), ["a", "b", "a"]);
}

#[test]
fn a_hostile_pattern_matches_in_linear_time() {
    let input = json!("a".repeat(200_000));
    let pattern = "*a".repeat(50_000) + "b";
    assert_eq!(holds(&json!({"Variable": "$", "StringMatches": pattern}), &input), Ok(json!(false)));
}
