//! `stepwell validate FILE…`: shows the errors of definitions and their places in the file.
//!
//! Definitions in JSON and YAML, and SAM and CloudFormation templates with any number of them; `-` is standard input. The
//! exit code is 0 if all definitions are fine (warnings do not count), 1 if one has an error, 2 if one cannot be read.
//! Findings and the declarations of templates are `asl`'s; this only reads files and shows them.

mod files;
mod picture;
mod tally;

use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use annotate_snippets::{Level, Renderer};
use asl::source::template::{self, Declared, Definition};
use asl::source::{self, Format, Source, SourceError, Substitutions};
use asl::{MachineType, Severity};
use clap::{Args, ValueEnum};
use picture::{Document, Finding, title};
use tally::{Tally, count};

#[derive(Args)]
#[command(after_long_help = DETAILS)]
pub struct Options {
    /// Definitions, templates of SAM or CloudFormation, output of Terraform, or directories of them; - is standard input
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The type of the state machines whose template does not say it
    #[arg(long = "type", value_enum, default_value_t = Type::Standard, ignore_case = true)]
    machine_type: Type,
    /// A value for ${Name}, which counts more than that of a template; may be given several times
    #[arg(long = "substitute", value_name = "NAME=VALUE", value_parser = substitution)]
    substitutions: Vec<(String, String)>,
    /// Print the names of the placeholders that were left open, one a line
    #[arg(long)]
    list_placeholders: bool,
}

const DETAILS: &str = "\
A template is known by its resources. All its state machines are checked, whether their definition is an object
(Definition), a string (DefinitionString, also with Fn::Sub and Fn::Join) or another file (DefinitionUri), with the
DefinitionSubstitutions whose values are known. The output of `terraform show -json` and a file around a definition, such
as the answer of `aws stepfunctions describe-state-machine`, are known by what is in them as well. Of a directory, all
files in JSON and YAML are read that hold a definition; those whose names begin with a dot, and node_modules, are not.

A placeholder ${Name} that has no value may stand within text or, without quotes, in the place of a value. The value
it hides is not judged; everything else is. A reference of a template is a placeholder as well, and may be given a
value by --substitute: !Ref Table is ${Table}, !GetAtt Function.Arn is ${Function.Arn}. An expression of Terraform is
named for its words: ${jsonencode(var.subnets)} is ${jsonencode.var.subnets}.

Findings that another one explains are not shown: states that are not reached because of a misspelt name, say.

Exit codes: 0 no errors, 1 errors, 2 a file cannot be read or holds no definition.";

#[derive(Clone, Copy, ValueEnum)]
enum Type {
    Standard,
    Express,
}

fn substitution(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write Name=value")?;
    if name.is_empty() {
        return Err("the name is missing".to_owned());
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// Checks the files and prints what was found to standard output.
pub fn run(options: &Options) -> ExitCode {
    let stdout = io::stdout();
    let coloured = stdout.is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let renderer = if coloured { Renderer::styled() } else { Renderer::plain() };
    let mut check = Check::new(options, renderer);
    for file in &options.files {
        // A reader that went away is no reason to fail.
        let mut show = |shown: String| _ = stdout.lock().write_all(shown.as_bytes());
        if file.is_dir() {
            check.directory(file, &mut show);
        } else {
            show(check.file(file));
        }
    }
    let mut rest = check.unused_substitutions();
    if options.list_placeholders {
        check.total.open.iter().for_each(|name| rest.push_str(&format!("{name}\n")));
    }
    let _ = writeln!(stdout.lock(), "{rest}{}", check.total.summary());
    ExitCode::from(check.total.exit_code())
}

/// One run: its settings, and its findings so far.
struct Check {
    machine_type: MachineType,
    given: Substitutions,
    renderer: Renderer,
    total: Tally,
    /// The files that templates named.
    named: BTreeSet<PathBuf>,
}

impl Check {
    fn new(options: &Options, renderer: Renderer) -> Check {
        let mut given = Substitutions::default();
        for (name, value) in &options.substitutions {
            given.give(name, value);
        }
        let machine_type = match options.machine_type {
            Type::Standard => MachineType::Standard,
            Type::Express => MachineType::Express,
        };
        Check { machine_type, given, renderer, total: Tally::default(), named: BTreeSet::new() }
    }

    /// Checks the definitions in a directory: the templates first, so that the files they name are read with their
    /// substitutions and not once more.
    fn directory(&mut self, directory: &Path, show: &mut dyn FnMut(String)) {
        let before = self.total.checked();
        let walk = files::walk(directory);
        walk.problems.into_iter().for_each(|problem| {
            self.total.unreadable += 1;
            show(title(Level::ERROR, &problem, &self.renderer));
        });
        let (templates, definitions): (Vec<_>, Vec<_>) = walk
            .files
            .into_iter()
            .filter_map(|file| Some((Contents::of(&file, &files::read(&file).ok()?, &self.given)?, file)))
            .partition(|(contents, _)| *contents == Contents::Template);
        for (_, file) in templates.into_iter().chain(definitions) {
            if !self.named.contains(&files::plain(&file)) {
                show(self.file(&file));
            }
        }
        if self.total.checked() == before {
            self.total.others += 1;
            show(title(Level::ERROR, &format!("{}: no definition in it", directory.display()), &self.renderer));
        }
    }

    /// The findings about a file, as text.
    fn file(&mut self, file: &Path) -> String {
        let name = files::name(file);
        match files::read(file) {
            Ok(text) => self.text(file, &name, &text),
            Err(error) => {
                self.total.unreadable += 1;
                title(Level::ERROR, &format!("cannot read {name}: {error}"), &self.renderer)
            }
        }
    }

    fn text(&mut self, file: &Path, name: &str, text: &str) -> String {
        let format = format_of(file, text);
        let Some(machines) = template::read(text, format, &self.given) else {
            if let Some(reason) = source::why_not(extension(file).as_deref(), text, format) {
                self.total.others += 1;
                return title(Level::ERROR, &format!("{name}: {reason}"), &self.renderer);
            }
            let source = source::read_with(text, format, &self.given);
            return self.definition(Document { name, text, machine: None }, source, self.machine_type);
        };
        if machines.is_empty() {
            self.total.warnings += 1;
            return title(Level::WARNING, &format!("{name} is a template without state machines"), &self.renderer);
        }
        let names: Vec<&str> = machines.iter().map(|machine| machine.name.as_str()).collect();
        let mut shown = format!("{name}: {}: {}\n\n", count(names.len(), "state machine"), names.join(", "));
        for machine in machines {
            shown.push_str(&self.declared(file, Document { name, text, machine: None }, machine));
        }
        shown
    }

    fn declared(&mut self, template: &Path, document: Document<'_>, machine: Declared) -> String {
        self.total.note(&machine.placeholders);
        let document = Document { machine: Some(&machine.name), ..document };
        let machine_type = machine.machine_type.unwrap_or(self.machine_type);
        match machine.definition {
            Definition::Here(source) => self.definition(document, source, machine_type),
            Definition::File { path, at, values } => {
                let file = template.parent().unwrap_or(Path::new("")).join(path);
                let name = file.display().to_string();
                self.named.insert(files::plain(&file));
                match files::read(&file) {
                    Ok(text) => {
                        let document = Document { name: &name, text: &text, ..document };
                        let source = source::read_of_template(&text, format_of(&file, &text), &values);
                        let (source, problem) = match source {
                            Ok((source, problem)) => (Ok(source), problem),
                            Err(error) => (Err(error), None),
                        };
                        let warned = problem.map(|problem| self.no_json(document, problem)).unwrap_or_default();
                        warned + &self.definition(document, source, machine_type)
                    }
                    Err(error) => {
                        self.total.unreadable += 1;
                        let message = format!("cannot read {name}: {error}");
                        Finding::new(Level::ERROR, &message).at(at).show(document, &self.renderer)
                    }
                }
            }
            Definition::Elsewhere { at } => {
                self.total.elsewhere += 1;
                let message = "this definition is known only where it is deployed, and was not checked";
                Finding::new(Level::NOTE, message).at(at).show(document, &self.renderer)
            }
            Definition::Missing => {
                self.total.definitions += 1;
                self.total.errors += 1;
                let message = "this state machine has no Definition, DefinitionUri or DefinitionString";
                Finding::new(Level::ERROR, message).at(machine.at).show(document, &self.renderer)
            }
        }
    }

    fn definition(
        &mut self,
        document: Document<'_>,
        source: Result<Source, SourceError>,
        machine_type: MachineType,
    ) -> String {
        self.total.definitions += 1;
        let source = match source {
            Ok(source) => source,
            Err(error) => {
                self.total.errors += 1;
                return Finding::new(Level::ERROR, &error.message).at(error.at).show(document, &self.renderer);
            }
        };
        let diagnostics = source.check_with(machine_type, &integrations::Catalogue);
        let warnings = diagnostics.iter().filter(|one| one.severity == Severity::Warning).count();
        self.total.errors += diagnostics.len() - warnings;
        self.total.warnings += warnings;
        self.total.note(source.placeholders());
        diagnostics.iter().map(|one| Finding::of(one, &source).show(document, &self.renderer)).collect()
    }

    /// Warns of a file that only CloudFormation takes.
    fn no_json(&mut self, document: Document<'_>, problem: SourceError) -> String {
        self.total.warnings += 1;
        let message = format!("{}; CloudFormation reads the file as YAML, and so it was read here", problem.message);
        Finding::new(Level::WARNING, &message).at(problem.at).show(document, &self.renderer)
    }

    /// Warns of values without a placeholder: most likely the name is wrong.
    fn unused_substitutions(&mut self) -> String {
        let unused = self.given.names().filter(|name| !self.total.replaced.contains(*name));
        let shown: Vec<String> = unused
            .map(|name| {
                let message = format!("--substitute {name}: there is no placeholder ${{{name}}}");
                title(Level::WARNING, &message, &self.renderer)
            })
            .collect();
        self.total.warnings += shown.len();
        shown.concat()
    }
}

/// The definitions in a file of a directory.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Contents {
    Template,
    Definition,
}

impl Contents {
    /// Nothing for a file that is something else.
    fn of(file: &Path, text: &str, given: &Substitutions) -> Option<Contents> {
        let format = format_of(file, text);
        match template::read(text, format, given) {
            Some(machines) if machines.is_empty() => None,
            Some(_) => Some(Contents::Template),
            // A text that cannot be read is none either, unless it has the fields of a definition.
            None => {
                let has_fields = text.contains("StartAt") && text.contains("States");
                let is_one = has_fields && source::why_not(extension(file).as_deref(), text, format).is_none();
                is_one.then_some(Contents::Definition)
            }
        }
    }
}

fn format_of(file: &Path, text: &str) -> Format {
    Format::of(extension(file).as_deref(), text)
}

fn extension(file: &Path) -> Option<String> {
    file.extension().and_then(|extension| extension.to_str()).map(str::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, text: &str) -> (String, Tally) {
        let options = Options {
            files: Vec::new(),
            machine_type: Type::Standard,
            substitutions: Vec::new(),
            list_placeholders: false,
        };
        let mut check = Check::new(&options, Renderer::plain());
        let shown = check.text(Path::new(name), name, text);
        (shown, check.total)
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
        let (shown, tally) = check("m.yaml", text);
        assert_eq!((shown.as_str(), tally.definitions, tally.errors), (expected, 1, 1));
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

    #[test]
    fn takes_apart_what_is_to_be_substituted() {
        assert_eq!(substitution("A=b=c"), Ok(("A".to_owned(), "b=c".to_owned())));
        assert_eq!(substitution("A="), Ok(("A".to_owned(), String::new())));
        assert!(substitution("A").is_err());
        assert!(substitution("=b").is_err());
    }
}
