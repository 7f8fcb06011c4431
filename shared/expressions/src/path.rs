//! JSONPath with the semantics of Jayway JsonPath 2.0.0 over Jackson, compiled once.
//!
//! A path is a root (`$`, `$$` or `$name`) and steps. A definite path leads to one place and answers a reference to it
//! without allocating; every other path answers a list. Results and errors are those of that version, because AWS shows
//! its texts and its oddities, which later versions do not have: no functions, no negative indices, no operators in
//! words. Deliberately absent: writing, see [`ReferencePath`](crate::ReferencePath).

mod filter;
mod filter_parser;
mod parser;
mod problem;
mod walk;

use std::borrow::Cow;
use std::ops::Deref;

use serde_json::Value;

pub use problem::PathError;

use crate::error::{EvaluationError, Invalid};
use crate::reference_path::{CONFLICT, unable_to_apply};
use crate::scope::Scope;
use filter::Filter;
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
    /// Or why it cannot be read, where definitions with such a path were accepted once and are stored.
    steps: Result<Steps, Invalid>,
}

/// What stands behind the root.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Steps {
    all: Vec<Step>,
    /// From here to the end, each step leads to at most one place.
    definite_from: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    Property(String),
    /// `['a','b']`: one merged object, at the end of a path only.
    Properties(Vec<String>),
    Index(i64),
    /// `[(@.length-1)]`: that far from behind the last element, which is a negative number.
    FromEnd(i64),
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

impl Steps {
    fn new(all: Vec<Step>) -> Steps {
        let definite_from = all.iter().rposition(|step| !step.is_definite()).map_or(0, |last| last + 1);
        Steps { all, definite_from }
    }

    /// Whether they lead to at most one place.
    fn are_definite(&self) -> bool {
        self.definite_from == 0
    }
}

impl Deref for Steps {
    type Target = [Step];

    fn deref(&self) -> &[Step] {
        &self.all
    }
}

impl Step {
    fn is_definite(&self) -> bool {
        match self {
            Step::Property(_) | Step::Properties(_) | Step::Index(_) | Step::FromEnd(_) => true,
            Step::Indices(_) | Step::Slice { .. } | Step::Wildcard | Step::Filter(_) | Step::Scan => false,
        }
    }
}

impl Path {
    /// Compiles a path; linear in the length of the text.
    ///
    /// A path that AWS refuses but that was accepted here before compiles, and fails when it is read; see
    /// [`refusal`](Self::refusal).
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

    /// Why AWS would refuse it, if it would: stored definitions may hold such a path, new ones need not.
    pub fn refusal(&self) -> Option<&Invalid> {
        self.steps.as_ref().err()
    }

    /// Whether the path leads to at most one place, so that it answers a value instead of a list.
    pub fn is_definite(&self) -> bool {
        self.steps.as_ref().is_ok_and(Steps::are_definite)
    }

    /// Whether this is a reference path: names and indices only.
    pub fn is_reference(&self) -> bool {
        let only_names = |steps: &Steps| steps.iter().all(|step| matches!(step, Step::Property(_) | Step::Index(_)));
        self.steps.as_ref().is_ok_and(only_names)
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
        let steps = self.steps();
        let last = steps.len().saturating_sub(1);
        let stopped_at = match walk::reach(document, steps) {
            Ok(Hit::Here(value)) => return Ok(Cow::Borrowed(value)),
            Ok(Hit::Made(_) | Hit::PastTheEnd) => last,
            Err(obstacle) => obstacle.at(),
        };
        Err(EvaluationError {
            error: CONFLICT,
            cause: unable_to_apply(steps, stopped_at, document),
            location: None,
            in_test: None,
        })
    }

    /// Whether there is something to read; an index past the end is nothing.
    pub fn is_present<'v>(&self, scope: &'v Scope<'v>) -> bool {
        self.read_present(scope).is_some()
    }

    /// Like [`read`](Self::read), but nothing where nothing is found or an index is past the end.
    pub(crate) fn read_present<'v>(&self, scope: &'v Scope<'v>) -> Option<Cow<'v, Value>> {
        if !self.is_definite() {
            return self.read(scope).ok();
        }
        match walk::reach(self.document(scope).ok()?, self.steps()) {
            Ok(Hit::Here(value)) => Some(Cow::Borrowed(value)),
            Ok(Hit::Made(value)) => Some(Cow::Owned(value)),
            Ok(Hit::PastTheEnd) | Err(_) => None,
        }
    }

    /// The name of the variable it starts from, without `$`.
    pub fn variable(&self) -> Option<&str> {
        match &self.root {
            Root::Variable(name) => Some(name),
            Root::Input | Root::Context => None,
        }
    }

    pub(crate) fn steps(&self) -> &[Step] {
        self.steps.as_ref().map_or(&[], |steps| steps)
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
        let steps = self.steps.as_ref().map_err(|invalid| PathError::Invalid { message: invalid.message.clone() })?;
        if steps.are_definite() {
            return walk::reach(document, steps).map_err(|obstacle| obstacle.explain(document, steps, true));
        }
        let walk = Walk::new(document, scope.fuel);
        walk.list(steps).map(Hit::Made)
    }
}
