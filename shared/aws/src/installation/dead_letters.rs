//! Dead letters: messages that failed ten times, which the scheduler tries once more, each alone.
//!
//! | message | and now | then |
//! |---|---|---|
//! | a wake-up | the worker can handle it | deleted |
//! | a wake-up | the execution's journal is damaged, or driving it panics | the execution is force-failed; deleted |
//! | a wake-up | two visits began and did not return: driving it ends the process, or outlasts it | the execution is force-failed without being loaded; deleted |
//! | a wake-up | the store is busy or refuses, or a newer version wrote what it finds | remains, and keeps its alarm on |
//! | an Express start | this is its first time here | sent back to the work queue, marked |
//! | an Express start | it is marked: it failed ten times more | remains: nothing else knows of the execution, and the operator decides |
//! | unreadable | | remains |
//!
//! SQS deletes what remains after 14 days. A tick stops when the queue returns no message that it has not tried.

use std::collections::HashSet;

use aws_sdk_sqs::types::{Message as DeadLetter, MessageAttributeValue};
use engine::deliver::DeliverError;
use engine::ports::{StoreError, WakeUp};
use engine::worker::{DeadLetterOutcome, Message, Worker};
use interpreter::Timestamp;

use super::{Installation, TickReport};
use crate::failure::{damaged, store_error};
use crate::queue::message;

/// Messages of one request, and requests of a tick.
const BATCH: i32 = 10;
const ROUNDS: usize = 20;
/// The visit at which the execution is given up instead of driven. A single visit may end for reasons of its own, such as a
/// deployment.
const VISITS: u64 = 3;
/// The fairness group of starts that were dead letters.
const GROUP: &str = "dead-letters";
/// The attribute of a start that was a dead letter before. SQS keeps it when the message fails again.
const AGAIN: &str = "again";

/// The outcome of a dead letter.
enum Outcome {
    Handled,
    ForceFailed,
    Remains,
}

impl Installation {
    /// Handles dead letters until this tick has tried all of them, or `until` is reached.
    pub(crate) async fn handle_dead_letters(
        &self,
        url: &str,
        until: Timestamp,
        report: &mut TickReport,
    ) -> Result<(), StoreError> {
        let worker = Worker::new(self.engine.clone());
        let mut seen = HashSet::new();
        for _ in 0..ROUNDS {
            let request = self.sqs.receive_message().queue_url(url).max_number_of_messages(BATCH);
            let request = request.message_attribute_names(AGAIN);
            let answer = request.send().await.map_err(|error| store_error("receive dead letters", error))?;
            let letters = answer.messages.unwrap_or_default();
            let fresh: Vec<DeadLetter> =
                letters.into_iter().filter(|letter| seen.insert(letter.message_id.clone())).collect();
            if fresh.is_empty() || self.clock.now() >= until {
                break;
            }
            for letter in fresh {
                match self.handle_dead_letter(&worker, &letter).await {
                    Outcome::Handled => report.handled += 1,
                    Outcome::ForceFailed => report.given_up += 1,
                    Outcome::Remains => {
                        report.remaining += 1;
                        continue;
                    }
                }
                let request = self.sqs.delete_message().queue_url(url).set_receipt_handle(letter.receipt_handle);
                request.send().await.map_err(|error| store_error("delete a dead letter", error))?;
            }
        }
        Ok(())
    }

    async fn handle_dead_letter(&self, worker: &Worker, letter: &DeadLetter) -> Outcome {
        let body = letter.body.as_deref().unwrap_or_default();
        let id = letter.message_id.as_deref().unwrap_or_default();
        match message::read(body) {
            Ok(Message::WakeUp(wake_up)) => match self.visit(worker, wake_up).await {
                Ok(DeadLetterOutcome::Handled) => Outcome::Handled,
                Ok(DeadLetterOutcome::ForceFailed) => Outcome::ForceFailed,
                Err(error) => {
                    tracing::error!(
                        message = id,
                        ?error,
                        "dead letter remains, the worker failed; the next tick retries"
                    );
                    Outcome::Remains
                }
            },
            Ok(Message::Start(_)) => match self.start_again(letter, body).await {
                Ok(outcome) => outcome,
                Err(error) => {
                    tracing::error!(message = id, %error, "dead letter remains, its start was not sent back; the next tick retries");
                    Outcome::Remains
                }
            },
            Err(error) => {
                tracing::error!(message = id, %error, "dead letter remains, it cannot be read");
                Outcome::Remains
            }
        }
    }

    /// Drives the execution of a dead letter, unless the visits before did not return.
    async fn visit(&self, worker: &Worker, wake_up: WakeUp) -> Result<DeadLetterOutcome, DeliverError> {
        let execution = wake_up.execution.clone();
        let outcome = if self.table.begin_visit(&execution).await? < VISITS {
            worker.handle_dead_letter(wake_up).await
        } else {
            worker.give_up_dead_letter(&execution).await
        };
        if let Err(error) = self.table.end_visits(&execution).await {
            tracing::warn!(execution, %error, "scheduler: count of visits not removed, it expires");
        }
        outcome
    }

    /// Sends a start back to the work queue, once.
    async fn start_again(&self, letter: &DeadLetter, body: &str) -> Result<Outcome, StoreError> {
        if letter.message_attributes.as_ref().is_some_and(|marks| marks.contains_key(AGAIN)) {
            let id = letter.message_id.as_deref().unwrap_or_default();
            tracing::error!(
                message = id,
                "dead letter remains, its express execution failed to run twenty times: the operator decides"
            );
            return Ok(Outcome::Remains);
        }
        let mark = MessageAttributeValue::builder().data_type("String").string_value("1").build();
        let mark = mark.map_err(|error| damaged(&error.to_string()))?;
        let request = self.sqs.send_message().queue_url(&self.queue.url).message_body(body).message_group_id(GROUP);
        let request = request.message_attributes(AGAIN, mark);
        request.send().await.map_err(|error| store_error("send a message", error))?;
        Ok(Outcome::Handled)
    }
}
