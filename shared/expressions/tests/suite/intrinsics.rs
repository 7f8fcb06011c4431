//! The 18 intrinsic functions: values, refusals at creation, failures, chance.

use crate::world;
use expressions::{Chance, Expression, Intrinsic};
use serde_json::{Value, json};

fn evaluate(text: &str, input: &Value) -> Result<Value, String> {
    let expression = Expression::parse(text).map_err(|invalid| format!("does not compile: {invalid}"))?;
    world::with_scope(input, |scope| expression.evaluate(scope, "x.$").map_err(|error| error.to_string()))
}

#[test]
fn functions_answer_what_the_table_says() {
    world::run(include_str!("cases/intrinsics.json"), |case| {
        let input = case.get("input").unwrap_or(&Value::Null);
        world::compare(case, evaluate(case["call"].as_str().unwrap(), input))
    });
}

#[test]
fn calls_that_do_not_compile_are_refused() {
    let refused = [
        "",
        "States",
        "States.",
        "States.Array",
        "States.Array(",
        "States.Array(1",
        "States.Array(1,)",
        "States.Array(,)",
        "States.Array())",
        "States.Array() x",
        " States.Array()",
        "States.array()",
        "States.Nothing()",
        "Array()",
        "States.Format()",
        "States.UUID(1)",
        "States.ArrayLength()",
        "States.MathAdd(1)",
        "States.MathAdd(1, 2, 3)",
        "States.Array('a)",
        "States.Array(a)",
        "States.Array($.)",
        "States.Array(\"a\")",
        "States.Array([1])",
        "States.Array({})",
        "States.Array(1 2)",
        "States.Array($.a $.b)",
        "States.Array('\\n')",
        "States.Array('\\\"')",
        "States.Array(1.)",
        "States.Array(--1)",
        "States.Array(True)",
        "States. Array()",
        "States.Array ()",
    ];
    for text in refused {
        assert!(Expression::parse(text).is_err(), "{text} is accepted");
    }
}

#[test]
fn ten_calls_nest_and_eleven_do_not() {
    let nested = |depth: usize| format!("{}1{}", "States.Array(".repeat(depth), ")".repeat(depth));
    assert!(Intrinsic::parse(&nested(10)).is_ok());
    assert!(Intrinsic::parse(&nested(11)).is_err());
    assert!(Intrinsic::parse(&nested(100_000)).is_err());
}

#[test]
fn variables_are_listed_in_order() {
    let text = "States.Format('{} {} {}', $b.x, States.Array($a[0], $.a, $$.b), $b)";
    assert_eq!(Expression::parse(text).unwrap().variables(), ["b", "a", "b"]);
    assert_eq!(Expression::parse("$c.d").unwrap().variables(), ["c"]);
    assert!(Expression::parse("$.d").unwrap().variables().is_empty());
}

#[test]
fn a_uuid_is_of_version_four_and_follows_from_the_seed() {
    let uuid = Chance::from_seed([1; 32]).uuid();
    assert_eq!(uuid, Chance::from_seed([1; 32]).uuid());
    assert_ne!(uuid, Chance::from_seed([2; 32]).uuid());
    let parts: Vec<&str> = uuid.split('-').collect();
    assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
    assert!(parts[2].starts_with('4') && parts[3].starts_with(['8', '9', 'a', 'b']), "{uuid}");
    assert_eq!(evaluate("States.UUID()", &Value::Null).unwrap().as_str().unwrap().len(), 36);
}

#[test]
fn random_numbers_stay_in_their_range_and_reach_it() {
    let mut seen = std::collections::BTreeSet::new();
    let call = Expression::parse("States.MathRandom(-1, 2)").unwrap();
    world::with_scope(&Value::Null, |scope| {
        for _ in 0..200 {
            seen.insert(call.evaluate(scope, "x.$").unwrap().as_i64().unwrap());
        }
        let unit = scope.chance.unit();
        assert!((0.0..1.0).contains(&unit));
    });
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [-1, 0, 1]);
}

#[test]
fn a_seeded_random_number_is_the_same_every_time() {
    let draw = |seed: i64| evaluate("States.MathRandom(0, 1000000, $.seed)", &json!({ "seed": seed })).unwrap();
    assert_eq!(draw(3), draw(3));
    assert_ne!(draw(3), draw(4));
}
