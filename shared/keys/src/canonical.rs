//! The canonical request of Signature Version 4: the text whose hash is signed.
//!
//! AWS: documented in "Create a signed AWS API request"; held to AWS's own test vectors.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// A request, as far as it is signed. Names of headers are in lower case.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    pub method: &'a str,
    /// As it was received.
    pub path: &'a str,
    /// Behind the question mark; empty without one.
    pub query: &'a str,
    /// In the order of the request.
    pub headers: &'a [(String, String)],
    pub body: &'a [u8],
}

/// What becomes of `.`, `..` and empty segments of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Segments {
    Normalized,
    Kept,
}

/// The canonical request. `names` are the signed headers, sorted.
pub fn request(signed: &Signed<'_>, names: &[&str], segments: Segments) -> String {
    let mut text = format!("{}\n{}\n{}\n", signed.method, path(signed.path, segments), query(signed.query));
    for name in names {
        let values = signed.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| trimmed(value));
        let _ = writeln!(text, "{name}:{}", values.collect::<Vec<String>>().join(","));
    }
    let _ = write!(text, "\n{}\n{}", names.join(";"), hash(signed.body));
    text
}

/// SHA-256 in hexadecimal digits.
pub fn hash(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Blanks around a value go, and several within it become one.
fn trimmed(value: &str) -> String {
    value.split([' ', '\t', '\n', '\r']).filter(|word| !word.is_empty()).collect::<Vec<&str>>().join(" ")
}

fn path(path: &str, segments: Segments) -> String {
    let path = match segments {
        Segments::Kept => path.to_owned(),
        Segments::Normalized => normalized(path),
    };
    if path.is_empty() { "/".to_owned() } else { encoded(path.as_bytes(), |byte| byte == b'/') }
}

fn normalized(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => _ = kept.pop(),
            other => kept.push(other),
        }
    }
    let ends = ["/", "/.", "/.."].iter().any(|end| path.ends_with(end)) && !kept.is_empty();
    format!("/{}{}", kept.join("/"), if ends { "/" } else { "" })
}

fn query(query: &str) -> String {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let mut pairs: Vec<(String, String)> = pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (again(name), again(value)))
        .collect();
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<String>>().join("&")
}

/// A part of a query, encoded as AWS encodes it, however it came.
fn again(part: &str) -> String {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let digits = tail.first_chunk::<2>().filter(|_| *first == b'%').and_then(|digits| {
            let text = std::str::from_utf8(digits).ok()?;
            u8::from_str_radix(text, 16).ok().filter(|_| digits.iter().all(u8::is_ascii_hexdigit))
        });
        match (digits, tail.split_at_checked(2)) {
            (Some(byte), Some((_, behind))) => {
                bytes.push(byte);
                rest = behind;
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    encoded(&bytes, |_| false)
}

/// All bytes but the unreserved ones become `%XX`.
fn encoded(bytes: &[u8], keeps: impl Fn(u8) -> bool) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) || keeps(*byte) {
            text.push(char::from(*byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}
