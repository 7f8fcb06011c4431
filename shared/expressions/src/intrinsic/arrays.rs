//! The functions on arrays.

use std::collections::BTreeSet;

use serde_json::Value;

use super::call::{Failure, array, integer};
use crate::json::{self, Fold};

/// Most elements `States.ArrayRange` makes.
const LONGEST_RANGE: usize = 1000;

pub(super) fn contains(values: &[Value]) -> Result<Value, Failure> {
    let items = array(values, 0)?;
    Ok(Value::Bool(values.get(1).is_some_and(|wanted| items.contains(wanted))))
}

pub(super) fn get_item(values: &[Value]) -> Result<Value, Failure> {
    let items = array(values, 0)?;
    let index = integer(values, 1)?;
    let found = usize::try_from(index).ok().and_then(|index| items.get(index));
    // AWS: unverified wording.
    found.cloned().ok_or_else(|| format!("Index {index} is out of bounds for an array of length {}", items.len()))
}

pub(super) fn length(values: &[Value]) -> Result<Value, Failure> {
    Ok(array(values, 0)?.len().into())
}

pub(super) fn partition(values: &[Value]) -> Result<Value, Failure> {
    let items = array(values, 0)?;
    let size = usize::try_from(integer(values, 1)?).ok().filter(|size| *size > 0);
    // AWS: unverified wording; the size is documented to be positive.
    let size = size.ok_or("The chunk size must be a positive number")?;
    Ok(items.chunks(size).map(|chunk| Value::Array(chunk.to_vec())).collect())
}

/// From the first argument by steps of the third, the second included if it is hit.
pub(super) fn range(values: &[Value]) -> Result<Value, Failure> {
    let (first, last, step) = (integer(values, 0)?, integer(values, 1)?, integer(values, 2)?);
    if step == 0 {
        return Err("The step must not be 0".to_owned());
    }
    let mut items = Vec::new();
    let mut next = Some(first);
    while let Some(item) = next.filter(|item| if step > 0 { *item <= last } else { *item >= last }) {
        if items.len() == LONGEST_RANGE {
            return Err(format!("The range has more than {LONGEST_RANGE} elements"));
        }
        items.push(Value::from(item));
        next = item.checked_add(step);
    }
    Ok(Value::Array(items))
}

/// The first occurrence of each element.
pub(super) fn unique(values: &[Value]) -> Result<Value, Failure> {
    let mut seen = BTreeSet::new();
    let items = array(values, 0)?;
    Ok(items.iter().filter(|item| seen.insert(json::to_text(&sorted(item)))).cloned().collect())
}

/// The value with its keys in order, so that equal values print equally.
fn sorted(value: &Value) -> Value {
    let sorting = Fold {
        scalar: Value::clone,
        array: |_, items| Value::Array(items),
        object: |members, values| {
            let mut entries: Vec<_> = members.keys().cloned().zip(values).collect();
            entries.sort_by(|(one, _), (other, _)| one.cmp(other));
            Value::Object(entries.into_iter().collect())
        },
    };
    sorting.apply(value)
}
