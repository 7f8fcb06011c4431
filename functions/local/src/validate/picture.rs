//! The picture of a finding: its place in the text, underlined, with advice.
//!
//! Drawing is `annotate-snippets`'; this chooses the part of a text to show and its name.

use std::borrow::Cow;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use asl::source::Source;
use asl::{Diagnostic, Severity};

/// A text that findings are about.
#[derive(Clone, Copy)]
pub struct Document<'t> {
    /// The file's name.
    pub name: &'t str,
    pub text: &'t str,
    /// The state machine, where the text is not all about one.
    pub machine: Option<&'t str>,
}

/// A finding about a place in a text.
pub struct Finding<'f> {
    level: Level<'static>,
    code: Option<String>,
    message: Cow<'f, str>,
    span: Range<usize>,
    location: Option<&'f str>,
    help: Option<&'f str>,
}

impl<'f> Finding<'f> {
    pub fn new(level: Level<'static>, message: &'f str) -> Finding<'f> {
        Finding { level, code: None, message: message.into(), span: 0..0, location: None, help: None }
    }

    pub fn of(one: &'f Diagnostic, source: &Source) -> Finding<'f> {
        let level = match one.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        Finding {
            level,
            code: Some(one.code.to_string()),
            message: one.headline().into(),
            span: source.span_of(one).unwrap_or(0..0),
            location: one.location.as_deref().filter(|location| location.starts_with('/')),
            help: one.help.as_deref(),
        }
    }

    pub fn at(self, span: Range<usize>) -> Finding<'f> {
        Finding { span, ..self }
    }

    pub fn show(self, document: Document<'_>, renderer: &Renderer) -> String {
        let picture = Picture::of(document.text, self.span);
        let mut title = self.level.primary_title(self.message.as_ref());
        if let Some(code) = &self.code {
            title = title.id(code.as_str());
        }
        let annotation = AnnotationKind::Primary.span(picture.span);
        let snippet = Snippet::source(picture.text).line_start(picture.line).annotation(annotation);
        let mut group = if picture.is_whole_line {
            title.element(snippet.path(document.name))
        } else {
            // The renderer counts columns from the start of what it is given.
            title.element(Origin::path(document.name).line(picture.line).char_column(picture.column)).element(snippet)
        };
        let place = match (document.machine, self.location) {
            (Some(machine), Some(location)) => Some(format!("in {machine}, at {location}")),
            (Some(machine), None) => Some(format!("in {machine}")),
            (None, Some(location)) => Some(format!("at {location}")),
            (None, None) => None,
        };
        let notes = [place.map(|place| Level::NOTE.message(place)), self.help.map(|help| Level::HELP.message(help))];
        for note in notes.into_iter().flatten() {
            group = group.element(note);
        }
        renderer.render(&[group]) + "\n\n"
    }
}

/// A message without a place.
pub fn title(level: Level<'static>, message: &str, renderer: &Renderer) -> String {
    renderer.render(&[Group::with_title(level.primary_title(message))]) + "\n\n"
}

/// The part of a text to show: the line a span begins in, or of a very long line the surroundings of the span. Laying out a whole
/// file for every finding would take minutes for one that is written in one line.
struct Picture<'t> {
    text: &'t str,
    line: usize,
    column: usize,
    is_whole_line: bool,
    /// The span, counted from the start of what is shown.
    span: Range<usize>,
}

/// How many bytes to show at most on each side of where a span begins.
const MOST_SHOWN: usize = 200;

impl<'t> Picture<'t> {
    fn of(text: &'t str, span: Range<usize>) -> Picture<'t> {
        let (before, after) = text.split_at_checked(span.start).unwrap_or((text, ""));
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let rest_of_line = after.lines().next().unwrap_or_default().len();
        let start = boundary(text, line_start.max(before.len().saturating_sub(MOST_SHOWN)));
        let end = boundary(text, before.len() + rest_of_line.min(MOST_SHOWN)).max(before.len());
        Picture {
            text: text.get(start..end).unwrap_or_default(),
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
            is_whole_line: start == line_start,
            span: before.len() - start..span.end.clamp(before.len(), end) - start,
        }
    }
}

/// The nearest place at or before a byte where the text can be cut.
fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}
