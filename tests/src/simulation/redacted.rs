//! Comparing what two runs say but for what chance made: UUIDs and task tokens.

use std::fmt::Debug;

use interpreter::Wait;
use serde_json::json;

/// How every task token begins: `{"e":"` in base64.
const TOKEN: &str = "eyJlIjoi";
/// Bytes of a token's seal.
const SEAL: usize = 16;

/// True when both say the same, but for UUIDs and task tokens.
pub fn alike<T: Debug + PartialEq>(one: &T, other: &T) -> bool {
    one == other || redacted(&format!("{one:?}")) == redacted(&format!("{other:?}"))
}

/// As long as the real token, and like it under [`alike`].
pub fn token_like(execution: &str, wait: &Wait) -> String {
    let content = json!({ "e": execution, "p": wait.path.0, "t": wait.attempt_id }).to_string();
    let letters = ((content.len() + SEAL) * 4).div_ceil(3);
    format!("{TOKEN:x<letters$}")
}

fn redacted(text: &str) -> String {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
    let mut redacted = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let run = rest.split_at(rest.find(|letter| !is_part(letter)).unwrap_or(rest.len()));
        if run.0.starts_with(TOKEN) {
            redacted.push_str("<token>");
        } else if is_uuid(run.0) {
            redacted.push_str("<uuid>");
        } else {
            redacted.push_str(run.0);
        }
        let between = run.1.split_at(run.1.find(is_part).unwrap_or(run.1.len()));
        redacted.push_str(between.0);
        rest = between.1;
    }
    redacted
}

fn is_uuid(run: &str) -> bool {
    let dashes = |place| matches!(place, 8 | 13 | 18 | 23);
    let fits = |(place, letter): (usize, char)| if dashes(place) { letter == '-' } else { letter.is_ascii_hexdigit() };
    run.len() == 36 && run.chars().enumerate().all(fits)
}
