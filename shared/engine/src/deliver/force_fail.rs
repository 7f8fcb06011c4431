//! Force-fail: the end of an execution that no worker can drive.
//!
//! Its journal is damaged, or driving it is a defect of ours that ends in a panic: then it would stay open for ever, and
//! every message about it would come back. It is closed as failed by an entry for which nothing has to be decoded: the
//! store's own attributes say what the execution is and which number comes next. Its history stays readable as far as
//! it is whole. A store that is busy or refuses, and a format that is too new, are no reasons: those pass.

use interpreter::{Failure, Timestamp};

use super::loaded::append;
use super::{Deliver, DeliverError, Delivered};
use crate::entry::{self, Reopening, Unreadable};
use crate::ports::{Appended, Direction, ExecutionStatus, Listing, Record, StoreError};
use crate::shown::Shown;

/// The error of an execution that was force-failed.
const ERROR: &str = "States.Runtime";
/// Another process may write meanwhile; one that writes can drive it, so few tries are enough.
const TRIES: u32 = 8;
/// Records read at a time in search of one that is whole.
const BATCH: usize = 16;

impl Deliver {
    /// Closes an execution as failed without reading it; false when it is closed already.
    pub async fn force_fail(&self, arn: &str, why: &str) -> Result<bool, DeliverError> {
        for _ in 0..TRIES {
            let ends = self.world.journal.ends(arn).await?;
            let (first, last) = ends.ok_or(DeliverError::NoSuchExecution)?;
            if !last.open {
                return Ok(false);
            }
            let record = self.last_record(&first, &last, why).await?;
            let (listing, sequence, body) = (record.listing.clone(), record.sequence, record.body.clone());
            match append(self, record).await? {
                Appended::Written => {
                    self.log_force_fail(&first, (sequence, &body));
                    if let Some(Listing { machine, status, started, stopped: Some(stopped), .. }) = listing {
                        self.count_end(&machine, status, started, stopped);
                    }
                    return Ok(true);
                }
                Appended::Taken(_) => {}
            }
        }
        Err(DeliverError::Store(StoreError { message: format!("others write to {arn}"), retryable: true }))
    }

    /// The reply to requests when an execution cannot be loaded: that it is closed needs no reading.
    pub(super) async fn without_reading(&self, arn: &str, error: DeliverError) -> Result<Delivered, DeliverError> {
        if matches!(error, DeliverError::Unreadable(_))
            && let Ok(Some((_, last))) = self.world.journal.ends(arn).await
            && !last.open
        {
            let closed = last.listing.and_then(|listing| listing.stopped);
            let sequence = last.sequence;
            return Ok(Delivered { counted: false, cancelled: false, closed, redriven: None, sequence, lease: None });
        }
        if !matches!(error, DeliverError::NoSuchExecution) {
            tracing::error!(execution = arn, ?error, "execution not loaded, its requests fail");
        }
        Err(error)
    }

    async fn last_record(&self, first: &Record, last: &Record, why: &str) -> Result<Record, DeliverError> {
        let unlisted = || Unreadable::Damaged(format!("{} is not listed", first.execution));
        let listing = first.listing.clone().ok_or_else(unlisted)?;
        let (last_event, at, reopened) = self.last_shown(last, listing.started).await?;
        let shown = Shown::read(listing.shown.as_deref()).unwrap_or_default();
        let shown = Some(shown.with_redrive(reopened.map(|reopened| reopened.redriven)).written());
        let at = at.max(self.world.clock.now());
        let cause = format!("Stepwell could not continue this execution and ended it: {why}.");
        let failure = Failure::of(Some(ERROR.to_owned()), Some(cause));
        Ok(Record {
            execution: last.execution.clone(),
            sequence: last.sequence.saturating_add(1),
            nonce: self.world.clock.nonce(),
            full: last.full,
            due: None,
            open: false,
            listing: Some(Listing { status: ExecutionStatus::Failed, stopped: Some(at), shown, ..listing }),
            body: entry::encode_failure(at, (last_event, reopened), failure)?,
        })
    }

    /// The last event that can still be read, when its entry was written, and the last redrive.
    async fn last_shown(
        &self,
        last: &Record,
        started: Timestamp,
    ) -> Result<(u64, Timestamp, Option<Reopening>), DeliverError> {
        // The last one is whole, but for damage: large records are not read in vain.
        let (mut from, mut batch) = (Some(last.sequence), 1);
        while let Some(sequence) = from {
            let records = self.world.journal.read(&last.execution, sequence, Direction::Descending, batch).await?;
            batch = BATCH;
            from = records.last().and_then(|record| record.sequence.checked_sub(1));
            for record in records {
                match entry::decode(record.sequence, &record.body) {
                    Ok(entry) => return Ok((entry.last_event, entry.at, entry.reopened)),
                    Err(Unreadable::Damaged(_)) => {}
                    Err(newer @ Unreadable::Newer(_)) => return Err(newer.into()),
                }
            }
        }
        Ok((0, started, None))
    }
}
