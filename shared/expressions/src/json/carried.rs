//! Unpaired surrogates, and numbers that fit neither 64 bits nor a double: what a [`Value`] has no room for.
//!
//! Java holds both, so AWS carries them from one state to the next. A Rust string holds no half of a surrogate pair,
//! and serde_json's number no more than a double; its feature `arbitrary_precision` would hold the numbers, but makes a
//! text of every number, compares `1` and `1.0` by their spelling, and applies to every crate of the workspace. A value
//! type of our own would have to be known to every crate that touches a payload. So both travel inside of strings, behind
//! one character that text never has: U+10FFFE is set apart from interchange by the Unicode standard.
//!
//! - The mark and `U+10D800` to `U+10DFFF` are the surrogate that many code points below, `U+D800` to `U+DFFF`.
//! - The mark twice is the mark itself.
//! - A string that starts with the mark and `#` is the number whose text follows.
//!
//! Only [`parse`](super::parse) writes these, only [`to_text`](super::to_text) takes them away again, and every value
//! without them is what it always was. So whatever writes a value calls `to_text`, and whatever looks into a string
//! that came from outside asks [`string`] or [`is_number`] first. Equality and hashing need not know: equal texts are
//! marked equally.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::Value;

/// The mark: F4 8F BF BE in UTF-8.
const MARK: char = '\u{10FFFE}';
/// How many code points a carried surrogate stands above itself.
const SHIFT: u32 = 0x10_0000;

/// The string a value is; `None` for everything else, numbers that are carried as a string included.
pub fn string(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| number(text).is_none())
}

/// A string as a text of Unicode, for what takes nothing else (an error's name, a log line): half of a surrogate pair
/// becomes U+FFFD, and a number its text.
pub fn plain_text(text: &str) -> Cow<'_, str> {
    if !is_marked(text) {
        return Cow::Borrowed(text);
    }
    if let Some(number) = number(text) {
        return Cow::Borrowed(number);
    }
    let plain = parts(text).map(|part| match part {
        Part::Plain(plain) => plain,
        Part::Surrogate(_) => "\u{fffd}",
    });
    Cow::Owned(plain.collect())
}

/// Whether a value is a number, however large.
pub fn is_number(value: &Value) -> bool {
    match value {
        Value::Number(_) => true,
        Value::String(text) => number(text).is_some(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
    }
}

/// Whether a value holds, at any depth, something that only [`to_text`](super::to_text) can write.
pub fn is_carried(value: &Value) -> bool {
    let mut waiting = vec![value];
    while let Some(value) = waiting.pop() {
        match value {
            Value::String(text) if is_marked(text) => return true,
            Value::Object(object) if object.keys().any(|key| is_marked(key)) => return true,
            Value::Array(items) => waiting.extend(items),
            Value::Object(object) => waiting.extend(object.values()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    false
}

/// Whether a text is not what its characters say.
#[inline]
pub(crate) fn is_marked(text: &str) -> bool {
    // Most texts lack the first byte of the mark, and that is told fast.
    text.as_bytes().contains(&0xf4) && text.contains(MARK)
}

/// The text of the number that a string stands for.
#[inline]
pub(crate) fn number(text: &str) -> Option<&str> {
    if text.as_bytes().first() != Some(&0xf4) {
        return None;
    }
    text.strip_prefix(MARK)?.strip_prefix('#').filter(|number| is_number_text(number))
}

/// The value of a number that nothing else holds; `text` is JSON's.
pub(super) fn from_number(text: &str) -> Value {
    Value::String(format!("{MARK}#{text}"))
}

/// Adds half of a surrogate pair to a string.
pub(super) fn push_surrogate(unit: u16, text: &mut String) {
    text.push(MARK);
    // Always a character: no surrogate is that high.
    text.extend(char::from_u32(SHIFT + u32::from(unit)));
}

/// Adds what stands in a document as it is.
pub(super) fn push_plain(piece: &str, text: &mut String) {
    let mut pieces = piece.split(MARK);
    text.push_str(pieces.next().unwrap_or_default());
    for behind in pieces {
        text.extend([MARK, MARK]);
        text.push_str(behind);
    }
}

/// One part of a marked string.
pub(super) enum Part<'t> {
    Plain(&'t str),
    Surrogate(u16),
}

/// The parts of a string, for writing it down.
pub(super) fn parts(text: &str) -> impl Iterator<Item = Part<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let start = rest.find(MARK);
        match start {
            None | Some(1..) => {
                let (plain, behind) = rest.split_at_checked(start.unwrap_or(rest.len()))?;
                rest = behind;
                (!plain.is_empty()).then_some(Part::Plain(plain))
            }
            Some(0) => {
                let marked = rest;
                rest = rest.get(MARK.len_utf8()..)?;
                let behind = rest.chars().next();
                if let Some(unit) = behind.and_then(surrogate) {
                    rest = rest.get(MARK.len_utf8()..)?;
                    return Some(Part::Surrogate(unit));
                }
                if behind == Some(MARK) {
                    rest = rest.get(MARK.len_utf8()..)?;
                }
                marked.get(..MARK.len_utf8()).map(Part::Plain)
            }
        }
    })
}

/// How two strings compare in Java: code unit by code unit.
pub(crate) fn compare_texts(left: &str, right: &str) -> Ordering {
    if left == right {
        return Ordering::Equal;
    }
    // Without characters from U+E000 on, bytes are in the same order, and nothing is marked.
    if left.bytes().all(|byte| byte < 0xee) && right.bytes().all(|byte| byte < 0xee) {
        return left.cmp(right);
    }
    if is_marked(left) || is_marked(right) {
        return units(left).cmp(&units(right));
    }
    left.encode_utf16().cmp(right.encode_utf16())
}

fn units(text: &str) -> Vec<u16> {
    let mut units = Vec::with_capacity(text.len());
    for part in parts(text) {
        match part {
            Part::Plain(plain) => units.extend(plain.encode_utf16()),
            Part::Surrogate(unit) => units.push(unit),
        }
    }
    units
}

fn surrogate(character: char) -> Option<u16> {
    let unit = u16::try_from(u32::from(character).checked_sub(SHIFT)?).ok()?;
    (0xd800..0xe000).contains(&unit).then_some(unit)
}

/// Whether a text is a number of JSON: a string of another origin must not become broken JSON.
fn is_number_text(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let text = text.strip_prefix('-').unwrap_or(text);
    let (number, exponent) = match text.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, Some(exponent)),
        None => (text, None),
    };
    let (whole, fraction) = match number.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (number, None),
    };
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|exponent| digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)))
}
