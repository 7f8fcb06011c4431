//! Calls of tasks in flight.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use interpreter::{Answer, Failure, LOST_AFTER_LEASE_MS, Payload, Snapshot, Stimulus, Timestamp, Wait};
use tokio::task::{AbortHandle, JoinHandle};
use tracing::Instrument;

use super::Deliver;
use super::claim::Claim;
use super::inbox::TimedStimulus;
use crate::Deployment;
use crate::ports::{Clock, TaskAnswer};

/// The wall clock was set ahead, or the machine was suspended, when it has gained more than this.
const STEP_MS: i64 = 1_000;
/// Before a call of this process would count as lost, its lease is renewed for that long.
const RENEWED_MS: i64 = 60_000;

/// The calls that an actor makes.
#[derive(Default)]
pub(super) struct Calls {
    running: FuturesUnordered<Running>,
    waits: Vec<InFlight>,
}

/// A call that has not returned.
struct InFlight {
    wait: Wait,
    running: AbortHandle,
    /// How far the wall clock was ahead of elapsed time, in milliseconds, when its lease was given.
    ahead_ms: i64,
}

/// How far the wall clock is ahead of elapsed time.
fn ahead_ms(clock: &dyn Clock) -> i64 {
    clock.now().0.saturating_sub(i64::try_from(clock.elapsed().as_millis()).unwrap_or(i64::MAX))
}

/// A call, with its answer and when that came; without one when the call's task panicked or was cut.
type Running = std::pin::Pin<Box<dyn Future<Output = (Wait, Option<(Timestamp, TaskAnswer)>)> + Send>>;

/// The result of a call for the log: names of errors, no payloads.
fn outcome(answer: &TaskAnswer) -> &str {
    match answer {
        TaskAnswer::Failed { error, .. } => error,
        TaskAnswer::Succeeded { .. } | TaskAnswer::Concluded { .. } => "succeeded",
        TaskAnswer::Started { .. } => "job started",
        TaskAnswer::Running => "job running",
    }
}

impl Calls {
    pub fn is_empty(&self) -> bool {
        self.waits.is_empty()
    }

    /// True while the call for this wait is in flight.
    pub fn makes(&self, wait: &Wait) -> bool {
        self.waits.iter().any(|made| made.wait == *wait)
    }

    /// Begins the call of a claim that is durable: it is over by the lease's end.
    pub fn begin(&mut self, deliver: &Deliver, claim: Claim) {
        let (tasks, clock) = (deliver.world.tasks.clone(), deliver.world.clock.clone());
        let left = claim.lease.0.saturating_sub(clock.now().0);
        let Claim { wait, mut call, permit, .. } = claim;
        call.timeout = call.timeout.min(Duration::from_millis(u64::try_from(left).unwrap_or(0)));
        let ahead_ms = ahead_ms(&*clock);
        let span = tracing::info_span!("task", execution = call.execution, state = call.state);
        let calling = async move {
            let answer = tasks.call(call).await;
            tracing::debug!(outcome = outcome(&answer), "task call returned");
            drop(permit);
            (clock.now(), answer)
        };
        // A task of its own: a panic in it is a lost attempt, not a lost execution.
        let running: JoinHandle<(Timestamp, TaskAnswer)> = tokio::spawn(calling.instrument(span));
        self.waits.push(InFlight { wait: wait.clone(), running: running.abort_handle(), ahead_ms });
        self.running.push(Box::pin(async move { (wait, running.await.ok()) }));
    }

    /// Keeps the leases of calls in flight from ending because a clock was set: these calls take the time they take, which
    /// goes by elapsed time, and this process knows that it makes them. Without peers a call that outlasts its lease is waited
    /// for too; among them, an owner that is heard of no more has to lose it.
    pub fn renewals(
        &mut self,
        snapshot: &Snapshot,
        owner: &str,
        clock: &dyn Clock,
        deployment: Deployment,
    ) -> Vec<Stimulus> {
        if self.waits.is_empty() {
            return Vec::new();
        }
        let (now, ahead_ms) = (clock.now(), ahead_ms(clock));
        let renew = |call: &mut InFlight| {
            let (claimed, lease) = snapshot.attempt(&call.wait)?.1.call.claim()?;
            let gained = ahead_ms.saturating_sub(call.ahead_ms);
            let later_ms = if gained > STEP_MS { gained } else { 0 };
            let lost = !deployment.has_peers()
                && lease.plus_millis(later_ms.saturating_add(LOST_AFTER_LEASE_MS - STEP_MS)) <= now;
            if claimed != owner || (later_ms == 0 && !lost) {
                return None;
            }
            call.ahead_ms = call.ahead_ms.saturating_add(later_ms);
            let lease = if lost { now.plus_millis(RENEWED_MS) } else { lease.plus_millis(later_ms) };
            Some(Stimulus::TaskRenewed { wait: call.wait.clone(), owner: owner.to_owned(), lease, later_ms })
        };
        self.waits.iter_mut().filter_map(renew).collect()
    }

    /// The completion of the next call that returns; never ends while there is none.
    pub async fn next(&mut self, now: impl Fn() -> Timestamp) -> Vec<TimedStimulus> {
        match self.running.next().await {
            Some(returned) => self.returned(returned, now()),
            None => std::future::pending().await,
        }
    }

    /// The completions of calls that have returned already.
    pub fn ready(&mut self, now: Timestamp) -> Vec<TimedStimulus> {
        let mut ready = Vec::new();
        while let Some(Some(returned)) = futures_util::FutureExt::now_or_never(self.running.next()) {
            ready.extend(self.returned(returned, now));
        }
        ready
    }

    /// Cuts the calls whose attempts are over: they timed out, or a sibling failed.
    pub fn cut_stale(&mut self, snapshot: &Snapshot) {
        self.waits.retain(|call| {
            let current = snapshot.is_open() && snapshot.attempt(&call.wait).is_some();
            if !current {
                call.running.abort();
            }
            current
        });
    }

    fn returned(
        &mut self,
        (wait, answer): (Wait, Option<(Timestamp, TaskAnswer)>),
        now: Timestamp,
    ) -> Vec<TimedStimulus> {
        self.waits.retain(|open| open.wait != wait);
        let (at, answer) = answer.map_or((now, None), |(at, answer)| (at, Some(answer)));
        completion(wait, answer).into_iter().map(|stimulus| TimedStimulus { at, stimulus }).collect()
    }
}

/// The stimuli that the end of a call leads to. A call without an answer panicked or was cut: its attempt is lost.
pub(crate) fn completion(wait: Wait, answer: Option<TaskAnswer>) -> Vec<Stimulus> {
    let succeeded = |output| Answer::Succeeded { output: Payload::from_json_text(output) };
    match answer {
        None => vec![Stimulus::TaskLost { wait }],
        Some(TaskAnswer::Failed { error, cause }) => {
            vec![Stimulus::TaskReturned { wait, answer: Answer::Failed(Failure::of(Some(error), cause)) }]
        }
        Some(TaskAnswer::Succeeded { output }) => {
            vec![Stimulus::TaskReturned { wait, answer: succeeded(output) }]
        }
        Some(TaskAnswer::Started { output, ids, subscribed }) => {
            let output = Payload::from_json_text(output);
            vec![Stimulus::JobStarted { wait, output, ids, subscribed }]
        }
        Some(TaskAnswer::Running) => vec![Stimulus::JobPolled { wait }],
        // An answer that is there before the call returns counts once it does.
        Some(TaskAnswer::Concluded { output }) => {
            let answer = succeeded(output);
            let early = Stimulus::TaskAnswered { wait: wait.clone(), answer: answer.clone() };
            vec![early, Stimulus::TaskReturned { wait, answer }]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::example::{self, NOW};

    /// Calls with one in flight that never returns by itself.
    fn one_in_flight(wait: &Wait) -> Calls {
        let mut calls = Calls::default();
        let running: JoinHandle<(Timestamp, TaskAnswer)> = tokio::spawn(std::future::pending());
        calls.waits.push(InFlight { wait: wait.clone(), running: running.abort_handle(), ahead_ms: NOW.0 });
        let wait = wait.clone();
        calls.running.push(Box::pin(async move { (wait, running.await.ok()) }));
        calls
    }

    #[tokio::test]
    async fn a_call_is_cut_when_its_attempt_is_over_and_not_before() {
        let mut live = example::plain_task();
        let wait = example::claim(&mut live, "worker", NOW, 10);
        let mut calls = one_in_flight(&wait);
        calls.cut_stale(&live.snapshot);
        assert!(calls.makes(&wait) && !calls.is_empty());
        assert_eq!(calls.ready(NOW), []);
        example::apply(&mut live, example::returned(&wait), NOW);
        calls.cut_stale(&live.snapshot);
        assert!(!calls.makes(&wait) && calls.is_empty());
        assert_eq!(calls.next(|| NOW).await.len(), 1, "its task ends");
    }

    /// A clock that shows `now` after so many milliseconds.
    struct Shows {
        now: Timestamp,
        elapsed_ms: u64,
    }

    #[async_trait::async_trait]
    impl Clock for Shows {
        fn now(&self) -> Timestamp {
            self.now
        }

        fn elapsed(&self) -> Duration {
            Duration::from_millis(self.elapsed_ms)
        }

        fn seed(&self) -> [u8; 32] {
            [0; 32]
        }

        async fn sleep_until(&self, _: Timestamp) {}
    }

    #[tokio::test]
    async fn a_call_of_this_process_is_never_lost_to_a_clock() {
        for (passed_ms, step_ms, renewed) in [
            (5_000, 0, None),
            (5_000, 900, None),
            (5_000, 1_200_000, Some((10_000 + 1_200_000, 1_200_000))),
            (5_000, 3_600_000, Some((10_000 + 3_600_000, 3_600_000))),
            (5_000, -3_600_000, None),
            (38_999, 0, None),
            (39_000, 0, Some((39_000 + 60_000, 0))),
        ] {
            let mut live = example::plain_task();
            let wait = example::claim(&mut live, "worker", NOW, 10);
            let mut calls = one_in_flight(&wait);
            let elapsed_ms = u64::try_from(passed_ms).expect("has passed");
            let clock = Shows { now: NOW.plus_millis(passed_ms + step_ms), elapsed_ms };
            assert_eq!(
                calls.renewals(&live.snapshot, "another", &clock, Deployment::SingleProcess),
                [],
                "it is not this process's"
            );
            let stimuli = calls.renewals(&live.snapshot, "worker", &clock, Deployment::SingleProcess);
            let expected = renewed.map(|(lease_ms, later_ms)| Stimulus::TaskRenewed {
                wait: wait.clone(),
                owner: "worker".to_owned(),
                lease: NOW.plus_millis(lease_ms),
                later_ms,
            });
            assert_eq!(stimuli, Vec::from_iter(expected), "{step_ms} ms after {passed_ms} ms");
            for stimulus in stimuli {
                example::apply(&mut live, stimulus, NOW);
            }
            assert_eq!(
                calls.renewals(&live.snapshot, "worker", &clock, Deployment::SingleProcess),
                [],
                "once is enough"
            );
            example::apply(&mut live, Stimulus::Tick, clock.now);
            assert!(live.snapshot.is_open() && calls.makes(&wait), "{step_ms} ms after {passed_ms} ms");
        }
    }

    #[tokio::test]
    async fn the_timeout_of_a_task_in_flight_goes_by_the_time_that_passes() {
        let mut live = example::task_of(7);
        let wait = example::claim(&mut live, "worker", NOW, 10);
        let mut calls = one_in_flight(&wait);
        let suspended = Shows { now: NOW.plus_millis(1_201_000), elapsed_ms: 1_000 };
        for stimulus in calls.renewals(&live.snapshot, "worker", &suspended, Deployment::SingleProcess) {
            example::apply(&mut live, stimulus, NOW);
        }
        example::apply(&mut live, Stimulus::Tick, NOW.plus_millis(1_206_999));
        assert!(live.snapshot.is_open(), "six of its seven seconds have passed");
        example::apply(&mut live, Stimulus::Tick, NOW.plus_millis(1_207_000));
        assert!(!live.snapshot.is_open());
    }

    #[test]
    fn a_call_without_an_answer_is_a_lost_attempt() {
        let (_, wait) = example::waiting_for_token();
        let lost = TimedStimulus { at: NOW, stimulus: Stimulus::TaskLost { wait: wait.clone() } };
        assert_eq!(Calls::default().returned((wait, None), NOW), [lost]);
    }

    #[test]
    fn a_completion_has_the_time_at_which_its_call_returned() {
        let (_, wait) = example::waiting_for_token();
        let answer = TaskAnswer::Succeeded { output: "{}".to_owned() };
        let returned = TimedStimulus { at: NOW, stimulus: example::returned(&wait) };
        assert_eq!(Calls::default().returned((wait, Some((NOW, answer))), NOW.plus_seconds(9)), [returned]);
    }

    #[test]
    fn an_answer_that_overtakes_its_call_comes_before_the_return() {
        let (_, wait) = example::waiting_for_token();
        let answer = TaskAnswer::Concluded { output: "{}".to_owned() };
        assert_eq!(completion(wait.clone(), Some(answer)), [example::answered(&wait), example::returned(&wait)]);
    }
}
