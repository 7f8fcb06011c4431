//! What runs beside the server: taking up what was open, looking at executions when they are due, sweeping.

use std::sync::Arc;
use std::time::Duration;

use engine::Engine;
use engine::deliver::DeliverError;
use engine::ports::{Clock, Journal, Queue, WakeUp};
use service::Service;
use tokio::sync::Semaphore;

use super::Installation;

/// Executions that are looked at at a time. A look is over with its first commit.
const LOOKS: usize = 256;
/// A look that failed is tried again after this.
const AGAIN: Duration = Duration::from_secs(5);
/// Open executions read at a time.
const PAGE: usize = 1_000;
const RETENTION_EVERY: Duration = Duration::from_secs(60 * 60);
const DELETING_EVERY: Duration = Duration::from_secs(60);
/// Between the pieces of one retention sweep, so that commits get their turn.
const BREATH: Duration = Duration::from_millis(50);

impl Installation {
    /// Takes up what was open when the last process ended; how many executions that are.
    pub async fn resume(&self) -> anyhow::Result<usize> {
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
        let express = self.engine.express().resume().await;
        Ok(count + express.map_err(|error| anyhow::anyhow!("express executions: {error}"))?)
    }

    pub fn begin_duties(&self) {
        let looks = self.looks();
        let retention = self.retention();
        let deleting = deleting(self.service.clone());
        tokio::spawn(looks);
        tokio::spawn(retention);
        tokio::spawn(deleting);
    }

    /// Looks at executions whose time has come.
    fn looks(&self) -> impl Future<Output = ()> + use<> {
        let (engine, queue) = (self.engine.clone(), self.queue.clone());
        let slots = Arc::new(Semaphore::new(LOOKS));
        async move {
            loop {
                let told = queue.next().await;
                // Never closed, so there is always a permit in the end.
                let mut slot = slots.clone().acquire_owned().await.ok();
                let (engine, queue, slots) = (engine.clone(), queue.clone(), slots.clone());
                tokio::spawn(async move {
                    while !look(&engine, &told.execution).await {
                        // Others get it meanwhile.
                        drop(slot.take());
                        tokio::time::sleep(AGAIN).await;
                        slot = slots.clone().acquire_owned().await.ok();
                    }
                    queue.dealt_with(told);
                });
            }
        }
    }

    /// Removes what is over since longer than the retention.
    fn retention(&self) -> impl Future<Output = ()> + use<> {
        let (directory, clock) = (self.directory.clone(), self.clock.clone());
        async move {
            loop {
                match directory.sweep(clock.now()).await {
                    Ok(swept) if swept.more => tokio::time::sleep(BREATH).await,
                    Ok(_) => tokio::time::sleep(RETENTION_EVERY).await,
                    Err(error) => {
                        tracing::error!(%error, "the retention could not be applied; trying again later");
                        tokio::time::sleep(RETENTION_EVERY).await;
                    }
                }
            }
        }
    }
}

/// True when somebody has looked, or there is nothing to look at.
async fn look(engine: &Engine, execution: &str) -> bool {
    match engine.deliver().wake(execution).await {
        // Announced before it was written, and then not written.
        Ok(_) | Err(DeliverError::NoSuchExecution) => true,
        Err(error) => {
            tracing::error!(execution, ?error, "an execution could not be looked at; trying again");
            false
        }
    }
}

/// Removes state machines whose last execution has ended.
async fn deleting(service: Arc<Service>) {
    loop {
        tokio::time::sleep(DELETING_EVERY).await;
        if let Err(error) = service.sweep_deleting().await {
            tracing::error!(?error, "deleted state machines could not be swept");
        }
    }
}
