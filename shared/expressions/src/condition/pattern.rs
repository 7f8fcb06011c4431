//! `StringMatches`: `*` stands for any run of characters, `\*` and `\\` for themselves; any other backslash is an error.
//!
//! The pieces between stars are looked for from left to right, the first place that fits being as good as any
//! other, so matching is linear whatever the pattern.

use crate::error::EvaluationError;

/// Whether the whole text matches the pattern.
pub(super) fn matches(text: &str, pattern: &str) -> Result<bool, EvaluationError> {
    let pieces = pieces(pattern)?;
    let Some((first, others)) = pieces.split_first() else { return Ok(text.is_empty()) };
    let Some((last, middle)) = others.split_last() else { return Ok(text == first) };
    let Some(mut rest) = text.strip_prefix(first.as_str()) else { return Ok(false) };
    for piece in middle {
        match rest.split_once(piece.as_str()) {
            Some((_, behind)) => rest = behind,
            None => return Ok(false),
        }
    }
    Ok(rest.ends_with(last.as_str()))
}

/// The texts between the stars; one more than there are stars.
fn pieces(pattern: &str) -> Result<Vec<String>, EvaluationError> {
    let mut pieces = Vec::new();
    let mut piece = String::new();
    let mut characters = pattern.chars();
    while let Some(c) = characters.next() {
        match c {
            '*' => pieces.push(std::mem::take(&mut piece)),
            '\\' => match characters.next() {
                Some(escaped @ ('*' | '\\')) => piece.push(escaped),
                // AWS: documented to be a runtime error; the wording is unverified.
                _ => {
                    let cause = format!("The pattern '{pattern}' of StringMatches has an open escape.");
                    return Err(EvaluationError::runtime(cause));
                }
            },
            other => piece.push(other),
        }
    }
    pieces.push(piece);
    Ok(pieces)
}
