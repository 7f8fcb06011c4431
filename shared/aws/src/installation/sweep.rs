//! The daily sweep over all open executions.
//!
//! For each execution that is overdue, or due within twenty minutes, the scheduler sends a wake-up: this recovers what a
//! purged queue lost and is redundant otherwise (such near due times have no row in the index `wake`, only a message).
//! It also renews the expiry of long executions. Segments of the index are swept at the same time, and each continues minute by minute until it has seen everything.
//!
//! An execution that this version cannot read, because it is damaged or a newer version wrote it, is counted and skipped:
//! one item must not block the others.

use engine::ports::{OpenPage, StoreError, WakeUp};
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use interpreter::Timestamp;

use crate::installation::{Installation, TickReport};
use crate::table::cursor::StoredCursor;
use crate::table::layout;
use crate::table::open::Opened;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// Task calls keep an execution overdue for a quarter of an hour; delivery by an intact queue for not much longer.
const STUCK_MS: i64 = 60 * 60 * 1_000;
/// Rows of a segment read at a time.
const PAGE: usize = 1_000;
/// Segments of the list index that are read at the same time.
const SEGMENTS: i32 = 8;
/// Executions of a page whose stamps are looked at, at a time.
const STAMPS: usize = 16;

impl Installation {
    /// Continues today's sweep, unless it is complete.
    pub(crate) async fn sweep(&self, until: Timestamp, report: &mut TickReport) -> Result<(), StoreError> {
        if self.is_swept().await? {
            return Ok(());
        }
        let (mut done, mut complete) = (Ok(()), true);
        for (found, swept) in join_all((0..SEGMENTS).map(|segment| self.sweep_segment(segment, until))).await {
            report.add_swept(&found);
            done = done.and(swept.map(|swept| complete &= swept));
        }
        done?;
        if complete {
            self.keep_progress(layout::SWEEP_SORT, Sweep { done: self.today(), place: None }).await?;
        }
        Ok(())
    }

    /// Continues today's sweep of a segment; what it found, and whether the segment is complete.
    async fn sweep_segment(&self, segment: i32, until: Timestamp) -> (TickReport, Result<bool, StoreError>) {
        let mut found = TickReport::default();
        let swept = self.sweep_pages(segment, until, &mut found).await;
        (found, swept)
    }

    async fn sweep_pages(&self, segment: i32, until: Timestamp, report: &mut TickReport) -> Result<bool, StoreError> {
        let (today, sort) = (self.today(), layout::sweep_sort(segment));
        let progress = self.progress(&sort).await?;
        if progress.done >= today {
            return Ok(true);
        }
        let mut after = progress.place;
        while self.clock.now() < until {
            let segment = Some((segment, SEGMENTS));
            let Opened { page, unreadable } = self.table.opened(segment, after.as_deref(), PAGE).await?;
            report.unreadable += unreadable;
            self.look_after(&page, report).await?;
            after = page.next;
            let done = if after.is_none() { today } else { progress.done };
            self.keep_progress(&sort, Sweep { done, place: after.clone() }).await?;
            if after.is_none() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Restarts today's sweep from its beginning.
    pub(crate) async fn restart_sweep(&self) -> Result<(), StoreError> {
        let begins = Sweep { done: self.today().saturating_sub(1), place: None };
        for segment in 0..SEGMENTS {
            self.keep_progress(&layout::sweep_sort(segment), begins.clone()).await?;
        }
        self.keep_progress(layout::SWEEP_SORT, begins).await
    }

    /// True when today's sweep is complete.
    pub(crate) async fn is_swept(&self) -> Result<bool, StoreError> {
        Ok(self.progress(layout::SWEEP_SORT).await?.done >= self.today())
    }

    async fn look_after(&self, page: &OpenPage, report: &mut TickReport) -> Result<(), StoreError> {
        let now = self.clock.now();
        let late = now.0.saturating_sub(STUCK_MS);
        let soon = now.plus_millis(layout::FAR_MS);
        report.swept += page.executions.len();
        report.stuck += page.executions.iter().filter(|(_, due)| due.is_some_and(|due| due.0 <= late)).count();
        let due = page.executions.iter().filter(|(_, due)| due.is_some_and(|due| due <= soon));
        let wake_ups: Vec<WakeUp> = due.map(|(execution, due)| WakeUp::of(execution, *due)).collect();
        report.recalled += wake_ups.len();
        self.queue.send_all(wake_ups).await?;
        let stamps = page
            .executions
            .iter()
            .map(|(execution, _)| async move { (execution, self.table.stamp_anew(execution).await) });
        let stamps: Vec<_> = stamps.collect();
        let stamped: Vec<_> = stream::iter(stamps).buffered(STAMPS).collect().await;
        for (execution, stamped) in stamped {
            match stamped {
                Ok(stamped) => report.stamped += stamped,
                Err(error) if error.retryable => return Err(error),
                Err(error) => {
                    tracing::error!(execution, %error, "sweep: expiry not renewed, the execution's items cannot be read");
                    report.unreadable += 1;
                }
            }
        }
        Ok(())
    }

    async fn progress(&self, sort: &str) -> Result<Sweep, StoreError> {
        let stored = self.table.stored_cursor(sort).await?.unwrap_or_default();
        Ok(Sweep { done: stored.position, place: stored.place })
    }

    async fn keep_progress(&self, sort: &str, Sweep { done, place }: Sweep) -> Result<(), StoreError> {
        self.table.store_cursor(sort, &StoredCursor { position: done, place }).await
    }

    /// The day since 1970.
    fn today(&self) -> i64 {
        self.clock.now().0.div_euclid(DAY_MS)
    }
}

impl TickReport {
    /// Counts what a segment's sweep found, too.
    fn add_swept(&mut self, found: &TickReport) {
        self.swept += found.swept;
        self.stuck += found.stuck;
        self.recalled += found.recalled;
        self.unreadable += found.unreadable;
        self.stamped += found.stamped;
    }
}

/// Progress of the daily sweep, or of one of its segments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Sweep {
    /// The day since 1970 of the last complete sweep.
    done: i64,
    /// The page at which the current sweep goes on.
    place: Option<String>,
}
