//! `States.Format`: values put into the `{}` of a template.
//!
//! The result of repeated formatting can grow without end, so it is bounded by what a payload could hold many
//! times over.

use serde_json::Value;

use super::call::{Failure, computable};
use crate::json;

/// Longest text made, in bytes; a payload has 262,144.
const LONGEST: usize = 4 * 1024 * 1024;

/// `values` holds the template at 0, as a value; `template` is the same with its escapes still in it.
pub(super) fn format(template: &str, values: &[Value]) -> Result<Value, Failure> {
    let mut arguments = values.iter().skip(1);
    let mut text = String::new();
    let mut characters = template.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '\\' => match characters.next_if(|next| matches!(next, '{' | '}' | '\'' | '\\')) {
                Some(escaped) => text.push(escaped),
                None => text.push('\\'),
            },
            '{' if characters.next_if_eq(&'}').is_none() => {
                // AWS: fails when it is evaluated, in a literal too (from a report).
                return Err("Invalid template in States.Format: matching '}' not found for '{'.".to_owned());
            }
            '{' => {
                // AWS: unverified wording.
                let argument = arguments.next().ok_or("Number of arguments does not match the occurrences of {}")?;
                computable(argument)?;
                print(argument, &mut text);
                if text.len() > LONGEST {
                    return Err("The result is too long".to_owned());
                }
            }
            // AWS: unverified: a closing brace stands for itself.
            other => text.push(other),
        }
    }
    match arguments.next() {
        None => Ok(Value::String(text)),
        Some(_) => Err("Number of arguments does not match the occurrences of {}".to_owned()),
    }
}

/// Prints a value as Java prints it.
// AWS: strings are raw and objects look like Java's maps: `{Arg1=1, Arg2=[]}`.
fn print(value: &Value, out: &mut String) {
    match value {
        Value::String(text) => out.push_str(json::number(text).unwrap_or(text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => out.push_str(&value.to_string()),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                separate(index, out);
                print(item, out);
            }
            out.push(']');
        }
        Value::Object(object) => {
            out.push('{');
            for (index, (name, value)) in object.iter().enumerate() {
                separate(index, out);
                out.push_str(name);
                out.push('=');
                print(value, out);
            }
            out.push('}');
        }
    }
}

fn separate(index: usize, out: &mut String) {
    if index > 0 {
        out.push_str(", ");
    }
}
