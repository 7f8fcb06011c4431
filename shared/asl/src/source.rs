//! The text a definition was written in: where in it a diagnostic's location lies, YAML read as JSON, placeholders filled
//! in or left open, and definitions within templates.
//!
//! JSON has a reader of places of its own, since not every JSON text is YAML (`"\ud83d\ude00"`, `"\/"`). Pure: a text
//! comes in, a JSON text and spans come out; reading files is the caller's.

mod align;
mod explained;
mod expression;
mod json;
mod judge;
mod layout;
mod misplaced;
mod origin;
mod other;
mod placeholder;
mod scalar;
mod spot;
pub mod template;
mod yaml;

use std::ops::Range;

use serde_json::Value;

use crate::about::Subject;
use crate::{AnyService, Code, Diagnostic, MachineType, SdkServices};
use origin::Derived;
pub use other::why_not;
use placeholder::Filling;
pub use placeholder::{Placeholders, Substitutions};
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
    json: Json,
    root: Option<Spot>,
    placeholders: Placeholders,
}

/// The JSON text of a definition.
#[derive(Debug, Clone)]
enum Json {
    /// It was written as JSON: spots are places in it, which lead back to the file.
    Written(Derived),
    /// It was written otherwise: spots are places in the file.
    Made(String),
}

/// A text that cannot be read, and the bytes where that shows.
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

/// Reads a text and leaves its placeholders open. A JSON text is always read, right or wrong: [`crate::parse`] says better
/// what is wrong with it.
pub fn read(text: &str, format: Format) -> Result<Source, SourceError> {
    read_with(text, format, &Substitutions::default())
}

/// Reads a text and fills in placeholders.
pub fn read_with(text: &str, format: Format, values: &Substitutions) -> Result<Source, SourceError> {
    let mut filling = Filling::new(values);
    match format {
        Format::Json => {
            let filled = filling.json(&Derived::whole(text, 0))?;
            Ok(Source::written(filled, filling.seen))
        }
        Format::Yaml => {
            let (value, spot) = yaml::read(text, yaml::Tags::Nothing, &mut filling)?;
            Ok(Source::made(&value, spot, filling.seen))
        }
    }
}

/// Reads a file that a template names. CloudFormation reads JSON as YAML there, so that what JSON does not allow, such as a
/// comma before a closing bracket, is taken; then the error of JSON is told as well.
pub fn read_of_template(
    text: &str,
    format: Format,
    values: &Substitutions,
) -> Result<(Source, Option<SourceError>), SourceError> {
    let source = read_with(text, format, values)?;
    let Some(problem) = (format == Format::Json).then(|| source.syntax_error()).flatten() else {
        return Ok((source, None));
    };
    Ok(match read_with(text, Format::Yaml, values) {
        Ok(yaml) if expressions::json::parse_definition(yaml.json()).is_ok_and(|value| value.is_object()) => {
            (yaml, Some(problem))
        }
        Ok(_) | Err(_) => (source, None),
    })
}

impl Source {
    /// The error of a text that is no JSON.
    fn syntax_error(&self) -> Option<SourceError> {
        let one = crate::parse(self.json(), MachineType::Standard).diagnostics.into_iter().next()?;
        let is_syntax = one.code == Code::InvalidJsonDescription;
        is_syntax.then(|| SourceError { message: one.headline(), at: self.span_of(&one).unwrap_or_default() })
    }

    fn written(text: Derived, placeholders: Placeholders) -> Source {
        Source { root: json::read(text.text()), json: Json::Written(text), placeholders }
    }

    fn made(value: &Value, root: Spot, placeholders: Placeholders) -> Source {
        Source { json: Json::Made(expressions::json::to_text(value)), root: Some(root), placeholders }
    }

    /// The definition as a JSON text. A value that is a placeholder is text in it.
    pub fn json(&self) -> &str {
        match &self.json {
            Json::Written(text) => text.text(),
            Json::Made(text) => text,
        }
    }

    pub fn placeholders(&self) -> &Placeholders {
        &self.placeholders
    }

    /// The findings of [`crate::parse`] that hold whatever the open placeholders hide.
    pub fn check(&self, machine_type: MachineType) -> Vec<Diagnostic> {
        self.check_with(machine_type, &AnyService)
    }

    /// As [`check`](Self::check), with calls through the SDK held against its services.
    pub fn check_with(&self, machine_type: MachineType, sdk: &'static dyn SdkServices) -> Vec<Diagnostic> {
        judge::findings(self, machine_type, sdk)
    }

    /// The bytes of the text to show for a diagnostic.
    pub fn span_of(&self, diagnostic: &Diagnostic) -> Option<Range<usize>> {
        let Some(location) = &diagnostic.location else { return self.span("/") };
        if diagnostic.code == Code::InvalidJsonDescription {
            return self.span_at(location);
        }
        let (trail, rest) = self.trail(location);
        let (_, spot) = trail.last()?;
        if !rest.is_empty() {
            return Some(self.shown(spot));
        }
        // AWS locates a field that should not be there, and a wrong one in a template, at its object; the reader wants to
        // see the field.
        Some(match diagnostic.about.subject() {
            Subject::Misplaced(name) => match spot.child(name) {
                Some((_, field)) => self.origin(field.key.clone().unwrap_or_else(|| field.value.clone())),
                None => self.shown(spot),
            },
            Subject::Wrong(one, other) => {
                let field = [Some(one), other].into_iter().flatten().find_map(|name| spot.child(name));
                self.shown(field.map_or(spot, |(_, field)| field))
            }
            Subject::Value
            | Subject::Within
            | Subject::Word(_)
            | Subject::Name
            | Subject::Target
            | Subject::Unreachable => self.shown(spot),
        })
    }

    /// The bytes of what stands at a location, or of the nearest thing around it: the key of an object or a list, which
    /// may be long (the whole has none: where it begins), and the value of everything else.
    pub fn span(&self, location: &str) -> Option<Range<usize>> {
        let (trail, _) = self.trail(location);
        trail.last().map(|(_, spot)| self.shown(spot))
    }

    fn shown(&self, spot: &Spot) -> Range<usize> {
        self.origin(match &spot.key {
            Some(key) if spot.is_container => key.clone(),
            Some(_) => spot.value.clone(),
            None if spot.is_container => spot.value.start..spot.value.start,
            None => spot.value.clone(),
        })
    }

    /// The places that lead furthest along a location, the whole first, and what of the location is left.
    fn trail<'l>(&self, location: &'l str) -> (Trail<'_>, &'l str) {
        let rest = if location == "/" { "" } else { location };
        let Some(root) = &self.root else { return (Trail::new(), rest) };
        let mut probes = MOST_PROBES;
        let (mut trail, rest) = furthest(None, root, rest, &mut probes);
        trail.reverse();
        (trail, rest)
    }

    /// Where in the file a spot is.
    fn origin(&self, spot: Range<usize>) -> Range<usize> {
        match &self.json {
            Json::Written(text) => text.origin(spot),
            Json::Made(_) => spot,
        }
    }

    /// The byte that Jackson's `line: 1, column: 4` means.
    fn span_at(&self, location: &str) -> Option<Range<usize>> {
        let Json::Written(written) = &self.json else { return None };
        let (_, place) = location.rsplit_once("line: ")?;
        let (line, column) = place.trim_end_matches(']').split_once(", column: ")?;
        let (line, column): (usize, usize) = (line.parse().ok()?, column.parse().ok()?);
        let text = written.text();
        let mut starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1));
        let line = starts.nth(line.checked_sub(1)?)?;
        let mut letters = text.get(line..)?.char_indices().skip(column.saturating_sub(1));
        let (start, next) = letters.next().map_or((text.len(), 0), |(at, letter)| (line + at, letter.len_utf8()));
        Some(written.origin(start..start + next))
    }
}

/// A place and those around it, each with the step that leads there.
type Trail<'s> = Vec<(Option<&'s Step>, &'s Spot)>;

/// Names may contain slashes, so a location can be read in several ways; this many steps are tried.
const MOST_PROBES: usize = 20_000;

/// The trail from its end. Recursion is as deep as the document, which is bounded.
fn furthest<'s, 'l>(
    taken: Option<&'s Step>,
    spot: &'s Spot,
    location: &'l str,
    probes: &mut usize,
) -> (Trail<'s>, &'l str) {
    let mut best = (Trail::new(), location);
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
        let found = furthest(Some(step), child, rest, probes);
        if found.1.len() < best.1.len() {
            best = found;
        }
    }
    best.0.push((taken, spot));
    best
}
