//! The functions a path may end in: `.length()`, `.sum()` and their kin.
//!
//! Deliberately absent: `concat` and `append`, which take further paths, and functions before the end of a path.

use serde_json::{Number, Value};

use super::problem::PathError;
use crate::error::Invalid;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Length,
    Keys,
    Min,
    Max,
    Avg,
    Sum,
    Stddev,
    First,
    Last,
    Index(i32),
}

impl Function {
    pub(super) fn parse(name: &str, argument: &str) -> Result<Self, Invalid> {
        let function = match name {
            "index" => {
                let index = argument.parse().map_err(|_| Invalid::new("The function 'index' takes a whole number"))?;
                return Ok(Function::Index(index));
            }
            "length" | "size" => Function::Length,
            "keys" => Function::Keys,
            "min" => Function::Min,
            "max" => Function::Max,
            "avg" => Function::Avg,
            "sum" => Function::Sum,
            "stddev" => Function::Stddev,
            "first" => Function::First,
            "last" => Function::Last,
            _ => return Err(Invalid::new(format!("Function with name: {name} does not exist."))),
        };
        if argument.is_empty() {
            Ok(function)
        } else {
            // Jayway would aggregate further values named here; nothing seen uses that.
            Err(Invalid::new(format!("The function '{name}' takes no arguments")))
        }
    }

    // AWS: unverified: from memory of Jayway, no recording uses a function.
    pub(super) fn apply(self, value: &Value) -> Result<Value, PathError> {
        match self {
            Function::Length => Ok(match value {
                Value::Array(items) => items.len().into(),
                Value::Object(object) => object.len().into(),
                _ => Value::Null,
            }),
            Function::Keys => Ok(match value {
                Value::Object(object) => object.keys().cloned().map(Value::String).collect(),
                _ => Value::Null,
            }),
            Function::First => item(value, 0),
            Function::Last => item(value, -1),
            Function::Index(index) => item(value, i64::from(index)),
            Function::Min => aggregate(value, |numbers| numbers.iter().copied().fold(f64::INFINITY, f64::min)),
            Function::Max => aggregate(value, |numbers| numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max)),
            Function::Sum => aggregate(value, |numbers| numbers.iter().sum()),
            Function::Avg => aggregate(value, mean),
            Function::Stddev => aggregate(value, |numbers| {
                let mean = mean(numbers);
                let squares: f64 = numbers.iter().map(|number| (number - mean) * (number - mean)).sum();
                (squares / numbers.len() as f64).sqrt()
            }),
        }
    }
}

fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len() as f64
}

fn item(value: &Value, index: i64) -> Result<Value, PathError> {
    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
    let at = if index < 0 { index.checked_add_unsigned(items.len() as u64) } else { Some(index) };
    let found = at.and_then(|at| usize::try_from(at).ok()).and_then(|at| items.get(at));
    found.cloned().ok_or(PathError::Function { message: "Target index not found" })
}

/// Works over the numbers of a list, whatever else is in it, and answers a double as Jayway does.
fn aggregate(value: &Value, over: impl Fn(&[f64]) -> f64) -> Result<Value, PathError> {
    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
    let numbers: Vec<f64> = items.iter().filter_map(Value::as_f64).collect();
    let empty = PathError::Function { message: "Aggregation function attempted to calculate value using empty array" };
    if numbers.is_empty() {
        return Err(empty);
    }
    // A sum of doubles can leave their range; JSON has no word for that.
    Number::from_f64(over(&numbers)).map(Value::Number).ok_or(empty)
}
