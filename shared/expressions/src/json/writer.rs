//! From value to text, without recursion: a value may be a thousand levels deep.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::carried::{self, Part};

/// What is being written, from the outside in.
enum Open<'v> {
    Array(std::slice::Iter<'v, Value>),
    Object(serde_json::map::Iter<'v>),
}

pub(super) fn write(value: &Value, out: &mut String) {
    // The innermost one is held apart: most values are one level deep, and need no list.
    let (mut innermost, mut around) = (begin(value, out), Vec::new());
    while let Some(container) = &mut innermost {
        let next = match container {
            Open::Array(items) => items.next().map(|item| (None, item)),
            Open::Object(members) => members.next().map(|(name, value)| (Some(name), value)),
        };
        match next {
            Some((name, value)) => {
                if !out.ends_with(['[', '{']) {
                    out.push(',');
                }
                if let Some(name) = name {
                    string(name, out);
                    out.push(':');
                }
                if let Some(inner) = begin(value, out) {
                    around.extend(innermost.replace(inner));
                }
            }
            None => {
                out.push(if matches!(container, Open::Array(_)) { ']' } else { '}' });
                innermost = around.pop();
            }
        }
    }
}

/// Writes a scalar, or the start of a container, which is then open.
fn begin<'v>(value: &'v Value, out: &mut String) -> Option<Open<'v>> {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        // Writing to a string does not fail.
        Value::Number(number) => drop(write!(out, "{number}")),
        Value::String(text) => match carried::number(text) {
            Some(number) => out.push_str(number),
            None => string(text, out),
        },
        Value::Array(items) => {
            out.push('[');
            return Some(Open::Array(items.iter()));
        }
        Value::Object(members) => {
            out.push('{');
            return Some(Open::Object(Map::iter(members)));
        }
    }
    None
}

fn string(text: &str, out: &mut String) {
    out.push('"');
    if carried::is_marked(text) {
        for part in carried::parts(text) {
            match part {
                Part::Plain(plain) => escape(plain, out),
                Part::Surrogate(unit) => drop(write!(out, "\\u{unit:04x}")),
            }
        }
    } else {
        escape(text, out);
    }
    out.push('"');
}

/// Writes what stands between the quotes.
fn escape(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| byte < 0x20 || byte == b'"' || byte == b'\\') {
        let (plain, behind) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.push_str(plain);
        let mut letters = behind.chars();
        match letters.next() {
            Some('"') => out.push_str("\\\""),
            Some('\\') => out.push_str("\\\\"),
            Some('\u{8}') => out.push_str("\\b"),
            Some('\u{c}') => out.push_str("\\f"),
            Some('\n') => out.push_str("\\n"),
            Some('\r') => out.push_str("\\r"),
            Some('\t') => out.push_str("\\t"),
            Some(control) => drop(write!(out, "\\u{:04x}", u32::from(control))),
            None => {}
        }
        rest = letters.as_str();
    }
    out.push_str(rest);
}
