//! What a filter `[?(...)]` asks of one element.
//!
//! Comparison never converts: values of different types are unequal and unordered. A path of the filter that
//! leads nowhere is undefined, which equals nothing, not even null.

use std::borrow::Cow;
use std::cmp::Ordering;

use regex_lite::Regex;
use serde_json::Value;

use super::walk::{self, Hit, Walk};
use super::{PathError, Step};
use crate::number;

/// A condition on one element.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Filter {
    Any(Vec<Filter>),
    All(Vec<Filter>),
    Not(Box<Filter>),
    /// `@.name`: there is such a value, null included.
    Exists(Operand),
    Compare(Operand, Operator, Operand),
    Matches(Operand, Pattern),
}

/// One side of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Operand {
    Literal(Value),
    /// `@…`
    Element(Vec<Step>),
    /// `$…`
    Document(Vec<Step>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
    SubsetOf,
    AnyOf,
    NoneOf,
    AllIn,
    Contains,
    Size,
    Empty,
}

/// A compiled regular expression, which has to match the whole text. Equal if written equally.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    pub(super) regex: Regex,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.regex.as_str() == other.regex.as_str()
    }
}

impl Filter {
    /// Recursion is as deep as the filter is nested, which its parser bounds.
    pub(super) fn holds<'v>(&'v self, element: &'v Value, walk: &'v Walk<'v>) -> Result<bool, PathError> {
        match self {
            Filter::Any(filters) => {
                for filter in filters {
                    if filter.holds(element, walk)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Filter::All(filters) => {
                for filter in filters {
                    if !filter.holds(element, walk)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Filter::Not(filter) => Ok(!filter.holds(element, walk)?),
            Filter::Exists(operand) => Ok(operand.value(element, walk)?.is_some()),
            Filter::Compare(left, operator, right) => {
                let (left, right) = (left.value(element, walk)?, right.value(element, walk)?);
                operator.compare(left.as_deref(), right.as_deref(), walk)
            }
            Filter::Matches(operand, pattern) => {
                let value = operand.value(element, walk)?;
                let Some(text) = value.as_deref().and_then(Value::as_str) else { return Ok(false) };
                walk.spend(text.len().saturating_mul(pattern.regex.as_str().len() / 16))?;
                Ok(pattern.regex.is_match(text))
            }
        }
    }
}

impl Operand {
    fn value<'v>(&'v self, element: &'v Value, walk: &'v Walk<'v>) -> Result<Option<Cow<'v, Value>>, PathError> {
        let (from, steps) = match self {
            Operand::Literal(value) => return Ok(Some(Cow::Borrowed(value))),
            Operand::Element(steps) => (element, steps),
            Operand::Document(steps) => (walk.document(), steps),
        };
        walk.spend(steps.len() + 1)?;
        if !walk::are_definite(steps) {
            return Ok(Some(Cow::Owned(walk.list(from, steps)?)));
        }
        Ok(match walk::reach(from, steps) {
            Ok(Hit::Here(value)) => Some(Cow::Borrowed(value)),
            Ok(Hit::Made(value)) => Some(Cow::Owned(value)),
            Ok(Hit::PastTheEnd) | Err(_) => None,
        })
    }
}

impl Operator {
    fn compare(self, left: Option<&Value>, right: Option<&Value>, walk: &Walk) -> Result<bool, PathError> {
        let (Some(left), Some(right)) = (left, right) else {
            // Undefined is unequal to everything.
            return Ok(self == Operator::Unequal);
        };
        let ordered = |wanted: &[Ordering]| Ok(order(left, right).is_some_and(|found| wanted.contains(&found)));
        let lists = left.as_array().zip(right.as_array());
        if let Some((left, right)) = lists {
            walk.spend(left.len().saturating_mul(right.len()))?;
        }
        match self {
            Operator::Equal => Ok(equal(left, right)),
            Operator::Unequal => Ok(!equal(left, right)),
            Operator::Less => ordered(&[Ordering::Less]),
            Operator::LessOrEqual => ordered(&[Ordering::Less, Ordering::Equal]),
            Operator::Greater => ordered(&[Ordering::Greater]),
            Operator::GreaterOrEqual => ordered(&[Ordering::Greater, Ordering::Equal]),
            Operator::In => contains(right, left, walk),
            Operator::NotIn => contains(right, left, walk).map(|found| !found),
            Operator::Contains => contains(left, right, walk),
            Operator::SubsetOf => Ok(lists.is_some_and(|(left, right)| left.iter().all(|item| has(right, item)))),
            Operator::AnyOf => Ok(lists.is_some_and(|(left, right)| left.iter().any(|item| has(right, item)))),
            Operator::NoneOf => Ok(lists.is_some_and(|(left, right)| !left.iter().any(|item| has(right, item)))),
            Operator::AllIn => Ok(lists.is_some_and(|(left, right)| right.iter().all(|item| has(left, item)))),
            Operator::Size => Ok(size(left).is_some_and(|size| right.as_u64() == Some(size as u64))),
            Operator::Empty => Ok(size(left).is_some_and(|size| right.as_bool() == Some(size == 0))),
        }
    }
}

fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => number::compare(left, right) == Some(Ordering::Equal),
        _ => left == right,
    }
}

fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => number::compare(left, right),
        (Value::String(left), Value::String(right)) => Some(left.encode_utf16().cmp(right.encode_utf16())),
        _ => None,
    }
}

fn contains(list: &Value, item: &Value, walk: &Walk) -> Result<bool, PathError> {
    match (list, item) {
        (Value::Array(items), _) => {
            walk.spend(items.len())?;
            Ok(has(items, item))
        }
        (Value::String(text), Value::String(part)) => {
            walk.spend(text.len())?;
            Ok(text.contains(part.as_str()))
        }
        _ => Ok(false),
    }
}

fn has(items: &[Value], wanted: &Value) -> bool {
    items.iter().any(|item| equal(item, wanted))
}

fn size(value: &Value) -> Option<usize> {
    match value {
        Value::Array(items) => Some(items.len()),
        Value::String(text) => Some(text.encode_utf16().count()),
        Value::Object(object) => Some(object.len()),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}
