//! `$range`, `$partition` and `$shuffle`.

use jsonata_core::evaluator::HostFnResult;
use jsonata_core::value::JValue;

use super::{World, argument, mismatch, thrown, too_large, whole};

/// The longest range AWS makes.
const LONGEST: u128 = 360_145;

// AWS: without a step, with a step of 0 and with one that leads away from the end there is no value; one element is
// that element; the end is included when it is hit.
pub(super) fn range(_: &World, args: &[JValue]) -> HostFnResult {
    let (start, end) = (whole(args, 0, "range")?, whole(args, 1, "range")?);
    if argument(args, 2).is_undefined() {
        return Ok(JValue::Undefined);
    }
    let step = whole(args, 2, "range")?;
    if step == 0 || (step > 0 && start > end) || (step < 0 && start < end) {
        return Ok(JValue::Undefined);
    }
    let steps = u128::from(end.abs_diff(start)) / u128::from(step.unsigned_abs());
    if steps >= LONGEST {
        return Err(too_large());
    }
    if steps == 0 {
        return Ok(JValue::Number(start as f64));
    }
    let element = |index: u128| start.saturating_add(step.saturating_mul(index as i64));
    Ok(JValue::array((0..=steps).map(|index| JValue::Number(element(index) as f64)).collect()))
}

// AWS: chunks of 0 and chunks of nothing have no value, without a size all is one chunk.
pub(super) fn partition(_: &World, args: &[JValue]) -> HostFnResult {
    let items = match argument(args, 0) {
        JValue::Undefined => return Ok(JValue::Undefined),
        JValue::Array(items) => items,
        _ => return Err(thrown("T0412: Argument 1 of function \"partition\" must be an array of undefined")),
    };
    if items.is_empty() {
        return Ok(JValue::Undefined);
    }
    if argument(args, 1).is_undefined() {
        return Ok(JValue::array(vec![JValue::array(items.to_vec())]));
    }
    let size = match usize::try_from(whole(args, 1, "partition")?) {
        Ok(0) => return Ok(JValue::Undefined),
        Ok(size) => size,
        Err(_) => return Err(thrown("D3137: Second argument must be zero or greater")),
    };
    Ok(JValue::array(items.chunks(size).map(|chunk| JValue::array(chunk.to_vec())).collect()))
}

pub(super) fn shuffle(world: &World, args: &[JValue]) -> HostFnResult {
    let mut items = match argument(args, 0) {
        JValue::Undefined => return Ok(JValue::Undefined),
        JValue::Array(items) => items.to_vec(),
        one => vec![one.clone()],
    };
    let Some(chance) = &world.chance else { return Err(mismatch("shuffle", 1)) };
    for last in (1..items.len()).rev() {
        // The draw is at most `last`, which is an index.
        let other = chance.below(last as u64 + 1) as usize;
        items.swap(last, other);
    }
    Ok(JValue::array(items))
}
