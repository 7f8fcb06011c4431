//! The two ways an expression goes wrong: it does not compile, or it cannot be evaluated.
//!
//! Kept apart from the errors of the API and of adapters: these end a state, in the words an execution's
//! history shows. Deliberately absent: the prefix naming the state, which the interpreter adds.

use std::fmt;

use crate::json;

/// An evaluation that failed: the error name a Retrier or Catcher sees, and the cause in AWS's words,
/// without the prefix that names the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvaluationError {
    pub error: &'static str,
    pub cause: String,
    /// The field to blame, where history names one: `Output/v[0]`.
    pub location: Option<String>,
    /// The error name and cause with which TestState says the same, where it is known to use other words than an execution.
    pub in_test: Option<Box<(&'static str, String)>>,
}

impl EvaluationError {
    pub(crate) fn runtime(cause: impl Into<String>) -> Self {
        EvaluationError { error: "States.Runtime", cause: cause.into(), location: None, in_test: None }
    }

    // AWS: unverified wording; the name is that of a payload over its limit, which this is many times over.
    pub(crate) fn too_large() -> Self {
        let cause = "The rendered value is too large".to_owned();
        EvaluationError { error: "States.DataLimitExceeded", cause, location: None, in_test: None }
    }

    /// A value that nests deeper than any document may. It can be caught, as a value that is too large.
    // AWS: unverified name; the words are those of its JSON reader.
    pub(crate) fn too_deep(depth: usize) -> Self {
        let cause = json::too_deep(depth, json::DEEPEST);
        EvaluationError { error: "States.DataLimitExceeded", cause, location: None, in_test: None }
    }

    /// A path into an input that is null, with `$` too.
    // AWS: seen in templates and in Choice rules (reports).
    pub(crate) fn null_input() -> Self {
        EvaluationError::runtime("Unable to apply Path transformation to null or empty input.")
    }

    /// A JSONata expression went wrong at `field`.
    pub fn query(field: &str, cause: impl Into<String>) -> Self {
        EvaluationError {
            error: "States.QueryEvaluationError",
            cause: cause.into(),
            location: Some(field.to_owned()),
            in_test: None,
        }
    }

    pub(crate) fn intrinsic(cause: impl Into<String>) -> Self {
        EvaluationError { error: "States.IntrinsicFailure", cause: cause.into(), location: None, in_test: None }
    }
}

impl fmt::Display for EvaluationError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.error, self.cause)
    }
}

impl std::error::Error for EvaluationError {}

/// An expression that does not compile; the message is as AWS words it where that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    pub message: String,
}

impl Invalid {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Invalid { message: message.into() }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl std::error::Error for Invalid {}
