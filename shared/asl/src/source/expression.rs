//! Terraform's expressions in a template of JSON: `${jsonencode(var.subnets)}`, over several lines if need be.
//!
//! Each is replaced by a placeholder that is named for what is in it, `${jsonencode.var.subnets}`, which is filled in and left
//! open like any other. Where a value may stand, anything between the braces is an expression. Within a string only a call
//! or an index is: all else may be JSONata.

use super::origin::Derived;
use super::placeholder::{self, end_of_string};

/// The longest expression, in bytes.
const LONGEST: usize = 4096;

/// The text with names in the place of its expressions; nothing if it has none.
pub(super) fn named(from: &Derived) -> Option<Derived> {
    let text = from.text();
    if !text.contains("${") {
        return None;
    }
    let mut into = Derived::default();
    let (mut done, mut at) = (0, 0);
    let mut string = None;
    // No expression ends before here that begins before here.
    let mut hopeless = 0;
    while let Some(byte) = text.as_bytes().get(at) {
        match (byte, string) {
            (b'"', None) => string = Some(at),
            (b'"', Some(_)) => string = None,
            (b'\\', Some(_)) => at += 1,
            (b'$', _) if at >= hopeless && text.get(at..).is_some_and(|rest| rest.starts_with("${")) => {
                let within = string.map(|start| text.get(start..at).unwrap_or_default());
                match find(text, at, within) {
                    Found::Expression { end, name } => {
                        into.append(from, done..at);
                        into.replace(&format!("${{{name}}}"), from.origin(at..end));
                        (done, at) = (end, end - 1);
                    }
                    Found::Other => {}
                    Found::Endless { until } => hopeless = until,
                }
            }
            _ => {}
        }
        at += 1;
    }
    if done == 0 {
        return None;
    }
    into.append(from, done..text.len());
    Some(into)
}

/// The same for a scalar of YAML that is one call or index and nothing else.
pub(super) fn named_scalar(text: &str) -> Option<String> {
    if !text.starts_with("${") || !text.ends_with('}') {
        return None;
    }
    match find(text, 0, Some("")) {
        Found::Expression { end, name } if end == text.len() => Some(format!("${{{name}}}")),
        Found::Expression { .. } | Found::Other | Found::Endless { .. } => None,
    }
}

enum Found {
    Expression {
        end: usize,
        name: String,
    },
    Other,
    /// The braces do not close before a place.
    Endless {
        until: usize,
    },
}

/// The expression that begins at a byte; `within` is the text of the string before it.
fn find(text: &str, start: usize, within: Option<&str>) -> Found {
    let is_simple = text.get(start..).and_then(placeholder::starting).is_some();
    if is_simple || within.is_some_and(|before| before.starts_with("\"{%") || before.ends_with('$')) {
        return Found::Other;
    }
    let limit = text.len().min(start + LONGEST);
    let (mut depth, mut at) = (1_usize, start + 2);
    while let Some(byte) = text.as_bytes().get(at).filter(|_| at < limit) {
        match byte {
            b'{' | b'(' | b'[' => depth += 1,
            b'}' | b')' | b']' => depth -= 1,
            b'"' => at = end_of_string(text, at) - 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            let body = text.get(start + 2..at - 1).unwrap_or_default();
            return match name_of(body) {
                Some(name) if within.is_none() || is_call(body) => Found::Expression { end: at, name },
                Some(_) | None => Found::Other,
            };
        }
    }
    Found::Endless { until: at }
}

/// `lookup(…`, `var.arns[…`
fn is_call(body: &str) -> bool {
    let body = body.trim_start();
    let length = body.bytes().position(|byte| !byte.is_ascii_alphanumeric() && !b"_-.".contains(&byte));
    length.is_some_and(|length| length > 0 && body.get(length..).is_some_and(|rest| rest.starts_with(['(', '['])))
}

/// The words of an expression as the name of a placeholder.
fn name_of(body: &str) -> Option<String> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || "_-".contains(letter);
    let words: Vec<&str> = body.split(|letter| !is_part(letter)).filter(|word| !word.is_empty()).collect();
    let name = words.join(".");
    placeholder::is_name(&name).then_some(name)
}
