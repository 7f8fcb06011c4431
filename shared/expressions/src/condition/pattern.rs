//! `StringMatches`: `*` stands for any run of characters, `\*` and `\\` for themselves.
//!
//! The pieces between stars are looked for from left to right, the first place that fits being as good as any
//! other, so matching is linear whatever the pattern.

/// Whether the whole text matches the pattern.
pub(super) fn matches(text: &str, pattern: &str) -> bool {
    let pieces = pieces(pattern);
    let Some((first, others)) = pieces.split_first() else { return text.is_empty() };
    let Some((last, middle)) = others.split_last() else { return text == first };
    let Some(mut rest) = text.strip_prefix(first.as_str()) else { return false };
    for piece in middle {
        match rest.split_once(piece.as_str()) {
            Some((_, behind)) => rest = behind,
            None => return false,
        }
    }
    rest.ends_with(last.as_str())
}

/// The texts between the stars; one more than there are stars.
fn pieces(pattern: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut piece = String::new();
    let mut characters = pattern.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '*' => pieces.push(std::mem::take(&mut piece)),
            // AWS: unverified: a backslash before anything else stands for itself.
            '\\' => piece.push(characters.next_if(|next| matches!(next, '*' | '\\')).unwrap_or('\\')),
            other => piece.push(other),
        }
    }
    pieces.push(piece);
    pieces
}
