//! Background tasks of the server: resuming open executions, waking executions when they are due, sweeping.

use std::sync::Arc;
use std::time::Duration;

use engine::Engine;
use engine::deliver::DeliverError;
use engine::ports::{Clock, Journal, Queue, WakeUp};
use service::Service;
use tokio::sync::Semaphore;

use super::{Drain, Installation};

/// Executions that are woken at a time, each until its first commit.
const WAKES: usize = 256;
/// Until a failed wake-up is retried.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// Open executions read at a time.
const PAGE: usize = 1_000;
const RETENTION_EVERY: Duration = Duration::from_secs(60 * 60);
const DELETING_EVERY: Duration = Duration::from_secs(60);
/// Between the pieces of one retention sweep, so that commits are not delayed.
const PAUSE: Duration = Duration::from_millis(50);

impl Installation {
    /// Resumes the executions that were open when the last process ended, the Express ones too unless they are to be
    /// discarded; their number.
    pub async fn resume(&self, discard_express: bool) -> anyhow::Result<usize> {
        let now = self.clock.now();
        let mut count = 0usize;
        let mut after: Option<String> = None;
        loop {
            let page = self.directory.open(after.as_deref(), PAGE).await?;
            count += page.executions.len();
            for (execution, due) in &page.executions {
                self.queue.send(WakeUp::of(execution, due.filter(|due| *due > now))).await?;
            }
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        let express = self.engine.express();
        let express = if discard_express { express.discard().await.map(|_| 0) } else { express.resume().await };
        Ok(count + express.map_err(|error| anyhow::anyhow!("express executions: {error}"))?)
    }

    /// Begins the background tasks; the drain ends the one that wakes executions.
    pub fn begin_duties(&self, drain: &Drain) {
        let (wakes, drain) = (self.wakes(), drain.clone());
        let retention = self.retention();
        let deleting = deleting(self.service.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = wakes => {}
                _ = drain.begun() => {}
            }
        });
        tokio::spawn(retention);
        tokio::spawn(deleting);
    }

    /// Wakes executions when they are due.
    fn wakes(&self) -> impl Future<Output = ()> + use<> {
        let (engine, queue) = (self.engine.clone(), self.queue.clone());
        let slots = Arc::new(Semaphore::new(WAKES));
        async move {
            loop {
                let wake = queue.next().await;
                // The semaphore is never closed: a permit comes in the end.
                let mut slot = slots.clone().acquire_owned().await.ok();
                let (engine, queue, slots) = (engine.clone(), queue.clone(), slots.clone());
                tokio::spawn(async move {
                    while !wake_up(&engine, &wake.execution).await {
                        // The slot is free during the pause.
                        drop(slot.take());
                        tokio::time::sleep(RETRY_AFTER).await;
                        slot = slots.clone().acquire_owned().await.ok();
                    }
                    queue.delivered(wake);
                });
            }
        }
    }

    /// Removes closed executions after the retention.
    fn retention(&self) -> impl Future<Output = ()> + use<> {
        let (directory, clock) = (self.directory.clone(), self.clock.clone());
        async move {
            loop {
                match directory.sweep(clock.now()).await {
                    Ok(swept) if swept.more => tokio::time::sleep(PAUSE).await,
                    Ok(_) => tokio::time::sleep(RETENTION_EVERY).await,
                    Err(error) => {
                        tracing::error!(%error, "retention: sweep failed, retrying in an hour");
                        tokio::time::sleep(RETENTION_EVERY).await;
                    }
                }
            }
        }
    }
}

/// True when the execution was woken, or does not exist.
async fn wake_up(engine: &Engine, execution: &str) -> bool {
    match engine.deliver().wake(execution).await {
        // The wake-up was sent before a commit that failed.
        Ok(_) | Err(DeliverError::NoSuchExecution) => true,
        Err(error) => {
            tracing::error!(execution, ?error, "wake-up: execution not loaded, retrying in 5 seconds");
            false
        }
    }
}

/// Removes state machines whose last execution has ended.
async fn deleting(service: Arc<Service>) {
    loop {
        tokio::time::sleep(DELETING_EVERY).await;
        if let Err(error) = service.sweep_deleting().await {
            tracing::error!(?error, "deletion: sweep of deleted state machines failed, retrying in a minute");
        }
    }
}
