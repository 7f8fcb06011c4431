//! Making something of a value from the inside out, without recursion: a value may be a thousand levels deep.
//!
//! Recursion is faster, so what is made of every payload recurses through the first [`SHALLOW`] levels, whose frames any
//! stack holds, and only goes on here.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// So many levels may be followed by recursion.
pub(crate) const SHALLOW: usize = 100;

/// What becomes of a scalar, and of the containers with what has become of their parts, in order.
pub(crate) struct Fold<T> {
    pub scalar: fn(&Value) -> T,
    pub array: fn(&[Value], Vec<T>) -> T,
    pub object: fn(&Map<String, Value>, Vec<T>) -> T,
}

/// A container and what has been made of its parts so far.
struct Open<'v, T> {
    container: &'v Value,
    waiting: Box<dyn Iterator<Item = &'v Value> + 'v>,
    made: Vec<T>,
}

impl<T> Fold<T> {
    pub(crate) fn apply(&self, value: &Value) -> T {
        let mut open: Vec<Open<'_, T>> = Vec::new();
        let mut next = value;
        loop {
            let mut complete = match next {
                Value::Array(items) => {
                    open.push(Open { container: next, waiting: Box::new(items.iter()), made: Vec::new() });
                    None
                }
                Value::Object(members) => {
                    open.push(Open { container: next, waiting: Box::new(members.values()), made: Vec::new() });
                    None
                }
                scalar => Some((self.scalar)(scalar)),
            };
            loop {
                let Some(inner) = open.last_mut() else {
                    match complete {
                        Some(whole) => return whole,
                        None => return (self.scalar)(&Value::Null),
                    }
                };
                inner.made.extend(complete.take());
                if let Some(value) = inner.waiting.next() {
                    next = value;
                    break;
                }
                let made = std::mem::take(&mut inner.made);
                complete = Some(match inner.container {
                    Value::Array(items) => (self.array)(items, made),
                    Value::Object(members) => (self.object)(members, made),
                    scalar => (self.scalar)(scalar),
                });
                open.pop();
            }
        }
    }
}

/// A copy of a value, however deep it is.
pub fn copy(value: &Value) -> Value {
    match value {
        Value::Null => return Value::Null,
        Value::Bool(_) | Value::Number(_) | Value::String(_) => return value.clone(),
        Value::Array(_) | Value::Object(_) if is_shallow(value, SHALLOW) => return value.clone(),
        Value::Array(_) | Value::Object(_) => {}
    }
    let copying = Fold {
        scalar: Value::clone,
        array: |_, items| Value::Array(items),
        object: |members, values| Value::Object(members.keys().cloned().zip(values).collect()),
    };
    copying.apply(value)
}

/// The value itself, copied if it is borrowed.
pub(crate) fn owned(value: Cow<'_, Value>) -> Value {
    match value {
        Cow::Borrowed(value) => copy(value),
        Cow::Owned(value) => value,
    }
}

/// Whether there are no more levels than these.
fn is_shallow(value: &Value, levels: usize) -> bool {
    let below = |value: &Value| match value {
        Value::Array(_) | Value::Object(_) => levels > 0 && is_shallow(value, levels - 1),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    };
    match value {
        Value::Array(items) => items.iter().all(below),
        Value::Object(members) => members.values().all(below),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}
