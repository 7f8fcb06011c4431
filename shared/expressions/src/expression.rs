//! The value of a `.$` key: a path or a call of an intrinsic function.
//!
//! The text of an error names the field the expression stands in, so evaluation takes it. Deliberately absent:
//! fields that take only a path; they hold a [`Path`] themselves and word their own errors.

use serde_json::Value;

use crate::error::{EvaluationError, Invalid};
use crate::intrinsic::Intrinsic;
use crate::json;
use crate::path::{Path, PathError, Root};
use crate::scope::Scope;

/// A compiled expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Expression {
    /// `$.a`, `$$.Execution.Id`, `$variable`
    Path(Path),
    /// `States.Format('{}', $.a)`
    Intrinsic(Intrinsic),
}

impl Expression {
    pub fn parse(text: &str) -> Result<Expression, Invalid> {
        if text.starts_with('$') {
            Path::parse(text).map(Expression::Path)
        } else {
            Intrinsic::parse(text).map(Expression::Intrinsic)
        }
    }

    /// The expression as it was written.
    pub fn text(&self) -> &str {
        match self {
            Expression::Path(path) => path.text(),
            Expression::Intrinsic(intrinsic) => intrinsic.text(),
        }
    }

    /// The value; `field` is the name the error text gives, such as `value.$` or `ErrorPath`.
    pub fn evaluate(&self, scope: &Scope, field: &str) -> Result<Value, EvaluationError> {
        match self {
            Expression::Intrinsic(intrinsic) => intrinsic.evaluate(scope),
            Expression::Path(path) => match read(path, scope)? {
                Ok(value) => Ok(value),
                Err(_) => Err(EvaluationError::runtime(format!(
                    "The JSONPath '{}' specified for the field '{field}' could not be found in the input '{}'",
                    path.text(),
                    looked_through(path, scope)
                ))),
            },
        }
    }

    /// The names of the variables it reads, in the order they appear, repeated as they are.
    pub fn variables(&self) -> Vec<&str> {
        match self {
            Expression::Path(path) => path.variable().into_iter().collect(),
            Expression::Intrinsic(intrinsic) => intrinsic.variables(),
        }
    }
}

/// Reads a path of a template or call. The outer error is final; the inner one is put in a frame by the caller.
pub(crate) fn read(path: &Path, scope: &Scope) -> Result<Result<Value, PathError>, EvaluationError> {
    if *path.root() == Root::Input && scope.input.is_null() {
        return Err(EvaluationError::null_input());
    }
    match path.read(scope) {
        Err(PathError::TooMuch) => Err(EvaluationError::runtime(PathError::TooMuch.to_string())),
        result => Ok(result.map(json::owned)),
    }
}

/// The JSON text an error shows as the input.
// AWS: unverified: for `$$` and variables this is the document looked through, and the state's input where there
// is no such variable.
pub(crate) fn looked_through(path: &Path, scope: &Scope) -> String {
    json::to_text(path.document(scope).unwrap_or(scope.input))
}
