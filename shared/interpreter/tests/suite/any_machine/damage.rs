//! Damages valid definitions at random: values that are gone, moved, copied or of another type, and texts that are
//! spoiled inside, expressions of both languages among them.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

#[derive(Debug, Clone)]
pub struct Damage {
    /// Which of all places, or for what is about texts, of all texts.
    at: Index,
    what: What,
}

#[derive(Debug, Clone)]
enum What {
    Remove,
    Rename(&'static str),
    Put(Value),
    /// The value at another place.
    Copy(Index),
    /// Cuts so many characters out of a text and puts a piece in.
    Text {
        from: Index,
        cut: usize,
        piece: &'static str,
    },
}

#[rustfmt::skip]
const KEYS: &[&str] = &[
    "Type",
    "Next",
    "End",
    "Output",
    "Arguments",
    "Parameters",
    "Assign",
    "Catch",
    "Retry",
    "Condition",
    "Items",
    "ItemsPath",
    "ItemSelector",
    "QueryLanguage",
    "Seconds",
    "Timestamp",
    "TimeoutSeconds",
    "ResultPath",
    "StartAt",
    "Default",
    "Choices",
    "MaxConcurrency",
    "S0",
    "seen_in_S0",
    "a.$",
];

#[rustfmt::skip]
const PIECES: &[&str] = &[
    "",
    "$",
    "$$",
    ".",
    "..",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "?",
    ":",
    "&",
    " + 1",
    "-",
    " * ",
    "/ 0",
    "%",
    "'",
    "\"",
    "`",
    "^(",
    "@$x",
    "#$i",
    ":=",
    ";",
    ",",
    "function($x){",
    "$map(",
    "$string(",
    " ~> ",
    "|",
    " and ",
    " in ",
    "null",
    "$states",
    "$states.input",
    "$states.result",
    "1e308",
    "[0]",
    "[*]",
    "[?(@.a)]",
    "/a/",
    "é",
    "%}",
    "{%",
    "\\",
    "States.Format(",
    "States.MathAdd(",
    "$seen_in_S0",
    "$.",
    "items",
];

const WORDS: &[&str] =
    &["", "$", "$.a", "{% 1 %}", "{% $states.input %}", "S0", "S1", "Pass", "Map", "JSONata", "States.ALL"];

fn values() -> impl Strategy<Value = Value> {
    let literals =
        [json!(null), json!(true), json!(-1), json!(0), json!(1.5), json!(u64::MAX), json!([]), json!({}), json!([[]])];
    prop_oneof![select(WORDS).prop_map(Value::from), select(literals.to_vec())]
}

pub fn damages() -> impl Strategy<Value = Vec<Damage>> {
    let what = prop_oneof![
        1 => Just(What::Remove),
        1 => select(KEYS).prop_map(What::Rename),
        2 => values().prop_map(What::Put),
        2 => any::<Index>().prop_map(What::Copy),
        12 => (any::<Index>(), 0usize..4, select(PIECES)).prop_map(|(from, cut, piece)| What::Text { from, cut, piece }),
    ];
    let damage = (any::<Index>(), what).prop_map(|(at, what)| Damage { at, what });
    prop::collection::vec(damage, 1..3)
}

/// The definition after all of it.
pub fn damaged(mut definition: Value, damages: &[Damage]) -> Value {
    for Damage { at, what } in damages {
        let places = places(&definition, |_| true);
        let place = at.get(&places).clone();
        match what {
            What::Remove => _ = taken(&mut definition, &place),
            What::Rename(key) => {
                let around = place.rsplit_once('/').map(|(around, _)| around.to_owned());
                let value = taken(&mut definition, &place);
                let around = around.and_then(|around| definition.pointer_mut(&around)).and_then(Value::as_object_mut);
                if let (Some(around), Some(value)) = (around, value) {
                    around.insert((*key).to_owned(), value);
                }
            }
            What::Put(value) => put(&mut definition, &place, value.clone()),
            What::Copy(from) => {
                let copied = definition.pointer(from.get(&places).as_str()).cloned().unwrap_or_default();
                // Never larger and larger.
                if copied.to_string().len() < 2_000 {
                    put(&mut definition, &place, copied);
                }
            }
            What::Text { from, cut, piece } => spoil(&mut definition, *at, *from, *cut, piece),
        }
    }
    definition
}

/// JSON pointers to all values of a kind.
fn places(root: &Value, is_kind: impl Fn(&Value) -> bool) -> Vec<String> {
    let (mut found, mut waiting) = (Vec::new(), vec![(String::new(), root)]);
    while let Some((place, value)) = waiting.pop() {
        let step = |key: &str| format!("{place}/{}", key.replace('~', "~0").replace('/', "~1"));
        match value {
            Value::Object(object) => waiting.extend(object.iter().map(|(key, value)| (step(key), value))),
            Value::Array(items) => {
                waiting.extend(items.iter().enumerate().map(|(index, value)| (step(&index.to_string()), value)));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
        if is_kind(value) {
            found.push(place);
        }
    }
    found
}

fn put(root: &mut Value, place: &str, value: Value) {
    if let Some(here) = root.pointer_mut(place) {
        *here = value;
    }
}

fn taken(root: &mut Value, place: &str) -> Option<Value> {
    let (around, key) = place.rsplit_once('/')?;
    match root.pointer_mut(around)? {
        Value::Object(object) => object.remove(&key.replace("~1", "/").replace("~0", "~")),
        Value::Array(items) => key.parse().ok().filter(|index| *index < items.len()).map(|index| items.remove(index)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

fn spoil(root: &mut Value, at: Index, from: Index, cut: usize, piece: &str) {
    // Only expressions are spoiled: they are the interesting texts.
    let texts = places(root, |value| value.as_str().is_some_and(|text| text.contains(['$', '%'])));
    if texts.is_empty() {
        return;
    }
    let place = at.get(&texts);
    let Some(Value::String(text)) = root.pointer_mut(place) else { return };
    let letters: Vec<char> = text.chars().collect();
    let begin = from.index(letters.len() + 1);
    let end = (begin + cut).min(letters.len());
    *text = letters[..begin].iter().copied().chain(piece.chars()).chain(letters[end..].iter().copied()).collect();
}
