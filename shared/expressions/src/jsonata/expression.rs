//! One `{% … %}`.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::engine::Program;
use super::messages::Witness;
use super::{Scope, refusals};
use crate::EvaluationError;

/// A compiled JSONata expression.
#[derive(Clone)]
pub struct Jsonata {
    text: Arc<str>,
    program: Arc<Program>,
}

/// Which members of `$states` there are where an expression stands, beside `input` and `context`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sees {
    Input,
    Result,
    ErrorOutput,
}

/// Why AWS refuses an expression at creation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// `INVALID_JSONATA_EXPRESSION`: it cannot be parsed.
    Invalid(String),
    /// `UNSUPPORTED_JSONATA_EXPRESSION`: it means something that is not there.
    Unsupported(Unseen),
}

/// Something that an expression refers to and cannot see. The text is its `Display`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unseen {
    /// A name, or `$`, at the top level, where there is no context item.
    TopLevel(String),
    /// A function without the `$` of its name.
    Function(String),
    /// `$$`
    Root,
    /// `$states.result` in a field that is evaluated before there is one.
    Result,
    /// `$states.errorOutput` outside a Catcher.
    ErrorOutput,
}

impl fmt::Display for Unseen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unseen::TopLevel(name) | Unseen::Function(name) => {
                write!(f, "Reference to '{name}' at the top level is not supported.")
            }
            Unseen::Root => f.write_str("Reference to '$$' is not supported."),
            Unseen::Result => f.write_str("Field '$states.result' does not exist."),
            Unseen::ErrorOutput => f.write_str("Field '$states.errorOutput' does not exist."),
        }
    }
}

impl Jsonata {
    /// Whether a text is an expression at all: it starts with `{%` and ends with `%}`.
    pub fn is_expression(text: &str) -> bool {
        text.len() >= 4 && text.starts_with("{%") && text.ends_with("%}")
    }

    /// Compiles `{% … %}`, braces included, or finds all that AWS refuses.
    pub fn parse(text: &str, sees: Sees) -> Result<Jsonata, Vec<Refused>> {
        let inner = text.strip_prefix("{%").and_then(|rest| rest.strip_suffix("%}")).unwrap_or(text).trim();
        let program = Program::new(refusals::parse(inner, sees)?);
        Ok(Jsonata { text: inner.into(), program: Arc::new(program) })
    }

    /// The expression without its braces, as error texts show it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The names of the workflow variables it reads, in the order they appear, repeated as they are.
    pub fn variables(&self) -> Vec<&str> {
        let variables = self.program.reads().iter().filter(|read| !read.is_function && read.name != "states");
        variables.map(|read| read.name.as_str()).collect()
    }

    /// The value; `field` is the place of the expression as error texts name it: `Output/v[0]`, `Choices[1]/Condition`.
    pub fn evaluate(&self, scope: &Scope<'_>, field: &str) -> Result<Value, EvaluationError> {
        self.evaluate_at(scope, || field.to_owned())
    }

    /// The same where naming the field takes some work.
    pub(super) fn evaluate_at(
        &self,
        scope: &Scope<'_>,
        field: impl FnOnce() -> String,
    ) -> Result<Value, EvaluationError> {
        self.program.run(scope).map_err(|failure| {
            let witness = if failure.wants_witness() {
                scope.fuel.measure(|| self.program.witness(scope))
            } else {
                Witness::default()
            };
            failure.into_error(&self.text, &field(), &witness)
        })
    }
}

impl PartialEq for Jsonata {
    fn eq(&self, other: &Jsonata) -> bool {
        self.text == other.text
    }
}

impl fmt::Debug for Jsonata {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{{% {} %}}", self.text)
    }
}
