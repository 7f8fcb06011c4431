//! Lambda's event source in a test's hands: brings what is on the queue to workers, who die where a test says so.
//!
//! A message that a worker took is given to others when SQS says so: not before the queue's time, unless the worker
//! changed it. The messages of a dead worker are not deleted.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use aws::Delivery;
use engine::ports::Tasks;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::time::Instant;

use super::crashable::Crashable;
use super::{Cloud, QUEUE};
use crate::simulation::Plan;

/// The template's `VisibilityTimeout` and `BatchSize`.
const HIDDEN: Duration = Duration::from_secs(900);
const BATCH: usize = 10;
/// Virtual time after which messages have no end.
const PATIENCE: Duration = Duration::from_secs(4 * 3_600);

/// Between two looks at an empty queue.
const PAUSE: Duration = Duration::from_secs(1);

/// How messages are brought.
pub struct Bringing<'a> {
    pub first: Plan,
    pub beside: bool,
    pub awaited: &'a dyn Fn() -> bool,
}

/// The calls that the first worker lived to make.
pub struct Life {
    /// Moments at which it could have died.
    pub points: u64,
    /// How many of them were over when it was brought a batch.
    pub brought: Vec<u64>,
}

impl Cloud {
    /// Brings messages to workers until the queue is empty and no process is awaited that would send one. One works at a time:
    /// the first as planned, and when it has died another one. With `beside`, one who lives is brought each batch as
    /// well.
    pub async fn bring(
        &self,
        tasks: &Arc<dyn Tasks>,
        Bringing { first, beside, awaited }: Bringing<'_>,
    ) -> Result<Life> {
        let beside = if beside { Some(self.begin(tasks, Plan::default()).await?) } else { None };
        let mut working = self.begin(tasks, first).await?;
        let (first, mut brought) = (working.gate.clone(), Vec::new());
        let (mut invocations, limit) = (FuturesUnordered::new(), Instant::now() + PATIENCE);
        loop {
            let visible = match self.sqs.next(QUEUE) {
                Some(visible) => visible,
                None if awaited() => Instant::now() + PAUSE,
                None => break,
            };
            ensure!(Instant::now() < limit, "messages have no end");
            if working.gate.is_down().is_some() {
                working = self.begin(tasks, Plan::default()).await?;
            }
            tokio::select! {
                biased;
                Some(()) = invocations.next() => {}
                () = self.sqs.asked() => {}
                () = tokio::time::sleep_until(visible) => {
                    let batch = self.sqs.receive(QUEUE, BATCH, HIDDEN);
                    let another = beside.clone().map(|beside| self.invoke(beside, batch.clone()));
                    if !batch.is_empty() {
                        brought.push(first.count(|counts| counts.points));
                        invocations.extend(another.into_iter().chain([self.invoke(working.clone(), batch)]));
                    }
                }
            }
        }
        Ok(Life { points: first.count(|counts| counts.points), brought })
    }

    /// Brings a batch to a worker, and deletes what is done.
    async fn invoke(&self, worker: Crashable, batch: Vec<Delivery>) {
        let undone = tokio::select! {
            biased;
            undone = worker.installation.work(&batch, self.until()) => undone,
            _ = worker.gate.death() => return,
        };
        for done in batch.iter().filter(|delivery| !undone.contains(&delivery.id)) {
            self.sqs.delete(&done.receipt);
        }
    }
}
