//! The places of the parts of a JSON text.
//!
//! Asks no more of the text than it needs: what is wrong with it is said by the reader of values, and a text that is wrong
//! may have no places. Iterative and as deep as that reader.

use std::ops::Range;

use super::placeholder;
use super::spot::{Spot, Step};

const DEEPEST: usize = 128;

/// An object or a list that has been opened.
struct Open {
    spot: Spot,
    is_object: bool,
    key: Option<(String, Range<usize>)>,
}

pub(super) fn read(text: &str) -> Option<Spot> {
    let mut open: Vec<Open> = Vec::new();
    let mut at = 0;
    loop {
        let byte = *text.as_bytes().get(at)?;
        let finished = match byte {
            b' ' | b'\t' | b'\n' | b'\r' | b',' | b':' => {
                at += 1;
                continue;
            }
            b'{' | b'[' if open.len() < DEEPEST => {
                open.push(Open { spot: Spot::new(at..at + 1, true), is_object: byte == b'{', key: None });
                at += 1;
                continue;
            }
            b'}' | b']' => {
                at += 1;
                let mut spot = open.pop()?.spot;
                spot.value.end = at;
                spot
            }
            b'{' | b'[' => return None,
            _ => {
                let token = token(text, at)?;
                at = token.end;
                if let Some(Open { is_object: true, key: key @ None, .. }) = open.last_mut() {
                    *key = Some((serde_json::from_str(text.get(token.clone())?).ok()?, token));
                    continue;
                }
                let is_open = placeholder::holds(text.get(token.clone())?);
                Spot { is_open, ..Spot::new(token, false) }
            }
        };
        match open.last_mut() {
            Some(parent) => put(parent, finished),
            None => return Some(finished),
        }
    }
}

/// A string with its quotes, a number or a word.
fn token(text: &str, start: usize) -> Option<Range<usize>> {
    let rest = text.as_bytes().get(start..)?;
    if rest.first() != Some(&b'"') {
        let length = rest.iter().position(|byte| b" \t\n\r,:]}[{\"".contains(byte)).unwrap_or(rest.len());
        return Some(start..start + length);
    }
    let mut escaped = false;
    let inside = rest.iter().skip(1).position(|byte| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    })?;
    Some(start..start + inside + 2)
}

fn put(parent: &mut Open, mut spot: Spot) {
    let step = match parent.key.take() {
        Some((key, at)) => {
            spot.key = Some(at);
            Step::Key(key)
        }
        None => Step::Index(parent.spot.children.len()),
    };
    parent.spot.children.push((step, spot));
}
