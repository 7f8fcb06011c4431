//! Claims whose calls this holder has not begun: their commit took too long, or nobody can say yet whether it happened.
//!
//! Who made such a claim is the only one who knows that nothing was called, so he says it before anything that is due is
//! done: the attempt is released. Then it is one that nobody makes, and is claimed like any other, mostly in the same
//! commit and by the same process; what its worker has no time for is left to others. It was recorded as started, and is
//! not again, nor does a Retrier see anything. Each time it is given as long again as the last commit took, so a store
//! that is slow, but not ever slower, is waited for.
//!
//! Others who saw such a claim at its lease's end, or at the end of its time, may have told it as lost or as timed out
//! meanwhile; then it is not current any more, and releasing it changes nothing: the first commit decides.

use asl::{StateId, StateMachine};
use interpreter::{Snapshot, Stimulus, Timestamp, Wait};

use super::calls::Claim;
use super::ledger::Held;

/// The longest that a claim reckons with: longer than the store is tried for one commit. It delays the moment at which the
/// loss of its owner is noticed.
const LONGEST_MS: i64 = 120_000;

#[derive(Default)]
pub(super) struct Unbegun {
    waits: Vec<Wait>,
    /// When they were claimed.
    since: Option<Timestamp>,
}

impl Unbegun {
    /// Claims that are about to be committed at `now`.
    pub fn add(&mut self, claims: &[Claim], now: Timestamp) {
        if !claims.is_empty() {
            self.waits.extend(claims.iter().map(|claim| claim.wait.clone()));
            self.since = Some(now);
        }
    }

    /// A commit is through, and with it what was to be said of them: what remains are those that it came too late for.
    pub fn keep(&mut self, late: Vec<Wait>) {
        self.waits = late;
    }

    pub fn is_empty(&self) -> bool {
        self.waits.is_empty()
    }

    pub fn contains(&self, wait: &Wait) -> bool {
        self.waits.contains(wait)
    }

    /// How long a commit may take that claims them again at `now`.
    pub fn allowance(&self, now: Timestamp) -> i64 {
        self.since.map_or(0, |since| now.0.saturating_sub(since.0).clamp(0, LONGEST_MS))
    }

    /// What is to be said of those that are still claimed by `owner`. A call that was not made is not counted by a test case.
    pub fn released(&self, held: &mut Held, owner: &str) -> Vec<Stimulus> {
        let Held { machine, snapshot, rehearsal, .. } = held;
        let claimed = |wait: &&Wait| {
            let attempt = snapshot.attempt(wait).map(|(_, attempt)| attempt);
            attempt.and_then(|attempt| attempt.call.claim()).is_some_and(|(claimed, _)| claimed == owner)
        };
        let mut released = Vec::new();
        for wait in self.waits.iter().filter(claimed) {
            if let (Some(rehearsal), Some(state)) = (&mut *rehearsal, state_of(machine, snapshot, wait)) {
                rehearsal.take_back(state);
            }
            released.push(Stimulus::TaskReleased { wait: wait.clone(), owner: owner.to_owned() });
        }
        released
    }
}

fn state_of<'m>(machine: &'m StateMachine, snapshot: &Snapshot, wait: &Wait) -> Option<&'m str> {
    let (frame, _) = snapshot.attempt(wait)?;
    machine.state(StateId(frame.state)).map(|state| &*state.name)
}
