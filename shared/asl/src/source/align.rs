//! The text of a scalar, laid beside the way it is written: quoted, escaped, folded or indented, in YAML or JSON.
//!
//! The reader of YAML says what a scalar is and where it stands, not where each of its letters does. This finds the
//! letters again. White space may be off by some; if a letter is not found, the rest stands for the scalar as a whole.

use std::ops::Range;

use super::origin::Derived;

/// `written` stands at `at` and means `decoded`.
pub(super) fn align(written: &str, at: usize, decoded: &str) -> Derived {
    let mut derived = Derived::default();
    let mut walk = Walk::over(written);
    for (index, letter) in decoded.char_indices() {
        let (start, end) = (index, index + letter.len_utf8());
        let Some(text) = decoded.get(start..end) else { break };
        match walk.find(letter) {
            Some(Found::Copy(place)) => derived.copy(text, at + place),
            Some(Found::Instead(range)) => derived.replace(text, at + range.start..at + range.end),
            None => {
                derived.replace(decoded.get(start..).unwrap_or_default(), at..at + written.len());
                break;
            }
        }
    }
    derived
}

enum Found {
    Copy(usize),
    Instead(Range<usize>),
}

struct Walk<'w> {
    written: &'w str,
    at: usize,
    quote: Option<char>,
}

impl<'w> Walk<'w> {
    fn over(written: &'w str) -> Walk<'w> {
        let text = without_properties(written);
        let quoted = |quote: &char| text.len() > 1 && text.starts_with(*quote) && text.ends_with(*quote);
        let quote = ['"', '\''].into_iter().find(quoted);
        Walk { written, at: written.len() - text.len() + quote.map_or(0, char::len_utf8), quote }
    }

    /// Takes what is written for a letter, and the white space before it that means nothing.
    fn find(&mut self, letter: char) -> Option<Found> {
        loop {
            let rest = self.written.get(self.at..)?;
            let next = rest.chars().next()?;
            match (self.quote, next) {
                (Some('"'), '\\') if rest.starts_with("\\\n") || rest.starts_with("\\\r") => self.at += 2,
                (Some('"'), '\\') => return Some(self.take(escape_length(rest))),
                (Some('\''), '\'') => return Some(self.take(2)),
                _ if next == letter => {
                    self.at += next.len_utf8();
                    return Some(Found::Copy(self.at - next.len_utf8()));
                }
                (_, '\n') if letter == ' ' => return Some(self.take(1)),
                (_, ' ' | '\t' | '\r' | '\n') => self.at += 1,
                _ => return None,
            }
        }
    }

    fn take(&mut self, length: usize) -> Found {
        let start = self.at;
        self.at = (start + length).min(self.written.len());
        Found::Instead(start..self.at)
    }
}

/// The text behind a tag and an anchor, and behind the `|` or `>` that then begins a block.
fn without_properties(written: &str) -> &str {
    let mut text = written;
    while text.starts_with(['!', '&']) {
        text = text.trim_start_matches(|letter: char| !letter.is_ascii_whitespace()).trim_start();
    }
    match text.split_once('\n') {
        Some((_, content)) if text.len() < written.len() && text.starts_with(['|', '>']) => content,
        Some(_) | None => text,
    }
}

/// Of JSON's and YAML's escapes: `\n`, `\x0a`, `\u000a`, `\U0000000a`, and the two halves of `\ud83d\ude00`.
fn escape_length(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    match bytes.get(1) {
        Some(b'x') => 4,
        Some(b'u') => match bytes.get(2..4).map(<[u8]>::to_ascii_lowercase).as_deref() {
            Some([b'd', b'8' | b'9' | b'a' | b'b']) if bytes.get(6) == Some(&b'\\') => 12,
            Some(_) | None => 6,
        },
        Some(b'U') => 10,
        // A letter of several bytes may follow in YAML that is wrong; the reader has refused it.
        Some(_) | None => 2,
    }
}
