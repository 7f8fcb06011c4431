//! An actor's reads and writes of the cells of its execution's waits ([`crate::cells`]).
//!
//! It writes heartbeats there, applies them and the answers that other processes wrote ([`super::cell_answers`]), and lets
//! no wait pass its time without closing its cell. A process that is alone on its store gets every request itself and has no
//! cells.

use futures_util::stream::{self, StreamExt, TryStreamExt};
use interpreter::{Stimulus, Timestamp, Wait};

use super::actor::Actor;
use super::cells::{Cells, Tidying};
use super::loaded::LoadedExecution;
use super::mailbox::{Command, Request};
use super::steps::Steps;
use super::{Deliver, DeliverError};
use crate::Deployment;
use crate::cells::{self as stored, CellRead, Content};
use crate::entry::Unreadable;
use crate::ports::{Expect, Put, StoreError};

/// Cells on their way at a time.
const AT_A_TIME: usize = 16;
/// Heartbeats that may overtake one whose wait is being closed, before that is given up as a busy store.
const OVERTAKEN: u32 = 8;

impl LoadedExecution {
    /// Reads the cells again.
    async fn read_cells(&mut self, deliver: &Deliver) -> Result<(), DeliverError> {
        let cells = deliver.world.journal.cells(&self.head.arn).await?;
        self.cells = Cells::decode(&self.head, &cells)?;
        self.cells_at = deliver.world.clock.now();
        Ok(())
    }

    /// Writes a cell; what is there instead, when that stays.
    pub(super) async fn write_cell(
        &self,
        deliver: &Deliver,
        (wait, at): (&Wait, Timestamp),
        content: Content,
        over: Expect,
    ) -> Result<Option<CellRead>, StoreError> {
        let unreadable = |error: Unreadable| StoreError { message: error.to_string(), retryable: false };
        let (execution, nonce) = ((self.head.arn.as_str(), self.head.started), deliver.world.clock.nonce());
        let cell = stored::encode(execution, (wait, at), &content, nonce).map_err(unreadable)?;
        match deliver.world.journal.put_cell(cell, over).await? {
            Put::Written => Ok(None),
            Put::Refused(there) => stored::decode(&there).map(Some).map_err(unreadable),
        }
    }

    /// Closes a cell whose answer is in the journal, or removes an old one.
    async fn tidy(&self, deliver: &Deliver, cell: &CellRead, now: Timestamp) {
        let tidied = match Cells::tidying(cell, now) {
            Tidying::Close => {
                let over = Expect::Nonce(cell.nonce);
                self.write_cell(deliver, (&cell.wait, now), Content::Closed, over).await.map(|_| ())
            }
            Tidying::Remove => deliver.world.journal.drop_cell(&self.head.arn, &cell.key).await,
            Tidying::Leave => Ok(()),
        };
        if let Err(error) = tidied {
            tracing::warn!(execution = self.head.arn, %error, "cell not tidied, left to the next actor");
        }
    }
}

impl Actor {
    /// Reads the cells again while the execution is loaded: a wake-up may be about one, and an API process that answers
    /// writes one entry, and no more, behind what it read (see [`super::cell_answers`]).
    pub(super) async fn refresh_cells(&mut self, requests: &[Request]) -> Result<(), DeliverError> {
        let deployment = self.deliver.deployment;
        let old = self.loaded.has_old_cells(deployment, self.now());
        if old || requests.iter().any(|request| reads_cells_again(deployment, &request.command)) {
            self.loaded.read_cells(&self.deliver).await?;
        }
        Ok(())
    }

    /// Writes heartbeats into the cells of their waits and answers them; gives back the other requests.
    pub(super) async fn write_heartbeats(&mut self, requests: Vec<Request>) -> Vec<Request> {
        if !self.deliver.deployment.has_peers() {
            return requests;
        }
        let mut others = Vec::with_capacity(requests.len());
        for request in requests {
            let Command::Heartbeat(of) = &request.command else {
                others.push(request);
                continue;
            };
            let counted = self.write_heartbeat(&of.wait, &request.command).await;
            let delivered = counted.map(|counted| self.delivered(counted, &request.command));
            request.answer(delivered);
        }
        others
    }

    async fn write_heartbeat(&mut self, wait: &Wait, command: &Command) -> Result<bool, DeliverError> {
        if self.loaded.lacks(command) {
            // Another process may have written what it is about since this was read.
            self.reload().await?;
        }
        if !self.loaded.would_change(command) {
            return Ok(false);
        }
        let beats = self.loaded.live.snapshot.attempt(wait).is_some_and(|(_, attempt)| attempt.beat.is_some());
        if !beats {
            return Ok(true);
        }
        let written = (wait, self.now());
        let there = self.loaded.write_cell(&self.deliver, written, Content::Heartbeat, Expect::NotFinal).await?;
        Ok(there.is_none())
    }

    /// Applies what cells say. Comes before any other step but releases: with each, everything is done that is due.
    pub(super) async fn apply_cells(&mut self, now: Timestamp, steps: &mut Steps) -> Result<(), StoreError> {
        if !self.deliver.deployment.has_peers() {
            return Ok(());
        }
        let due = self.loaded.live.is_due(now);
        if due {
            self.settle_due(now).await?;
        }
        let failed = self.loaded.cells.to_close_before_failing(&self.loaded.live, self.inbox.completions());
        self.close_cells(failed, now).await?;
        if !due && !self.deliver.deployment.performs_tasks() {
            // An API process leaves it to the workers, unless time would overtake it.
            return Ok(());
        }
        for CellRead { wait, at, content, .. } in self.loaded.cells.to_apply(&self.loaded.live, due) {
            if steps.fill(self.deliver.commit_bytes) {
                break;
            }
            let stimulus = match content {
                Content::Answered(answer) => Stimulus::TaskAnswered { wait, answer },
                Content::Heartbeat => Stimulus::TaskHeartbeat { wait, at },
                Content::Closed => continue,
            };
            // The others' cells have not been applied yet.
            let at = self.loaded.before_due(now);
            self.deliver.step(&mut self.loaded.live, stimulus, at, steps);
        }
        if let Some(failure) = self.loaded.wished_stop().filter(|_| self.deliver.deployment.performs_tasks()) {
            let stimulus = Stimulus::StopRequested(failure.clone());
            let at = self.loaded.before_due(now);
            self.deliver.step(&mut self.loaded.live, stimulus, at, steps);
        }
        Ok(())
    }

    /// Returns when each wait for a task token that is due has something to be applied in its cell, or a closed one.
    async fn settle_due(&mut self, now: Timestamp) -> Result<(), StoreError> {
        for _ in 0..OVERTAKEN {
            let due = self.loaded.cells.to_close_when_due(&self.loaded.live, now);
            if due.is_empty() {
                return Ok(());
            }
            self.close_cells(due, now).await?;
        }
        Err(StoreError { message: format!("{} has too many heartbeats", self.loaded.head.arn), retryable: true })
    }

    /// Closes cells; what is in those that stay is kept as read.
    async fn close_cells(&mut self, due: Vec<(Wait, Expect)>, now: Timestamp) -> Result<(), StoreError> {
        let (loaded, deliver) = (&self.loaded, &*self.deliver);
        let mut closing = Vec::with_capacity(due.len());
        for (wait, over) in &due {
            closing.push(loaded.write_cell(deliver, (wait, now), Content::Closed, *over));
        }
        let found: Vec<Option<CellRead>> = stream::iter(closing).buffered(AT_A_TIME).try_collect().await?;
        for ((wait, _), found) in due.into_iter().zip(found) {
            let key = stored::key(self.loaded.head.started, &wait);
            let closed = CellRead { wait, at: now, content: Content::Closed, nonce: 0, key };
            self.loaded.cells.replace(found.unwrap_or(closed));
        }
        Ok(())
    }

    /// Closes and removes the cells of waits that are over. A failure leaves it to the next actor.
    pub(super) async fn tidy_cells(&mut self, now: Timestamp) {
        if self.deliver.deployment != Deployment::SharedWorker {
            return;
        }
        self.loaded.drop_stop_wish(&self.deliver).await;
        let over = self.loaded.cells.take_over(&self.loaded.live.snapshot);
        let (loaded, deliver) = (&self.loaded, &*self.deliver);
        let mut tidying = Vec::with_capacity(over.len());
        for cell in &over {
            tidying.push(loaded.tidy(deliver, cell, now));
        }
        stream::iter(tidying).buffer_unordered(AT_A_TIME).collect::<Vec<()>>().await;
    }
}

/// Whether a request that comes while the execution is loaded may be about a cell that was written since.
fn reads_cells_again(deployment: Deployment, command: &Command) -> bool {
    match deployment {
        Deployment::SharedWorker => matches!(command, Command::Wake),
        Deployment::ApiOnly => matches!(command, Command::Answer(..)),
        Deployment::SingleProcess => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::example;
    use crate::deliver::mailbox::TokenWait;

    #[test]
    fn cells_are_read_again_for_a_wake_up_and_before_an_api_process_answers() {
        let (_, wait) = example::waiting_for_token();
        let of = TokenWait { wait, started: None };
        let answer = Command::Answer(of.clone(), example::succeeded());
        for (command, by_api, by_worker) in
            [(Command::Wake, false, true), (answer, true, false), (Command::Heartbeat(of), false, false)]
        {
            assert_eq!(reads_cells_again(Deployment::ApiOnly, &command), by_api, "{command:?}");
            assert_eq!(reads_cells_again(Deployment::SharedWorker, &command), by_worker, "{command:?}");
            assert!(!reads_cells_again(Deployment::SingleProcess, &command), "it has no cells");
        }
    }
}
