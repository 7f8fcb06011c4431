//! JSONata made of the pieces of the language, and spoiled: no panic, no endless work, the same value for the same seed.

use expressions::jsonata::{Converted, Jsonata, Scope, Sees};
use expressions::{Chance, ContextObject, EvaluationError, Variables, json};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

/// Expressions that have a value over [`input`], from all over the language.
const SOUND: &[&str] = &[
    "$states.input.a",
    "$states.input.items[price > 2].name",
    "$states.input.items^(>price, name).name",
    "$states.input.items{name: $sum(price)}",
    "$states.input.items.(name & ': ' & $string(price))",
    "$states.input.items@$i.{'n': $i.name, 'a': a}",
    "$states.input.items#$at.{'at': $at, 'name': name}",
    "$states.input.items.name.%.price",
    "$states.input.**.name",
    "$states.input.* ~> $count",
    "$states.input ~> |items|{'price': price * 2}, 'name'|",
    "$map([1..5], function($x, $i) { $x * $i })",
    "$filter($states.input.items, function($x) { $x.price in [1, 3] }).name",
    "$reduce([1..9], function($sum, $x) { $sum + $x }, 0)",
    "$sift($states.input, function($value, $key) { $key = 'a' })",
    "($f := function($n) { $n < 2 ? 1 : $n * $f($n - 1) }; $f(6))",
    "($square := $power(?, 2); $square(3))",
    "(1 + 2) * 3 - -4 / 5 % 6",
    "$states.input.a = 1 and $not($states.input.b != 'text') or false",
    "[[1, 2], [3]].$[0]",
    "{'a': [1, {'b': null}], 'c': true}",
    "$split('a,b;c', /[,;]/)",
    "$replace('John Smith', /(\\w+)\\s(\\w+)/, '$2, $1')",
    "$match('ab12', /[a-z]+(\\d)/).groups",
    "'a' ~> $uppercase ~> $pad(5, '-')",
    "$formatNumber(1234.5, '#,##0.00') & $formatBase(255, 16) & $formatInteger(12, 'w')",
    "$fromMillis(1000, '[Y0001]-[M01]-[D01]', '+0200')",
    "$toMillis('2025-01-02T03:04:05Z')",
    "$sort($states.input.items, function($l, $r) { $l.price > $r.price }).price",
    "$merge([$spread($states.input)])",
    "$partition([1..7], 3)",
    "$range(1, 9, 2)",
    "$parse('{\"a\": [1]}').a",
    "$hash('a', 'SHA-1') & $uuid() & $string($random(7))",
    "$base64encode($states.context.State.Name)",
    "$zip($person.age, $list)",
    "$type($list) & $now()",
    "$distinct($append($list, [1, 'a']))",
    "$lookup($person, 'age') ? $exists($nothing) : $error('none')",
    "$eachOne := $each($person, function($value, $key) { $key & $value })",
];

const PIECES: &[&str] = &[
    "$",
    "$$",
    "%",
    "*",
    "**",
    ".",
    "..",
    "(",
    ")",
    "[",
    "]",
    "[]",
    "{",
    "}",
    "?",
    ":",
    ":=",
    ";",
    ",",
    "&",
    "+",
    "-",
    "/",
    "~>",
    "|",
    "^(",
    "@$x",
    "#$i",
    "<",
    ">=",
    "!=",
    " and ",
    " or ",
    " in ",
    "null",
    "true",
    "'",
    "\"",
    "`",
    "\\",
    "0",
    "1e308",
    "-1",
    "[1..9]",
    "/a*/",
    "/(/",
    "é",
    "\u{1F600}",
    "/*",
    "*/",
    " ",
    "function($x){",
    "λ",
    "$states",
    "$list",
    "$person",
    "$map(",
    "$string(",
    "$number(",
    "$pad('a', 1e9)",
    "$join(",
    "name",
    "price",
    "?,",
];

fn input() -> Value {
    let items = json!([{"name": "x", "price": 1, "prices": [1, 2]}, {"name": "y", "price": 3, "prices": 4}]);
    json!({"a": 1, "b": "text", "c": [null, 1.5, []], "items": items})
}

fn evaluate(expression: &Jsonata) -> Result<Value, EvaluationError> {
    let context = ContextObject::new(|| json!({"State": {"Name": "S"}}));
    let variables = Variables::from_iter([
        ("list".to_owned(), json!([1, 2, 3])),
        ("person".to_owned(), json!({"age": 36, "name": "Ada"})),
    ]);
    expression.evaluate(
        &Scope {
            input: &input(),
            result: None,
            error_output: None,
            context: &context,
            variables: &variables,
            chance: &Chance::from_seed([7; 32]),
            fuel: &expressions::Fuel::default(),
            now: 1_749_990_645_678,
            converted: Converted::default(),
        },
        "Output",
    )
}

/// An expression after some letters of it were cut out and replaced by a piece, or by another expression.
fn spoiled() -> impl Strategy<Value = String> {
    let piece = prop_oneof![6 => select(PIECES), 1 => select(SOUND), 1 => Just("")];
    let cuts = prop::collection::vec((any::<Index>(), 0usize..6, piece), 0..4);
    (select(SOUND), cuts).prop_map(|(sound, cuts)| {
        cuts.into_iter().fold(sound.to_owned(), |text, (from, cut, piece)| {
            let letters: Vec<char> = text.chars().collect();
            let begin = from.index(letters.len() + 1);
            let end = (begin + cut).min(letters.len());
            letters[..begin].iter().copied().chain(piece.chars()).chain(letters[end..].iter().copied()).collect()
        })
    })
}

fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![3 => select(PIECES), 1 => select(SOUND)];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

#[test]
fn what_is_spoiled_is_sound_before() {
    for text in SOUND {
        let expression = Jsonata::parse(&format!("{{% {text} %}}"), Sees::Input).expect(text);
        evaluate(&expression).expect(text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_left_of_an_expression_is_refused_or_evaluates(text in prop_oneof![3 => spoiled(), 1 => pieces()]) {
        let Ok(expression) = Jsonata::parse(&format!("{{% {text} %}}"), Sees::Input) else { return Ok(()) };
        let value = evaluate(&expression);
        prop_assert_eq!(&value, &evaluate(&expression), "{}", text);
        match value {
            // Its value can be written down and read again.
            Ok(value) => prop_assert_eq!(json::parse(&json::to_text(&value)), Ok(value), "{}", text),
            Err(error) => {
                prop_assert_eq!(error.error, "States.QueryEvaluationError", "{}", text);
                prop_assert!(error.cause.contains("specified for the field 'Output'"), "{}", error.cause);
            }
        }
    }
}
