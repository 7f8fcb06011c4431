//! `$parse`: a value from JSON text. AWS has it in the place of `$eval`.

use std::cell::Cell;

use jsonata_core::evaluator::HostFnResult;
use jsonata_core::value::JValue;

use super::{World, argument, mismatch, thrown};
use crate::json;
use crate::jsonata::convert;

// AWS: a repeated key is refused, like an empty text and a second value after the first.
pub(super) fn parse(_: &World, args: &[JValue]) -> HostFnResult {
    let text = match argument(args, 0) {
        JValue::Undefined => return Ok(JValue::Undefined),
        other => other.as_str().ok_or_else(|| mismatch("parse", 1))?,
    };
    let carried = Cell::new(false);
    match json::parse_unique(text) {
        Ok(value) => {
            let value = convert::to_engine(&value, &carried);
            // The engine cannot hold it, and the rest of the expression is not guarded against it.
            if carried.get() { Err(thrown("D3137: Invalid JSON")) } else { Ok(value) }
        }
        Err(_) => Err(thrown("D3137: Invalid JSON")),
    }
}
