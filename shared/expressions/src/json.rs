//! JSON as AWS's Java front end reads and writes it.
//!
//! serde_json decides what JSON is just as well, but its complaints are not Jackson's, and those reach the user
//! in the message of `InvalidExecutionInput`. Nothing here recurses. Deliberately absent: writing with spaces, and source
//! positions of values (the definition's reader has its own).

mod carried;
mod fold;
mod problem;
mod reader;
mod writer;

use std::fmt;

use serde_json::Value;

pub(crate) use carried::{compare_texts, is_marked, number};
pub use carried::{is_carried, is_number, plain_text, string};
pub use fold::copy;
pub(crate) use fold::{Fold, SHALLOW, owned};
pub(crate) use problem::too_deep;
use reader::Rules;

/// Deepest nesting of a document, and of any value an expression makes.
// AWS: unverified: Jackson's own bound, which nothing seen contradicts.
pub const DEEPEST: usize = 1_000;
/// Deepest nesting of a definition, which is followed by recursion.
pub const DEEPEST_DEFINITION: usize = 128;
/// About the bytes of all values that one template, or the arguments of one call, may hold at a time. A payload has
/// 262,144 bytes; only what repeats its input many times over comes near.
pub(crate) const MOST_WEIGHT: usize = 4 << 20;
/// What it costs to make, weigh and drop a value, for each unit of its weight; see [`crate::Fuel`].
pub(crate) const COPY_COST: u64 = 8;

/// Why a text is not JSON, in Jackson's words, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonError {
    pub message: String,
    /// Counts from 1.
    pub line: usize,
    /// Counts from 1, in characters.
    pub column: usize,
}

impl fmt::Display for JsonError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} at line {}, column {}", self.message, self.line, self.column)
    }
}

impl std::error::Error for JsonError {}

/// Reads one JSON value. Of a key given twice the last value wins, at the place of the first.
///
/// Whole numbers are exact, others are doubles. A number beyond both, and half of a surrogate pair, are carried as
/// [`string`] and [`is_number`] tell.
pub fn parse(text: &str) -> Result<Value, JsonError> {
    reader::read(text, Rules { deepest: DEEPEST, repeats: true, carries: true })
}

/// The same for a definition, which may be as deep as [`DEEPEST_DEFINITION`] and holds nothing that must be carried: its
/// names and texts go where nothing knows of that.
pub fn parse_definition(text: &str) -> Result<Value, JsonError> {
    reader::read(text, Rules { deepest: DEEPEST_DEFINITION, repeats: true, carries: false })
}

/// The same, but a key given twice is refused.
pub(crate) fn parse_unique(text: &str) -> Result<Value, JsonError> {
    reader::read(text, Rules { deepest: DEEPEST, repeats: false, carries: true })
}

/// Writes JSON without spaces.
// AWS: unverified: doubles outside of 1e-3 to 1e7 may be printed as Java prints them (1.0E10).
pub fn to_text(value: &Value) -> String {
    let mut text = String::new();
    writer::write(value, &mut text);
    text
}

/// About how many bytes a value has as text; counting ends at `most`, so that looking at it costs no more than that.
pub(crate) fn weight(value: &Value, most: usize) -> usize {
    let mut weight = 0usize;
    let mut waiting = vec![value];
    while let Some(value) = waiting.pop() {
        weight = weight.saturating_add(match value {
            Value::String(text) => text.len() + 2,
            Value::Object(object) => object.keys().map(|key| key.len() + 4).sum::<usize>() + 2,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => 4,
        });
        if weight > most {
            return weight;
        }
        match value {
            Value::Array(items) => waiting.extend(items),
            Value::Object(object) => waiting.extend(object.values()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    weight
}

/// How deep a value is nested; a scalar is 0, `[]` is 1.
pub fn depth(value: &Value) -> usize {
    let mut deepest = 0;
    let mut waiting = vec![(value, 0)];
    while let Some((value, depth)) = waiting.pop() {
        let inner = depth + 1;
        match value {
            Value::Array(items) => {
                deepest = deepest.max(inner);
                waiting.extend(items.iter().map(|item| (item, inner)));
            }
            Value::Object(object) => {
                deepest = deepest.max(inner);
                waiting.extend(object.values().map(|value| (value, inner)));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => deepest = deepest.max(depth),
        }
    }
    deepest
}
