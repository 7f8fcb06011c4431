//! A worker: takes messages from the queue, drives the executions that they name, and runs the Express ones that started.
//!
//! Messages of one execution are dealt with together, executions at the same time. A message is done when this process
//! keeps nothing of its execution any more; the rest is in the store, and announced by another message.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use interpreter::Timestamp;
use tracing::Instrument;

use crate::Engine;
use crate::deliver::{DeliverError, EARLY_MS, LONGEST_APPEND_MS, LONGEST_ATTEMPT_MS};
use crate::entry::Unreadable;
use crate::ports::WakeUp;
use crate::tokens::TaskToken;

/// A commit that its message has overtaken is looked for once more after this, …
const SOON: Duration = Duration::from_secs(1);
/// … and for the last time when it is there, or never will be: the announcement may be here before the queue has answered
/// its sender, which begins to append then.
const LATE_MS: u64 = LONGEST_ATTEMPT_MS + LONGEST_APPEND_MS;
/// Why an execution is force-failed whose journal can be read.
const DEFECT: &str = "a defect of Stepwell, which its log describes, stopped every attempt";

/// Why an execution is force-failed that ended its readers.
const FATAL: &str = "every process that tried to continue it ended before it was through";

/// A message of the work queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    WakeUp(WakeUp),
    /// The start of an asynchronous Express execution, as [`crate::ports::Starts::keep`] got it.
    Start(String),
}

/// A message that has to come again, and why. Its place is the one in what was given to [`Worker::handle`].
#[derive(Debug)]
pub struct Undone {
    pub place: usize,
    pub why: String,
}

/// The outcome of a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeadLetterOutcome {
    /// Its execution is driven, or closed already.
    Handled,
    /// Its execution was closed as failed, because no worker can drive it.
    ForceFailed,
}

/// Deals with messages.
#[derive(Clone)]
pub struct Worker {
    engine: Arc<Engine>,
}

impl Worker {
    pub fn new(engine: Arc<Engine>) -> Worker {
        Worker { engine }
    }

    /// Deals with messages until this process keeps none of their executions any more, which is before `until` unless a call that
    /// was begun takes longer. Answers those that have to come again.
    pub async fn handle(&self, messages: Vec<Message>, until: Timestamp) -> Vec<Undone> {
        let mut executions: BTreeMap<String, Group> = BTreeMap::new();
        let (mut starts, mut early) = (Vec::new(), Vec::new());
        let soon = self.engine.now().plus_millis(EARLY_MS);
        for (place, message) in messages.into_iter().enumerate() {
            match message {
                Message::Start(body) => starts.push((place, body)),
                Message::WakeUp(wake_up) if wake_up.due.is_some_and(|due| due > soon) => early.push((place, wake_up)),
                Message::WakeUp(wake_up) => {
                    self.engine.deliver().delivered(&wake_up);
                    let group = executions.entry(wake_up.execution).or_default();
                    group.announced = group.announced.max(wake_up.announces);
                    group.ended.extend(wake_up.ended);
                    group.places.push(place);
                }
            }
        }
        let early = join_all(early.into_iter().map(|(place, wake_up)| self.pass_on(place, wake_up)));
        let drives = join_all(executions.into_iter().map(|(arn, group)| self.drive_group(arn, group, until)));
        let runs = join_all(starts.into_iter().map(|(place, body)| self.run(place, body)));
        let (early, drives, runs) = tokio::join!(early, drives, runs);
        let (early, runs) = (early.into_iter().flatten(), runs.into_iter().flatten());
        drives.into_iter().flatten().chain(early).chain(runs).collect()
    }

    /// Deals with a message that failed again and again: once more, alone, beginning no calls. When that shows that the
    /// execution cannot be driven, it is closed as failed. An error is one that may pass: the message has to come again.
    pub async fn handle_dead_letter(&self, wake_up: WakeUp) -> Result<DeadLetterOutcome, DeliverError> {
        let now = self.engine.now();
        if wake_up.due.is_some_and(|due| due > now.plus_millis(EARLY_MS)) {
            self.engine.world().queue.send(wake_up).await?;
            return Ok(DeadLetterOutcome::Handled);
        }
        self.engine.deliver().delivered(&wake_up);
        let ended: Vec<TaskToken> = wake_up.ended.into_iter().collect();
        let why = match self.drive(&wake_up.execution, (wake_up.announces, &ended), now).await {
            Ok(()) => return Ok(DeadLetterOutcome::Handled),
            Err(DeliverError::Unreadable(Unreadable::Damaged(what))) => what,
            Err(DeliverError::Lost) => DEFECT.to_owned(),
            Err(passing) => return Err(passing),
        };
        self.force_fail(&wake_up.execution, &why).await
    }

    /// Closes an execution as failed, without loading it: each process that drove it ended before it was through.
    pub async fn give_up_dead_letter(&self, execution: &str) -> Result<DeadLetterOutcome, DeliverError> {
        match self.force_fail(execution, FATAL).await {
            Err(DeliverError::NoSuchExecution) => Ok(DeadLetterOutcome::Handled),
            outcome => outcome,
        }
    }

    async fn force_fail(&self, execution: &str, why: &str) -> Result<DeadLetterOutcome, DeliverError> {
        let closed = self.engine.deliver().force_fail(execution, why).await?;
        tracing::error!(execution, why, closed, "execution cannot be driven, force-failed");
        Ok(if closed { DeadLetterOutcome::ForceFailed } else { DeadLetterOutcome::Handled })
    }

    /// Sends a message on that came before its time.
    async fn pass_on(&self, place: usize, wake_up: WakeUp) -> Option<Undone> {
        let sent = self.engine.world().queue.send(wake_up).await;
        sent.err().map(|error| Undone { place, why: error.message })
    }

    async fn drive_group(&self, arn: String, group: Group, until: Timestamp) -> Vec<Undone> {
        match self.drive(&arn, (group.announced, &group.ended), until).await {
            Ok(()) => Vec::new(),
            Err(error) => {
                tracing::error!(execution = arn, ?error, "execution not driven, its message comes again");
                let why = format!("{error:?}");
                group.places.into_iter().map(|place| Undone { place, why: why.clone() }).collect()
            }
        }
    }

    async fn drive(
        &self,
        arn: &str,
        (announced, ended): (Option<u64>, &[TaskToken]),
        until: Timestamp,
    ) -> Result<(), DeliverError> {
        if self.driven(arn, ended, until).await? >= announced {
            return Ok(());
        }
        // Announced before it was written, and not written yet, or never.
        tokio::time::sleep(SOON).await;
        if self.driven(arn, ended, until).await? >= announced {
            return Ok(());
        }
        let late = self.engine.now().plus_millis(i64::try_from(LATE_MS).unwrap_or(i64::MAX));
        self.engine.world().queue.send(WakeUp::of(arn, Some(late))).await.map_err(DeliverError::Store)
    }

    /// The last record of the execution, when there is nothing left to do here.
    async fn driven(&self, arn: &str, ended: &[TaskToken], until: Timestamp) -> Result<Option<u64>, DeliverError> {
        match self.engine.deliver().drive(arn, ended, until).await {
            Ok(delivered) => Ok(Some(delivered.sequence)),
            Err(DeliverError::NoSuchExecution) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn run(&self, place: usize, body: String) -> Option<Undone> {
        let engine = self.engine.clone();
        // A task of its own: a panic in it is this message's alone.
        let ran = tokio::spawn(async move { engine.express().run_kept(&body).await }.in_current_span()).await;
        let why = match ran {
            Ok(Ok(())) => return None,
            Ok(Err(error)) => format!("{error:?}"),
            Err(panicked) => panicked.to_string(),
        };
        tracing::error!(why, "express execution not run, its message comes again");
        Some(Undone { place, why })
    }
}

/// The messages of one execution.
#[derive(Default)]
struct Group {
    places: Vec<usize>,
    announced: Option<u64>,
    /// Waits whose jobs have ended.
    ended: Vec<TaskToken>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_announced_commit_is_looked_for_until_it_is_there_or_never_will_be() {
        // Ten seconds until the queue answers, then eight attempts of ten seconds with pauses of 20 ms to 1.28 s.
        let latest = 10_000 + 8 * 10_000 + (20 + 40 + 80 + 160 + 320 + 640 + 1_280);
        assert!(LATE_MS >= latest, "{LATE_MS} ms");
    }
}
