//! `$hash`, `$encodeUrl` (the engine's leaves blanks as they are), and what is drawn: `$random` and `$uuid`.

use jsonata_core::evaluator::HostFnResult;
use jsonata_core::value::JValue;

use super::{World, argument, mismatch, thrown, whole};
use crate::intrinsic;

// AWS: without an algorithm there is no value.
pub(super) fn hash(_: &World, args: &[JValue]) -> HostFnResult {
    let data = argument(args, 0).as_str().ok_or_else(|| mismatch("hash", 1))?;
    let algorithm = match argument(args, 1) {
        JValue::Undefined => return Ok(JValue::Undefined),
        other => other.as_str().ok_or_else(|| mismatch("hash", 2))?,
    };
    let digest = intrinsic::digest(data.as_bytes(), algorithm);
    digest.map(JValue::string).ok_or_else(|| {
        thrown(format!("D3137: Hash algorithm '{algorithm}' must be one of SHA-1, SHA-384, SHA-256, SHA-512, MD5"))
    })
}

pub(super) fn encode_url(_: &World, args: &[JValue]) -> HostFnResult {
    let text = match argument(args, 0) {
        JValue::Undefined => return Ok(JValue::Undefined),
        other => other.as_str().ok_or_else(|| mismatch("encodeUrl", 1))?,
    };
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match char::from(byte) {
            letter if letter.is_ascii_alphanumeric() || ";,/?:@&=+$-_.!~*'()#".contains(letter) => encoded.push(letter),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    Ok(JValue::string(encoded))
}

pub(super) fn random(world: &World, args: &[JValue]) -> HostFnResult {
    if argument(args, 0).is_undefined() {
        return Ok(JValue::Number(world.chance.as_ref().map_or(0.0, |chance| chance.unit())));
    }
    Ok(JValue::Number(seeded(whole(args, 0, "random")?)))
}

/// The first number that Java's generator draws from a seed.
// AWS: $random(42) is 0.7275636800328681.
fn seeded(seed: i64) -> f64 {
    const MULTIPLIER: u64 = 0x5_DEEC_E66D;
    const LOW_48_BITS: u64 = (1 << 48) - 1;
    let mut state = (seed as u64 ^ MULTIPLIER) & LOW_48_BITS;
    let mut next = |bits: u32| {
        state = state.wrapping_mul(MULTIPLIER).wrapping_add(0xB) & LOW_48_BITS;
        state >> (48 - bits)
    };
    let high = next(26) << 27;
    // 53 bits fit a double exactly.
    (high + next(27)) as f64 / (1u64 << 53) as f64
}

pub(super) fn uuid(world: &World, _: &[JValue]) -> HostFnResult {
    Ok(world.chance.as_ref().map_or(JValue::Undefined, |chance| JValue::string(chance.uuid())))
}
