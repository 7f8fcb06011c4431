//! Express executions beside their calls: asynchronous starts, and their runs after a crash.
//!
//! An asynchronous start is kept before it is answered and dropped when the execution ended, so it runs at least once;
//! a synchronous one runs within its call, at most once. Nothing else is stored. A process that is [`Deployment::SingleProcess`] runs
//! what it was asked to start; elsewhere the kept start is the message that brings it to a worker.
//!
//! An execution that kills its process would kill the next one too. So a try is counted before it begins, where starts are
//! kept, and the time of the execution runs from its first; after [`MOST_TRIES`], or when that time is over, it is
//! given up. A queue counts the deliveries of its messages, and makes dead letters of them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use interpreter::{Payload, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::OnceCell;

use crate::deliver::{Deliver, DeliverError, ExpressEnd, Start, status_of};
use crate::entry::{Head, Unreadable};
use crate::payload_format;
use crate::ports::{Clock, ExecutionStatus, Starts, StoreError};
use crate::shares::{Pool, machine_of};
use crate::{Deployment, Guarded, World};

/// Asynchronous executions that run at a time; more starts are throttled, and a resumed start waits for its turn.
const AT_A_TIME: usize = 10_000;

/// A kept start that the store did not let be read is read again after this.
const AGAIN: Duration = Duration::from_secs(30);

/// Tries of one start: the process died in each.
const MOST_TRIES: u32 = 3;

/// The Express executions of this process.
#[derive(Clone)]
pub struct Express {
    deliver: Arc<Deliver>,
    starts: Arc<dyn Starts>,
    clock: Arc<dyn Clock>,
    running: Arc<Running>,
    synchronous: Arc<SyncRuns>,
    places: Arc<Pool>,
    deployment: Deployment,
}

/// When each started that runs.
#[derive(Default)]
struct Running(Guarded<HashMap<String, Timestamp>>);

/// An execution's place among the running ones. Given up even when it panics.
struct Place {
    running: Arc<Running>,
    arn: String,
}

/// The synchronous executions that run in this process, by ARN.
#[derive(Default)]
struct SyncRuns(Guarded<HashMap<String, Arc<OnceCell<ExpressEnd>>>>);

/// One of the calls that wait for the end of a synchronous execution. The last one takes it out, even when it is cut short.
struct SyncCall {
    runs: Arc<SyncRuns>,
    arn: String,
    end: Arc<OnceCell<ExpressEnd>>,
}

impl SyncRuns {
    /// The end of the execution that runs under this ARN; when none does, that of `run`.
    async fn share(runs: &Arc<SyncRuns>, arn: &str, run: impl Future<Output = ExpressEnd>) -> ExpressEnd {
        let end = runs.0.lock().entry(arn.to_owned()).or_default().clone();
        let call = SyncCall { runs: runs.clone(), arn: arn.to_owned(), end };
        call.end.get_or_init(|| run).await.clone()
    }
}

impl Drop for SyncCall {
    fn drop(&mut self) {
        let mut runs = self.runs.0.lock();
        let current = runs.get(&self.arn).is_some_and(|end| Arc::ptr_eq(end, &self.end));
        // The map's and this call's.
        if current && (self.end.initialized() || Arc::strong_count(&self.end) <= 2) {
            runs.remove(&self.arn);
        }
    }
}

/// A start as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    v: u32,
    head: Head,
    input: Box<RawValue>,
    /// Tries that have begun, the first of them when the head says that the execution started.
    #[serde(default, skip_serializing_if = "is_zero")]
    tries: u32,
}

fn is_zero(tries: &u32) -> bool {
    *tries == 0
}

/// The newest shape this code reads: an input that a worker of format 1 takes for `null` is written as format 2, all else
/// as the first.
const FORMAT: u32 = 2;

impl Express {
    pub fn new(deliver: Arc<Deliver>, world: &World, deployment: Deployment) -> Express {
        let (starts, clock) = (world.starts.clone(), world.clock.clone());
        Express {
            deliver,
            starts,
            clock,
            running: Arc::default(),
            synchronous: Arc::default(),
            places: Pool::new(AT_A_TIME),
            deployment,
        }
    }

    /// When the execution started, if it runs in this process.
    pub fn started(&self, arn: &str) -> Option<Timestamp> {
        self.running.started(arn)
    }

    /// False when as many asynchronous executions of its machine run here as may.
    pub fn has_room(&self, arn: &str) -> bool {
        self.places.has_room(machine_of(arn)) && self.deliver.has_memory()
    }

    /// Starts an asynchronous execution. When this returns, it will run, whatever crashes.
    pub async fn start(&self, start: Start) -> Result<(), DeliverError> {
        let begins = match self.deployment {
            Deployment::SingleProcess => true,
            Deployment::ApiOnly | Deployment::SharedWorker => false,
        };
        let body = kept(&start, u32::from(begins))?;
        self.starts.keep(&start.execution.arn, &body).await?;
        if begins {
            self.spawn(start);
        }
        Ok(())
    }

    /// Runs a synchronous execution to its end. A call that is sent again while its execution runs shares that end.
    pub async fn run(&self, start: Start) -> ExpressEnd {
        let arn = start.execution.arn.clone();
        SyncRuns::share(&self.synchronous, &arn, self.deliver.express(start)).await
    }

    /// Runs what was started and had not ended when the process did; how many executions that are.
    pub async fn resume(&self) -> Result<usize, StoreError> {
        let pending = self.starts.pending().await?;
        let count = pending.len();
        for (arn, body) in pending {
            tokio::spawn(self.clone().resume_one(arn, body));
        }
        Ok(count)
    }

    /// Discards what was started and had not ended when the process did; how many executions that are.
    pub async fn discard(&self) -> Result<usize, StoreError> {
        let pending = self.starts.pending().await?;
        for (execution, _) in &pending {
            Starts::drop(&*self.starts, execution).await?;
            tracing::warn!(execution, "express start discarded, its execution does not run again");
        }
        Ok(pending.len())
    }

    /// Runs a kept start, as soon as the store lets it be read and counted.
    async fn resume_one(self, execution: String, body: String) {
        loop {
            match self.try_again(&execution, &body).await {
                Ok(Some(start)) => return self.spawn(start),
                Ok(None) => return,
                Err(DeliverError::Store(error)) => {
                    tracing::error!(execution, %error, "express start not read, retrying in 30 seconds");
                }
                Err(error) => {
                    return tracing::error!(
                        execution,
                        ?error,
                        "express start not readable, its execution does not run"
                    );
                }
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// One more try of a kept start, once that is counted; `None` when it is given up.
    async fn try_again(&self, execution: &str, body: &str) -> Result<Option<Start>, DeliverError> {
        let (mut start, tries) = self.read(body).await?;
        let now = self.clock.now();
        if tries == 0 {
            start = begun_at(start, now);
        }
        let over = start.execution.started.plus_seconds(start.execution.limits.seconds) <= now;
        if tries >= MOST_TRIES || over {
            tracing::error!(
                execution,
                tries,
                over,
                "express execution given up, its process died in each of its tries"
            );
            Starts::drop(&*self.starts, execution).await?;
            self.deliver.count_end(&start.head.machine_arn, ExecutionStatus::Failed, start.execution.started, now);
            return Ok(None);
        }
        self.starts.rewrite(execution, &kept(&start, tries.saturating_add(1))?).await?;
        Ok(Some(start))
    }

    /// Runs a kept start to its end: what a worker does with the message.
    pub async fn run_kept(&self, body: &str) -> Result<(), DeliverError> {
        // It begins anew: its five minutes do too.
        let start = begun_at(self.read(body).await?.0, self.clock.now());
        let Some(place) = self.running.enter(&start.execution.arn, start.execution.started) else {
            // Its message may be the one that the run has to leave behind if this process dies.
            return Err(DeliverError::Busy);
        };
        let end = self.deliver.express(start).await;
        tracing::debug!(execution = place.arn, status = status_of(&end.closing).name(), "express execution ended");
        Ok(Starts::drop(&*self.starts, &place.arn).await?)
    }

    /// A kept start, and how often it was tried.
    async fn read(&self, body: &str) -> Result<(Start, u32), DeliverError> {
        let kept: Kept = serde_json::from_str(body).map_err(|error| Unreadable::of("a start", &error))?;
        if kept.v > FORMAT {
            return Err(Unreadable::Newer(format!("the start has format {}", kept.v)).into());
        }
        let machine = self.deliver.definitions().get(&kept.head.revision).await?;
        let input = Payload::from_json_text(Box::<str>::from(kept.input));
        let execution = kept.head.execution(input);
        Ok((Start { machine, execution, head: kept.head }, kept.tries))
    }

    /// Runs an execution beside the call; drops its start at the end.
    fn spawn(&self, start: Start) {
        let Some(place) = self.running.enter(&start.execution.arn, start.execution.started) else { return };
        let (deliver, starts) = (self.deliver.clone(), self.starts.clone());
        let turn = self.places.turn(machine_of(&place.arn));
        tokio::spawn(async move {
            let _permit = turn.await;
            let end = deliver.express(start).await;
            tracing::debug!(execution = place.arn, status = status_of(&end.closing).name(), "express execution ended");
            if let Err(error) = Starts::drop(&*starts, &place.arn).await {
                // It will run once more after the next start of the process: at least once, as promised.
                tracing::error!(execution = place.arn, %error, "express start not dropped, its execution runs again after the next start of the process");
            }
        });
    }
}

impl Running {
    fn started(&self, arn: &str) -> Option<Timestamp> {
        self.0.lock().get(arn).copied()
    }

    /// `None` when it runs already.
    fn enter(self: &Arc<Self>, arn: &str, started: Timestamp) -> Option<Place> {
        match self.0.lock().entry(arn.to_owned()) {
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
        self.running.0.lock().remove(&self.arn);
    }
}

fn begun_at(mut start: Start, now: Timestamp) -> Start {
    (start.head.started, start.execution.started) = (now, now);
    start
}

fn kept(start: &Start, tries: u32) -> Result<String, Unreadable> {
    let written = || -> serde_json::Result<String> {
        let input = RawValue::from_string(start.execution.input.text().to_owned())?;
        let v = payload_format::lowest([input.get()]);
        serde_json::to_string(&Kept { v, head: start.head.clone(), input, tries })
    };
    written().map_err(|error| Unreadable::of("a start", &error))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use interpreter::Closing;

    use super::*;

    async fn run(runs: &AtomicUsize) -> ExpressEnd {
        let number = runs.fetch_add(1, Ordering::Relaxed);
        tokio::task::yield_now().await;
        let output = Payload::from_json_text(number.to_string());
        ExpressEnd { closing: Closing::Succeeded { output }, started: Timestamp(1), stopped: Timestamp(2) }
    }

    #[tokio::test]
    async fn a_synchronous_start_that_is_sent_again_shares_the_end_of_the_running_one() {
        let (synchronous, runs) = (Arc::new(SyncRuns::default()), AtomicUsize::new(0));
        let call = |arn: &'static str| SyncRuns::share(&synchronous, arn, run(&runs));
        let (first, again, other) = tokio::join!(call("one"), call("one"), call("other"));
        assert_eq!(runs.load(Ordering::Relaxed), 2, "one and other");
        assert_eq!(first.closing, again.closing);
        assert_ne!(first.closing, other.closing);
        assert!(synchronous.0.lock().is_empty());
        call("one").await;
        assert_eq!(runs.load(Ordering::Relaxed), 3, "nothing of it ran any more");
    }

    #[tokio::test]
    async fn a_call_that_is_cut_short_leaves_nothing_and_the_next_goes_on() {
        let (synchronous, runs) = (Arc::new(SyncRuns::default()), AtomicUsize::new(0));
        let call = || SyncRuns::share(&synchronous, "one", run(&runs));
        let (mut cut, mut waits) = (Box::pin(call()), Box::pin(call()));
        assert!(futures_util::poll!(&mut cut).is_pending() && futures_util::poll!(&mut waits).is_pending());
        drop(cut);
        waits.await;
        assert_eq!(runs.load(Ordering::Relaxed), 2);
        assert!(synchronous.0.lock().is_empty());
    }
}
