//! Which payloads a worker of the first formats misreads, so that what holds one says so by its format number.
//!
//! Such a worker takes a text for `null` that has an unpaired surrogate (`"\ud83d"`), a number beyond doubles (`1e309`), or
//! more than 128 levels. It has to leave that to a newer one. Most payloads are what it reads, so every text gets a cheap
//! look, and only those where something may be found are parsed.

use serde_json::Value;

/// The levels that a worker of the first formats reads.
const FIRST_DEPTH: usize = 128;
/// Digits in a row of a number that may be beyond doubles.
const MANY_DIGITS: usize = 300;

/// The lowest format that says it: the first, or the second where a worker of the first would misread one of these.
pub(crate) fn lowest<'t>(texts: impl IntoIterator<Item = &'t str>) -> u32 {
    if texts.into_iter().any(is_misread_by_first) { 2 } else { 1 }
}

fn is_misread_by_first(text: &str) -> bool {
    let found = scan(text);
    // serde_json is as strict as that worker's own reader, but for the last of its levels.
    found.deepest > FIRST_DEPTH || (found.is_suspicious && serde_json::from_str::<Value>(text).is_err())
}

/// The findings of a cheap scan of a text.
#[derive(Default)]
struct Scan {
    deepest: usize,
    /// An escaped surrogate, an exponent or very many digits.
    is_suspicious: bool,
}

fn scan(text: &str) -> Scan {
    let (mut found, mut depth, mut digits) = (Scan::default(), 0usize, 0usize);
    let mut bytes = text.bytes().peekable();
    let mut in_string = false;
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => {
                // Of an escape only its letter counts, and whether a surrogate's first digit follows.
                let escaped = bytes.next();
                found.is_suspicious |= escaped == Some(b'u') && matches!(bytes.peek(), Some(b'd' | b'D'));
            }
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                depth += 1;
                found.deepest = found.deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'0'..=b'9' => {
                digits += 1;
                let exponent = matches!(bytes.peek(), Some(b'e' | b'E'));
                found.is_suspicious |= exponent || digits >= MANY_DIGITS;
                continue;
            }
            _ => {}
        }
        digits = 0;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_worker_of_the_first_format_misreads_has_the_second() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        let cases = [
            (r#"{"title":"cut \ud83d","keep":5}"#.to_owned(), 2),
            (r#"{"\uDC00":1}"#.to_owned(), 2),
            ("[1, -1e309]".to_owned(), 2),
            ("9".repeat(400), 2),
            (nested(129), 2),
            (r#"{"title":"whole \ud83d\ude00","keep":5}"#.to_owned(), 1),
            (r#""1e309 and \\ud83d""#.to_owned(), 1),
            (r#"["[{", 1e308, 12345678901234567890]"#.to_owned(), 1),
            (nested(128), 1),
            (String::new(), 1),
        ];
        for (text, format) in &cases {
            assert_eq!(lowest([text.as_str()]), *format, "{text}");
        }
        assert_eq!(lowest(["1", "\"\\ud800\"", "2"]), 2);
    }
}
