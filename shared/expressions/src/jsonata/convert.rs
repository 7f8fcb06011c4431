//! Values in serde's form and in the engine's.
//!
//! The engine's numbers are doubles: integers beyond 2^53 lose digits on the way in. Whatever an expression only passes
//! on does not come here (see `plain`).

use std::cell::Cell;
use std::rc::Rc;

use jsonata_core::value::{JArray, JMap, JValue};
use serde_json::{Map, Number, Value};

use super::free_variables::Read;
use super::messages::Failure;
use crate::json::{self, Fold};

/// The most bytes AWS lets one value have: 8 a number, 1 a character.
pub(super) const MOST_BYTES: usize = 6_990_256;

/// `carried` is set where the value holds something that the engine must not compute with.
pub(super) fn to_engine(value: &Value, carried: &Cell<bool>) -> JValue {
    within(value, json::SHALLOW, carried)
}

fn within(value: &Value, levels: usize, carried: &Cell<bool>) -> JValue {
    match value {
        Value::Array(items) if levels > 0 => array(items, |item| within(item, levels - 1, carried)),
        Value::Object(object) if levels > 0 => object_of(object.iter().map(|(key, value)| {
            note(key, carried);
            (key.clone(), within(value, levels - 1, carried))
        })),
        Value::Array(_) | Value::Object(_) => {
            carried.set(carried.get() || json::is_carried(value));
            let converting = Fold {
                scalar,
                array: |items, made| JValue::Array(JArray::new_flat(made, !items.iter().any(Value::is_array))),
                object: |object, made| object_of(object.keys().cloned().zip(made)),
            };
            converting.apply(value)
        }
        Value::String(text) if !json::is_marked(text) => JValue::string(text.as_str()),
        Value::Number(number) => JValue::Number(number.as_f64().unwrap_or(f64::NAN)),
        Value::String(_) => {
            carried.set(true);
            scalar(value)
        }
        Value::Null | Value::Bool(_) => scalar(value),
    }
}

fn note(text: &str, carried: &Cell<bool>) {
    if json::is_marked(text) {
        carried.set(true);
    }
}

/// A number beyond doubles stays a carried text, see [`carried`](super::carried).
fn scalar(value: &Value) -> JValue {
    match value {
        Value::Bool(truth) => JValue::Bool(*truth),
        Value::Number(number) => JValue::Number(number.as_f64().unwrap_or(f64::NAN)),
        Value::String(text) => match json::number(text).and_then(|number| number.parse().ok()) {
            Some(number) if f64::is_finite(number) => JValue::Number(number),
            _ => JValue::string(text.as_str()),
        },
        Value::Null | Value::Array(_) | Value::Object(_) => JValue::Null,
    }
}

/// The part of a value that these reads see: `from` fields of each have been followed already. Steps go through
/// arrays, as the language's do.
pub(super) fn seen(value: &Value, reads: &[&Read], from: usize, carried: &Cell<bool>) -> JValue {
    if from > json::SHALLOW || reads.iter().any(|read| read.fields.len() <= from) {
        return to_engine(value, carried);
    }
    match value {
        Value::Array(items) => array(items, |item| seen(item, reads, from, carried)),
        Value::Object(object) => object_of(object.iter().filter_map(|(key, value)| {
            let through: Vec<&Read> =
                reads.iter().copied().filter(|read| read.fields.get(from).is_some_and(|field| field == key)).collect();
            if through.is_empty() { None } else { Some((key.clone(), seen(value, &through, from + 1, carried))) }
        })),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => to_engine(value, carried),
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
            part(value, json::SHALLOW, &mut room)
        }
    }
}

/// A value of which `levels` levels may be followed by recursion.
fn part(value: &JValue, levels: usize, room: &mut usize) -> Result<Value, Failure> {
    match value {
        JValue::Array(_) | JValue::Object(_) if levels == 0 => deep(value, room),
        JValue::Array(items) => {
            let there = items.iter().filter(|item| !item.is_undefined());
            there.map(|item| part(item, levels - 1, room)).collect::<Result<_, _>>().map(Value::Array)
        }
        JValue::Object(members) => {
            let mut object = Map::with_capacity(members.len());
            for (key, value) in members.iter().filter(|(_, value)| !value.is_undefined()) {
                take(key.len(), room)?;
                object.insert(key.clone(), part(value, levels - 1, room)?);
            }
            Ok(Value::Object(object))
        }
        scalar => leaf(scalar, room),
    }
}

fn leaf(value: &JValue, room: &mut usize) -> Result<Value, Failure> {
    match value {
        JValue::Undefined | JValue::Null => take(8, room).map(|()| Value::Null),
        JValue::Bool(truth) => take(8, room).map(|()| Value::Bool(*truth)),
        JValue::Number(number) => take(8, room).map(|()| number_to_json(*number)),
        JValue::String(text) => take(text.len(), room).map(|()| Value::from(&**text)),
        JValue::Array(_) | JValue::Object(_) => Err(Failure::Internal),
        JValue::Lambda(_) | JValue::Builtin { .. } | JValue::Regex { .. } => Err(Failure::Unsupported),
    }
}

/// A container that is being made, and its parts that are not made yet.
enum Open<'v> {
    Array { waiting: std::slice::Iter<'v, JValue>, made: Vec<Value> },
    Object { waiting: Vec<(&'v String, &'v JValue)>, name: Option<&'v String>, made: Map<String, Value> },
}

/// The same without recursion, for what is deep.
fn deep(value: &JValue, room: &mut usize) -> Result<Value, Failure> {
    let mut open: Vec<Open<'_>> = Vec::new();
    let mut next = Some(value);
    let mut complete = None;
    loop {
        match next.take() {
            Some(JValue::Array(items)) => open.push(Open::Array { waiting: items.iter(), made: Vec::new() }),
            Some(JValue::Object(members)) => {
                let mut waiting: Vec<_> = members.iter().filter(|(_, value)| !value.is_undefined()).collect();
                waiting.reverse();
                open.push(Open::Object { waiting, name: None, made: Map::new() });
            }
            Some(scalar) => complete = Some(leaf(scalar, room)?),
            None => {}
        }
        if open.len() + json::SHALLOW > json::DEEPEST {
            return Err(Failure::TooLarge);
        }
        let ended = match open.last_mut() {
            None => return complete.ok_or(Failure::Internal),
            Some(Open::Array { waiting, made }) => {
                made.extend(complete.take());
                next = waiting.find(|item| !item.is_undefined());
                next.is_none().then(|| Value::Array(std::mem::take(made)))
            }
            Some(Open::Object { waiting, name, made }) => {
                if let (Some(name), Some(value)) = (name.take(), complete.take()) {
                    made.insert(name.clone(), value);
                }
                match waiting.pop() {
                    Some((key, value)) => {
                        take(key.len(), room)?;
                        *name = Some(key);
                        next = Some(value);
                        None
                    }
                    None => Some(Value::Object(std::mem::take(made))),
                }
            }
        };
        if ended.is_some() {
            open.pop();
            complete = ended;
        }
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
