//! The wish that an execution be stopped, in a cell of its own.
//!
//! A worker that commits without a pause wins every race for the next entry. So an API process that has lost a few leaves the
//! wish beside the journal, wakes a worker, and waits for the end. Each worker reads the cells again when it commits and
//! has not read them for [`UNREAD_MS`], and takes the wish into its next entry. A wish that is older than the last redrive
//! was for the end before it.

use std::time::Duration;

use interpreter::{Failure, Timestamp};

use super::actor::Actor;
use super::loaded::LoadedExecution;
use super::mailbox::{Command, Request};
use super::{Deliver, DeliverError};
use crate::Deployment;
use crate::cells::{self as stored, StopWish};
use crate::entry::Unreadable;
use crate::ports::{Expect, StoreError, WakeUp};

/// A worker reads the cells again before an entry when they were read longer ago than this.
const UNREAD_MS: i64 = 2_000;
/// An API process looks so often whether the execution has ended, with this pause before each look.
const LOOKS: u32 = 40;
const PAUSE: Duration = Duration::from_millis(250);

impl LoadedExecution {
    /// The failure that the execution is to be stopped with, if that is wished for.
    pub(super) fn wished_stop(&self) -> Option<&Failure> {
        let counts = |wish: &&StopWish| self.redriven_at().is_none_or(|redriven| redriven <= wish.at);
        self.cells.stop_wish().filter(|_| self.live.snapshot.is_open()).filter(counts).map(|wish| &wish.failure)
    }

    /// The cells were read too long ago for an entry to be written without them.
    pub(super) fn has_old_cells(&self, deployment: Deployment, now: Timestamp) -> bool {
        match deployment {
            Deployment::SharedWorker => now.0.saturating_sub(self.cells_at.0) >= UNREAD_MS,
            // It reads them for what it writes, or has none.
            Deployment::ApiOnly | Deployment::SingleProcess => false,
        }
    }

    /// Removes a wish that is fulfilled. A failure leaves it to its expiry.
    pub(super) async fn drop_stop_wish(&mut self, deliver: &Deliver) {
        if self.live.snapshot.is_open() || self.cells.stop_wish().is_none() {
            return;
        }
        self.cells.forget_stop_wish();
        let (execution, key) = (&self.head.arn, stored::stop_key(self.head.started));
        if let Err(error) = deliver.world.journal.drop_cell(execution, &key).await {
            tracing::warn!(execution, %error, "wish to stop not removed, it expires");
        }
    }
}

impl Actor {
    /// True when all that is demanded is the end, by a process that races with workers.
    pub(super) fn may_wish_stop(&self, requests: &[Request]) -> bool {
        let stops = |request: &Request| matches!(request.command, Command::Stop(_));
        self.deliver.deployment == Deployment::ApiOnly && !requests.is_empty() && requests.iter().all(stops)
    }

    /// Leaves the wish that the execution be stopped, and returns when it has ended. After an error the wish stays.
    pub(super) async fn wish_stop(&mut self, requests: &[Request]) -> Result<Vec<Option<bool>>, DeliverError> {
        let stops = requests.iter().filter_map(|request| match &request.command {
            Command::Stop(failure) => Some((failure, request.at)),
            _ => None,
        });
        let Some((failure, at)) = stops.into_iter().next() else { return Ok(vec![None; requests.len()]) };
        let wish = StopWish { failure: failure.clone(), at };
        let (execution, nonce) = (self.loaded.head.arn.clone(), self.deliver.world.clock.nonce());
        let unreadable = |error: Unreadable| StoreError { message: error.to_string(), retryable: false };
        let cell = stored::encode_stop((&execution, self.loaded.head.started), &wish, nonce).map_err(unreadable)?;
        // Another client's wish does as well. A redrive leaves none behind that would be in the way for long.
        let journal = &self.deliver.world.journal;
        journal.put_cell(cell, Expect::NotFinal).await?;
        self.deliver.world.queue.send(WakeUp::of(&execution, None)).await?;
        for _ in 0..LOOKS {
            tokio::time::sleep(PAUSE).await;
            let ends = self.deliver.world.journal.ends(&execution).await?;
            if ends.is_none_or(|(_, last)| !last.open) {
                self.reload().await?;
                return Ok(vec![Some(true); requests.len()]);
            }
        }
        let message = format!("{execution} is to be stopped, and no worker has done so yet");
        Err(DeliverError::Store(StoreError { message, retryable: true }))
    }
}
