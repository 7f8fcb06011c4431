//! Numbers that paths and expressions refer to: which values AWS takes for an integer or a percentage, and how it prints
//! others.

use expressions::json;
use serde_json::Value;

use crate::evaluation::TypeMismatch;

/// Beyond this, numbers with decimals are not exact any more.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// The integer a value stands for. AWS: numbers written as strings count.
pub(crate) fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

pub(crate) fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok().filter(|number: &f64| number.is_finite()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The whole number that an expression for `field` answered.
pub(crate) fn whole(value: &Value, field: &str) -> Result<i64, TypeMismatch> {
    if !json::is_number(value) {
        return Err(TypeMismatch::Type("number"));
    }
    let exact = value.as_f64().filter(|float| float.fract() == 0.0 && float.abs() <= EXACT);
    value.as_i64().or(exact.map(|float| float as i64)).ok_or_else(|| {
        // AWS: unverified wording.
        TypeMismatch::Value(format!("The {field} field cannot be parsed as an integer: {}", shown(value)))
    })
}

/// The number that an expression answered.
pub(crate) fn decimal(value: &Value) -> Result<f64, TypeMismatch> {
    match value.as_f64() {
        Some(number) => Ok(number),
        // Beyond doubles, and so beyond every bound.
        None if json::is_number(value) => Ok(f64::INFINITY),
        None => Err(TypeMismatch::Type("number")),
    }
}

/// As it stands behind `==` in a cause: strings without quotes.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => json::plain_text(text).into_owned(),
        other => json::to_text(other),
    }
}
