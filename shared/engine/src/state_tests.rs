//! Tests of single states (TestState): drives a [`TestRun`] to its end in memory, and makes the call that it asks for.
//!
//! A process that performs tasks calls their targets itself. Nothing is stored, and the call is sent at most once.

use std::time::Duration;

use interpreter::{ActivityTarget, Inspection, Moment, Stimulus, TestOutcome, TestRun, Timestamp, Wait, Work};
use tokio::sync::Semaphore;

use crate::World;
use crate::deliver::{beside_others, completion};
use crate::ports::{Stage, TaskAnswer, TaskCall, TaskRole};
use crate::tokens::TaskToken;

/// Tests that run at a time in one process; more are throttled.
const AT_A_TIME: usize = 64;
/// How much longer than its TimeoutSeconds a call may take before it is cut: the timeout is the state's to tell.
const AFTER_TIMEOUT: Duration = Duration::from_millis(500);

/// The tests of this process.
pub struct StateTests {
    world: World,
    permits: Semaphore,
}

impl StateTests {
    pub(crate) fn new(world: World) -> StateTests {
        StateTests { world, permits: Semaphore::new(AT_A_TIME) }
    }

    /// Runs a test to its end: five minutes at most. `None` when as many run here as may.
    pub async fn run(&self, test: TestRun) -> Option<(TestOutcome, Inspection)> {
        let _permit = self.permits.try_acquire().ok()?;
        let mut test = self.step(test, Stimulus::Started);
        let mut call: Option<tokio::task::JoinHandle<TaskAnswer>> = None;
        while test.snapshot().is_open() {
            if call.is_none()
                && let Some((wait, asked, lease)) = self.claimed(&test)
            {
                let begins = self.world.clock.now();
                let claimed = Stimulus::TaskClaimed { wait, owner: "test".to_owned(), begins, lease };
                test = self.step(test, claimed);
                let tasks = self.world.tasks.clone();
                call = Some(tokio::spawn(async move { tasks.call(asked).await }));
                continue;
            }
            let due = test.snapshot().due().unwrap_or(self.world.clock.now());
            let wait = test.call().map(|(wait, ..)| wait);
            let returned = async {
                match &mut call {
                    Some(running) => running.await.ok(),
                    None => std::future::pending().await,
                }
            };
            let stimuli = tokio::select! {
                biased;
                answer = returned => {
                    call = None;
                    wait.map(|wait| completion(wait, answer)).unwrap_or_default()
                }
                () = self.world.clock.sleep_until(due) => vec![Stimulus::Tick],
            };
            for stimulus in stimuli {
                test = self.step(test, stimulus);
            }
        }
        if let Some(cut) = call {
            cut.abort();
        }
        test.ended()
    }

    /// One step. It evaluates the expressions of all items of a Map at once.
    fn step(&self, test: TestRun, stimulus: Stimulus) -> TestRun {
        let (now, seed) = (self.world.clock.now(), self.world.clock.seed());
        // The context object of a test has its token.
        let token = |_: &Wait| String::new();
        // One of an activity has a mock.
        let activity = |_: &str, _: &str| ActivityTarget::Mock;
        let work = Work { processor_time: self.world.clock.processor_time(), ..Work::USUAL };
        beside_others(|| test.step(stimulus, &Moment { now, seed, token: &token, activity: &activity, work }))
    }

    /// The call that the test asks for, and by when it is over.
    fn claimed(&self, test: &TestRun) -> Option<(Wait, TaskCall, Timestamp)> {
        let (wait, task, attempt) = test.call()?;
        if !attempt.call.is_free() {
            return None;
        }
        let snapshot = test.snapshot();
        let left = snapshot.deadline.0.saturating_sub(self.world.clock.now().0);
        let left = Duration::from_millis(u64::try_from(left).unwrap_or(0));
        let timeout = match attempt.timeout {
            Some(seconds) => left.min(Duration::from_secs(seconds).saturating_add(AFTER_TIMEOUT)),
            None => left,
        };
        let execution = &snapshot.execution;
        let role = attempt.role.clone().map(|arn| TaskRole::of(execution, arn));
        let call = TaskCall {
            resource: task.resource.clone(),
            arguments: attempt.arguments.text().to_owned(),
            timeout,
            execution: execution.arn.clone(),
            state: asl::LONE_STATE.to_owned(),
            role,
            machine_role: TaskRole::of(execution, execution.role_arn.clone()),
            test: None,
            attempt: TaskToken::of((&execution.arn, execution.started), &wait),
            stage: Stage::Begin,
        };
        Some((wait, call, snapshot.deadline))
    }
}
