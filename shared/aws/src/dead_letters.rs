//! What the clock does with messages that failed ten times: each is tried once more, alone.
//!
//! | it asks for | and now | then |
//! |---|---|---|
//! | a look | it can be dealt with | it is deleted |
//! | a look | the execution's journal is damaged, or driving it panics | the execution is closed as failed; deleted |
//! | a look | the store is busy or refuses, or a newer version wrote what it finds | it stays, and its alarm on |
//! | an Express start | it is here for the first time | it goes back to the workers, marked |
//! | an Express start | it failed ten times more | it stays: nothing else knows of the execution, and the operator decides |
//! | nothing we know | | it stays |
//!
//! What stays is deleted by SQS after 14 days, or by hand. A minute's work ends when the queue has nothing new to give.

use std::collections::HashSet;

use aws_sdk_sqs::types::{Message as Letter, MessageAttributeValue};
use engine::ports::StoreError;
use engine::worker::{DeadLetterOutcome, Message, Worker};
use interpreter::Timestamp;

use crate::clockwork::Tally;
use crate::failure::{damaged, store_error};
use crate::{Installation, message};

/// Letters of one request, and requests of a minute.
const LETTERS: i32 = 10;
const ROUNDS: usize = 20;
/// The fairness group of starts that were dead letters.
const GROUP: &str = "dead-letters";
/// The attribute of a start that was a dead letter before. SQS keeps it when it gives the message up again.
const AGAIN: &str = "again";

/// What became of a letter.
enum Fate {
    DeadLetterOutcome,
    GivenUp,
    Stays,
}

impl Installation {
    /// Deals with dead letters until there is none that was not tried in this minute, or `until` is near.
    pub(crate) async fn bury(&self, url: &str, until: Timestamp, tally: &mut Tally) -> Result<(), StoreError> {
        let worker = Worker::new(self.engine.clone());
        let mut seen = HashSet::new();
        for _ in 0..ROUNDS {
            let request = self.sqs.receive_message().queue_url(url).max_number_of_messages(LETTERS);
            let request = request.message_attribute_names(AGAIN);
            let answer = request.send().await.map_err(|error| store_error("receive dead letters", error))?;
            let letters = answer.messages.unwrap_or_default();
            let fresh: Vec<Letter> =
                letters.into_iter().filter(|letter| seen.insert(letter.message_id.clone())).collect();
            if fresh.is_empty() || self.clock.now() >= until {
                break;
            }
            for letter in fresh {
                match self.bury_one(&worker, &letter).await {
                    Fate::DeadLetterOutcome => tally.buried += 1,
                    Fate::GivenUp => tally.given_up += 1,
                    Fate::Stays => {
                        tally.dead += 1;
                        continue;
                    }
                }
                let request = self.sqs.delete_message().queue_url(url).set_receipt_handle(letter.receipt_handle);
                request.send().await.map_err(|error| store_error("delete a dead letter", error))?;
            }
        }
        Ok(())
    }

    async fn bury_one(&self, worker: &Worker, letter: &Letter) -> Fate {
        let body = letter.body.as_deref().unwrap_or_default();
        let id = letter.message_id.as_deref().unwrap_or_default();
        match message::read(body) {
            Ok(Message::WakeUp(wake_up)) => match worker.handle_dead_letter(wake_up).await {
                Ok(DeadLetterOutcome::Handled) => Fate::DeadLetterOutcome,
                Ok(DeadLetterOutcome::ForceFailed) => Fate::GivenUp,
                Err(error) => {
                    tracing::error!(message = id, ?error, "a dead letter stays");
                    Fate::Stays
                }
            },
            Ok(Message::Start(_)) => match self.start_again(letter, body).await {
                Ok(fate) => fate,
                Err(error) => {
                    tracing::error!(message = id, %error, "a dead letter stays");
                    Fate::Stays
                }
            },
            Err(error) => {
                tracing::error!(message = id, %error, "a dead letter cannot be read");
                Fate::Stays
            }
        }
    }

    /// Sends a start back to the workers, once: to run it is theirs.
    async fn start_again(&self, letter: &Letter, body: &str) -> Result<Fate, StoreError> {
        if letter.message_attributes.as_ref().is_some_and(|marks| marks.contains_key(AGAIN)) {
            let id = letter.message_id.as_deref().unwrap_or_default();
            tracing::error!(
                message = id,
                "an express execution failed to run twenty times, and waits for the operator"
            );
            return Ok(Fate::Stays);
        }
        let mark = MessageAttributeValue::builder().data_type("String").string_value("1").build();
        let mark = mark.map_err(|error| damaged(&error.to_string()))?;
        let request = self.sqs.send_message().queue_url(&self.queue.url).message_body(body).message_group_id(GROUP);
        let request = request.message_attributes(AGAIN, mark);
        request.send().await.map_err(|error| store_error("send a message", error))?;
        Ok(Fate::DeadLetterOutcome)
    }
}
