//! Calls of tasks in flight.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use interpreter::{Answer, Failure, Payload, Snapshot, Stimulus, Timestamp, Wait};
use tokio::task::{AbortHandle, JoinHandle};
use tracing::Instrument;

use super::Deliver;
use super::claim::Claim;
use super::inbox::TimedStimulus;
use crate::ports::TaskAnswer;

/// The calls that an actor makes.
#[derive(Default)]
pub(super) struct Calls {
    running: FuturesUnordered<Running>,
    waits: Vec<(Wait, AbortHandle)>,
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
        self.waits.iter().any(|(made, _)| made == wait)
    }

    /// Begins the call of a claim that is durable: it is over by the lease's end.
    pub fn begin(&mut self, deliver: &Deliver, claim: Claim) {
        let (tasks, clock) = (deliver.world.tasks.clone(), deliver.world.clock.clone());
        let left = claim.lease.0.saturating_sub(clock.now().0);
        let Claim { wait, mut call, permit, .. } = claim;
        call.timeout = call.timeout.min(Duration::from_millis(u64::try_from(left).unwrap_or(0)));
        let span = tracing::info_span!("task", execution = call.execution, state = call.state);
        let calling = async move {
            let answer = tasks.call(call).await;
            tracing::debug!(outcome = outcome(&answer), "task call returned");
            drop(permit);
            (clock.now(), answer)
        };
        // A task of its own: a panic in it is a lost attempt, not a lost execution.
        let running: JoinHandle<(Timestamp, TaskAnswer)> = tokio::spawn(calling.instrument(span));
        self.waits.push((wait.clone(), running.abort_handle()));
        self.running.push(Box::pin(async move { (wait, running.await.ok()) }));
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
        self.waits.retain(|(wait, running)| {
            let current = snapshot.is_open() && snapshot.attempt(wait).is_some();
            if !current {
                running.abort();
            }
            current
        });
    }

    fn returned(
        &mut self,
        (wait, answer): (Wait, Option<(Timestamp, TaskAnswer)>),
        now: Timestamp,
    ) -> Vec<TimedStimulus> {
        self.waits.retain(|(open, _)| *open != wait);
        let (at, answer) = answer.map_or((now, None), |(at, answer)| (at, Some(answer)));
        completion(wait, answer).into_iter().map(|stimulus| TimedStimulus { at, stimulus }).collect()
    }
}

/// The stimuli that the end of a call leads to. A call without an answer panicked or was cut: its attempt is lost.
fn completion(wait: Wait, answer: Option<TaskAnswer>) -> Vec<Stimulus> {
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
        calls.waits.push((wait.clone(), running.abort_handle()));
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
