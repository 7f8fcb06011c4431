//! Open executions, from the index `list`: what the daily sweep goes through.

use std::collections::BTreeSet;

use engine::ports::{ExecutionStatus, OpenPage, StoreError};
use futures_util::stream::{self, StreamExt};
use interpreter::Timestamp;

use super::item::{Item, Reading, listing_of};
use super::list::{MOST_ROWS, start_of, token_of};
use super::{Table, layout};
use crate::failure::store_error;

/// Last records of candidates read at a time.
const READS: usize = 16;

/// A page of open executions.
#[derive(Default)]
pub(crate) struct Opened {
    pub page: OpenPage,
    /// Executions whose last row this version cannot read, so that it cannot tell whether they are open.
    pub unreadable: usize,
}

impl Table {
    /// A page of open executions: a page of the whole index `list`, and the last record of every execution whose row
    /// there says that it runs.
    ///
    /// The pages read all stored executions, closed or not: half a KB a row, so a sweep over a million executions
    /// costs a few cents. An index of open executions alone would cost every execution two more writes.
    ///
    /// `segment`: a segment of the index, and of how many; otherwise the pages go through all of it.
    pub(crate) async fn opened(
        &self,
        segment: Option<(i32, i32)>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Opened, StoreError> {
        let start = after.map(start_of).transpose()?;
        let request = self
            .client
            .scan()
            .table_name(&self.name)
            .index_name(layout::LIST_INDEX.name)
            .limit(i32::try_from(limit.clamp(1, MOST_ROWS)).unwrap_or(i32::MAX))
            .set_segment(segment.map(|(segment, _)| segment))
            .set_total_segments(segment.map(|(_, of)| of))
            .set_exclusive_start_key(start);
        let answer = request.send().await.map_err(|error| store_error("read open executions", error))?;
        let next = answer.last_evaluated_key.map(|key| token_of(&key)).transpose()?;
        let (candidates, mut unreadable) = self.candidates(&answer.items.unwrap_or_default());
        let reads: Vec<_> = candidates.iter().map(|execution| self.due_if_open(execution)).collect();
        let found: Vec<_> = stream::iter(reads).buffered(READS).collect().await;
        let mut executions = Vec::new();
        for (execution, found) in candidates.into_iter().zip(found) {
            match found {
                Ok(open) => executions.extend(open.map(|due| (execution, due))),
                Err(error) if error.retryable => return Err(error),
                Err(error) => {
                    tracing::error!(execution, %error, "sweep: execution skipped, its last record cannot be read");
                    unreadable.insert(execution);
                }
            }
        }
        Ok(Opened { page: OpenPage { executions, next }, unreadable: unreadable.len() })
    }

    /// Executions whose last row of this page says that they run, and executions with an unreadable row. The last row
    /// may have a successor on the next page: the execution's last record decides.
    fn candidates(&self, rows: &[Item]) -> (Vec<String>, BTreeSet<String>) {
        let (mut running, mut unreadable) = (Vec::new(), BTreeSet::new());
        for row in rows {
            match listing_of(row).and_then(|listing| Ok((self.is_gone(row)?, listing))) {
                Ok((gone, listing)) => {
                    if running.last() == Some(&listing.execution) {
                        running.pop();
                    }
                    if listing.status == ExecutionStatus::Running && !gone {
                        running.push(listing.execution);
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "sweep: execution skipped, its row in the list index cannot be read");
                    unreadable.extend(Reading(row).text(layout::PARTITION).map(str::to_owned));
                }
            }
        }
        running.retain(|execution| !unreadable.contains(execution));
        (running, unreadable)
    }

    /// The due time of an execution, if it is open.
    async fn due_if_open(&self, execution: &str) -> Result<Option<Option<Timestamp>>, StoreError> {
        let Some(last) = self.last(execution).await? else { return Ok(None) };
        let last = Reading(&last).known_format()?;
        Ok(if last.flag(layout::OPEN)? { Some(last.optional(layout::DUE)?.map(Timestamp)) } else { None })
    }
}
