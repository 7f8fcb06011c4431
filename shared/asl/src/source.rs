//! The text a definition was written in: where in it a diagnostic's location lies, and YAML read as JSON.
//!
//! JSON has a reader of places of its own, since not every JSON text is YAML (`"\ud83d\ude00"`, `"\/"`). Pure: a text
//! comes in, a JSON text and spans come out.

mod json;
mod scalar;
mod spot;
mod yaml;

use std::ops::Range;

use crate::{Code, Diagnostic};
use spot::{Spot, Step};

/// How a definition is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Json,
    Yaml,
}

/// A definition as JSON, and where its parts stand in the text it was read from.
#[derive(Debug, Clone)]
pub struct Source {
    json: String,
    length: usize,
    lines: Vec<usize>,
    root: Option<Spot>,
}

/// A text that is no YAML, and the byte where that shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceError {
    pub message: String,
    pub at: Range<usize>,
}

impl Format {
    /// By the extension of the file, or else by how the text starts.
    pub fn of(extension: Option<&str>, text: &str) -> Format {
        match extension.map(str::to_ascii_lowercase).as_deref() {
            Some("json") => Format::Json,
            Some("yaml" | "yml") => Format::Yaml,
            Some(_) | None if text.trim_start().starts_with(['{', '[']) => Format::Json,
            Some(_) | None => Format::Yaml,
        }
    }
}

/// Reads a text. A JSON text is always read, right or wrong: [`crate::parse`] says better what is wrong with it.
pub fn read(text: &str, format: Format) -> Result<Source, SourceError> {
    let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
    let source = |json, root| Source { json, length: text.len(), lines, root };
    match format {
        Format::Json => Ok(source(text.to_owned(), json::read(text))),
        Format::Yaml => yaml::read(text).map(|(value, spot)| source(expressions::json::to_text(&value), Some(spot))),
    }
}

impl Source {
    /// The definition as a JSON text.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// The bytes of the text to show for a diagnostic.
    pub fn span_of(&self, diagnostic: &Diagnostic) -> Option<Range<usize>> {
        let Some(location) = &diagnostic.location else { return self.span("/") };
        if diagnostic.code == Code::InvalidJsonDescription {
            return self.span_at(location);
        }
        // AWS locates a field that should not be there at its object; the reader wants to see the field.
        if let Some(name) = named_field(&diagnostic.message) {
            let field = format!("{}/{name}", location.trim_end_matches('/'));
            if let Some((spot, "")) = self.walk(&field) {
                return Some(spot.key.clone().unwrap_or_else(|| spot.value.clone()));
            }
        }
        self.span(location)
    }

    /// The bytes of what stands at a location, or of the nearest thing around it: the key of an object or a list, which
    /// may be long, and the value of everything else.
    pub fn span(&self, location: &str) -> Option<Range<usize>> {
        let (spot, _) = self.walk(location)?;
        let start = spot.value.start;
        Some(match &spot.key {
            Some(key) if spot.is_container => key.clone(),
            Some(_) => spot.value.clone(),
            None if spot.is_container => start..(start + 1).min(self.length),
            None => spot.value.clone(),
        })
    }

    /// The place that leads furthest along a location, and what of the location is left.
    fn walk<'l>(&self, location: &'l str) -> Option<(&Spot, &'l str)> {
        let rest = if location == "/" { "" } else { location };
        let mut probes = MOST_PROBES;
        self.root.as_ref().map(|root| furthest(root, rest, &mut probes))
    }

    /// The byte that Jackson's `line: 1, column: 4` means.
    fn span_at(&self, location: &str) -> Option<Range<usize>> {
        let (_, place) = location.rsplit_once("line: ")?;
        let (line, column) = place.trim_end_matches(']').split_once(", column: ")?;
        let (line, column): (usize, usize) = (line.parse().ok()?, column.parse().ok()?);
        let line = *self.lines.get(line.checked_sub(1)?)?;
        let mut letters = self.json.get(line..)?.char_indices().skip(column.saturating_sub(1));
        let (start, next) = letters.next().map_or((self.length, 0), |(at, letter)| (line + at, letter.len_utf8()));
        Some(start..start + next)
    }
}

/// Names may contain slashes, so a location can be read in several ways; this many steps are tried.
const MOST_PROBES: usize = 20_000;

/// Recursion is as deep as the document, which is bounded.
fn furthest<'s, 'l>(spot: &'s Spot, location: &'l str, probes: &mut usize) -> (&'s Spot, &'l str) {
    let mut best = (spot, location);
    // The last of several fields of one name counts, as in JSON.
    for (step, child) in spot.children.iter().rev() {
        if best.1.is_empty() || *probes == 0 {
            break;
        }
        let rest = match step {
            Step::Key(key) => location.strip_prefix('/').and_then(|rest| rest.strip_prefix(key.as_str())),
            Step::Index(index) => location.strip_prefix('[').and_then(|rest| {
                let (written, rest) = rest.split_once(']')?;
                (written.parse() == Ok(*index)).then_some(rest)
            }),
        };
        let Some(rest) = rest.filter(|rest| rest.is_empty() || rest.starts_with(['/', '['])) else { continue };
        *probes -= 1;
        let found = furthest(child, rest, probes);
        if found.1.len() < best.1.len() {
            best = found;
        }
    }
    best
}

/// The field that a message is about, if it names one.
fn named_field(message: &str) -> Option<&str> {
    let rest = message.strip_prefix("Field '").or_else(|| Some(message.split_once("but field '")?.1))?;
    rest.split_once('\'').map(|(name, _)| name)
}
