//! `${Name}`: places that a deployment fills in, and filling them in.
//!
//! AWS: DefinitionSubstitutions replace text before anything reads it, so a placeholder may stand where JSON wants a value,
//! `"MaxConcurrency": ${Max}`. One without a value becomes text there, as if it were quoted: a value that
//! holds a placeholder is always text, and the definition is not to blame for what is wrong with it (see `judge`).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::origin::Derived;
use super::{SourceError, expression};

/// The values of placeholders.
#[derive(Debug, Clone, Default)]
pub struct Substitutions(BTreeMap<String, String>);

impl Substitutions {
    /// Replaces `${name}` with a value; the last of several counts.
    pub fn give(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.insert(name.into(), value.into());
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// All of these, and those of the others that these do not have.
    #[must_use]
    pub(super) fn or(&self, others: &Substitutions) -> Substitutions {
        let mut all = others.clone();
        all.0.extend(self.0.iter().map(|(name, value)| (name.clone(), value.clone())));
        all
    }
}

/// The names of the placeholders of a definition.
#[derive(Debug, Clone, Default)]
pub struct Placeholders {
    pub replaced: BTreeSet<String>,
    /// Those without a value.
    pub open: BTreeSet<String>,
}

/// The size of a definition with its placeholders filled in, in bytes; of a template with all its definitions as well.
const LARGEST: usize = 32 << 20;

/// Fills in placeholders and keeps their names.
#[derive(Clone)]
pub(super) struct Filling<'s> {
    pub values: &'s Substitutions,
    pub seen: Placeholders,
    /// How many bytes may still be written.
    pub room: usize,
}

impl<'s> Filling<'s> {
    pub fn new(values: &'s Substitutions) -> Filling<'s> {
        Filling { values, seen: Placeholders::default(), room: LARGEST }
    }

    /// Any text.
    pub fn text(&mut self, from: &Derived) -> Result<Derived, SourceError> {
        let mut into = Derived::default();
        self.fill(from, 0..from.text().len(), &mut into)?;
        Ok(into)
    }

    /// Text without places.
    pub fn words(&mut self, text: &str, at: &Range<usize>) -> Result<String, SourceError> {
        let named = expression::named_scalar(text);
        let text = named.as_deref().unwrap_or(text);
        if !holds(text) {
            return Ok(text.to_owned());
        }
        self.text(&Derived::instead(text, at.clone())).map(|filled| filled.text().to_owned())
    }

    /// A JSON text, in which placeholders may stand instead of values, and expressions of Terraform as well.
    pub fn json(&mut self, from: &Derived) -> Result<Derived, SourceError> {
        let named = expression::named(from);
        let from = named.as_ref().unwrap_or(from);
        let mut into = Derived::default();
        let mut done = 0;
        for bare in bare_words(from.text()) {
            self.fill(from, done..bare.start, &mut into)?;
            let mut word = Derived::default();
            let is_open = self.fill(from, bare.clone(), &mut word)?;
            let quote = if is_open && !word.text().contains('\\') { "\"" } else { "" };
            let (first, last) = (from.origin(bare.start..bare.start), from.origin(bare.end..bare.end));
            into.replace(quote, first);
            into.append(&word, 0..word.text().len());
            into.replace(quote, last);
            done = bare.end;
        }
        self.fill(from, done..from.text().len(), &mut into)?;
        Ok(into)
    }

    /// Appends a range of a text with its placeholders filled in; true if one of them has no value.
    fn fill(&mut self, from: &Derived, range: Range<usize>, into: &mut Derived) -> Result<bool, SourceError> {
        let (mut done, mut is_open) = (range.start, false);
        while let Some((place, name)) = next(from.text(), done..range.end) {
            self.spend(place.start - done, from, &place)?;
            into.append(from, done..place.start);
            match self.values.0.get(name) {
                Some(value) => {
                    self.spend(value.len(), from, &place)?;
                    into.replace(value, from.origin(place.clone()));
                    self.seen.replaced.insert(name.to_owned());
                }
                None => {
                    is_open = true;
                    into.append(from, place.clone());
                    self.seen.open.insert(name.to_owned());
                }
            }
            done = place.end;
        }
        self.spend(range.end - done, from, &range)?;
        into.append(from, done..range.end);
        Ok(is_open)
    }

    fn spend(&mut self, bytes: usize, from: &Derived, place: &Range<usize>) -> Result<(), SourceError> {
        let left = self.room.checked_sub(bytes);
        self.room = left.unwrap_or_default();
        let message = || "too large with its placeholders filled in".to_owned();
        left.map(drop).ok_or_else(|| SourceError { message: message(), at: from.origin(place.clone()) })
    }
}

/// Whether there is a placeholder in a text.
pub(super) fn holds(text: &str) -> bool {
    next(text, 0..text.len()).is_some()
}

/// Whether a placeholder may have this name: `Name`, `Function.Arn`, `AWS::Region`.
pub(super) fn is_name(name: &str) -> bool {
    let word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
    // Names with colons would else be objects of JSONata: `${id:name}`.
    name.split("::").flat_map(|part| part.split('.')).all(word)
}

/// The next placeholder of a text and its name.
pub(super) fn next(text: &str, range: Range<usize>) -> Option<(Range<usize>, &str)> {
    let mut from = range.start;
    loop {
        let start = from + text.get(from..range.end)?.find("${")?;
        match starting(text.get(start..range.end)?) {
            Some(name) => return Some((start..start + name.len() + 3, name)),
            None => from = start + 2,
        }
    }
}

/// The name of the placeholder that a text starts with.
pub(super) fn starting(text: &str) -> Option<&str> {
    let inside = text.strip_prefix("${")?;
    let length = inside.bytes().position(|byte| !byte.is_ascii_alphanumeric() && !b"_-.:".contains(&byte))?;
    let (name, rest) = inside.split_at_checked(length)?;
    (rest.starts_with('}') && is_name(name)).then_some(name)
}

/// The words of a JSON text that stand without quotes and hold a placeholder.
fn bare_words(text: &str) -> Vec<Range<usize>> {
    let (mut words, mut at) = (Vec::new(), 0);
    while let Some(byte) = text.as_bytes().get(at) {
        match byte {
            b'"' => at = end_of_string(text, at),
            b' ' | b'\t' | b'\r' | b'\n' | b',' | b':' | b'{' | b'}' | b'[' | b']' => at += 1,
            _ => {
                let end = end_of_word(text, at);
                if next(text, at..end).is_some() {
                    words.push(at..end);
                }
                at = end;
            }
        }
    }
    words
}

pub(super) fn end_of_string(text: &str, start: usize) -> usize {
    let mut escaped = false;
    let inside = text.bytes().skip(start + 1).position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    inside.map_or(text.len(), |length| start + length + 2)
}

/// The end of a word that may have placeholders in it; never its start.
fn end_of_word(text: &str, start: usize) -> usize {
    let mut at = start;
    while let Some(byte) = text.as_bytes().get(at) {
        let rest = text.get(at..).unwrap_or_default();
        match byte {
            b'$' if rest.starts_with("${") => match starting(rest) {
                Some(name) => at += name.len() + 3,
                None => return at + 1,
            },
            b'"' | b' ' | b'\t' | b'\r' | b'\n' | b',' | b':' | b'{' | b'}' | b'[' | b']' => break,
            _ => at += 1,
        }
    }
    at
}
