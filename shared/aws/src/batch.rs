//! A batch of messages in a worker's hands, and what SQS is told of it meanwhile.
//!
//! Lambda refuses a queue that gives a message to somebody else before the worker's time is over: a quarter of an hour.
//! Left to that, who dies is missed a quarter of an hour later. So a worker hides its messages itself: from the first
//! moment for [`HIDDEN`] seconds, and anew every [`BEAT`] while it works. Who dies stops doing so; within that time another one
//! gets the messages, does what the dead one left undone, and finds its claims; for their ends it sends a message, as
//! always (`engine::deliver`). So a lost attempt is told as lost when its lease says so, and at most so much later.
//!
//! | instead | why not |
//! |---|---|
//! | hidden until the end of the leases | as many requests for short calls. A long call would hide what else is due in its execution, and what a worker has not begun yet has no lease: both would come back a quarter of an hour late |
//! | a message due at the end of the lease with each claim | a message, a receive, an invocation and a load per task |
//! | a shorter time for the whole queue | Lambda refuses it |
//!
//! It costs a request per batch, and one more for every [`BEAT`] that the batch takes: of what the waiting worker itself
//! costs, 1.5 %. A beat that is late does no harm: another worker looks, finds living claims, and lets go. Only an Express
//! start runs twice then, as it may.
//!
//! What has to come again comes after a pause that grows with its failures, so that ten of them take an hour and a
//! half: a table that refuses, or a version that is too old, should have ended by then. Who dies leaves no word, and its messages are
//! given up after two minutes: what kills its reader is better looked at alone (`dead_letters.rs`).

use std::convert::Infallible;
use std::time::Duration;

use engine::worker::Worker;
use interpreter::Timestamp;

use crate::{Installation, message};

/// Seconds for which nobody else is given a message whose worker is not heard of any more.
const HIDDEN: u32 = 12;
/// Between two words of a worker. Two of them may be lost.
const BEAT: Duration = Duration::from_secs(4);
/// The first pause of a message that has to come again; each is three times the one before, up to the longest.
const FIRST_PAUSE_SECONDS: u32 = 10;
const LONGEST_PAUSE_SECONDS: u32 = 900;

/// A message as it is brought to a worker.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delivery {
    pub id: String,
    /// SQS's name for this receipt of it.
    pub receipt: String,
    pub body: String,
    /// How often it was brought to anybody, this time included.
    pub times: u32,
}

impl Installation {
    /// Deals with a batch, before `until` but for calls that were begun; the ids of what has to come again.
    pub async fn work(&self, batch: &[Delivery], until: Timestamp) -> Vec<String> {
        let (mut messages, mut places, mut undone) = (Vec::new(), Vec::new(), Vec::new());
        for delivery in batch {
            match message::read(&delivery.body) {
                Ok(message) => {
                    messages.push(message);
                    places.push(delivery);
                }
                Err(error) => {
                    tracing::error!(message = delivery.id, %error, "a message cannot be read");
                    undone.push(delivery);
                }
            }
        }
        let worker = Worker::new(self.engine.clone());
        let failed = tokio::select! {
            // The word comes first: a worker may die of what it reads.
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

    /// Keeps a batch from others for as long as this is polled.
    async fn keep_hidden(&self, batch: &[Delivery]) -> Infallible {
        let mut receipts: Vec<String> = batch.iter().map(|delivery| delivery.receipt.clone()).collect();
        loop {
            let hidden = receipts.into_iter().map(|receipt| (receipt, HIDDEN));
            receipts = self.queue.hide(hidden.collect()).await;
            tokio::time::sleep(BEAT).await;
        }
    }
}

/// Seconds until a message comes again that was brought so often.
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
