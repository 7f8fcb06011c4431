//! The port `Starts` on SQS: an asynchronous Express start is one message with its content.
//!
//! The message is the start, its record and its end: `keep` sends it, and the worker that receives it runs the execution
//! and deletes it afterwards. So `drop` and `pending` do nothing here: SQS delivers a start whose worker died again when
//! its visibility timeout ends, without a list of pending starts.
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

    /// Nothing to do: the worker that ran it deletes its message.
    async fn drop(&self, _id: &str) -> Result<(), StoreError> {
        Ok(())
    }

    /// Nothing: SQS delivers pending starts by itself.
    async fn pending(&self) -> Result<Vec<(String, String)>, StoreError> {
        Ok(Vec::new())
    }
}
