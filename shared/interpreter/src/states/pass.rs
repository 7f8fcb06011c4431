//! Pass: hands on its input, a fixed Result, or what its Parameters make of the input.

use asl::{Pass, State};

use super::or_raise;
use crate::run::{Outcome, Run};
use crate::{Payload, ThreadPath};

pub(crate) fn enter(run: &mut Run<'_>, path: &ThreadPath, state: &State, pass: &Pass) -> Outcome {
    let shaped = or_raise!(run.arguments(path, state));
    // AWS: a Result of null is none (TestState).
    let result = pass.result.as_ref().filter(|result| !result.is_null());
    let Some(result) = result else { return Outcome::Leave { result: shaped, then: pass.transition } };
    let result = Payload::from_value(result.clone());
    run.note(path, |seen| seen.fixed_result(&result));
    Outcome::Leave { result, then: pass.transition }
}
