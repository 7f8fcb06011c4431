//! The 18 intrinsic functions, compiled once.
//!
//! A call is checked for its name and its number of arguments when compiled; everything about values fails as
//! `States.IntrinsicFailure` when evaluated. Deliberately absent: any optional argument AWS does not document.

mod arrays;
mod call;
mod format;
mod math;
mod parser;
mod text;

use serde_json::Value;

use crate::error::{EvaluationError, Invalid};
use crate::scope::Scope;
use call::Call;

pub(crate) use text::digest;

/// A compiled call of an intrinsic function.
#[derive(Clone, Debug, PartialEq)]
pub struct Intrinsic {
    call: Call,
}

impl Intrinsic {
    pub fn parse(text: &str) -> Result<Intrinsic, Invalid> {
        parser::parse(text).map(|call| Intrinsic { call })
    }

    /// The call as it was written.
    pub fn text(&self) -> &str {
        &self.call.text
    }

    pub fn evaluate(&self, scope: &Scope) -> Result<Value, EvaluationError> {
        self.call.evaluate(scope)
    }

    /// The names of the variables it reads, in the order they appear, repeated as they are.
    pub fn variables(&self) -> Vec<&str> {
        let mut names = Vec::new();
        self.call.collect_variables(&mut names);
        names
    }
}
