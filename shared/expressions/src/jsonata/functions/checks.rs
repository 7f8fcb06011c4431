//! The guards: each passes on its first argument, unless that would become too much.
//!
//! Where they stand, and why, is told in `guards`.

use jsonata_core::evaluator::HostFnResult;
use jsonata_core::value::JValue;

use super::{World, argument, thrown, too_large};
use crate::jsonata::convert;
use crate::jsonata::messages::TOO_LONG;

/// The most bytes one evaluation may weigh altogether. Freed values count, too: the engine does not tell how much it
/// keeps.
const MOST_HELD: usize = 256 << 20;
/// The longest text to be taken apart.
const LONGEST_SEARCHED: usize = 1 << 20;
/// The most bytes that replacing may make.
const MOST_REPLACED: usize = 64 << 20;
/// The most characters that padding adds.
const MOST_PADDED: f64 = 262_144.0;
/// The longest picture, and the largest width in one.
const LONGEST_PICTURE: usize = 1_000;
/// Milliseconds from 1970 to where the engine's calendar ends, about the year 261,800, or begins: beyond, it panics.
const FARTHEST: f64 = 8.2e15;
/// The most digits of a time zone, which is hours and minutes in one number: a century is within the calendar.
const LONGEST_ZONE: usize = 8;

pub(super) fn held(world: &World, args: &[JValue]) -> HostFnResult {
    let value = argument(args, 0);
    let bytes = convert::bytes(value, convert::MOST_BYTES);
    let all = world.held.get().saturating_add(bytes);
    world.held.set(all);
    if bytes > convert::MOST_BYTES || all > MOST_HELD { Err(too_large()) } else { Ok(value.clone()) }
}

pub(super) fn paced(world: &World, args: &[JValue]) -> HostFnResult {
    if (world.processor_time)() > world.until { Err(thrown(TOO_LONG)) } else { Ok(argument(args, 0).clone()) }
}

pub(super) fn is_builtin(_: &World, args: &[JValue]) -> HostFnResult {
    Ok(JValue::Bool(argument(args, 0).is_builtin()))
}

pub(super) fn searched(_: &World, args: &[JValue]) -> HostFnResult {
    let value = argument(args, 0);
    let length = value.as_str().map_or(0, str::len);
    if length > LONGEST_SEARCHED { Err(too_large()) } else { Ok(value.clone()) }
}

/// The first argument is the width that the second is padded to, by the third. It is the text itself where that is
/// taken from what is at hand: then the second is the width.
// AWS: 262,144 characters may be added, one more may not.
pub(super) fn width(_: &World, args: &[JValue]) -> HostFnResult {
    let value = argument(args, 0);
    let length = argument(args, 1).as_str().map_or(0, |text| text.chars().count());
    let width = match (value, argument(args, 1)) {
        (JValue::Number(width), _) | (_, JValue::Number(width)) => width.abs(),
        _ => 0.0,
    };
    let long = |arg: &JValue| arg.as_str().map_or(0, str::len) > LONGEST_SEARCHED;
    if width - length as f64 > MOST_PADDED || args.iter().any(long) { Err(too_large()) } else { Ok(value.clone()) }
}

pub(super) fn picture(_: &World, args: &[JValue]) -> HostFnResult {
    let value = argument(args, 0);
    let Some(text) = value.as_str() else { return Ok(value.clone()) };
    let widths = text.split(|letter: char| !letter.is_ascii_digit()).filter(|digits| !digits.is_empty());
    let is_wide = |digits: &str| digits.parse().map_or(true, |width: usize| width > LONGEST_PICTURE);
    if text.len() > LONGEST_PICTURE || widths.into_iter().any(is_wide) { Err(too_large()) } else { Ok(value.clone()) }
}

// AWS: unverified: worded as the engine words what its calendar finds out of reach.
pub(super) fn moment(_: &World, args: &[JValue]) -> HostFnResult {
    let value = argument(args, 0);
    match value {
        JValue::Number(number) if number.abs() > FARTHEST => Err(thrown(format!("Invalid timestamp: {number}"))),
        _ => Ok(value.clone()),
    }
}

// AWS: unverified, as for moments.
pub(super) fn zone(_: &World, args: &[JValue]) -> HostFnResult {
    let value = argument(args, 0);
    let text = value.as_str().unwrap_or_default().trim_start().trim_start_matches(['+', '-']);
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if digits > LONGEST_ZONE { Err(thrown("Invalid time zone")) } else { Ok(value.clone()) }
}

/// The first argument is to be joined by the second.
pub(super) fn joined(_: &World, args: &[JValue]) -> HostFnResult {
    let value = argument(args, 0);
    let separator = argument(args, 1).as_str().map_or(0, str::len);
    let mut bytes = 0usize;
    if let JValue::Array(items) = value {
        for item in items.iter() {
            bytes = bytes.saturating_add(item.as_str().map_or(0, str::len)).saturating_add(separator);
        }
    }
    if bytes > convert::MOST_BYTES { Err(too_large()) } else { Ok(value.clone()) }
}

/// Puts the first argument in the place of the third in the second.
pub(super) fn replacement(_: &World, args: &[JValue]) -> HostFnResult {
    let value = argument(args, 0);
    let subject = argument(args, 1).as_str().unwrap_or_default();
    let Some(replacement) = value.as_str() else {
        // A function's answers are weighed one by one.
        return if subject.len() > LONGEST_SEARCHED { Err(too_large()) } else { Ok(value.clone()) };
    };
    let times = match argument(args, 2).as_str() {
        Some(pattern) if !pattern.is_empty() => subject.matches(pattern).count(),
        _ => subject.len() + 1,
    };
    if times.saturating_mul(replacement.len()) > MOST_REPLACED { Err(too_large()) } else { Ok(value.clone()) }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn what_is_held_altogether_is_bounded() {
        let world = World { now: 0, chance: None, held: Cell::new(MOST_HELD - 8), processor_time: || 0, until: 0 };
        assert!(held(&world, &[JValue::Number(1.0)]).is_ok());
        assert!(held(&world, &[JValue::Number(1.0)]).is_err());
    }
}
