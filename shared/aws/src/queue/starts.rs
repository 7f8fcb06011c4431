//! The port `Starts` on SQS: an asynchronous Express start is one message with its content.
//!
//! The message is the start, the record of it and the end of it: `keep` sends it, whoever receives it runs the execution,
//! and deletes it when that has ended. So `drop` and `pending` have nothing to do here: a start whose worker vanished
//! comes back by itself when its visibility is over, and nobody has to know what is pending.
//!
//! Kept twice means run twice: at least once is what an asynchronous Express start promises.

use async_trait::async_trait;
use engine::ports::{Starts, StoreError};
use engine::worker::Message;

use crate::failure::{damaged, refused};
use crate::message;
use crate::queue::{WorkQueue, group};

/// SQS takes no longer message.
const LONGEST_MESSAGE: usize = 1 << 20;

#[async_trait]
impl Starts for WorkQueue {
    async fn keep(&self, id: &str, body: &str) -> Result<(), StoreError> {
        let text = message::write(&Message::Start(body.to_owned())).map_err(|error| damaged(&error.to_string()))?;
        if text.len() > LONGEST_MESSAGE {
            return Err(refused(format!("{id} has {} bytes to keep, and a message {LONGEST_MESSAGE}", text.len())));
        }
        self.send_message(&text, &group(id), 0).await
    }

    /// Nothing to do: who ran it deletes its message.
    async fn drop(&self, _id: &str) -> Result<(), StoreError> {
        Ok(())
    }

    /// Nothing: what is pending comes by itself.
    async fn pending(&self) -> Result<Vec<(String, String)>, StoreError> {
        Ok(Vec::new())
    }
}
