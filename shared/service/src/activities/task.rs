//! GetActivityTask: a worker of an activity waits for a task, and leases it.
//!
//! What its queue gives out is a hint: the task is the worker's once a commit of its execution says so. Nothing is leased
//! for a client that has hung up. A process that dies between that commit and its answer leaves a task that has started
//! and that no worker knows of: its heartbeats or its timeout end it, and Retry sees that.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use engine::activities::ReceivedTask;
use engine::deliver::{Lease, LeasedTask};
use interpreter::Timestamp;
use serde::Serialize;

use super::asked;
use crate::action::{Action, Client, answered};
use crate::error::ApiError;
use crate::names;
use crate::request::Request;
use crate::service::Service;
use crate::shapes::{ARN, NAME, optional, required};

pub(crate) const GET_ACTIVITY_TASK: Action = Action {
    name: "GetActivityTask",
    shape: &[required("activityArn", ARN), optional("workerName", NAME)],
    run: |asked| answered(async move { asked.service.get_activity_task(asked.request, asked.client).await }),
};

/// Workers that wait for tasks of one activity at a time, in one process.
// AWS: documented per activity.
const MOST_WORKERS: usize = 1_000;
/// A task whose execution is not as far yet is looked at again after this, …
const SOON_MS: i64 = 1_000;
/// … and given up when it is that old: the commit that schedules it is there by then, or never will be.
const NEVER_MS: i64 = 180_000;

/// Without a task it has no members.
// AWS: captured: `{}`.
#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct Given {
    #[serde(skip_serializing_if = "Option::is_none")]
    task_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<String>,
}

impl Given {
    fn of(task: LeasedTask) -> Given {
        Given { task_token: Some(task.token), input: Some(task.input) }
    }
}

impl Service {
    async fn get_activity_task(&self, request: Request, mut client: Client) -> Result<Given, ApiError> {
        let (arn, worker) = (asked(&request)?, request.text("workerName"));
        // AWS: unverified, as for the name of an activity.
        worker.map_or(Ok(()), names::check)?;
        self.activities.get(arn).await?;
        let _place = self.workers.enter(arn).ok_or_else(|| ApiError::ActivityWorkerLimitExceeded(arn.to_owned()))?;
        let poll = i64::try_from(self.engine.settings().activity_poll.as_millis()).unwrap_or(0);
        let until = self.now().plus_millis(poll);
        loop {
            let received = tokio::select! {
                // Nothing is received for a client that is gone.
                biased;
                () = client.gone() => None,
                () = self.deliver().draining() => None,
                received = self.engine.world().activities.receive(arn, until) => received?,
            };
            let Some(received) = received else { return Ok(Given::default()) };
            if let Some(leased) = self.lease(received, worker.map(str::to_owned)).await? {
                return Ok(Given::of(leased));
            }
        }
    }

    /// Leases a task that was received; `None` when there is no lease of it now.
    async fn lease(
        &self,
        received: Box<dyn ReceivedTask>,
        worker: Option<String>,
    ) -> Result<Option<LeasedTask>, ApiError> {
        let task = received.task();
        let (execution, queued) = (task.execution.clone(), task.queued);
        let (leased, tidied) = match self.deliver().lease(task, worker).await? {
            Lease::Granted(leased) => (Some(leased), received.remove().await),
            Lease::NotScheduled if !is_old(queued, self.now()) => {
                (None, received.put_back(self.now().plus_millis(SOON_MS)).await)
            }
            Lease::NotScheduled | Lease::Over => (None, received.remove().await),
        };
        if let Err(error) = tidied {
            tracing::warn!(execution, %error, "activity queue: task not tidied up, another worker finds it over");
        }
        Ok(leased)
    }
}

fn is_old(queued: Timestamp, now: Timestamp) -> bool {
    now.0.saturating_sub(queued.0) > NEVER_MS
}

/// The workers that wait for tasks in this process, by the ARN of their activity.
#[derive(Default)]
pub(crate) struct Workers(Arc<Mutex<HashMap<String, usize>>>);

impl Workers {
    /// A place among them; `None` when there are too many.
    fn enter(&self, arn: &str) -> Option<Place> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = waiting.entry(arn.to_owned()).or_default();
        if *count >= MOST_WORKERS {
            return None;
        }
        *count = count.saturating_add(1);
        Some(Place { workers: self.0.clone(), arn: arn.to_owned() })
    }
}

/// The place of one worker, until it is dropped.
struct Place {
    workers: Arc<Mutex<HashMap<String, usize>>>,
    arn: String,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut waiting = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = waiting.get_mut(&self.arn) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                waiting.remove(&self.arn);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_activity_has_a_bounded_number_of_workers_that_wait() {
        let workers = Workers::default();
        let mut places: Vec<Option<Place>> = (0..=MOST_WORKERS).map(|_| workers.enter("one")).collect();
        assert_eq!(places.iter().filter(|place| place.is_none()).count(), 1);
        assert!(workers.enter("another").is_some());
        places.truncate(1);
        assert!(workers.enter("one").is_some(), "places are given back");
        drop(places);
        assert!(workers.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty(), "nothing is left of them");
    }
}
