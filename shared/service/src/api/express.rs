//! Express workflows: StartSyncExecution, asynchronous starts, and what becomes of them after a crash.
//!
//! An asynchronous start is kept before it is answered and dropped when the execution ended, so it runs at least once;
//! a synchronous one runs within its call, at most once. Nothing else is stored. A process that is [`Role::Alone`] runs
//! what it was asked to start; elsewhere the kept start is the message by which a worker learns of it. The ARN of a start is made from its
//! call's id, so that the same call sent again while the execution runs does not run it twice.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use interpreter::{Closing, Payload, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;

use super::error::ApiError;
use super::executions::{insert_closing, insert_payload};
use super::registry::WorkflowType;
use super::request::Request;
use super::start::{Order, answer};
use super::{Service, epoch, names};
use crate::Role;
use crate::definitions::Missing;
use crate::deliver::{ExpressEnd, Start, status_of};
use crate::entry::{Head, Unreadable};
use crate::ports::Starts;

/// Asynchronous executions that run at a time; more starts are throttled, and what was started before waits its turn.
const AT_A_TIME: usize = 10_000;

/// What could not be read of a kept start is read again after this.
const AGAIN: Duration = Duration::from_secs(30);

/// The asynchronous executions of this process.
pub(super) struct Express {
    running: Arc<Running>,
    turns: Arc<Semaphore>,
    role: Role,
}

/// When each started that runs.
#[derive(Default)]
struct Running(Mutex<HashMap<String, Timestamp>>);

/// An execution's place among the running ones. Given up even when it panics.
struct Place {
    running: Arc<Running>,
    arn: String,
}

impl Express {
    pub fn of(role: Role) -> Self {
        Express { running: Arc::default(), turns: Arc::new(Semaphore::new(AT_A_TIME)), role }
    }
}

/// A start as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    v: u32,
    head: Head,
    input: Box<RawValue>,
}

const FORMAT: u32 = 1;

impl Service {
    pub(super) async fn start_express(&self, order: Order) -> Result<Value, ApiError> {
        let arn = self.express_arn(&order);
        if let Some(started) = self.express.running.started(&arn) {
            return Ok(answer(&arn, started));
        }
        if self.express.turns.available_permits() == 0 {
            return Err(ApiError::Throttled);
        }
        let start = self.express_start(&order, arn.clone()).await?;
        let started = start.execution.started;
        let body = kept(&start)?;
        self.world.starts.keep(&arn, &body).await?;
        match self.express.role {
            Role::Alone => self.spawn_express(start),
            Role::Answers | Role::Shares => {}
        }
        Ok(answer(&arn, started))
    }

    pub(super) async fn start_sync_execution(
        &self,
        request: Request,
        invocation: Option<String>,
    ) -> Result<Value, ApiError> {
        let data = request.wants_data();
        let order = self.order(request, invocation).await?;
        match order.machine.kind {
            WorkflowType::Express => {}
            WorkflowType::Standard => return Err(ApiError::StateMachineTypeNotSupported),
        }
        let start = self.express_start(&order, self.express_arn(&order)).await?;
        let (arn, started) = (start.execution.arn.clone(), start.execution.started);
        let machine_arn = start.execution.machine_arn.clone();
        let end = self.deliver.express(start).await;
        let mut answer = Map::new();
        answer.insert("executionArn".into(), arn.into());
        answer.insert("stateMachineArn".into(), machine_arn.into());
        answer.insert("name".into(), order.name.as_str().into());
        answer.insert("startDate".into(), epoch(started));
        insert_payload(&mut answer, "input", &order.input, data);
        if let Some(header) = order.trace_header {
            answer.insert("traceHeader".into(), header.into());
        }
        insert_end(&mut answer, &end, started, data);
        Ok(Value::Object(answer))
    }

    /// Runs what was started and had not ended when the process did; how many executions that are.
    pub async fn resume_express(self: &Arc<Self>) -> Result<usize, ApiError> {
        let pending = self.world.starts.pending().await?;
        let count = pending.len();
        for (arn, body) in pending {
            tokio::spawn(self.clone().take_up(arn, body));
        }
        Ok(count)
    }

    /// Runs a kept start, as soon as the store lets it be read.
    async fn take_up(self: Arc<Self>, execution: String, body: String) {
        loop {
            match self.resumed(&body).await {
                Ok(start) => return self.spawn_express(start),
                Err(Missing::Unreadable(error)) => {
                    return tracing::error!(execution, %error, "an express execution cannot be taken up");
                }
                Err(Missing::Store(error)) => {
                    tracing::error!(execution, %error, "an express execution cannot be taken up yet; trying again");
                }
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Runs a kept start to its end: what a worker does with the message.
    pub(crate) async fn run_express(&self, body: &str) -> Result<(), ApiError> {
        let start = self.resumed(body).await?;
        let Some(place) = self.express.running.enter(&start.execution.arn, start.execution.started) else {
            // Its message may be the one that the run has to leave behind if this process dies.
            return Err(ApiError::Unavailable);
        };
        let end = self.deliver.express(start).await;
        tracing::debug!(execution = place.arn, status = status_of(&end.closing).name(), "express execution ended");
        Ok(Starts::drop(&*self.world.starts, &place.arn).await?)
    }

    fn express_arn(&self, order: &Order) -> String {
        let id = match &order.invocation {
            Some(invocation) => names::derived_uuid(invocation, "express"),
            None => names::random_uuid(self.world.clock.seed()),
        };
        self.home.express(&order.machine.name, &order.name, &id)
    }

    async fn express_start(&self, order: &Order, arn: String) -> Result<Start, ApiError> {
        let (machine, execution) = self.prepared(order, arn, self.now()).await?;
        let seconds = execution.limits.seconds;
        let mut head = Head::new(&execution, seconds, order.machine.revision.clone());
        head.trace_header = order.trace_header.clone();
        head.test_case = order.test_case.clone();
        Ok(Start { machine, execution, head })
    }

    async fn resumed(&self, body: &str) -> Result<Start, Missing> {
        let unreadable = |error| Missing::Unreadable(Unreadable::of("a start", &error));
        let kept: Kept = serde_json::from_str(body).map_err(unreadable)?;
        if kept.v > FORMAT {
            return Err(Missing::Unreadable(Unreadable::Newer(format!("the start has format {}", kept.v))));
        }
        let machine = self.deliver.definitions().get(&kept.head.revision).await?;
        let input = Payload::from_json_text(Box::<str>::from(kept.input));
        // It begins anew: its five minutes do too.
        let mut head = kept.head;
        head.started = self.now();
        let execution = head.execution(input);
        Ok(Start { machine, execution, head })
    }

    /// Runs an execution beside the call; drops its start at the end.
    fn spawn_express(&self, start: Start) {
        let Some(place) = self.express.running.enter(&start.execution.arn, start.execution.started) else { return };
        let (deliver, starts) = (self.deliver.clone(), self.world.starts.clone());
        let turns = self.express.turns.clone();
        tokio::spawn(async move {
            let _turn = turns.acquire_owned().await;
            let end = deliver.express(start).await;
            tracing::debug!(execution = place.arn, status = status_of(&end.closing).name(), "express execution ended");
            if let Err(error) = Starts::drop(&*starts, &place.arn).await {
                // It will run once more after the next start of the process: at least once, as promised.
                tracing::error!(execution = place.arn, %error, "the start of an express execution could not be dropped");
            }
        });
    }
}

impl Running {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Timestamp>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn started(&self, arn: &str) -> Option<Timestamp> {
        self.lock().get(arn).copied()
    }

    /// `None` when it runs already.
    fn enter(self: &Arc<Self>, arn: &str, started: Timestamp) -> Option<Place> {
        match self.lock().entry(arn.to_owned()) {
            Entry::Occupied(_) => None,
            Entry::Vacant(free) => {
                free.insert(started);
                Some(Place { running: self.clone(), arn: arn.to_owned() })
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.running.lock().remove(&self.arn);
    }
}

fn kept(start: &Start) -> Result<String, ApiError> {
    let written = || -> serde_json::Result<String> {
        let input = RawValue::from_string(start.execution.input.text().to_owned())?;
        serde_json::to_string(&Kept { v: FORMAT, head: start.head.clone(), input })
    };
    written().map_err(|error| Unreadable::of("a start", &error).into())
}

fn insert_end(answer: &mut Map<String, Value>, end: &ExpressEnd, started: Timestamp, data: bool) {
    answer.insert("stopDate".into(), epoch(end.stopped));
    answer.insert("status".into(), status_of(&end.closing).name().into());
    insert_closing(answer, &end.closing, data);
    match &end.closing {
        Closing::Succeeded { .. } => {}
        Closing::Failed(_) | Closing::Aborted(_) | Closing::TimedOut(_) => {
            // AWS: there without an output, too.
            answer.insert("outputDetails".into(), json!({ "included": data }));
        }
    }
    answer.insert("billingDetails".into(), billing(started, end.stopped));
}

// AWS: billed in steps of 64 MB and 100 ms. Memory is not measured here.
fn billing(started: Timestamp, stopped: Timestamp) -> Value {
    let took = stopped.0.saturating_sub(started.0).max(1);
    let steps = took.saturating_add(99) / 100;
    json!({ "billedMemoryUsedInMB": 64, "billedDurationInMilliseconds": steps.saturating_mul(100) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_billed_in_steps_of_100_ms() {
        for (took, billed) in [(0, 100), (1, 100), (100, 100), (101, 200), (950, 1000)] {
            let expected = json!({"billedMemoryUsedInMB": 64, "billedDurationInMilliseconds": billed});
            assert_eq!(billing(Timestamp(5), Timestamp(5 + took)), expected);
        }
    }
}
