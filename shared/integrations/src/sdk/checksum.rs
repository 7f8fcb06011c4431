//! Checksums of bodies, where the service wants one or the arguments choose one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::header::{HeaderName, HeaderValue};
use md5::{Digest as _, Md5};
use sha1::Sha1;
use sha2::Sha256;

use super::model::Operation;

/// The header that says which checksum there is.
const CHOICE: &str = "x-amz-sdk-checksum-algorithm";

/// The headers of the body's checksum, none where the request has one or needs none.
pub(crate) fn headers(
    operation: &Operation,
    given: &[(HeaderName, HeaderValue)],
    body: &[u8],
) -> Vec<(HeaderName, HeaderValue)> {
    let has = |start: &str| given.iter().any(|(name, _)| name.as_str().starts_with(start));
    if has("x-amz-checksum-") || has("content-md5") {
        return Vec::new();
    }
    if operation.checksum_member.is_none() {
        let needed = operation.checksum_required;
        let sum = || BASE64.encode(Md5::digest(body));
        return needed.then(|| written("content-md5", &sum())).flatten().into_iter().collect();
    }
    let chosen = given.iter().find(|(name, _)| name == CHOICE).and_then(|(_, value)| value.to_str().ok());
    // AWS: an upload without a choice has this one.
    let sum = match chosen.unwrap_or("CRC32") {
        "CRC32" => BASE64.encode(crc32(body, 0xedb8_8320).to_be_bytes()),
        "CRC32C" => BASE64.encode(crc32(body, 0x82f6_3b78).to_be_bytes()),
        "SHA1" => BASE64.encode(Sha1::digest(body)),
        "SHA256" => BASE64.encode(Sha256::digest(body)),
        // The service says what it does not know.
        _ => return Vec::new(),
    };
    let name = chosen.unwrap_or("CRC32");
    let own = written(&format!("x-amz-checksum-{}", name.to_ascii_lowercase()), &sum);
    let choice = if chosen.is_none() { written(CHOICE, name) } else { None };
    own.into_iter().chain(choice).collect()
}

fn written(name: &str, value: &str) -> Option<(HeaderName, HeaderValue)> {
    HeaderName::try_from(name).ok().zip(HeaderValue::from_str(value).ok())
}

/// The checksum of Ethernet with the given polynomial, whose bits are in reverse order.
fn crc32(bytes: &[u8], polynomial: u32) -> u32 {
    let mut sum = u32::MAX;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { sum >> 1 ^ polynomial } else { sum >> 1 };
        }
    }
    !sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_cyclic_checksums_have_their_check_values() {
        assert_eq!(crc32(b"123456789", 0xedb8_8320), 0xcbf4_3926);
        assert_eq!(crc32(b"123456789", 0x82f6_3b78), 0xe306_9283);
    }
}
