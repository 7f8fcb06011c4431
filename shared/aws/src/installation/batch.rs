//! A batch of messages in a worker, and their visibility in SQS meanwhile.
//!
//! Lambda requires a queue's visibility timeout to be at least the worker's own: a quarter of an hour. With that alone, the
//! messages of a worker that dies would come back after a quarter of an hour. So a worker sets the visibility of its
//! messages itself: [`VISIBILITY`] seconds at first, renewed every [`HEARTBEAT`] while it works. A dead worker stops
//! renewing; within that time another worker gets the messages, continues its executions and finds its claims, for whose
//! ends it sends a message, as always (`engine::deliver`). So a lost attempt is noticed when its lease ends.
//!
//! | alternative | why not |
//! |---|---|
//! | visibility until the end of the leases | as many requests for short calls. A long call would hide other due work of its execution, and an unstarted claim has no lease: both would come back a quarter of an hour late |
//! | a message due at the end of the lease with each claim | a message, a receive, an invocation and a load per task |
//! | a shorter visibility timeout of the queue | Lambda refuses it |
//!
//! It costs a request per batch, and one more for every [`HEARTBEAT`] that the batch takes: 1.5 % of the cost of the
//! waiting worker. A late heartbeat does no harm: another worker loads the execution, finds living claims, and releases
//! it. Only an Express start runs twice then, as it may.
//!
//! A failed message comes back after a pause that grows with its failures, so that ten of them take an hour and a half: a
//! table that refuses, or a version that is too old, should be repaired by then. A worker that dies sets no pause, and its
//! messages become dead letters after two minutes: an execution that kills its reader is better handled alone
//! (`dead_letters.rs`).

use std::convert::Infallible;
use std::time::Duration;

use engine::worker::Worker;
use interpreter::Timestamp;

use super::Installation;
use crate::queue::message;

/// Seconds after a worker's last heartbeat until SQS gives its messages to another worker.
const VISIBILITY: u32 = 12;
/// Between two heartbeats of a worker. Two of them may be lost.
const HEARTBEAT: Duration = Duration::from_secs(4);
/// The first pause of a failed message; each is three times the one before, up to the longest.
const FIRST_PAUSE_SECONDS: u32 = 10;
const LONGEST_PAUSE_SECONDS: u32 = 900;

/// A message as SQS delivers it to a worker.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delivery {
    pub id: String,
    /// The receipt handle of this delivery.
    pub receipt: String,
    pub body: String,
    /// Deliveries to any worker, this one included.
    pub times: u32,
}

impl Installation {
    /// Handles a batch until `until`, and calls that began before it; the ids of failed messages, which SQS delivers again.
    pub async fn work(&self, batch: &[Delivery], until: Timestamp) -> Vec<String> {
        let (mut messages, mut places, mut undone) = (Vec::new(), Vec::new(), Vec::new());
        for delivery in batch {
            match message::read(&delivery.body) {
                Ok(message) => {
                    messages.push(message);
                    places.push(delivery);
                }
                Err(error) => {
                    tracing::error!(message = delivery.id, %error, "worker: message not handled, it cannot be read; SQS delivers it again");
                    undone.push(delivery);
                }
            }
        }
        let worker = Worker::new(self.engine.clone());
        let failed = tokio::select! {
            // The heartbeat comes first: a message may kill the worker.
            biased;
            never = self.keep_hidden(batch) => match never {},
            failed = worker.handle(messages, until) => failed,
        };
        undone.extend(failed.iter().filter_map(|undone| places.get(undone.place)));
        let pauses = undone.iter().map(|delivery| (delivery.receipt.clone(), pause(delivery.times)));
        self.queue.hide(pauses.collect()).await;
        self.metrics.flush(self.clock.now());
        undone.into_iter().map(|delivery| delivery.id.clone()).collect()
    }

    /// Keeps a batch invisible to other workers for as long as this is polled.
    async fn keep_hidden(&self, batch: &[Delivery]) -> Infallible {
        let mut receipts: Vec<String> = batch.iter().map(|delivery| delivery.receipt.clone()).collect();
        loop {
            let hidden = receipts.into_iter().map(|receipt| (receipt, VISIBILITY));
            receipts = self.queue.hide(hidden.collect()).await;
            tokio::time::sleep(HEARTBEAT).await;
        }
    }
}

/// Seconds until SQS delivers a message again that it has delivered so often.
fn pause(times: u32) -> u32 {
    let grown = 3_u32.saturating_pow(times.saturating_sub(1));
    FIRST_PAUSE_SECONDS.saturating_mul(grown).min(LONGEST_PAUSE_SECONDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_failures_take_an_hour_and_a_half() {
        let pauses: Vec<u32> = (1..=10).map(pause).collect();
        assert_eq!(pauses, [10, 30, 90, 270, 810, 900, 900, 900, 900, 900]);
        assert_eq!(pauses.iter().take(9).sum::<u32>(), 4_810);
        assert_eq!((pause(0), pause(u32::MAX)), (10, 900));
    }
}
