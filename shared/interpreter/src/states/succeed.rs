//! Succeed: ends its thread with its input.

use asl::{State, Transition};

use super::or_raise;
use crate::ThreadPath;
use crate::run::{Outcome, Run};

pub(crate) fn enter(run: &mut Run<'_>, path: &ThreadPath, state: &State) -> Outcome {
    let result = or_raise!(run.effective_input(path, state));
    Outcome::Leave { result, then: Transition::End }
}
