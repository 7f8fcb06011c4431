//! Choice: goes on with the first rule that holds, or with Default.

use asl::{Choice, State, StateId, Transition};
use expressions::Template;

use super::or_raise;
use crate::context::Extra;
use crate::run::{Outcome, Run};
use crate::{Payload, Raised, ThreadPath};

/// AWS: this is a `States.Runtime`, not the specification's `States.NoChoiceMatched`.
const NO_MATCH: &str = "Failed to transition out of the state. The state does not point to a next state.";

pub(crate) fn enter(run: &mut Run<'_>, path: &ThreadPath, state: &std::sync::Arc<State>, choice: &Choice) -> Outcome {
    let input = or_raise!(run.effective_input(path, state));
    let (next, assign) = or_raise!(choose(run, path, state, choice, &input));
    let assigned = match assign {
        Some(template) => Some(or_raise!(run.render(path, state, template, input.value(), &Extra::default()))),
        None => None,
    };
    let output = or_raise!(run.select(path, state, &state.data.output_path, input));
    run.exit(path, state, output, assigned, Transition::Next(next));
    Outcome::Done
}

fn choose<'c>(
    run: &Run<'_>,
    path: &ThreadPath,
    state: &'c State,
    choice: &'c Choice,
    input: &Payload,
) -> Result<(StateId, Option<&'c Template>), Raised> {
    run.with_scope(path, state, input.value(), &Extra::default(), |scope| {
        for rule in &choice.rules {
            if rule.condition.holds(scope)? {
                return Ok((rule.next, rule.assign.as_ref()));
            }
        }
        let default = choice.default.ok_or_else(|| Raised::runtime(NO_MATCH))?;
        Ok((default, state.data.assign.as_ref()))
    })
}
