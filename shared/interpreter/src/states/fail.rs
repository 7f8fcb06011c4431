//! Fail: ends its thread with an error of the author's.

use asl::{Fail, Text};
use serde_json::Value;

use super::or_raise;
use crate::evaluation::{Evaluation, EvaluationInputs, TypeMismatch};
use crate::failure::{EvaluationFailure, Raised};
use crate::run::{Outcome, Run};
use crate::{Failure, ThreadPath};

pub(crate) fn enter(run: &mut Run<'_>, path: &ThreadPath, fail: &Fail) -> Outcome {
    let input = run.raw_input(path);
    let failure = or_raise!(run.evaluate(path, EvaluationInputs::of(input.value()), |look| {
        let error = text(look, fail.error.as_ref(), "Error")?;
        let cause = text(look, fail.cause.as_ref(), "Cause")?;
        Ok(Failure::of(error, cause))
    }));
    Outcome::Raise(Raised::by_name(failure))
}

fn text(look: &Evaluation<'_>, text: Option<&Text>, field: &str) -> Result<Option<String>, EvaluationFailure> {
    match text {
        None => Ok(None),
        Some(Text::Literal(literal)) => Ok(Some(literal.clone())),
        Some(Text::From(expression)) => {
            Ok(Some(match expression.evaluate(look.paths(), &format!("{field}Path"))? {
                Value::String(text) => text,
                // AWS: unverified what becomes of a value that is no string.
                other => expressions::json::to_text(&other),
            }))
        }
        Some(Text::Jsonata(expression)) => look
            .query(expression, field, |value| match value {
                Value::String(text) => Ok(text.clone()),
                // AWS: unverified wording, that of `Items` with another type; that it has to be a string is documented.
                _ => Err(TypeMismatch::Type("string")),
            })
            .map(Some),
    }
}
