//! Pass: hands on its input, a fixed Result, or what its Parameters make of the input.

use asl::{Pass, State};

use super::or_raise;
use crate::run::{Outcome, Run};
use crate::{Payload, ThreadPath};

pub(crate) fn enter(run: &mut Run<'_>, path: &ThreadPath, state: &State, pass: &Pass) -> Outcome {
    let shaped = or_raise!(run.arguments(path, state));
    let result = pass.result.clone().map_or(shaped, Payload::from_value);
    Outcome::Leave { result, then: pass.transition }
}
