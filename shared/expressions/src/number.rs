//! Numbers compared and rounded as AWS does.
//!
//! serde_json keeps integers and doubles apart; an i64 does not fit a double, so comparison goes through neither
//! type alone. A number beyond both compares as the double nearest to it, which may be infinite.

use std::cmp::Ordering;

use serde_json::{Number, Value};

use crate::json;

/// The value of a number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Numeric {
    Whole(i64),
    /// Beyond those.
    Large(u64),
    Real(f64),
}

impl Numeric {
    /// The number a value is.
    pub(crate) fn of(value: &Value) -> Option<Numeric> {
        match value {
            Value::Number(number) => Numeric::of_number(number),
            Value::String(text) => json::number(text)?.parse().ok().map(Numeric::Real),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        }
    }

    fn of_number(number: &Number) -> Option<Numeric> {
        let whole = number.as_i64().map(Numeric::Whole).or_else(|| number.as_u64().map(Numeric::Large));
        whole.or_else(|| number.as_f64().map(Numeric::Real))
    }

    /// The number that a text is to Java's `BigDecimal`: `1`, `-1.50`, `+.5e3`.
    pub(crate) fn of_text(text: &str) -> Option<Numeric> {
        let mut bytes = text.bytes().peekable();
        bytes.next_if(|byte| matches!(byte, b'+' | b'-'));
        // What else the standard library reads (`inf`, `nan`) starts with a letter.
        if !bytes.peek().is_some_and(|byte| byte.is_ascii_digit() || *byte == b'.') {
            return None;
        }
        let whole = text.parse().ok().map(Numeric::Whole).or_else(|| text.parse().ok().map(Numeric::Large));
        whole.or_else(|| text.parse().ok().map(Numeric::Real))
    }

    /// Exact over integers and doubles. `None` only for a NaN, which JSON cannot write.
    pub(crate) fn compare(self, other: Numeric) -> Option<Ordering> {
        match (self, other) {
            (Numeric::Whole(a), Numeric::Whole(b)) => Some(a.cmp(&b)),
            (Numeric::Real(a), Numeric::Real(b)) => a.partial_cmp(&b),
            (a, b) => match (a.whole(), b.whole()) {
                (Ok(a), Ok(b)) => Some(a.cmp(&b)),
                (Ok(a), Err(b)) => compare_with_double(a, b),
                (Err(a), Ok(b)) => Some(compare_with_double(b, a)?.reverse()),
                (Err(a), Err(b)) => a.partial_cmp(&b),
            },
        }
    }

    /// The whole number it is, or the double.
    fn whole(self) -> Result<i128, f64> {
        match self {
            Numeric::Whole(whole) => Ok(whole.into()),
            Numeric::Large(whole) => Ok(whole.into()),
            Numeric::Real(double) => Err(double),
        }
    }
}

/// The value as a whole number.
// AWS: halves round towards positive infinity: 2.5 is 3, -2.5 is -2 (recorded for States.MathAdd).
pub(crate) fn rounded(value: &Value) -> Option<i64> {
    let double = match Numeric::of(value)? {
        Numeric::Whole(whole) => return Some(whole),
        Numeric::Large(_) => return None,
        Numeric::Real(double) => double,
    };
    let floor = (double + 0.5).floor();
    // 2^63 itself is out of range, -2^63 is not.
    (floor >= i64::MIN as f64 && floor < i64::MAX as f64).then_some(floor as i64)
}

fn compare_with_double(whole: i128, double: f64) -> Option<Ordering> {
    if double.is_nan() {
        return None;
    }
    // `as` saturates; both ends of i128 are far outside of i64 and u64.
    let truncated = double.trunc() as i128;
    Some(whole.cmp(&truncated).then_with(|| 0.0f64.partial_cmp(&double.fract()).unwrap_or(Ordering::Equal)))
}
