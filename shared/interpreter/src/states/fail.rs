//! Fail: ends its thread with an error of the author's.

use asl::{Fail, State, Text};
use serde_json::Value;

use super::or_raise;
use crate::context::Extra;
use crate::run::{Outcome, Run};
use crate::{Failure, Raised, ThreadPath};

pub(crate) fn enter(run: &mut Run<'_>, path: &ThreadPath, state: &State, fail: &Fail) -> Outcome {
    let error = or_raise!(text(run, path, state, fail.error.as_ref(), "ErrorPath"));
    let cause = or_raise!(text(run, path, state, fail.cause.as_ref(), "CausePath"));
    Outcome::Raise(Raised::by_name(Failure { error, cause }))
}

fn text(
    run: &Run<'_>,
    path: &ThreadPath,
    state: &State,
    text: Option<&Text>,
    field: &str,
) -> Result<Option<String>, Raised> {
    match text {
        None => Ok(None),
        Some(Text::Literal(literal)) => Ok(Some(literal.clone())),
        Some(Text::From(expression)) => {
            let input = run.raw_input(path);
            let value = run.with_scope(path, state, input.value(), &Extra::default(), |scope| {
                Ok(expression.evaluate(scope, field)?)
            })?;
            Ok(Some(match value {
                Value::String(text) => text,
                // AWS: unverified what becomes of a value that is no string.
                other => expressions::json::to_text(&other),
            }))
        }
    }
}
