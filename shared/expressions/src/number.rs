//! Numbers compared and rounded as AWS does.
//!
//! serde_json keeps integers and doubles apart; an i64 does not fit a double, so comparison goes through neither
//! type alone.

use std::cmp::Ordering;

use serde_json::{Number, Value};

/// Exact comparison over integers and doubles. `None` only for a NaN, which JSON cannot write.
pub(crate) fn compare(left: &Number, right: &Number) -> Option<Ordering> {
    match (integer(left), integer(right)) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        (Some(a), None) => compare_with_double(a, right.as_f64()?),
        (None, Some(b)) => Some(compare_with_double(b, left.as_f64()?)?.reverse()),
        (None, None) => left.as_f64()?.partial_cmp(&right.as_f64()?),
    }
}

/// The value as a whole number.
// AWS: halves round towards positive infinity: 2.5 is 3, -2.5 is -2 (recorded for States.MathAdd).
pub(crate) fn rounded(value: &Value) -> Option<i64> {
    let Value::Number(number) = value else { return None };
    if let Some(whole) = number.as_i64() {
        return Some(whole);
    }
    let floor = (number.as_f64()? + 0.5).floor();
    // 2^63 itself is out of range, -2^63 is not.
    (floor >= i64::MIN as f64 && floor < i64::MAX as f64).then_some(floor as i64)
}

fn integer(number: &Number) -> Option<i128> {
    number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from))
}

fn compare_with_double(whole: i128, double: f64) -> Option<Ordering> {
    if double.is_nan() {
        return None;
    }
    // `as` saturates; both ends of i128 are far outside of i64 and u64.
    let truncated = double.trunc() as i128;
    Some(whole.cmp(&truncated).then_with(|| 0.0f64.partial_cmp(&double.fract()).unwrap_or(Ordering::Equal)))
}
