//! Cancelling jobs that outlived their attempts: once each, best effort, beside everything else.
//!
//! What has to be cancelled is in the journal until its call has returned, whatever the call's answer, so a process that
//! dies meanwhile leaves it to the next. A repeated call is harmless: it names one job.

use std::time::Duration;

use asl::{Kind, StateId};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use interpreter::{Cancel, Stimulus, Timestamp, Wait};
use tracing::Instrument;

use super::Deliver;
use super::inbox::TimedStimulus;
use super::live::Live;
use crate::ports::{Stage, TaskAnswer, TaskCall, TaskRole};
use crate::tokens::TaskToken;

/// The longest that one call takes: a worker on Lambda may be near its end.
const LIMIT: Duration = Duration::from_secs(20);
/// Calls of one execution in flight.
const AT_A_TIME: usize = 32;

/// The cancelling calls that an actor makes.
#[derive(Default)]
pub(super) struct Cancels {
    running: FuturesUnordered<Running>,
    waits: Vec<Wait>,
}

type Running = std::pin::Pin<Box<dyn Future<Output = Wait> + Send>>;

impl Cancels {
    pub fn is_empty(&self) -> bool {
        self.waits.is_empty()
    }

    /// Begins the calls that the durable state of the execution asks for and that are not under way.
    pub async fn begin(&mut self, deliver: &Deliver, live: &Live) {
        for (attempt_id, cancel) in &live.snapshot.cancels {
            let wait = Wait { path: cancel.path.clone(), attempt_id: *attempt_id };
            if self.waits.len() >= AT_A_TIME || self.waits.contains(&wait) {
                continue;
            }
            let Some(call) = call(live, &wait, cancel) else { continue };
            let tasks = deliver.world.tasks.clone();
            if tasks.limit(&call).await == Duration::MAX {
                // This process has no targets.
                continue;
            }
            let span = tracing::info_span!("cancel", execution = call.execution, state = call.state);
            let cancelling = async move {
                match tasks.call(call).await {
                    TaskAnswer::Failed { error, .. } => tracing::warn!(error, "job not cancelled, it may go on"),
                    _ => tracing::debug!("job cancelled"),
                }
            };
            // A task of its own: a panic in it ends this call only.
            let running = tokio::spawn(cancelling.instrument(span));
            self.waits.push(wait.clone());
            self.running.push(Box::pin(async move {
                let _panicked = running.await;
                wait
            }));
        }
    }

    /// The completion of the next call that returns; never ends while there is none.
    pub async fn next(&mut self, now: impl Fn() -> Timestamp) -> Vec<TimedStimulus> {
        match self.running.next().await {
            Some(wait) => {
                self.waits.retain(|open| *open != wait);
                vec![TimedStimulus { at: now(), stimulus: Stimulus::JobCancelled { wait } }]
            }
            None => std::future::pending().await,
        }
    }
}

/// The call that cancels; a state that is gone from the definition has no job.
fn call(live: &Live, wait: &Wait, cancel: &Cancel) -> Option<TaskCall> {
    let state = live.machine.state(StateId(cancel.state))?;
    let Kind::Task(task) = &state.kind else { return None };
    let execution = &live.snapshot.execution;
    Some(TaskCall {
        resource: task.resource.clone(),
        arguments: cancel.arguments.clone().unwrap_or_else(|| "{}".to_owned()),
        timeout: LIMIT,
        execution: execution.arn.clone(),
        state: state.name.to_string(),
        role: cancel.role.clone().map(|arn| TaskRole::of(execution, arn)),
        machine_role: TaskRole::of(execution, execution.role_arn.clone()),
        test: None,
        attempt: TaskToken::of((&execution.arn, execution.started), wait),
        stage: Stage::Cancel { ids: cancel.ids.clone() },
    })
}
