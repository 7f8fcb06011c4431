//! Pass: hands on its input, a fixed Result, or what its Parameters make of the input.

use asl::{Pass, State};

use super::or_raise;
use crate::run::{Outcome, Run};
use crate::{Payload, ThreadPath};

pub(crate) fn enter(run: &mut Run<'_>, path: &ThreadPath, state: &State, pass: &Pass) -> Outcome {
    let shaped = or_raise!(run.arguments(path, state));
    // AWS: a Result of null is none (TestState).
    let result = pass.result.as_ref().filter(|result| !result.is_null());
    let result = result.map_or(shaped, |result| Payload::from_value(result.clone()));
    Outcome::Leave { result, then: pass.transition }
}
