//! The work of expressions is counted, and bounded: the same whenever it is done, and as far as JSONata's is measured, by
//! processor time.

use std::cell::Cell;

use expressions::jsonata::{self, Converted, Jsonata, Sees};
use expressions::{Chance, Comparison, Condition, ContextObject, Fuel, Path, Scope, Template, Variables, Work};
use serde_json::{Value, json};

/// Looks at this input with so much fuel.
fn with<T>(fuel: &Fuel, input: &Value, look: impl FnOnce(&Scope) -> T) -> T {
    let context = ContextObject::new(|| Value::Null);
    let (variables, chance) = (Variables::new(), Chance::from_seed([7; 32]));
    look(&Scope { input, context: &context, variables: &variables, chance: &chance, fuel })
}

fn template(fields: usize, expression: &str) -> Template {
    let fields = (0..fields).map(|field| (format!("f{field}.$"), Value::from(expression)));
    Template::compile(&Value::Object(fields.collect())).unwrap()
}

/// What the fields cost over this input.
fn cost(fields: usize, expression: &str, input: &Value) -> u64 {
    let fuel = Fuel::default();
    with(&fuel, input, |scope| template(fields, expression).render(scope)).unwrap();
    fuel.spent()
}

fn numbers(count: usize) -> Value {
    json!({ "a": (0..count).collect::<Vec<_>>() })
}

#[test]
fn work_costs_the_same_whenever_it_is_done_and_grows_with_the_data_and_the_fields() {
    let (few, many) = (numbers(100), numbers(10_000));
    for expression in ["$.a", "$.a[*]", "$.a[?(@ == 5)]", "States.ArrayUnique($.a)", "States.JsonToString($.a)"] {
        let cost = |fields, input| cost(fields, expression, input);
        assert_eq!(cost(1, &many), cost(1, &many), "{expression}");
        assert!(cost(1, &many) > 20 * cost(1, &few), "{expression}: {} {}", cost(1, &many), cost(1, &few));
        assert_eq!(cost(3, &few), 3 * cost(1, &few), "{expression}");
    }
    let (unique, path) = (cost(1, "States.ArrayUnique($.a)", &many), cost(1, "$.a", &many));
    assert!(unique > 5 * path, "{unique} {path}");
}

#[test]
fn a_template_ends_in_words_when_nothing_is_left() {
    let input = numbers(1_000);
    let heavy = template(100, "States.ArrayUnique($.a)");
    let one = cost(1, "States.ArrayUnique($.a)", &input);
    let fuel = Fuel::new(Work { per_state: 10 * one, ..Work::USUAL });
    let error = with(&fuel, &input, |scope| heavy.render(scope)).unwrap_err();
    assert_eq!(error.error, "States.Runtime");
    assert!(error.cause.starts_with("The expressions of the state take too long to evaluate"), "{}", error.cause);
    assert_eq!(fuel.spent(), 10 * one, "no more was begun");
}

#[test]
fn conditions_count_what_they_compare() {
    let text = "ab".repeat(10_000);
    let input = json!({ "text": text });
    let test = |pattern: &str| Condition::Test {
        variable: Path::parse("$.text").unwrap(),
        comparison: Comparison::parse("StringMatches", &Value::from(pattern)).unwrap(),
    };
    let rules = Condition::Or((0..1_000).map(|_| test("*ba*c")).collect());
    let fuel = Fuel::new(Work { per_state: 1_000_000, ..Work::USUAL });
    let error = with(&fuel, &input, |scope| rules.holds(scope)).unwrap_err();
    assert_eq!(error.error, "States.Runtime");
    assert!(fuel.spent() < 1_100_000, "{}", fuel.spent());
    assert_eq!(with(&Fuel::default(), &input, |scope| rules.holds(scope)), Ok(false));
}

/// Evaluates with a clock.
fn query(expression: &str, processor_time: fn() -> u64) -> Result<Value, String> {
    let expression = Jsonata::parse(&format!("{{% {expression} %}}"), Sees::Input).expect("it compiles");
    let context = ContextObject::new(|| Value::Null);
    let scope = jsonata::Scope {
        input: &json!({ "many": (0..2_000).collect::<Vec<_>>() }),
        result: None,
        error_output: None,
        context: &context,
        variables: &Variables::new(),
        chance: &Chance::from_seed([7; 32]),
        fuel: &Fuel::new(Work { processor_time, ..Work::USUAL }),
        now: 0,
        converted: Converted::default(),
    };
    expression.evaluate(&scope, "Output").map_err(|error| error.cause)
}

/// A clock by which each look takes 20 ms.
fn slow() -> u64 {
    thread_local!(static NOW: Cell<u64> = const { Cell::new(0) });
    NOW.set(NOW.get() + 20_000_000);
    NOW.get()
}

/// Everything that repeats what repeats, each long enough for more than a hundred looks at the time.
const LONG: &[&str] = &[
    "($f := function() { $f() }; $f())",
    "($f := function($n) { $f($n + 1) }; $f(0))",
    "($f := function($n) { $n < 0 ? 0 : $f($n + 1) }; $f(0))",
    "($f := function($n) { ($m := $n + 1; $f($m)) }; $f(0))",
    "($f := function($n) { $n < 2 ? $n : $f($n - 1) + $f($n - 2) }; $f(25))",
    "$map([1..1000], function($n) { $sum([1..10].($ * $n)) })",
    "$sum($map([1..1000], function($n) { $count($filter([1..10], function($m) { $m > $n })) }))",
    "$reduce([1..1000], function($a, $n) { $a + $sum([1..10].($ + $n)) }, 0)",
    "$count([1..1000][$sum([1..10].($ + 1)) > 0])",
    "$count($states.input.many[$sum([1..10].($ + 1)) > 0])",
    "$sum([1..1000].$sum([1..10].($ + 1)))",
    "$sum([1..1000].($n := $; $sum([1..10].($ + $n))))",
    "$count($states.input.many^($sum([1..10].($ + 1))))",
    "$sort([1..1000], function($a, $b) { $sum([1..10].($ + $a)) > $b })",
];

#[test]
fn an_expression_that_repeats_what_repeats_is_stopped_by_its_processor_time() {
    let endless = |expression: &&str| expression.ends_with("$f())") || expression.ends_with("$f(0))");
    for expression in LONG {
        let stopped = query(expression, slow).unwrap_err();
        assert!(stopped.ends_with("Expression evaluation timeout: Check for infinite loop"), "{expression}: {stopped}");
    }
    for expression in LONG.iter().filter(|expression| !endless(expression)) {
        query(expression, || 0).unwrap_or_else(|error| panic!("no time has passed: {error}"));
    }
}
