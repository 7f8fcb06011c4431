//! Values in serde's form and in the engine's.
//!
//! The engine's numbers are doubles: integers beyond 2^53 lose digits on the way in. Whatever an expression only passes
//! on does not come here (see `plain`).

use std::rc::Rc;

use jsonata_core::value::{JArray, JMap, JValue};
use serde_json::{Map, Number, Value};

use super::free_variables::Read;
use super::messages::Failure;
use crate::json;

/// The most bytes AWS lets one value have: 8 a number, 1 a character.
pub(super) const MOST_BYTES: usize = 6_990_256;

/// The recursion is as deep as the value, and what comes from outside has a bounded depth.
pub(super) fn to_engine(value: &Value) -> JValue {
    match value {
        Value::Null => JValue::Null,
        Value::Bool(truth) => JValue::Bool(*truth),
        Value::Number(number) => JValue::Number(number.as_f64().unwrap_or(f64::NAN)),
        Value::String(text) => JValue::string(text.as_str()),
        Value::Array(items) => array(items, to_engine),
        Value::Object(object) => object_of(object.iter().map(|(key, value)| (key.clone(), to_engine(value)))),
    }
}

/// The part of a value that these reads see: `from` fields of each have been followed already. Steps go through
/// arrays, as the language's do.
pub(super) fn seen(value: &Value, reads: &[&Read], from: usize) -> JValue {
    if reads.iter().any(|read| read.fields.len() <= from) {
        return to_engine(value);
    }
    match value {
        Value::Array(items) => array(items, |item| seen(item, reads, from)),
        Value::Object(object) => object_of(object.iter().filter_map(|(key, value)| {
            let through: Vec<&Read> =
                reads.iter().copied().filter(|read| read.fields.get(from).is_some_and(|field| field == key)).collect();
            if through.is_empty() { None } else { Some((key.clone(), seen(value, &through, from + 1))) }
        })),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => to_engine(value),
    }
}

fn array(items: &[Value], convert: impl Fn(&Value) -> JValue) -> JValue {
    let flat = !items.iter().any(Value::is_array);
    JValue::Array(JArray::new_flat(items.iter().map(convert).collect(), flat))
}

pub(super) fn object_of(members: impl Iterator<Item = (String, JValue)>) -> JValue {
    JValue::Object(Rc::new(members.collect::<JMap>()))
}

/// The value of an expression, as JSON.
pub(super) fn to_json(value: &JValue) -> Result<Value, Failure> {
    match value {
        JValue::Undefined => Err(Failure::Undefined),
        value => {
            let mut room = MOST_BYTES;
            part(value, json::DEEPEST + 1, &mut room)
        }
    }
}

/// The recursion ends where `levels` does.
fn part(value: &JValue, levels: usize, room: &mut usize) -> Result<Value, Failure> {
    let levels = levels.checked_sub(1).ok_or(Failure::TooLarge)?;
    match value {
        JValue::Undefined | JValue::Null => take(8, room).map(|()| Value::Null),
        JValue::Bool(truth) => take(8, room).map(|()| Value::Bool(*truth)),
        JValue::Number(number) => take(8, room).map(|()| number_to_json(*number)),
        JValue::String(text) => take(text.len(), room).map(|()| Value::from(&**text)),
        JValue::Array(items) => {
            let there = items.iter().filter(|item| !item.is_undefined());
            there.map(|item| part(item, levels, room)).collect::<Result<_, _>>().map(Value::Array)
        }
        JValue::Object(members) => {
            let mut object = Map::with_capacity(members.len());
            for (key, value) in members.iter().filter(|(_, value)| !value.is_undefined()) {
                take(key.len(), room)?;
                object.insert(key.clone(), part(value, levels, room)?);
            }
            Ok(Value::Object(object))
        }
        JValue::Lambda(_) | JValue::Builtin { .. } | JValue::Regex { .. } => Err(Failure::Unsupported),
    }
}

fn take(bytes: usize, room: &mut usize) -> Result<(), Failure> {
    *room = room.checked_sub(bytes).ok_or(Failure::TooLarge)?;
    Ok(())
}

// AWS: what JSON has no number for is written as JavaScript names it: "Infinity", "-Infinity", "NaN".
pub(super) fn number_to_json(number: f64) -> Value {
    // 2^63 itself is out of range, -2^63 is not.
    if number.fract() == 0.0 && number >= i64::MIN as f64 && number < i64::MAX as f64 {
        return Value::from(number as i64);
    }
    match Number::from_f64(number) {
        Some(number) => Value::Number(number),
        None if number.is_nan() => Value::from("NaN"),
        None if number > 0.0 => Value::from("Infinity"),
        None => Value::from("-Infinity"),
    }
}

/// About the bytes AWS counts of a value; counting ends at `most`, so that looking at it costs no more than that.
pub(super) fn bytes(value: &JValue, most: usize) -> usize {
    let mut bytes = 0usize;
    let mut waiting = vec![value];
    while let Some(value) = waiting.pop() {
        bytes = bytes.saturating_add(match value {
            JValue::String(text) => text.len(),
            JValue::Object(members) => members.keys().map(String::len).sum(),
            // An empty array in an array takes room, too.
            JValue::Array(items) if items.is_empty() => 8,
            JValue::Array(_) => 0,
            _ => 8,
        });
        if bytes > most {
            return bytes;
        }
        match value {
            JValue::Array(items) => waiting.extend(items.iter()),
            JValue::Object(members) => waiting.extend(members.values()),
            _ => {}
        }
    }
    bytes
}
