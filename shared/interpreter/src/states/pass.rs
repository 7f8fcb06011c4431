//! Pass: hands on its input, a fixed Result, or what its Parameters make of the input.

use asl::{Pass, State};

use super::or_raise;
use crate::context::Extra;
use crate::run::{Outcome, Run};
use crate::{Payload, ThreadPath};

pub(crate) fn enter(run: &mut Run<'_>, path: &ThreadPath, state: &State, pass: &Pass) -> Outcome {
    let input = or_raise!(run.effective_input(path, state));
    let shaped = match &state.data.parameters {
        Some(template) => or_raise!(run.render(path, state, template, input.value(), &Extra::default())),
        None => input,
    };
    let result = pass.result.clone().map_or(shaped, Payload::from_value);
    Outcome::Leave { result, then: pass.transition }
}
