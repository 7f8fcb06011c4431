//! Names that callers give, and UUIDs for what they leave unnamed.
//!
//! A call that a client repeats carries the same invocation id; names made for it come from that id, so that the
//! repeated call finds what the first one made.

use sha2::{Digest, Sha256};

use crate::error::ApiError;

/// Checks a name of a state machine or execution. Its length is the shape's affair.
pub(crate) fn check(name: &str) -> Result<(), ApiError> {
    if name.chars().any(is_forbidden) { Err(ApiError::InvalidName(name.to_owned())) } else { Ok(()) }
}

fn is_forbidden(letter: char) -> bool {
    letter.is_whitespace()
        || "?*<>{}[]\"#%\\^|~`$&,;:/".contains(letter)
        || matches!(letter, '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}')
}

/// The invocation id, if it is the UUID that SDKs send.
pub(crate) fn invocation_uuid(invocation: Option<&str>) -> Option<String> {
    let text = invocation?;
    let shaped = text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
    shaped.then(|| text.to_ascii_lowercase())
}

/// A UUID out of 32 random bytes.
pub(crate) fn random_uuid(seed: [u8; 32]) -> String {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(seed.first_chunk::<16>().unwrap_or(&[0; 16]));
    uuid(bytes, 4)
}

/// The UUID that belongs to a call and a purpose: another one than the invocation id, the same every time.
pub(crate) fn derived_uuid(invocation: &str, purpose: &str) -> String {
    let hash: [u8; 32] =
        Sha256::new().chain_update(invocation).chain_update([0]).chain_update(purpose).finalize().into();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(hash.first_chunk::<16>().unwrap_or(&[0; 16]));
    uuid(bytes, 8)
}

fn uuid(bytes: [u8; 16], version: u128) -> String {
    let bits = u128::from_be_bytes(bytes);
    let bits = bits & !(0xf << 76) | (version << 76);
    let bits = bits & !(0x3 << 62) | (0x2 << 62);
    let part = |shift: u32, digits: u32| (bits >> shift) & ((1 << (4 * digits)) - 1);
    format!("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", part(96, 8), part(80, 4), part(64, 4), part(48, 4), part(0, 12))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_or_refused() {
        for good in ["a", "Order-7_final.v2", "größe", "名前", "a+b=c@(d)!'"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in ["a b", "a/b", "a:b", "a\u{7f}", "\u{0}a", "a\u{9f}", "a\\b", "a`b", "a\tb", "a$", "a{", "a\"b"] {
            assert_eq!(check(bad), Err(ApiError::InvalidName(bad.to_owned())));
        }
    }

    #[test]
    fn uuids_are_shaped_as_such() {
        let random = random_uuid([0xff; 32]);
        assert_eq!(random, "ffffffff-ffff-4fff-bfff-ffffffffffff");
        let derived = derived_uuid(&random, "express");
        assert_eq!(invocation_uuid(Some(&derived)), Some(derived.clone()));
        assert_eq!(derived, derived_uuid(&random, "express"));
        assert_ne!(derived, derived_uuid(&random, "other"));
    }

    #[test]
    fn only_a_uuid_names_an_execution() {
        assert_eq!(invocation_uuid(Some("not-a-uuid")), None);
        assert_eq!(invocation_uuid(None), None);
        let upper = "C56A4180-65AA-42EC-A945-5FD21DEC0538";
        assert_eq!(invocation_uuid(Some(upper)).as_deref(), Some("c56a4180-65aa-42ec-a945-5fd21dec0538"));
    }
}
