//! `$millis` and `$now`: the same moment wherever an expression of a state asks for it.
//!
//! `$now` with a picture is `$fromMillis` of that moment (see `guards`).

use jiff::Timestamp;
use jsonata_core::evaluator::HostFnResult;
use jsonata_core::value::JValue;

use super::{World, thrown};

pub(super) fn millis(world: &World, _: &[JValue]) -> HostFnResult {
    Ok(JValue::Number(world.now as f64))
}

pub(super) fn now(world: &World, _: &[JValue]) -> HostFnResult {
    let moment = Timestamp::from_millisecond(world.now).map_err(|error| thrown(error.to_string()))?;
    Ok(JValue::string(format!("{moment:.3}")))
}
