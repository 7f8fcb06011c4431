//! Parallel: one thread per branch, all with the same input; its result is the list of theirs.

use asl::{Parallel, State};

use super::or_raise;
use crate::run::{Outcome, Run};
use crate::{Detail, Phase, ThreadPath};

pub(crate) fn enter(run: &mut Run<'_>, path: &ThreadPath, state: &State, parallel: &Parallel) -> Outcome {
    let input = or_raise!(run.arguments(path, state));
    if let Some(mocked) = run.mocked_branches(parallel.transition) {
        return mocked;
    }
    let started = run.emit_on(path, Detail::ParallelStateStarted);
    for (index, branch) in (0u32..).zip(&parallel.branches) {
        let thread = run.new_thread(path, branch.start_at, input.clone(), started);
        run.spawn(path.child(index), thread);
    }
    Outcome::Wait(Phase::Parallel { open: u32::try_from(parallel.branches.len()).unwrap_or(u32::MAX), held: 0 })
}

/// A branch ended; `last` is its last event.
pub(crate) fn branch_done(
    run: &mut Run<'_>,
    path: &ThreadPath,
    state: &State,
    parallel: &Parallel,
    last: u64,
) -> Outcome {
    let Some(&Phase::Parallel { open, held }) = run.snapshot.frame(path).map(|frame| &frame.phase) else {
        return Outcome::Done;
    };
    let left = open.saturating_sub(1);
    // AWS: ParallelStateSucceeded and ParallelStateExited both follow the branch that ended last.
    run.change(path, |frame| frame.last_event = last);
    if left > 0 {
        return Outcome::Wait(Phase::Parallel { open: left, held });
    }
    run.emit(last, Detail::ParallelStateSucceeded);
    run.join(path, state, parallel.transition)
}
