//! JSONPath with Jayway's semantics, compiled once.
//!
//! A path is a root (`$`, `$$` or `$name`), steps, and perhaps a function at its end. A definite path leads to one
//! place and answers a reference to it without allocating; every other path answers a list. The errors are
//! in the words of Jayway over Jackson, which is what AWS shows. Deliberately absent: writing, see
//! [`ReferencePath`](crate::ReferencePath).

mod filter;
mod filter_parser;
mod function;
mod parser;
mod problem;
mod walk;

use std::borrow::Cow;

use serde_json::Value;

pub use problem::PathError;

use crate::error::{EvaluationError, Invalid};
use crate::reference_path::{CONFLICT, unable_to_apply};
use crate::scope::Scope;
use filter::Filter;
use function::Function;
use walk::{Hit, Walk};

/// Where a path starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Root {
    /// `$`
    Input,
    /// `$$`
    Context,
    /// `$name`
    Variable(String),
}

/// A compiled path.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    text: String,
    root: Root,
    steps: Vec<Step>,
    function: Option<Function>,
    definite: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    Property(String),
    /// `['a','b']`: one merged object at the end of a path, each in turn elsewhere.
    Properties(Vec<String>),
    Index(i64),
    Indices(Vec<i64>),
    Slice {
        from: Option<i64>,
        to: Option<i64>,
    },
    Wildcard,
    Filter(Filter),
    /// `..`: the next step applies here and to everything below.
    Scan,
}

impl Path {
    /// Compiles a path; linear in the length of the text.
    pub fn parse(text: &str) -> Result<Path, Invalid> {
        parser::parse(text)
    }

    /// The path as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn root(&self) -> &Root {
        &self.root
    }

    /// Whether the path leads to at most one place, so that it answers a value instead of a list.
    pub fn is_definite(&self) -> bool {
        self.definite
    }

    /// Whether this is a reference path: names and indices only.
    pub fn is_reference(&self) -> bool {
        self.function.is_none() && self.steps.iter().all(|step| matches!(step, Step::Property(_) | Step::Index(_)))
    }

    /// The value the path leads to, or the list of values if the path is not definite.
    ///
    /// An index past the end of an array answers `null`.
    // AWS: so does AWS, because Jackson answers a Java null there (measured in templates).
    pub fn read<'v>(&self, scope: &'v Scope<'v>) -> Result<Cow<'v, Value>, PathError> {
        static NULL: Value = Value::Null;
        Ok(match self.find(scope)? {
            Hit::Here(value) => Cow::Borrowed(value),
            Hit::Made(value) => Cow::Owned(value),
            Hit::PastTheEnd => Cow::Borrowed(&NULL),
        })
    }

    /// Like [`read`](Self::read), for fields that AWS follows step by step, such as `ItemsPath`: what is missing, an
    /// index past the end included, is `States.ReferencePathConflict`.
    // AWS: name and cause from public reports about ItemsPath; no recording has it.
    pub fn follow<'v>(&self, scope: &'v Scope<'v>) -> Result<Cow<'v, Value>, EvaluationError> {
        let document = self.document(scope).map_err(|problem| EvaluationError::runtime(problem.to_string()))?;
        if !self.is_reference() {
            let invalid = |problem| EvaluationError::runtime(format!("Invalid path '{}' : {problem}", self.text));
            return self.read(scope).map_err(invalid);
        }
        let last = self.steps.len().saturating_sub(1);
        let stopped_at = match walk::reach(document, &self.steps) {
            Ok(Hit::Here(value)) => return Ok(Cow::Borrowed(value)),
            Ok(Hit::Made(_) | Hit::PastTheEnd) => last,
            Err(obstacle) => obstacle.at(),
        };
        Err(EvaluationError {
            error: CONFLICT,
            cause: unable_to_apply(&self.steps, stopped_at, document),
            location: None,
        })
    }

    /// Whether there is something to read; an index past the end is nothing.
    pub fn is_present<'v>(&self, scope: &'v Scope<'v>) -> bool {
        self.read_present(scope).is_some()
    }

    /// Like [`read`](Self::read), but nothing where nothing is found or an index is past the end.
    pub(crate) fn read_present<'v>(&self, scope: &'v Scope<'v>) -> Option<Cow<'v, Value>> {
        let document = self.document(scope).ok()?;
        if self.function.is_none() && self.definite {
            return match walk::reach(document, &self.steps) {
                Ok(Hit::Here(value)) => Some(Cow::Borrowed(value)),
                Ok(Hit::Made(value)) => Some(Cow::Owned(value)),
                Ok(Hit::PastTheEnd) | Err(_) => None,
            };
        }
        self.read(scope).ok()
    }

    /// The name of the variable it starts from, without `$`.
    pub fn variable(&self) -> Option<&str> {
        match &self.root {
            Root::Variable(name) => Some(name),
            Root::Input | Root::Context => None,
        }
    }

    pub(crate) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The document the path starts from.
    pub(crate) fn document<'v>(&self, scope: &'v Scope<'v>) -> Result<&'v Value, PathError> {
        match &self.root {
            Root::Input => Ok(scope.input),
            Root::Context => Ok(scope.context.value()),
            Root::Variable(name) => {
                scope.variables.get(name).ok_or_else(|| PathError::VariableNotFound { name: name.clone() })
            }
        }
    }

    fn find<'v>(&self, scope: &'v Scope<'v>) -> Result<Hit<'v>, PathError> {
        let document = self.document(scope)?;
        let found = if walk::are_definite(&self.steps) {
            walk::reach(document, &self.steps).map_err(|obstacle| obstacle.explain(&self.steps))?
        } else {
            Hit::Made(Walk::new(document).list(document, &self.steps)?)
        };
        match &self.function {
            None => Ok(found),
            Some(function) => function.apply(found.value()).map(Hit::Made),
        }
    }
}
