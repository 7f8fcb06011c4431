//! A claim: the right to make the call of one attempt, once the claim is durable.

use std::time::Duration;

use asl::{Kind, StateId};
use interpreter::{Timestamp, Wait};

use super::live::Live;
use super::permits::Permit;
use crate::ports::{Stage, TaskCall, TaskRole};
use crate::tokens::TaskToken;

/// A call begins within this of its claim, and has at least half its time left then, or it is claimed again: a function that
/// may take 15 minutes is not cut off because the store was slow. Longer than a busy store's client waits for one answer.
const BEGINS_WITHIN: Duration = Duration::from_secs(15);
/// How much longer than its own TimeoutSeconds a call may take before it is cut: the timeout is the workflow's to tell.
const AFTER_TIMEOUT: Duration = Duration::from_millis(500);

pub(super) struct Claim {
    pub wait: Wait,
    pub call: TaskCall,
    pub lease: Timestamp,
    /// It begins by then, or is claimed again.
    latest: Timestamp,
    pub permit: Permit,
}

impl Claim {
    /// A claim of an attempt, for as long as its state allows.
    pub fn of(live: &Live, wait: Wait, permit: Permit) -> Option<Claim> {
        let (frame, attempt) = live.snapshot.attempt(&wait)?;
        let state = live.machine.state(StateId(frame.state))?;
        let Kind::Task(task) = &state.kind else { return None };
        let timeout = match attempt.timeout {
            // With a task token the timeout is about the answer, not about the call.
            Some(seconds) if !task.resource.takes_token() => Duration::from_secs(seconds) + AFTER_TIMEOUT,
            _ => Duration::MAX,
        };
        let execution = &live.snapshot.execution;
        let role = attempt.role.clone().map(|arn| TaskRole::of(execution, arn));
        let stage = match &attempt.job {
            None => Stage::Begin,
            Some(job) => Stage::Poll { ids: job.ids.clone() },
        };
        let call = TaskCall {
            resource: task.resource.clone(),
            arguments: attempt.arguments.text().to_owned(),
            timeout,
            execution: execution.arn.clone(),
            state: state.name.to_string(),
            role,
            machine_role: TaskRole::of(execution, execution.role_arn.clone()),
            test: None,
            attempt: TaskToken::of((&execution.arn, execution.started), &wait),
            stage,
        };
        let never = Timestamp(i64::MAX);
        Some(Claim { wait, call, lease: never, latest: never, permit })
    }

    /// Gives it a lease: that long, from when its commit is through by `allowance` milliseconds. Answers from when.
    pub fn grant(&mut self, now: Timestamp, allowance: i64, granted: Duration) -> Timestamp {
        let after =
            |begins: Timestamp, time: Duration| begins.plus_millis(i64::try_from(time.as_millis()).unwrap_or(i64::MAX));
        let begins = now.plus_millis(allowance);
        self.lease = after(begins, granted);
        self.latest = after(begins, BEGINS_WITHIN.min(granted / 2));
        self.call.timeout = granted.saturating_add(Duration::from_millis(u64::try_from(allowance).unwrap_or(0)));
        begins
    }

    /// True when its commit took so long that it is better claimed again.
    pub fn is_late(&self, now: Timestamp) -> bool {
        now > self.latest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::example::{self, NOW};
    use crate::deliver::permits::Permits;

    fn claim(live: &Live) -> Claim {
        let wait = live.snapshot.unclaimed().next().expect("is unclaimed");
        Claim::of(live, wait, Permits::new(1, 1).try_call("one").expect("is free")).expect("is a task")
    }

    #[test]
    fn a_lease_is_the_granted_time_from_when_the_commit_is_through() {
        let mut claim = claim(&example::plain_task());
        assert_eq!(claim.grant(NOW, 70, Duration::from_secs(10)), NOW.plus_millis(70));
        assert_eq!(claim.lease, NOW.plus_millis(10_070));
        assert_eq!(claim.call.timeout, Duration::from_millis(10_070));
    }

    #[test]
    fn a_call_that_cannot_begin_in_time_is_claimed_again() {
        for (granted, latest_ms) in [(10, 5_000), (30, 15_000), (900, 15_000)] {
            let mut claim = claim(&example::plain_task());
            claim.grant(NOW, 0, Duration::from_secs(granted));
            assert!(!claim.is_late(NOW.plus_millis(latest_ms)), "{granted} s");
            assert!(claim.is_late(NOW.plus_millis(latest_ms + 1)), "{granted} s");
        }
    }

    #[test]
    fn the_timeout_of_a_state_cuts_its_call_only_where_the_call_is_the_answer() {
        assert_eq!(claim(&example::callback()).call.timeout, Duration::MAX, "its 60 s are about the token");
        assert_eq!(claim(&example::plain_task()).call.timeout, Duration::MAX, "it has none");
        assert_eq!(claim(&example::task_of(7)).call.timeout, Duration::from_millis(7_500));
    }
}
