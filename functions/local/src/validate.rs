//! `stepwell validate FILE…`: says what is wrong with definitions, and where in the file.
//!
//! JSON and YAML, `-` for standard input. The exit code is 0 if all definitions are fine (warnings do not count), 1 if one
//! has an error, 2 if one cannot be read. What is wrong is `asl`'s to say; this only shows it.

use std::io::{self, IsTerminal, Read, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use asl::source::{self, Format, Source};
use asl::{Diagnostic, MachineType, Severity};

/// AWS takes a megabyte; a file far beyond is something else.
const MOST_BYTES: u64 = 8 << 20;

/// Checks the files and prints what was found to standard output.
pub fn run(files: &[PathBuf], machine_type: MachineType) -> ExitCode {
    let stdout = io::stdout();
    let coloured = stdout.is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let renderer = if coloured { Renderer::styled() } else { Renderer::plain() };
    let mut total = Tally::default();
    for file in files {
        let (shown, tally) = check_file(file, machine_type, &renderer);
        // A reader that went away is no reason to fail.
        let _ = stdout.lock().write_all(shown.as_bytes());
        total.add(&tally);
    }
    let _ = writeln!(stdout.lock(), "{}", total.summary());
    ExitCode::from(total.exit_code())
}

/// How often what was found.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    definitions: usize,
    errors: usize,
    warnings: usize,
    unreadable: usize,
}

impl Tally {
    fn add(&mut self, other: &Tally) {
        self.definitions += other.definitions;
        self.errors += other.errors;
        self.warnings += other.warnings;
        self.unreadable += other.unreadable;
    }

    fn summary(&self) -> String {
        let mut parts = vec![count(self.definitions, "definition"), count(self.errors, "error")];
        if self.warnings > 0 {
            parts.push(count(self.warnings, "warning"));
        }
        if self.unreadable > 0 {
            parts.push(format!("{} not readable", count(self.unreadable, "file")));
        }
        parts.join(", ")
    }

    fn exit_code(&self) -> u8 {
        match (self.definitions + self.unreadable, self.unreadable, self.errors) {
            (0, _, _) | (_, 1.., _) => 2,
            (_, 0, 1..) => 1,
            (_, 0, 0) => 0,
        }
    }
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn check_file(file: &Path, machine_type: MachineType, renderer: &Renderer) -> (String, Tally) {
    let from_input = file == Path::new("-");
    let name = if from_input { "<standard input>".to_owned() } else { file.display().to_string() };
    match read_text(file, from_input) {
        Ok(text) => {
            let format = Format::of(file.extension().and_then(|extension| extension.to_str()), &text);
            check_text(&name, &text, format, machine_type, renderer)
        }
        Err(error) => {
            let title = Level::ERROR.primary_title(format!("cannot read {name}: {error}"));
            let report = [Group::with_title(title)];
            (renderer.render(&report) + "\n\n", Tally { unreadable: 1, ..Tally::default() })
        }
    }
}

fn read_text(file: &Path, from_input: bool) -> io::Result<String> {
    let input: Box<dyn Read> = if from_input { Box::new(io::stdin()) } else { Box::new(std::fs::File::open(file)?) };
    let mut text = String::new();
    input.take(MOST_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MOST_BYTES {
        return Err(io::Error::other(format!("it is larger than {MOST_BYTES} bytes")));
    }
    Ok(text)
}

fn check_text(
    name: &str,
    text: &str,
    format: Format,
    machine_type: MachineType,
    renderer: &Renderer,
) -> (String, Tally) {
    // A byte order mark is no part of the text.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let source = match source::read(text, format) {
        Ok(source) => source,
        Err(error) => {
            let finding = Finding { level: Level::ERROR, code: None, message: &error.message, notes: Vec::new() };
            let shown = show(name, text, &finding, Some(error.at), renderer);
            return (shown, Tally { definitions: 1, errors: 1, ..Tally::default() });
        }
    };
    let parsed = asl::parse(source.json(), machine_type);
    let shown = parsed.diagnostics.iter().map(|one| show_diagnostic(name, text, &source, one, renderer)).collect();
    let warnings = parsed.diagnostics.iter().filter(|one| one.severity == Severity::Warning).count();
    (shown, Tally { definitions: 1, errors: parsed.diagnostics.len() - warnings, warnings, unreadable: 0 })
}

/// What there is to show about a place in a text.
struct Finding<'f> {
    level: Level<'static>,
    code: Option<String>,
    message: &'f str,
    notes: Vec<annotate_snippets::Message<'f>>,
}

fn show_diagnostic(name: &str, text: &str, source: &Source, one: &Diagnostic, renderer: &Renderer) -> String {
    let level = match one.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    // Jackson's messages say the place again on a second line; the picture says it better.
    let message = one.message.lines().next().unwrap_or_default();
    let mut notes = Vec::new();
    if let Some(location) = one.location.as_deref().filter(|location| location.starts_with('/')) {
        notes.push(Level::NOTE.message(format!("at {location}")));
    }
    if let Some(help) = &one.help {
        notes.push(Level::HELP.message(help.as_str()));
    }
    let finding = Finding { level, code: Some(one.code.to_string()), message, notes };
    show(name, text, &finding, source.span_of(one), renderer)
}

fn show(name: &str, text: &str, finding: &Finding<'_>, span: Option<Range<usize>>, renderer: &Renderer) -> String {
    let picture = Picture::of(text, span.unwrap_or(0..0));
    let mut title = finding.level.clone().primary_title(finding.message);
    if let Some(code) = &finding.code {
        title = title.id(code.as_str());
    }
    let annotation = AnnotationKind::Primary.span(picture.span);
    let snippet = Snippet::source(picture.text).line_start(picture.line).annotation(annotation);
    let mut group = if picture.is_whole_line {
        title.element(snippet.path(name))
    } else {
        // The renderer counts columns from the start of what it is given.
        title.element(Origin::path(name).line(picture.line).char_column(picture.column)).element(snippet)
    };
    for note in &finding.notes {
        group = group.element(note.clone());
    }
    renderer.render(&[group]) + "\n\n"
}

/// What to show of a text: the line a span begins in, or of a very long line what is around the span. Laying out a whole
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

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, text: &str) -> (String, Tally) {
        let format = Format::of(Path::new(name).extension().and_then(|extension| extension.to_str()), text);
        check_text(name, text, format, MachineType::Standard, &Renderer::plain())
    }

    #[test]
    fn shows_the_line_and_what_to_do() {
        let text = "StartAt: A\nStates:\n  A:\n    Type: Pass\n    Nxt: B\n    End: true\n";
        let expected = "\
error[SCHEMA_VALIDATION_FAILED]: Field 'Nxt' is not supported
 --> m.yaml:5:5
  |
5 |     Nxt: B
  |     ^^^
  |
  = note: at /States/A
  = help: did you mean 'Next'?

";
        assert_eq!(
            check("m.yaml", text),
            (expected.to_owned(), Tally { definitions: 1, errors: 1, ..Tally::default() })
        );
    }

    #[test]
    fn shows_where_json_ends_too_early() {
        let (shown, _) = check("m.json", "{\n  \"StartAt\": oops\n}");
        assert!(shown.starts_with("error[INVALID_JSON_DESCRIPTION]: Unrecognized token 'oops'"), "{shown}");
        assert!(shown.contains("m.json:2:"), "{shown}");
        assert!(!shown.contains("[Source"), "{shown}");
    }

    #[test]
    fn shows_where_yaml_is_none() {
        let (shown, tally) = check("m.yaml", "StartAt: [A\nStates: {}\n");
        assert!(shown.contains("m.yaml:2:"), "{shown}");
        assert_eq!(tally.exit_code(), 1);
    }

    #[test]
    fn counts_and_sums_up() {
        let (_, fine) = check("m.json", r#"{"StartAt":"A","States":{"A":{"Type":"Succeed"}}}"#);
        assert_eq!((fine.summary().as_str(), fine.exit_code()), ("1 definition, 0 errors", 0));
        let warned = r#"{"StartAt":"A","States":{"A":{"Type":"Pass","Parameters":{"a":"$.b"},"End":true}}}"#;
        let (_, warned) = check("m.json", warned);
        assert_eq!((warned.summary().as_str(), warned.exit_code()), ("1 definition, 0 errors, 1 warning", 0));
        let (_, unreadable) = check_file(Path::new("no/such/file"), MachineType::Standard, &Renderer::plain());
        let mut total = Tally::default();
        assert_eq!(total.exit_code(), 2, "no file is a wrong use");
        total.add(&fine);
        total.add(&unreadable);
        assert_eq!((total.summary().as_str(), total.exit_code()), ("1 definition, 0 errors, 1 file not readable", 2));
    }

    #[test]
    fn shows_a_piece_of_a_long_line_and_its_place_in_the_whole() {
        let text = format!(r#"{{"Comment":"{}","StartAt":5,"States":{{"A":{{"Type":"Succeed"}}}}}}"#, "é".repeat(9000));
        let (shown, _) = check("m.json", &text);
        assert!(shown.contains("m.json:1:9025"), "{shown}");
        assert!(shown.len() < 1500, "{shown}");
    }

    #[test]
    fn shows_something_for_a_finding_without_a_place() {
        let (shown, _) = check("m.json", "");
        assert!(shown.contains("Definition must be a valid JSON object"), "{shown}");
        let loop_of_one = r#"{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"A"}}}"#;
        assert!(check("m.json", loop_of_one).0.contains("no terminal state"));
    }
}
