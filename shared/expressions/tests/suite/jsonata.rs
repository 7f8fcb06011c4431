//! JSONata expressions against their tables.

use expressions::jsonata::{Converted, Finding, Jsonata, Refused, Scope, Sees, Template, Unseen};
use expressions::{Chance, ContextObject, EvaluationError, Variables};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::world;

/// 2025-06-15T12:30:45.678Z
const NOW: i64 = 1_749_990_645_678;

fn with_scope<T>(case: &Value, look: impl FnOnce(&Scope) -> T) -> T {
    let context = ContextObject::new(|| json!({"State": {"Name": "S"}, "Execution": {"Input": [1, 2]}}));
    let variables: Variables = case["variables"].as_object().cloned().unwrap_or_default();
    let input = case.get("input").unwrap_or(&Value::Null);
    look(&Scope {
        input,
        result: case.get("result"),
        error_output: case.get("error_output"),
        context: &context,
        variables: &variables,
        chance: &Chance::from_seed([7; 32]),
        fuel: &expressions::Fuel::default(),
        now: NOW,
        converted: Converted::default(),
    })
}

fn sees(case: &Value) -> Sees {
    match (case.get("error_output"), case.get("result")) {
        (Some(_), _) => Sees::ErrorOutput,
        (None, Some(_)) => Sees::Result,
        (None, None) => Sees::Input,
    }
}

fn evaluate(case: &Value) -> Result<Value, EvaluationError> {
    let text = case["expression"].as_str().expect("a case has an expression");
    let expression = Jsonata::parse(&format!("{{% {text} %}}"), sees(case)).expect("it compiles");
    with_scope(case, |scope| expression.evaluate(scope, "Output/v"))
}

/// A case tells the `value`, or the `error` from after the words that name expression and field.
fn compare(case: &Value) -> Result<(), String> {
    let text = case["expression"].as_str().expect("a case has an expression");
    let actual = evaluate(case);
    match (case.get("value"), case.get("error").and_then(Value::as_str), actual) {
        (Some(expected), None, Ok(actual)) if *expected == actual => Ok(()),
        (None, Some(expected), Err(error)) => {
            let frame = format!("The JSONata expression '{text}' specified for the field 'Output/v' ");
            let ending = error.cause.strip_prefix(&frame).unwrap_or(&error.cause);
            let ending = ending.strip_prefix("threw an error during evaluation. ").unwrap_or(ending);
            assert_eq!(error.error, "States.QueryEvaluationError");
            assert_eq!(error.location.as_deref(), Some("Output/v"));
            if ending == expected { Ok(()) } else { Err(format!("{text}: {ending}")) }
        }
        (_, _, actual) => Err(format!("{text}: {actual:?}")),
    }
}

macro_rules! tables {
    ($($name:ident: $file:literal;)*) => {
        $(
            #[test]
            fn $name() {
                world::run(include_str!(concat!("cases/jsonata/", $file)), compare);
            }
        )*
    };
}

tables! {
    arrays_are_as_the_table_says: "arrays.json";
    bounds_are_as_the_table_says: "bounds.json";
    comparisons_are_as_the_table_says: "comparisons.json";
    functions_are_as_the_table_says: "functions.json";
    moments_are_as_the_table_says: "moments.json";
    numbers_are_as_the_table_says: "numbers.json";
    objects_are_as_the_table_says: "objects.json";
    strings_are_as_the_table_says: "strings.json";
}

/// What AWS holds against an expression, one message per thing.
fn refused(text: &str, sees: Sees) -> Vec<String> {
    let refused = Jsonata::parse(&format!("{{%{text}%}}"), sees).err().unwrap_or_default();
    refused
        .into_iter()
        .map(|refused| match refused {
            Refused::Invalid(message) => format!("INVALID: {message}"),
            Refused::Unsupported(message) => format!("UNSUPPORTED: {message}"),
        })
        .collect()
}

#[test]
fn expressions_are_refused_as_the_table_says() {
    world::run(include_str!("cases/jsonata/refused.json"), |case| {
        let expected: Vec<&str> =
            case["refused"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
        let actual = refused(case["expression"].as_str().unwrap(), sees(case));
        if actual == expected { Ok(()) } else { Err(format!("{actual:?}")) }
    });
}

#[test]
fn only_a_text_in_braces_is_an_expression() {
    for text in ["{%%}", "{% 1 %}", "{%1%}"] {
        assert!(Jsonata::is_expression(text), "{text}");
    }
    for text in ["{%}", " {% 1 %}", "{% 1 %} ", "{ % 1 %}", "$states.input", ""] {
        assert!(!Jsonata::is_expression(text), "{text}");
    }
}

#[test]
fn the_variables_an_expression_reads_are_listed_in_order() {
    let cases: &[(&str, &[&str])] = &[
        ("1", &[]),
        ("$b + $a.x + $b", &["b", "a", "b"]),
        ("$states.input.x[$ > $least]", &["least"]),
        ("$map($xs, function($x) { $x + $y })", &["xs", "y"]),
        ("($x := $y; $x + $z)", &["y", "z"]),
        ("($f := function($n) { $f($n) }; $f($m))", &["m"]),
        ("$sum($xs) & $uuid()", &["xs"]),
        ("$xs ~> $map($string)", &["xs"]),
        ("$count + 1", &["count"]),
        ("{$k: $v}", &["k", "v"]),
        ("$own(1)", &["own"]),
        ("$xs#$i.[$i, $j]", &["xs", "j"]),
        ("$xs@$x.{'a': $x}", &["xs"]),
        ("$xs{$string($k): $v}", &["xs", "k", "v"]),
        ("$xs^($by)", &["xs", "by"]),
    ];
    for (text, expected) in cases {
        let expression = Jsonata::parse(&format!("{{% {text} %}}"), Sees::Input).unwrap();
        assert_eq!(expression.variables(), *expected, "{text}");
    }
}

#[test]
fn a_payload_is_rendered_at_any_depth_and_keeps_what_is_constant() {
    let payload = json!({"b": "{% $states.input.x %}", "a": [1, {"c": ["{% 1 + 1 %}", " {% 3 %}"]}], "d": {"e": null}});
    let template = Template::compile(&payload, Sees::Input).unwrap();
    let case = json!({"input": {"x": "y"}});
    let rendered = with_scope(&case, |scope| template.render(scope, "Output")).unwrap();
    let expected = json!({"b": "y", "a": [1, {"c": [2, " {% 3 %}"]}], "d": {"e": null}});
    assert_eq!(rendered.to_string(), expected.to_string());
    assert!(template.variables().is_empty());
}

#[test]
fn an_error_in_a_payload_names_its_place() {
    let payload = json!({"a": {"b": [0, "{% $x %}"]}});
    let template = Template::compile(&payload, Sees::Input).unwrap();
    assert_eq!(template.variables(), ["x"]);
    let error = with_scope(&json!({}), |scope| template.render(scope, "Choices[1]/Output")).unwrap_err();
    assert_eq!(error.location.as_deref(), Some("Choices[1]/Output/a/b[1]"));
    let cause =
        "The JSONata expression '$x' specified for the field 'Choices[1]/Output/a/b[1]' returned nothing (undefined).";
    assert_eq!(error.cause, cause);
}

#[test]
fn all_that_is_wrong_with_a_payload_is_found_at_once() {
    let payload = json!({"a": "{% 1 + %}", "b~/c": ["{% x + y %}"], "d": "{% 1 %}"});
    let findings = Template::compile(&payload, Sees::Input).unwrap_err();
    let found: Vec<(&str, &Refused)> =
        findings.iter().map(|Finding { pointer, refused }| (pointer.as_str(), refused)).collect();
    let top = |name: &str| Refused::Unsupported(Unseen::TopLevel(name.to_owned()));
    assert_eq!(
        found,
        [
            ("/a", &Refused::Invalid("Unexpected end of expression".to_owned())),
            ("/b~0~1c/0", &top("x")),
            ("/b~0~1c/0", &top("y")),
        ]
    );
}

#[test]
fn chance_follows_from_the_seed() {
    let draw = || evaluate(&json!({"expression": "[$random(), $uuid(), $shuffle([1..9])]"})).unwrap();
    assert_eq!(draw(), draw());
    let drawn = draw();
    assert!((0.0..1.0).contains(&drawn[0].as_f64().unwrap()));
    assert_eq!(drawn[1].as_str().unwrap().len(), 36);
    let two = evaluate(&json!({"expression": "[$uuid(), $uuid()]"})).unwrap();
    assert_ne!(two[0], two[1]);
}

#[test]
fn expressions_of_one_state_draw_different_numbers() {
    let expression = Jsonata::parse("{% $random() %}", Sees::Input).unwrap();
    with_scope(&json!({}), |scope| assert_ne!(expression.evaluate(scope, "a"), expression.evaluate(scope, "b")));
}

#[test]
fn a_moment_beyond_the_calendar_is_refused_before_the_engine_panics() {
    let at = |moment: &str, rest: &str| evaluate(&json!({"expression": format!("$fromMillis({moment}{rest})")}));
    for moment in ["1e29", "-1e29", "9.3e15", "8.2001e15", "-8.2001e15"] {
        for rest in ["", ", '[Y]'", ", '[W] [w] [X] [x] [F]'", ", '[Y]', '+1400'"] {
            let cause = at(moment, rest).unwrap_err().cause;
            assert!(cause.contains("Invalid timestamp: "), "{moment}{rest}: {cause}");
        }
    }
    for moment in ["8.2e15", "-8.2e15", "0"] {
        assert_eq!(at(moment, ", '[W] [w] [X] [x] [F]', '+1400'").map(drop), Ok(()), "{moment}");
    }
    let zone = at("0", ", '[H01]:[m01]', '+1130'").unwrap();
    assert_eq!(zone, "11:30");
    assert!(at("0", ", '[H01]', '+99999999999999999'").unwrap_err().cause.contains("Invalid time zone"));
    let elsewhere = [
        "[1e29].$fromMillis()",
        "$map([1e29], $fromMillis)",
        "1e29 ~> $fromMillis('[Y]')",
        "($f := $fromMillis; $f(1e29))",
    ];
    for expression in elsewhere {
        let cause = evaluate(&json!({"expression": expression})).unwrap_err().cause;
        assert!(!cause.contains("internal error"), "{expression}: {cause}");
    }
    assert_eq!(evaluate(&json!({"expression": "[0].$fromMillis()"})).unwrap(), "1970-01-01T00:00:00.000Z");
}

#[test]
fn a_value_of_an_unexpected_type_is_told() {
    let expression = Jsonata::parse("{% 1 %}", Sees::Input).unwrap();
    let error = expressions::jsonata::unexpected_type(&expression, "Items", "array", &json!(1));
    let cause = "The JSONata expression '1' specified for the field 'Items' returned an unexpected result type. \
                 Expected 'array', but was 'number' for value: 1";
    assert_eq!(error.cause, cause);
}

#[rustfmt::skip]
const LEAVES: &[&str] = &[
    "1", "0", "-2.5", "'a'", "''", "true", "null", "[]", "{}", "$x", "$y", "$states.input", "$states.input.a",
    "$states.input.a[0]", "$states.input.*", "$states.input.**", "$states.input.a#$i", "$states", "/a/", "$sum",
    "$nothing", "[1..3]",
];

const SIGNS: &[&str] = &["+", "-", "*", "/", "%", "&", "=", "!=", "<", ">=", "and", "or", "in", "~>", ".", ";", ","];

#[rustfmt::skip]
const NAMES: &[&str] = &[
    "abs", "append", "average", "boolean", "contains", "count", "distinct", "each", "eval", "exists", "filter",
    "formatNumber", "fromMillis", "hash", "join", "keys", "length", "lookup", "map", "match", "max", "merge", "now",
    "number", "pad", "parse", "partition", "power", "random", "range", "reduce", "replace", "reverse", "round",
    "shuffle", "sift", "single", "sort", "split", "spread", "string", "substring", "sum", "toMillis", "trim", "type",
    "uuid", "zip",
];

/// `A` and `B` stand for expressions.
#[rustfmt::skip]
const FORMS: &[&str] = &[
    "(function($x) { A })(B)", "($x := A; B)", "A[B]", "A^(B)", "A{'k': B}", "(A ? B : A)", "[A, B]",
    "{'a': A, 'b': B}", "(A ~> |$|B|)", "-A", "A.(B)", "function($x, $y) { A }",
];

/// Texts made of the pieces of the language, so that many of them compile.
fn expressions() -> impl Strategy<Value = String> {
    prop::sample::select(LEAVES).prop_map(str::to_owned).prop_recursive(4, 24, 3, |inner| {
        let operation = (inner.clone(), prop::sample::select(SIGNS), inner.clone());
        let call = (prop::sample::select(NAMES), prop::collection::vec(inner.clone(), 0..4));
        let form = (prop::sample::select(FORMS), inner.clone(), inner);
        prop_oneof![
            operation.prop_map(|(left, sign, right)| format!("({left} {sign} {right})")),
            call.prop_map(|(name, args)| format!("${name}({})", args.join(", "))),
            form.prop_map(|(form, a, b)| form
                .chars()
                .map(|letter| match letter {
                    'A' => a.clone(),
                    'B' => b.clone(),
                    other => other.to_string(),
                })
                .collect()),
        ]
    })
}

proptest! {
    #[test]
    fn no_text_makes_the_compiler_panic(text in any::<String>()) {
        let _ = Jsonata::parse(&text, Sees::Input);
        let _ = Jsonata::parse(&format!("{{% {text} %}}"), Sees::ErrorOutput);
    }

    #[test]
    fn no_text_in_the_letters_of_the_language_makes_the_compiler_panic(
        text in "[$@#%^*.\\[\\](){}?:;,'\"`/\\\\!=<>~&|+\\-0-2a-cfλ \n]{0,40}",
    ) {
        let _ = Jsonata::parse(&format!("{{% {text} %}}"), Sees::Result);
    }

    #[test]
    fn every_expression_comes_to_an_end_and_to_the_same_one(text in expressions()) {
        let Ok(expression) = Jsonata::parse(&format!("{{% {text} %}}"), Sees::Input) else { return Ok(()) };
        let case = json!({"input": {"a": [{"b": 1}, "c"]}, "variables": {"y": {"k": [1, "2"]}}});
        let evaluate = || with_scope(&case, |scope| expression.evaluate(scope, "Output"));
        let once = evaluate();
        // Where it panics inside, it would say so.
        if let Err(error) = &once {
            prop_assert!(!error.cause.contains("internal error"), "{text}: {}", error.cause);
        }
        prop_assert_eq!(&once, &evaluate(), "the same seed gives the same value");
    }
}
