//! Findings about a definition, in AWS's words and with AWS's codes.
//!
//! A [`Diagnostic`] is what ValidateStateMachineDefinition lists and what CreateStateMachine strings together. The `help`
//! is ours and never goes over the wire. [`Findings`] collects them while a definition is read.

use std::fmt;

use crate::StateId;
use crate::about::About;
use crate::place::Place;

/// One thing that is wrong with a definition, or looks wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    pub severity: Severity,
    pub code: Code,
    /// Its subject; AWS's text is made from it.
    pub about: About,
    /// `/States/X/Resource`, or Jackson's `[Source: …; line: 1, column: 4]`; some findings have no place.
    pub location: Option<String>,
    /// Advice for the command line; our own.
    pub help: Option<String>,
}

/// `ERROR` refuses a definition, `WARNING` does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Error,
    Warning,
}

/// AWS's codes, as the API reference of ValidateStateMachineDefinition lists them; those about variables and JSONata are
/// not listed there but answered by the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    SchemaValidationFailed,
    InvalidJsonDescription,
    MissingTransitionTarget,
    MissingEndState,
    DuplicateStateName,
    InvalidStateName,
    DuplicateLabelName,
    InvalidLabelName,
    ReservedVariableName,
    InvalidVariableName,
    DuplicateVariableName,
    InvalidJsonataExpression,
    UnsupportedJsonataExpression,
    NoDollar,
    NoPath,
    PassResultIsStatic,
    PossiblyUndefinedVariable,
}

impl Diagnostic {
    /// AWS's text.
    pub fn message(&self) -> String {
        self.about.to_string()
    }

    /// The same without the text of the definition and the place in it, which some of AWS's texts have.
    pub fn headline(&self) -> String {
        match &self.about {
            About::Syntax { problem, .. } => problem.clone(),
            other => other.to_string(),
        }
    }

    /// As CreateStateMachine words it: `CODE: message at location`.
    pub fn wire_text(&self) -> String {
        // AWS: a finding without a place is said to be "at null" (observed for MISSING_END_STATE).
        format!("{}: {} at {}", self.code, self.about, self.location.as_deref().unwrap_or("null"))
    }
}

/// The message of `InvalidDefinition`, if any of the diagnostics is an error.
pub fn invalid_definition_message(diagnostics: &[Diagnostic]) -> Option<String> {
    let errors: Vec<String> =
        diagnostics.iter().filter(|one| one.severity == Severity::Error).map(Diagnostic::wire_text).collect();
    (!errors.is_empty()).then(|| format!("Invalid State Machine Definition: '{}'", errors.join(", ")))
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Error => "ERROR",
            Severity::Warning => "WARNING",
        })
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Code::SchemaValidationFailed => "SCHEMA_VALIDATION_FAILED",
            Code::InvalidJsonDescription => "INVALID_JSON_DESCRIPTION",
            Code::MissingTransitionTarget => "MISSING_TRANSITION_TARGET",
            Code::MissingEndState => "MISSING_END_STATE",
            Code::DuplicateStateName => "DUPLICATE_STATE_NAME",
            Code::InvalidStateName => "INVALID_STATE_NAME",
            Code::DuplicateLabelName => "DUPLICATE_LABEL_NAME",
            Code::InvalidLabelName => "INVALID_LABEL_NAME",
            Code::ReservedVariableName => "RESERVED_VARIABLE_NAME",
            Code::InvalidVariableName => "INVALID_VARIABLE_NAME",
            Code::DuplicateVariableName => "DUPLICATE_VARIABLE_NAME",
            Code::InvalidJsonataExpression => "INVALID_JSONATA_EXPRESSION",
            Code::UnsupportedJsonataExpression => "UNSUPPORTED_JSONATA_EXPRESSION",
            Code::NoDollar => "NO_DOLLAR",
            Code::NoPath => "NO_PATH",
            Code::PassResultIsStatic => "PASS_RESULT_IS_STATIC",
            Code::PossiblyUndefinedVariable => "POSSIBLY_UNDEFINED_VARIABLE",
        })
    }
}

/// The diagnostics found so far. Bounded: a hostile definition could otherwise be wrong in more words than it has.
#[derive(Default)]
pub(crate) struct Findings {
    errors: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
    unavailable: Vec<Diagnostic>,
    loss: Option<String>,
    size: usize,
    suggestions: usize,
    /// The state that is being read.
    pub state: Option<StateId>,
    reads: Vec<Read>,
    size_of_reads: usize,
}

/// A variable that a field of a state reads.
pub(crate) struct Read {
    pub state: Option<StateId>,
    pub location: String,
    pub variable: String,
}

/// Looking for a similar name takes time, and a reader of more than this many errors has enough to do.
const MOST_SUGGESTIONS: usize = 50;
/// Far beyond what AWS returns (at most 100).
const MOST_FINDINGS: usize = 1000;
const MOST_TEXT: usize = 1 << 20;

impl Findings {
    /// A violation of the language's schema: what most findings are.
    pub fn schema(&mut self, at: Place<'_>, about: impl Into<About>) {
        self.error(Code::SchemaValidationFailed, Some(at), about, None);
    }

    pub fn schema_with_help(&mut self, at: Place<'_>, about: impl Into<About>, help: Option<String>) {
        self.error(Code::SchemaValidationFailed, Some(at), about, help);
    }

    pub fn error(&mut self, code: Code, at: Option<Place<'_>>, about: impl Into<About>, help: Option<String>) {
        let (about, location) = (about.into(), at.map(|place| place.to_string()));
        if self.loss.is_none() && !about.only_refuses() {
            self.loss = Some(format!("{about} at {}", location.as_deref().unwrap_or("/")));
        }
        if let Some(one) = self.admit(Severity::Error, code, location, about, help) {
            self.errors.push(one);
        }
    }

    pub fn warning(&mut self, code: Code, at: Place<'_>, about: impl Into<About>, help: Option<String>) {
        if let Some(one) = self.admit(Severity::Warning, code, Some(at.to_string()), about.into(), help) {
            self.warnings.push(one);
        }
    }

    pub fn warning_at(&mut self, code: Code, location: String, message: String) {
        if let Some(one) = self.admit(Severity::Warning, code, Some(location), message.into(), None) {
            self.warnings.push(one);
        }
    }

    /// Something AWS can do and Stepwell cannot yet. Said only about definitions that AWS would accept, so that the
    /// others get AWS's answer and no more.
    pub fn unavailable(&mut self, at: Place<'_>, message: &str, help: Option<&str>) {
        let code = Code::SchemaValidationFailed;
        if let Some(one) =
            self.admit(Severity::Error, code, Some(at.to_string()), message.into(), help.map(str::to_owned))
        {
            self.unavailable.push(one);
        }
    }

    pub fn has_errors(&self) -> bool {
        !self.errors.is_empty()
    }

    /// Notes the variables that a field reads, as far as there is room.
    pub fn reads<'n>(&mut self, at: Place<'_>, variables: impl IntoIterator<Item = &'n str>) {
        for variable in variables {
            if self.size_of_reads < MOST_TEXT {
                let read = Read { state: self.state, location: at.to_string(), variable: variable.to_owned() };
                self.size_of_reads += read.location.len() + read.variable.len();
                self.reads.push(read);
            }
        }
    }

    pub fn take_reads(&mut self) -> Vec<Read> {
        std::mem::take(&mut self.reads)
    }

    /// The first error that leaves a part of the definition unread, and its place.
    pub fn first_loss(&self) -> Option<&str> {
        self.loss.as_deref()
    }

    /// Whether there is still time to look for what was meant; counts the looks.
    pub fn may_suggest(&mut self) -> bool {
        self.suggestions += 1;
        self.suggestions <= MOST_SUGGESTIONS
    }

    /// All findings: errors, then warnings, each in the order in which they were found.
    pub fn finish(self) -> Vec<Diagnostic> {
        let mut all = if self.errors.is_empty() { self.unavailable } else { self.errors };
        all.extend(self.warnings);
        all
    }

    fn admit(
        &mut self,
        severity: Severity,
        code: Code,
        location: Option<String>,
        about: About,
        help: Option<String>,
    ) -> Option<Diagnostic> {
        let count = self.errors.len() + self.warnings.len() + self.unavailable.len();
        let first_error = severity == Severity::Error && self.errors.is_empty();
        if !first_error && (count >= MOST_FINDINGS || self.size >= MOST_TEXT) {
            return None;
        }
        self.size += about.to_string().len() + location.as_ref().map_or(0, String::len);
        Some(Diagnostic { severity, code, about, location, help })
    }
}
