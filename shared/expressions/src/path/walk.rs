//! Following the steps of a path through a document.
//!
//! Definite paths walk straight down. All others go step by step over the list of places reached so far, which
//! keeps document order and needs no recursion. What cannot be followed is an error on a definite path and simply
//! nothing on any other.

use std::cell::Cell;

use serde_json::{Map, Value};

use super::problem::{self, PathError};
use super::{Filter, Step};

/// What a path leads to.
pub(super) enum Hit<'v> {
    Here(&'v Value),
    Made(Value),
    PastTheEnd,
}

impl Hit<'_> {
    pub(super) fn value(&self) -> &Value {
        match self {
            Hit::Here(value) => value,
            Hit::Made(value) => value,
            Hit::PastTheEnd => &Value::Null,
        }
    }
}

/// One reading of one path: the document filters see as `$`, and how much work is left.
pub(super) struct Walk<'v> {
    document: &'v Value,
    left: Cell<usize>,
}

/// Places looked at and bytes answered by one reading. A payload has 262,144 bytes; only paths that multiply the
/// document (`$..*..*`) come near.
const MOST_WORK: usize = 8_000_000;

/// Whether the steps lead to at most one place.
pub(super) fn are_definite(steps: &[Step]) -> bool {
    let last = steps.len().saturating_sub(1);
    steps.iter().enumerate().all(|(at, step)| match step {
        Step::Property(_) | Step::Index(_) => true,
        // Merged into one object at the end, so Jayway counts it as definite there.
        Step::Properties(_) => at == last,
        Step::Indices(_) | Step::Slice { .. } | Step::Wildcard | Step::Filter(_) | Step::Scan => false,
    })
}

/// Follows definite steps.
pub(super) fn reach<'v>(from: &'v Value, steps: &[Step]) -> Result<Hit<'v>, Obstacle<'v>> {
    let mut here = Some(from);
    for (at, step) in steps.iter().enumerate() {
        let obstacle = Obstacle { at, here };
        here = match (step, here) {
            (Step::Property(name), Some(Value::Object(object))) => Some(object.get(name).ok_or(obstacle)?),
            (Step::Properties(names), Some(Value::Object(object))) => return Ok(Hit::Made(merged(object, names))),
            (Step::Index(index), Some(Value::Array(items))) => element(items, *index),
            _ => return Err(obstacle),
        };
    }
    Ok(here.map_or(Hit::PastTheEnd, Hit::Here))
}

/// The step that could not be taken, and where.
pub(super) struct Obstacle<'v> {
    at: usize,
    here: Option<&'v Value>,
}

impl Obstacle<'_> {
    /// Which step it was, counted from 0.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// In Jayway's words; apart from walking because it is not cheap and often not needed.
    pub(super) fn explain(&self, steps: &[Step]) -> PathError {
        let place = |taken: usize| problem::place(steps.get(..taken).unwrap_or(steps));
        let not_an_object = |property: String| PathError::NotAnObject {
            property,
            place: place(self.at),
            class: self.here.map_or("null", problem::class),
        };
        match (steps.get(self.at), self.here) {
            // AWS: `No results for path: $['X']` at the end, `Missing property in path $['no']` before it (recorded).
            (Some(Step::Property(_)), Some(Value::Object(_))) if self.at + 1 < steps.len() => {
                PathError::MissingProperty { place: place(self.at + 1) }
            }
            (Some(Step::Property(name)), here) if !here.is_some_and(Value::is_object) => not_an_object(name.clone()),
            (Some(Step::Properties(names)), _) => not_an_object(names.join("', '")),
            (Some(Step::Index(_)), None) => PathError::Null { place: place(self.at) },
            (Some(Step::Index(index)), Some(value)) => {
                PathError::NotAnArray { index: *index, found: value.to_string() }
            }
            _ => PathError::NoResults { place: place(self.at + 1) },
        }
    }
}

impl<'v> Walk<'v> {
    pub(super) fn new(document: &'v Value) -> Self {
        Walk { document, left: Cell::new(MOST_WORK) }
    }

    pub(super) fn document(&self) -> &'v Value {
        self.document
    }

    pub(super) fn spend(&self, work: usize) -> Result<(), PathError> {
        let left = self.left.get().checked_sub(work).ok_or(PathError::TooMuch)?;
        self.left.set(left);
        Ok(())
    }

    /// Follows any steps and answers the list of what they lead to.
    pub(super) fn list(&self, from: &'v Value, steps: &[Step]) -> Result<Value, PathError> {
        let (merge, steps) = match steps.split_last() {
            Some((Step::Properties(names), before)) if !before.ends_with(&[Step::Scan]) => (Some(names), before),
            _ => (None, steps),
        };
        let places = self.places(from, steps)?;
        let mut answer = Vec::with_capacity(places.len());
        for place in places {
            let value = match (merge, place) {
                (None, value) => {
                    self.spend_on(value)?;
                    value.clone()
                }
                (Some(names), Value::Object(object)) => {
                    self.spend_on(place)?;
                    merged(object, names)
                }
                (Some(_), _) => continue,
            };
            answer.push(value);
        }
        Ok(Value::Array(answer))
    }

    /// The places any steps lead to, in document order.
    pub(super) fn places(&self, from: &'v Value, steps: &[Step]) -> Result<Vec<&'v Value>, PathError> {
        let mut places = vec![from];
        let mut scanning = false;
        for step in steps {
            if *step == Step::Scan {
                scanning = true;
                continue;
            }
            let mut next = Vec::new();
            for place in places {
                if scanning {
                    self.scan(place, step, &mut next)?;
                } else {
                    self.apply(place, step, &mut next)?;
                }
            }
            scanning = false;
            places = next;
        }
        Ok(places)
    }

    /// Applies a step to a place and to every container below it, parents first.
    fn scan(&self, from: &'v Value, step: &Step, next: &mut Vec<&'v Value>) -> Result<(), PathError> {
        let mut waiting = vec![from];
        while let Some(place) = waiting.pop() {
            self.spend(1)?;
            match (step, place) {
                // Filters pick the objects they hold for; their elements are visited anyway.
                (Step::Filter(_), Value::Array(_)) => {}
                _ => self.apply(place, step, next)?,
            }
            match place {
                Value::Array(items) => waiting.extend(items.iter().rev().filter(|v| is_container(v))),
                Value::Object(object) => {
                    let from = waiting.len();
                    waiting.extend(object.values().filter(|v| is_container(v)));
                    if let Some(added) = waiting.get_mut(from..) {
                        added.reverse();
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn apply(&self, place: &'v Value, step: &Step, next: &mut Vec<&'v Value>) -> Result<(), PathError> {
        let before = next.len();
        match (step, place) {
            (Step::Property(name), Value::Object(object)) => next.extend(object.get(name)),
            (Step::Properties(names), Value::Object(object)) => {
                next.extend(names.iter().filter_map(|name| object.get(name)));
            }
            (Step::Index(index), Value::Array(items)) => next.extend(element(items, *index)),
            // AWS: unverified: Jayway over Jackson may answer null for an index past the end in a list of indices.
            (Step::Indices(indices), Value::Array(items)) => {
                next.extend(indices.iter().filter_map(|index| element(items, *index)));
            }
            (Step::Slice { from, to }, Value::Array(items)) => next.extend(slice(items, *from, *to)),
            (Step::Wildcard, Value::Array(items)) => next.extend(items),
            (Step::Wildcard, Value::Object(object)) => next.extend(object.values()),
            (Step::Filter(filter), Value::Array(_) | Value::Object(_)) => {
                // A filter on an object asks the object itself.
                let candidates = place.as_array().map_or(std::slice::from_ref(place), Vec::as_slice);
                for candidate in candidates {
                    if self.accepts(filter, candidate)? {
                        next.push(candidate);
                    }
                }
            }
            _ => {}
        }
        self.spend(next.len().saturating_sub(before) + 1)
    }

    fn accepts(&self, filter: &Filter, item: &'v Value) -> Result<bool, PathError> {
        self.spend(1)?;
        filter.holds(item, self)
    }

    /// Pays for a copy of a value before it is made.
    fn spend_on(&self, value: &Value) -> Result<(), PathError> {
        let mut waiting = vec![value];
        while let Some(value) = waiting.pop() {
            self.spend(match value {
                Value::String(text) => text.len() + 2,
                Value::Object(object) => object.keys().map(|key| key.len() + 4).sum::<usize>() + 2,
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => 4,
            })?;
            match value {
                Value::Array(items) => waiting.extend(items),
                Value::Object(object) => waiting.extend(object.values()),
                _ => {}
            }
        }
        Ok(())
    }
}

fn is_container(value: &Value) -> bool {
    matches!(value, Value::Array(_) | Value::Object(_))
}

fn merged(object: &Map<String, Value>, names: &[String]) -> Value {
    let present = names.iter().filter_map(|name| Some((name.clone(), object.get(name)?.clone())));
    Value::Object(present.collect())
}

fn element(items: &[Value], index: i64) -> Option<&Value> {
    let length = i64::try_from(items.len()).ok()?;
    let at = if index < 0 { length + index } else { index };
    items.get(usize::try_from(at).ok()?)
}

/// The elements of a slice, with Jayway's three forms.
fn slice(items: &[Value], from: Option<i64>, to: Option<i64>) -> impl Iterator<Item = &Value> {
    let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
    let from_end = |index: i64| if index < 0 { (length + index).max(0) } else { index };
    let range = match (from, to) {
        (Some(from), None) => from_end(from)..length,
        (None, to) => 0..from_end(to.unwrap_or(length)).min(length),
        // With both ends Jayway compares them as written and counts each index from its own end: on four elements
        // `[-2:1]` is the last two and the first.
        (Some(from), Some(to)) => from.max(-length)..to.min(length),
    };
    range.filter_map(|index| element(items, index))
}
