//! One small world for expressions to look at, and the reading of case tables.

use std::collections::BTreeSet;

use expressions::{Chance, ContextObject, Scope, Variables};
use serde_json::{Value, json};

/// Runs the check over every case of a table and reports all that fail, by name.
///
/// A table is a JSON array of objects with a `name`; names are unique.
pub fn run(table: &str, check: impl Fn(&Value) -> Result<(), String>) {
    let cases: Vec<Value> = serde_json::from_str(table).expect("the table is JSON");
    assert!(!cases.is_empty());
    let mut names = BTreeSet::new();
    let mut failures = Vec::new();
    for case in &cases {
        let name = case["name"].as_str().expect("a case has a name");
        assert!(names.insert(name), "the name {name} is used twice");
        if let Err(problem) = check(case) {
            failures.push(format!("{name}: {problem}"));
        }
    }
    assert!(failures.is_empty(), "{} of {} cases fail:\n{}", failures.len(), cases.len(), failures.join("\n"));
}

/// Calls `look` with a scope over this input and the fixed context object and variables.
pub fn with_scope<T>(input: &Value, look: impl FnOnce(&Scope) -> T) -> T {
    let context = ContextObject::new(|| {
        json!({
            "Execution": {"Id": "arn:execution", "Input": {"list": "a,b"}},
            "Map": {"Item": {"Index": 0, "Value": "first"}}
        })
    });
    let variables = Variables::from_iter([
        ("name".to_owned(), json!("Ada")),
        ("list".to_owned(), json!([1, 2, 3])),
        ("person".to_owned(), json!({"age": 36})),
    ]);
    let chance = Chance::from_seed([7; 32]);
    look(&Scope {
        input,
        context: &context,
        variables: &variables,
        chance: &chance,
        fuel: &expressions::Fuel::default(),
    })
}

/// Compares a result with the `value` or `error` (a part of its text) of a case.
pub fn compare(case: &Value, result: Result<Value, String>) -> Result<(), String> {
    // As texts, because the order of keys counts.
    let wanted = case.get("value").map(Value::to_string);
    match (&wanted, case.get("error").and_then(Value::as_str), result.as_ref().map(Value::to_string)) {
        (Some(wanted), None, Ok(found)) if *wanted == found => Ok(()),
        (None, Some(wanted), Err(found)) if found == wanted => Ok(()),
        (_, _, found) => Err(format!("got {found:?}")),
    }
}
