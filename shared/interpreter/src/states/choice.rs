//! Choice: goes on with the first rule that holds, or with Default.

use std::sync::Arc;

use asl::{Choice, Rule, State, StateId, Test, Transition};
use serde_json::Value;

use super::or_raise;
use crate::data::Exit;
use crate::evaluation::{Evaluation, EvaluationInputs, TypeMismatch};
use crate::failure::{EvaluationFailure, Raised};
use crate::run::{Outcome, Run};
use crate::{Payload, ThreadPath};

/// AWS: this is a `States.Runtime`, not the specification's `States.NoChoiceMatched`.
const NO_MATCH: &str = "Failed to transition out of the state. The state does not point to a next state.";

pub(crate) fn enter(run: &mut Run<'_>, path: &ThreadPath, state: &Arc<State>, choice: &Choice) -> Outcome {
    let input = or_raise!(run.effective_input(path, state));
    let (exit, next) = or_raise!(choose(run, path, state, choice, &input));
    run.leave_by(path, state, &exit, input, Transition::Next(next));
    Outcome::Done
}

fn choose<'s>(
    run: &Run<'_>,
    path: &ThreadPath,
    state: &'s State,
    choice: &'s Choice,
    input: &Payload,
) -> Result<(Exit<'s>, StateId), Raised> {
    run.evaluate(path, EvaluationInputs::of(input.value()), |look| {
        for (index, rule) in choice.rules.iter().enumerate() {
            if holds(look, index, rule)? {
                return Ok((Exit::by_rule(state, index, rule), rule.next));
            }
        }
        let default = choice.default.ok_or_else(|| EvaluationFailure::runtime(NO_MATCH))?;
        Ok((Exit::of(state), default))
    })
}

fn holds(look: &Evaluation<'_>, index: usize, rule: &Rule) -> Result<bool, EvaluationFailure> {
    match &rule.test {
        Test::Compare(condition) => Ok(condition.holds(look.paths())?),
        Test::Always(holds) => Ok(*holds),
        Test::Jsonata(expression) => {
            look.query(expression, &format!("Choices[{index}]/Condition"), |value| match value {
                Value::Bool(holds) => Ok(*holds),
                // AWS: unverified wording, that of `Items` with another type; that it has to be a boolean is documented.
                _ => Err(TypeMismatch::Type("boolean")),
            })
        }
    }
}
