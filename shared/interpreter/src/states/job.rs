//! Jobs: what a Task with `.sync` started and waits for, by polls, signals and the task token; and their cancelling.
//!
//! A poll is a call of the attempt that may be repeated: it is claimed as the first call was, and one that is lost is made
//! again. A job that outlives its attempt is noted in [`crate::Snapshot::cancels`], even when the execution has ended, until
//! it has been cancelled as far as that is possible. Deliberately absent: what a job is, which its target knows.

use asl::{Kind, Resource, StateId, Task};

use super::task::{change_attempt, events_of, readable, settle};
use crate::run::{Outcome, Run};
use crate::{Answer, Attempt, Call, Cancel, Detail, Frame, Job, Payload, Phase, ThreadPath, Wait};

/// Seconds between polls at most.
const LONGEST_SECONDS: u64 = 60;
/// The same of a job whose end is signalled: a signal that is lost makes the wait twice as long at most, or by a quarter of an
/// hour.
const LONGEST_SUBSCRIBED_SECONDS: u64 = 900;

/// The call returned and started a job.
pub(crate) fn started(
    run: &mut Run<'_>,
    wait: &Wait,
    task: &Task,
    output: Payload,
    (ids, subscribed): (String, bool),
) -> Outcome {
    let Resource::Integration(on) = &task.resource else { return Outcome::Done };
    let output = match readable(&task.resource, Answer::Succeeded { output }) {
        Answer::Succeeded { output } => output,
        failed @ Answer::Failed(_) => return settle(run, &wait.path, task, failed),
    };
    run.emit_on(&wait.path, Detail::TaskSubmitted { on: events_of(on), output });
    let now = run.moment.now;
    let mut parked = None;
    change_attempt(run, wait, |attempt| {
        parked = attempt.parked.take();
        // A signal may have come before the call returned, so the first poll of such a job is made at once.
        attempt.call = if subscribed { Call::Unclaimed } else { Call::Returned };
        let next = now.plus_seconds(pause(0, subscribed));
        attempt.job = Some(Job { ids, polls: 0, next, subscribed, signalled: false });
    });
    // The token was used before the call returned.
    parked.map_or(Outcome::Done, |answer| settle(run, &wait.path, task, answer))
}

/// A poll found it running.
pub(crate) fn polled(run: &mut Run<'_>, wait: &Wait) {
    let now = run.moment.now;
    change_attempt(run, wait, |attempt| {
        let Some(job) = &mut attempt.job else { return };
        job.polls = job.polls.saturating_add(1);
        job.next = now.plus_seconds(pause(job.polls, job.subscribed));
        attempt.call = if std::mem::take(&mut job.signalled) { Call::Unclaimed } else { Call::Returned };
    });
}

/// It has ended: a poll that begins now will tell how.
pub(crate) fn signalled(run: &mut Run<'_>, wait: &Wait) {
    change_attempt(run, wait, |attempt| {
        let Some(job) = &mut attempt.job else { return };
        match attempt.call {
            Call::Returned => attempt.call = Call::Unclaimed,
            Call::Claimed { .. } => job.signalled = true,
            Call::Unclaimed | Call::Queued | Call::Leased => {}
        }
    });
}

/// A poll is due, or the last one was lost: any worker may make it.
pub(crate) fn poll_again(run: &mut Run<'_>, wait: &Wait) {
    change_attempt(run, wait, |attempt| attempt.call = Call::Unclaimed);
}

/// Seconds until the next poll, after so many: 1, 2, 4 … 60.
// AWS: its own pauses are not documented; for most services it is told by events.
fn pause(polls: u32, subscribed: bool) -> u64 {
    let longest = if subscribed { LONGEST_SUBSCRIBED_SECONDS } else { LONGEST_SECONDS };
    // The first poll of a job whose end is signalled is made at once.
    let polls = if subscribed { polls.saturating_sub(1) } else { polls };
    1u64.checked_shl(polls).unwrap_or(u64::MAX).min(longest)
}

impl Run<'_> {
    /// Notes the jobs of all threads for cancelling: the execution ends.
    pub(crate) fn cancel_all_jobs(&mut self) {
        let cancels: Vec<(u64, Cancel)> =
            self.snapshot.frames().filter_map(|(path, frame)| self.cancel_of(path, frame)).collect();
        self.snapshot.cancels.extend(cancels);
    }

    /// Notes the job of a thread for cancelling, if it has one: its attempt is over.
    pub(crate) fn cancel_job(&mut self, path: &ThreadPath) {
        let cancel = self.snapshot.frame(path).and_then(|frame| self.cancel_of(path, frame));
        self.snapshot.cancels.extend(cancel);
    }

    fn cancel_of(&self, path: &ThreadPath, frame: &Frame<Payload>) -> Option<(u64, Cancel)> {
        let Phase::Task(attempt) = &frame.phase else { return None };
        let Kind::Task(task) = &self.machine.state(StateId(frame.state))?.kind else { return None };
        let Attempt { job, call, arguments, role, .. } = attempt;
        let begins = task.resource.is_job() && task.resource.is_repeatable() && call.claim().is_some();
        let (ids, arguments) = match job {
            Some(job) => (Some(job.ids.clone()), None),
            None if begins => (None, Some(arguments.text().to_owned())),
            None => return None,
        };
        let (path, role) = (path.clone(), role.clone());
        Some((frame.attempt_id, Cancel { path, state: frame.state, ids, arguments, role }))
    }

    /// A job was cancelled as far as possible. Its thread counts as changed, so that this is written.
    pub(crate) fn cancelled(&mut self, wait: &Wait) {
        if self.snapshot.cancels.remove(&wait.attempt_id).is_some() {
            self.changed.insert(wait.path.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polls_come_after_1_2_4_up_to_60_seconds() {
        let pauses: Vec<u64> = (0..9).map(|polls| pause(polls, false)).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(pause(u32::MAX, false), 60);
    }

    #[test]
    fn polls_of_a_job_whose_end_is_signalled_grow_rare() {
        let pauses: Vec<u64> = (1..13).map(|polls| pause(polls, true)).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]);
    }
}
