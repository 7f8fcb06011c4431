//! The functions on strings, encodings and JSON texts.

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use md5::Md5;
use serde_json::Value;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::call::{Failure, string, wrong};
use crate::json;

/// Longest text to encode, decode or hash, in characters.
const LONGEST: usize = 10_000;

/// As Java decodes: padding may be absent, and what the last character has too many bits of is not looked at.
// AWS: unverified; the documentation says no more than Base64.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

pub(super) fn encode(values: &[Value]) -> Result<Value, Failure> {
    Ok(Value::String(STANDARD.encode(bounded(values)?)))
}

pub(super) fn decode(values: &[Value]) -> Result<Value, Failure> {
    // AWS: unverified wording; so is what happens to bytes that are not UTF-8, which Java replaces.
    let bytes = LENIENT.decode(bounded(values)?).map_err(|_| "The input is not valid Base64".to_owned())?;
    Ok(Value::String(String::from_utf8_lossy(&bytes).into_owned()))
}

pub(super) fn hash(values: &[Value]) -> Result<Value, Failure> {
    let (data, algorithm) = (bounded(values)?.as_bytes(), string(values, 1)?);
    // AWS: unverified wording.
    let unknown = || format!("The algorithm '{algorithm}' is not one of MD5, SHA-1, SHA-256, SHA-384, SHA-512");
    digest(data, algorithm).map(Value::String).ok_or_else(unknown)
}

/// The digest in lower-case hexadecimal digits, if there is such an algorithm.
pub(crate) fn digest(data: &[u8], algorithm: &str) -> Option<String> {
    Some(match algorithm {
        "MD5" => hexadecimal(&Md5::digest(data)),
        "SHA-1" => hexadecimal(&Sha1::digest(data)),
        "SHA-256" => hexadecimal(&Sha256::digest(data)),
        "SHA-384" => hexadecimal(&Sha384::digest(data)),
        "SHA-512" => hexadecimal(&Sha512::digest(data)),
        _ => return None,
    })
}

/// Pieces between any of the delimiter characters, empty ones dropped.
// AWS: ', , ,' split by ',' is [' ', ' '] (recorded).
pub(super) fn split(values: &[Value]) -> Result<Value, Failure> {
    let (text, delimiters) = (string(values, 0)?, string(values, 1)?);
    let pieces = text.split(|c| delimiters.contains(c)).filter(|piece| !piece.is_empty());
    Ok(pieces.map(Value::from).collect())
}

// AWS: an empty or blank text is null (recorded).
pub(super) fn parse(values: &[Value]) -> Result<Value, Failure> {
    let text = string(values, 0)?;
    if text.trim_ascii().is_empty() {
        return Ok(Value::Null);
    }
    json::parse(text).map_err(|problem| problem.message)
}

pub(super) fn print(values: &[Value]) -> Result<Value, Failure> {
    Ok(Value::String(json::to_text(values.first().unwrap_or(&Value::Null))))
}

/// Shallow: values of the second object win, its new keys come last.
pub(super) fn merge(values: &[Value]) -> Result<Value, Failure> {
    let Some(Value::Object(left)) = values.first() else { return Err(wrong(values, 0, "object")) };
    let Some(Value::Object(right)) = values.get(1) else { return Err(wrong(values, 1, "object")) };
    match values.get(2) {
        Some(Value::Bool(false)) => {}
        // AWS: only the shallow mode exists; wording unverified.
        Some(Value::Bool(true)) => return Err("Deep merging is not supported, use false".to_owned()),
        _ => return Err(wrong(values, 2, "boolean")),
    }
    let mut merged = left.clone();
    merged.extend(right.iter().map(|(name, value)| (name.clone(), value.clone())));
    Ok(Value::Object(merged))
}

fn bounded(values: &[Value]) -> Result<&str, Failure> {
    let text = string(values, 0)?;
    if text.len() > LONGEST && text.encode_utf16().count() > LONGEST {
        // AWS: unverified wording.
        return Err(format!("The input is longer than {LONGEST} characters"));
    }
    Ok(text)
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
