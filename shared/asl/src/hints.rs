//! Suggestions for a definition: similar names, fields to write instead, and the warnings about paths that will not be
//! read as paths.

use expressions::Path;
use expressions::jsonata::{Jsonata, Refused, Unseen};
use serde_json::Value;

use crate::QueryLanguage;
use crate::about::About;
use crate::cursor::Node;
use crate::diagnostics::{Code, Findings};
use crate::fields::{Field, language_of};
use crate::place::Place;

/// `did you mean 'Next'?`, if one of the known names is close to the one written.
pub(crate) fn did_you_mean<'k>(
    written: &str,
    known: impl Iterator<Item = &'k str>,
    findings: &mut Findings,
) -> Option<String> {
    similar(written, known, findings).map(ask)
}

pub(crate) fn ask(name: &str) -> String {
    format!("did you mean '{name}'?")
}

/// The known name that is closest to the one written, if one is close.
pub(crate) fn similar<'k>(
    written: &str,
    known: impl Iterator<Item = &'k str>,
    findings: &mut Findings,
) -> Option<&'k str> {
    if !findings.may_suggest() {
        return None;
    }
    let allowed = match written.chars().count() {
        0..=2 => 0,
        3..=6 => 1,
        7..=80 => 2,
        _ => return None,
    };
    known
        .take(MOST_CANDIDATES)
        .filter(|candidate| *candidate != written)
        .filter_map(|candidate| Some((distance(written, candidate, allowed)?, candidate)))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Spelling is looked at in bounded time, however many states there are.
const MOST_CANDIDATES: usize = 300;

/// How many letters have to change or to swap places with the next, if not more than allowed; capitals do not count.
fn distance(left: &str, right: &str, allowed: usize) -> Option<usize> {
    let left: Vec<char> = left.chars().flat_map(char::to_lowercase).collect();
    let right: Vec<char> = right.chars().flat_map(char::to_lowercase).collect();
    if left.len().abs_diff(right.len()) > allowed {
        return None;
    }
    // Rows of the table of distances between beginnings: this one, and the one before for letters that swap places.
    let (mut row, mut before): (Vec<usize>, Vec<usize>) = ((0..=right.len()).collect(), Vec::new());
    for (i, a) in left.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, (pair, b)) in row.windows(2).zip(&right).enumerate() {
            let [diagonal, above] = pair else { continue };
            let beside = next.last().copied().unwrap_or_default();
            let mut steps = (diagonal + usize::from(a != b)).min(above + 1).min(beside + 1);
            let other = |letters: &[char], at: usize| at.checked_sub(1).and_then(|at| letters.get(at)).copied();
            if other(&left, i) == Some(*b)
                && other(&right, j) == Some(*a)
                && let Some(swapped) = j.checked_sub(1).and_then(|j| before.get(j))
            {
                steps = steps.min(swapped + 1);
            }
            next.push(steps);
        }
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().filter(|steps| *steps <= allowed)
}

/// Warns about values of a payload template that look like paths or intrinsics but are plain text.
pub(crate) fn missing_dollars(template: Node<'_, '_>, findings: &mut Findings) {
    look_for_paths(template.value, template.at, findings);
}

/// Nesting is bounded by the JSON reader.
fn look_for_paths(value: &Value, at: Place<'_>, findings: &mut Findings) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    Value::String(text) if looks_like_a_path(text) && !key.ends_with(".$") => {
                        // AWS: located at the object (observed at the template's top); the same text for an intrinsic
                        // function is unverified.
                        let message = format!(
                            "The value of '{key}' looks like a JSONPath. Instead of '{key}', use '{key}.$' to evaluate it as a \
                             JSONPath at runtime."
                        );
                        findings.warning(Code::NoDollar, at, About::Field { name: key.clone(), message }, None);
                    }
                    inner => look_for_paths(inner, at.key(key), findings),
                }
            }
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| look_for_paths(item, at.index(index), findings));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Warns about a `Result` that reads as if a path in it were followed.
pub(crate) fn static_result(result: Node<'_, '_>, findings: &mut Findings) {
    let mut pending = vec![result.value];
    while let Some(value) = pending.pop() {
        match value {
            Value::Object(map) => {
                if map.iter().any(|(key, value)| key.ends_with(".$") && value.is_string()) {
                    let message = "Attempt to use a path in the result of a pass state.";
                    let help = "a Result is taken as it is; write Parameters instead".to_owned();
                    findings.warning(Code::PassResultIsStatic, result.at, message, Some(help));
                    return;
                }
                pending.extend(map.values());
            }
            Value::Array(items) => pending.extend(items),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

fn looks_like_a_path(text: &str) -> bool {
    ["$.", "$$.", "$[", "States."].iter().any(|start| text.starts_with(start))
}

/// Advice about an expression that AWS refuses.
pub(crate) fn instead_of_expression(refused: &Refused) -> Option<String> {
    let Refused::Unsupported(unseen) = refused else { return None };
    Some(match unseen {
        Unseen::TopLevel(name) => match name.as_str() {
            "$" => "the input of the state is $states.input".to_owned(),
            "states" => "its name has a $: $states".to_owned(),
            "input" | "context" => format!("write $states.{name}"),
            "States" => "intrinsic functions belong to JSONPath; JSONata has functions of its own".to_owned(),
            name => format!("write $states.input.{name} for the input, ${name} for a variable"),
        },
        Unseen::Function(name) => format!("functions are called with a $: ${name}(…)"),
        Unseen::Root => "the context object is $states.context, the input of the state $states.input".to_owned(),
        Unseen::Result => "a result is there in Output and Assign of Task, Parallel and Map".to_owned(),
        Unseen::ErrorOutput => "an error is there in Output and Assign of a Catcher".to_owned(),
    })
}

/// Advice about an expression where none can stand.
pub(crate) fn misplaced_jsonata(node: Node<'_, '_>) -> Option<String> {
    let expression = node.value.as_str().is_some_and(Jsonata::is_expression);
    let help = match node.language {
        QueryLanguage::JsonPath => "an expression needs \"QueryLanguage\": \"JSONata\" in its state",
        QueryLanguage::Jsonata => "this field takes no expression",
    };
    expression.then(|| help.to_owned())
}

/// Advice about a field that belongs to the other language.
pub(crate) fn instead_of_field(name: &str, language: QueryLanguage, tables: &[&[Field]]) -> Option<String> {
    let known = |name: &str| language_of(name, tables).is_some();
    let help = match (language, name) {
        (QueryLanguage::Jsonata, "Parameters") if known("Arguments") => "write Arguments".to_owned(),
        (QueryLanguage::Jsonata, "Parameters") if known("ItemSelector") => "write ItemSelector".to_owned(),
        (QueryLanguage::Jsonata, "InputPath") => "expressions choose what they need from $states.input".to_owned(),
        (QueryLanguage::Jsonata, "OutputPath" | "ResultPath" | "ResultSelector" | "Result" | "Parameters") => {
            "write Output".to_owned()
        }
        (QueryLanguage::Jsonata, "ItemsPath") => "write Items with an expression".to_owned(),
        (QueryLanguage::Jsonata, path) => match path.strip_suffix("Path") {
            Some(literal) if known(literal) => format!("write {literal} with an expression"),
            Some(_) | None => return None,
        },
        (QueryLanguage::JsonPath, "Arguments") => "write Parameters, or set QueryLanguage to JSONata".to_owned(),
        (QueryLanguage::JsonPath, "Items") => "write ItemsPath, or set QueryLanguage to JSONata".to_owned(),
        (QueryLanguage::JsonPath, "Output") => {
            let paths = ["ResultSelector", "ResultPath", "OutputPath"].into_iter().filter(|path| known(path));
            format!("write {}, or set QueryLanguage to JSONata", paths.collect::<Vec<_>>().join(" or "))
        }
        (QueryLanguage::JsonPath, _) => return None,
    };
    Some(help)
}

/// Warns about a text of a field that looks like a path, where a twin of the field takes one.
// AWS: the code and its meaning are listed in the API reference. AWS: unverified which fields it is said of
pub(crate) fn missing_path(node: Node<'_, '_>, twin: &str, findings: &mut Findings) {
    let is_path = |text: &str| ["$.", "$$.", "$["].iter().any(|start| text.starts_with(start));
    if node.language == QueryLanguage::JsonPath && node.value.as_str().is_some_and(is_path) {
        let message = "Field value looks like a path, but field name does not end with 'Path'.";
        let is_path = node.value.as_str().is_some_and(|text| Path::parse(text).is_ok());
        let help = is_path.then(|| format!("write {twin} to have it followed"));
        findings.warning(Code::NoPath, node.at, message, help);
    }
}
