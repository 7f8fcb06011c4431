//! Fail: ends its thread with an error of the author's.

use asl::{Fail, State, Text};
use expressions::json;

use super::or_raise;
use crate::evaluation::{Evaluation, EvaluationInputs, TypeMismatch};
use crate::failure::{EvaluationFailure, Raised};
use crate::run::{Outcome, Run};
use crate::{Failure, ThreadPath, numbers};

pub(crate) fn enter(run: &mut Run<'_>, path: &ThreadPath, state: &State, fail: &Fail) -> Outcome {
    let input = run.raw_input(path);
    run.note(path, |seen| seen.after_input_path(state, &input));
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
            // AWS: unverified what becomes of a value that is no string.
            Ok(Some(numbers::shown(&expression.evaluate(look.paths(), &format!("{field}Path"))?)))
        }
        Some(Text::Jsonata(expression)) => look
            .query(expression, field, |value| match value {
                // AWS: unverified wording, that of `Items` with another type; that it has to be a string is documented.
                value if json::string(value).is_none() => Err(TypeMismatch::Type("string")),
                value => Ok(numbers::shown(value)),
            })
            .map(Some),
    }
}
