//! The port `Queue` on SQS: messages that name an execution, delayed as far as SQS can.
//!
//! | due | what is sent |
//! |---|---|
//! | now, or in the past | a message without delay |
//! | within 15 minutes | a message with that delay, rounded up: never early by this clock |
//! | within 25 minutes | a message with a delay of 15 minutes; the worker finds nothing due, and sends one for the rest |
//! | later | nothing: the record has a row in the index `wake`, and the scheduler sends the message |
//!
//! The last line is sound because the sender for a due time has committed a record with that due time, or a later message
//! leads to one: an actor releases its execution only then (`engine::deliver`). Due times of records go into `wake` from 20
//! minutes on, so that clocks which differ leave no gap. Messages arrive at least once, in any order.
//!
//! The message group is a hash of the executions' machine: on a standard queue that makes SQS fair among machines and
//! orders nothing, so that one large Map does not keep others waiting.

pub mod message;
mod starts;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{ChangeMessageVisibilityBatchRequestEntry, SendMessageBatchRequestEntry};
use engine::ports::{Clock, Queue, StoreError, WakeUp};
use engine::worker::Message;
use futures_util::stream::{self, StreamExt};
use interpreter::Timestamp;
use sha2::{Digest, Sha256};

use crate::failure::{damaged, store_error};
use crate::layout;

/// SQS delays no message longer.
const LONGEST_DELAY_SECONDS: i64 = 900;
/// Messages of one request.
const BATCH: usize = 10;
/// Requests on their way at a time.
const AT_A_TIME: usize = 4;
/// Rounds in which what SQS refused of a batch, for reasons of its own, is sent again.
const ROUNDS: u32 = 3;

/// The work queue of an installation.
#[derive(Clone)]
pub struct WorkQueue {
    pub(crate) client: Client,
    pub(crate) url: String,
    clock: Arc<dyn Clock>,
}

#[async_trait]
impl Queue for WorkQueue {
    async fn send(&self, wake_up: WakeUp) -> Result<(), StoreError> {
        let Some(delay) = delay(self.clock.now(), wake_up.due) else { return Ok(()) };
        let group = group(&wake_up.execution);
        self.send_message(&look(wake_up)?, &group, delay).await
    }
}

impl WorkQueue {
    /// The queue at `url`.
    pub fn new(client: Client, url: impl Into<String>, clock: Arc<dyn Clock>) -> WorkQueue {
        WorkQueue { client, url: url.into(), clock }
    }

    /// The same as `send` for each, ten a request. After an error some are sent and some are not: send all again.
    pub async fn send_all(&self, wake_ups: Vec<WakeUp>) -> Result<(), StoreError> {
        let now = self.clock.now();
        let delayed = |wake_up: WakeUp| delay(now, wake_up.due).map(|delay| (wake_up, delay));
        let mut left: Vec<(WakeUp, i32)> = wake_ups.into_iter().filter_map(delayed).collect();
        for _ in 0..ROUNDS {
            let mut refused = Vec::new();
            let batches: Vec<_> = left.chunks(BATCH).map(|batch| self.send_batch(batch)).collect();
            let sent: Vec<_> = stream::iter(batches).buffered(AT_A_TIME).collect().await;
            for batch in sent {
                refused.extend(batch?);
            }
            left = refused;
            if left.is_empty() {
                return Ok(());
            }
        }
        Err(StoreError { message: format!("SQS refused {} messages of a batch", left.len()), retryable: true })
    }

    /// Sends one request; returns what of it was refused by no fault of ours.
    async fn send_batch(&self, batch: &[(WakeUp, i32)]) -> Result<Vec<(WakeUp, i32)>, StoreError> {
        let mut request = self.client.send_message_batch().queue_url(&self.url);
        let mut sent = BTreeMap::new();
        for (index, (wake_up, delay)) in batch.iter().enumerate() {
            let entry = SendMessageBatchRequestEntry::builder()
                .id(index.to_string())
                .message_body(look(wake_up.clone())?)
                .delay_seconds(*delay)
                .message_group_id(group(&wake_up.execution))
                .build()
                .map_err(|error| damaged(&error.to_string()))?;
            request = request.entries(entry);
            sent.insert(index.to_string(), (wake_up.clone(), *delay));
        }
        let answer = request.send().await.map_err(|error| store_error("send messages", error))?;
        if let Some(ours) = answer.failed.iter().find(|failure| failure.sender_fault) {
            return Err(damaged(&format!("SQS refused a message: {}", ours.code)));
        }
        Ok(answer.failed.iter().filter_map(|failure| sent.remove(&failure.id)).collect())
    }

    /// Keeps received messages invisible for so many seconds from now; the receipts of those that are still ours. An
    /// error is logged only: then SQS delivers the messages again earlier.
    pub(crate) async fn hide(&self, receipts: Vec<(String, u32)>) -> Vec<String> {
        let mut kept = Vec::with_capacity(receipts.len());
        for batch in receipts.chunks(BATCH) {
            let gone = match self.hide_batch(batch).await {
                Ok(gone) => gone,
                Err(error) => {
                    tracing::warn!(%error, "worker: visibility of messages not renewed, SQS may deliver them again early");
                    Vec::new()
                }
            };
            let left = batch.iter().enumerate().filter(|(index, _)| !gone.contains(index));
            kept.extend(left.map(|(_, (receipt, _))| receipt.clone()));
        }
        kept
    }

    /// One request; the places of messages whose receipts are stale: SQS has delivered them to another worker.
    async fn hide_batch(&self, batch: &[(String, u32)]) -> Result<Vec<usize>, StoreError> {
        let mut request = self.client.change_message_visibility_batch().queue_url(&self.url);
        for (index, (receipt, seconds)) in batch.iter().enumerate() {
            let entry = ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(index.to_string())
                .receipt_handle(receipt)
                .visibility_timeout(i32::try_from(*seconds).unwrap_or(i32::MAX))
                .build()
                .map_err(|error| damaged(&error.to_string()))?;
            request = request.entries(entry);
        }
        let answer = request.send().await.map_err(|error| store_error("renew the visibility of messages", error))?;
        let ours = answer.failed.iter().filter(|failure| failure.sender_fault);
        Ok(ours.filter_map(|failure| failure.id.parse().ok()).collect())
    }

    pub(crate) async fn send_message(&self, body: &str, group: &str, delay: i32) -> Result<(), StoreError> {
        let request = self.client.send_message().queue_url(&self.url).message_body(body).message_group_id(group);
        let request = if delay > 0 { request.delay_seconds(delay) } else { request };
        request.send().await.map_err(|error| store_error("send a message", error))?;
        Ok(())
    }
}

fn look(wake_up: WakeUp) -> Result<String, StoreError> {
    message::write(&Message::WakeUp(wake_up)).map_err(|error| damaged(&error.to_string()))
}

/// Seconds until a message is to arrive; `None` when the scheduler sends it.
fn delay(now: Timestamp, due: Option<Timestamp>) -> Option<i32> {
    let left = due.map_or(0, |due| due.0.saturating_sub(now.0)).max(0);
    if left > layout::UNSENT_MS {
        return None;
    }
    i32::try_from((left.saturating_add(999) / 1_000).min(LONGEST_DELAY_SECONDS)).ok()
}

/// The fairness group of an execution: its ARN without its own name, in 16 characters that SQS allows.
pub(crate) fn group(execution: &str) -> String {
    let machine = execution.rsplit_once(':').map_or(execution, |(machine, _)| machine);
    Sha256::digest(machine.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_never_early_and_far_ones_are_the_clocks() {
        let minutes = |minutes: i64| minutes * 60_000;
        let cases = [
            (None, Some(0)),
            (Some(-5_000), Some(0)),
            (Some(0), Some(0)),
            (Some(1), Some(1)),
            (Some(1_000), Some(1)),
            (Some(1_001), Some(2)),
            (Some(minutes(15)), Some(900)),
            (Some(minutes(25)), Some(900)),
            (Some(minutes(25) + 1), None),
            (Some(i64::MAX), None),
        ];
        let now = Timestamp(1_700_000_000_000);
        for (left, expected) in cases {
            let due = left.map(|left| Timestamp(now.0.saturating_add(left)));
            assert_eq!(delay(now, due), expected, "{left:?}");
        }
    }

    #[test]
    fn executions_of_a_machine_share_a_group() {
        let arn =
            |machine: &str, name: &str| format!("arn:aws:states:us-east-1:123456789012:execution:{machine}:{name}");
        assert_eq!(group(&arn("m", "a")), group(&arn("m", "b")));
        assert_ne!(group(&arn("m", "a")), group(&arn("n", "a")));
        assert_eq!(group("no arn").len(), 16);
    }
}
