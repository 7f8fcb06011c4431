//! The condition `[?(...)]` on one element, as Jayway JsonPath 2.0.0 evaluates it.
//!
//! A literal is a text, whatever it looks like: against a number it is read as a number, against a boolean as a boolean.
//! A path that leads nowhere makes its criterion false, `!=` included.

use std::borrow::Cow;
use std::cmp::Ordering;

use regex_lite::Regex;
use serde_json::Value;

use super::walk::{self, Hit, Stop, Walk};
use super::{PathError, Steps};
use crate::json;
use crate::number::Numeric;

/// One of several sets of criteria, of which all hold. Asked from left to right.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Filter {
    pub(super) any: Vec<Vec<Criterion>>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Criterion {
    /// There is a value, and it is not null; or the opposite is wanted. A path from `$` starts at the element, too.
    Exists {
        steps: Steps,
        wanted: bool,
    },
    Compare(Operand, Operator, Operand),
}

/// One side of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Operand {
    /// A literal, and the number it is read as.
    Text(String, Option<Numeric>),
    Pattern(Pattern),
    /// `@…`
    Element(Steps),
    /// `$…`
    Document(Steps),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Matches,
}

/// A compiled regular expression, which has to match the whole text. Equal if written equally.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    /// What stands between the slashes.
    pub(super) source: String,
    pub(super) regex: Regex,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

/// A side of a comparison with its value.
enum Side<'v> {
    Null,
    Text(&'v str, Option<Numeric>),
    Number(&'v Value),
    Bool(bool),
    /// An array or an object, which compare with nothing.
    Container(&'v Value),
    /// An object of several names.
    Made(Value),
    Pattern(&'v Pattern),
}

impl Filter {
    pub(super) fn holds<'v>(&'v self, element: &'v Value, walk: &'v Walk<'v>) -> Result<bool, Stop> {
        for all in &self.any {
            let mut holds = true;
            for criterion in all {
                holds = criterion.holds(element, walk)?;
                if !holds {
                    break;
                }
            }
            if holds {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Criterion {
    fn holds<'v>(&'v self, element: &'v Value, walk: &'v Walk<'v>) -> Result<bool, Stop> {
        match self {
            Criterion::Exists { steps, wanted } => {
                let exists = match read(element, steps, false, walk)? {
                    Some(Hit::Here(value)) => !value.is_null(),
                    Some(Hit::Made(_)) => true,
                    Some(Hit::PastTheEnd) | None => false,
                };
                Ok(exists == *wanted)
            }
            Criterion::Compare(left, operator, right) => {
                let Some(left) = left.side(element, walk)? else { return Ok(false) };
                let Some(right) = right.side(element, walk)? else { return Ok(false) };
                operator.compare(&left, &right, walk)
            }
        }
    }
}

impl Operand {
    /// Its value; nothing where its path leads nowhere.
    fn side<'v>(&'v self, element: &'v Value, walk: &'v Walk<'v>) -> Result<Option<Side<'v>>, Stop> {
        let hit = match self {
            Operand::Text(text, number) => return Ok(Some(Side::Text(text, *number))),
            Operand::Pattern(pattern) => return Ok(Some(Side::Pattern(pattern))),
            Operand::Element(steps) => read(element, steps, false, walk)?,
            Operand::Document(steps) => read(walk.document(), steps, true, walk)?,
        };
        Ok(hit.map(|hit| match hit {
            Hit::PastTheEnd | Hit::Here(Value::Null) => Side::Null,
            Hit::Here(Value::Bool(truth)) => Side::Bool(*truth),
            Hit::Here(Value::String(text)) if json::number(text).is_none() => Side::Text(text, None),
            Hit::Here(value @ (Value::Number(_) | Value::String(_))) => Side::Number(value),
            Hit::Here(value @ (Value::Array(_) | Value::Object(_))) => Side::Container(value),
            Hit::Made(value) => Side::Made(value),
        }))
    }
}

/// Where a path of the filter leads; nothing where Jayway says "not found".
fn read<'v>(
    from: &'v Value,
    steps: &'v Steps,
    starts_at_node: bool,
    walk: &'v Walk<'v>,
) -> Result<Option<Hit<'v>>, Stop> {
    walk.spend(steps.len() + 1)?;
    match walk::reach(from, steps) {
        Ok(hit) => Ok(Some(hit)),
        Err(obstacle) if obstacle.is_not_found(steps, starts_at_node) => Ok(None),
        Err(obstacle) => Err(Stop::failed(obstacle.explain(from, steps, starts_at_node))),
    }
}

impl Operator {
    fn compare(self, left: &Side, right: &Side, walk: &Walk) -> Result<bool, Stop> {
        let order = match self {
            Operator::Matches => return matches(left, right, walk),
            Operator::Equal | Operator::Unequal => order(right, left)?,
            Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => {
                if matches!(left, Side::Null) != matches!(right, Side::Null) {
                    return Ok(false);
                }
                order(right, left)?
            }
        };
        Ok(order.is_some_and(|order| match self {
            Operator::Equal => order.is_eq(),
            Operator::Unequal => order.is_ne(),
            Operator::Less => order.is_gt(),
            Operator::LessOrEqual => order.is_ge(),
            Operator::Greater => order.is_lt(),
            Operator::GreaterOrEqual => order.is_le(),
            Operator::Matches => false,
        }))
    }
}

/// How two sides compare; nothing if they do not. Not symmetric: a text on the left is read as what is on the right.
fn order(left: &Side, right: &Side) -> Result<Option<Ordering>, Stop> {
    Ok(match (left, right) {
        (left, right) if left.is_nullish() || right.is_nullish() => {
            // What is null comes first.
            Some(right.is_nullish().cmp(&left.is_nullish()))
        }
        (Side::Text(left, _), Side::Text(right, _)) => {
            // Inside of a literal a quote is escaped.
            let left = if left.contains('\'') { Cow::Owned(left.replace("\\'", "'")) } else { Cow::Borrowed(*left) };
            Some(json::compare_texts(&left, right))
        }
        (Side::Text(text, number), Side::Number(value)) => {
            let number = number.or_else(|| Numeric::of_text(text));
            let number = number.ok_or_else(|| Stop::failed(PathError::NotANumber((*text).to_owned())))?;
            Numeric::of(value).and_then(|value| number.compare(value))
        }
        (Side::Number(left), Side::Number(right)) => {
            Numeric::of(left).zip(Numeric::of(right)).and_then(|(left, right)| left.compare(right))
        }
        (Side::Text(text, _), Side::Bool(truth)) => Some(text.eq_ignore_ascii_case("true").cmp(truth)),
        (Side::Bool(left), Side::Bool(right)) => Some(left.cmp(right)),
        _ => None,
    })
}

fn matches(left: &Side, right: &Side, walk: &Walk) -> Result<bool, Stop> {
    let (pattern, target) = match (left, right) {
        (Side::Pattern(pattern), target) | (target, Side::Pattern(pattern)) => (pattern, target),
        _ => return Err(Stop::failed(PathError::NotAPattern)),
    };
    let text = match target {
        Side::Null => return Ok(false),
        Side::Text(text, _) => Cow::Borrowed(*text),
        Side::Number(value) | Side::Container(value) => Cow::Owned(json::to_text(value)),
        Side::Made(value) => Cow::Owned(json::to_text(value)),
        Side::Bool(truth) => Cow::Borrowed(if *truth { "true" } else { "false" }),
        Side::Pattern(pattern) => Cow::Borrowed(&*pattern.source),
    };
    walk.spend(text.len().saturating_mul(pattern.regex.as_str().len() / 16))?;
    Ok(pattern.regex.is_match(&text))
}

impl Side<'_> {
    /// A text that says `null` is null.
    fn is_nullish(&self) -> bool {
        match self {
            Side::Null => true,
            Side::Text(text, _) => *text == "null",
            Side::Number(_) | Side::Bool(_) | Side::Container(_) | Side::Made(_) | Side::Pattern(_) => false,
        }
    }
}
