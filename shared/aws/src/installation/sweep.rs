//! The daily sweep over all open executions.
//!
//! For each execution that is overdue, or due within twenty minutes, the scheduler sends a wake-up: this recovers what a
//! purged queue lost and is redundant otherwise (such near due times have no row in the index `wake`, only a message).
//! It also renews the expiry of long executions. The sweep continues minute by minute until it has seen everything.
//!
//! An execution that this version cannot read, because it is damaged or a newer version wrote it, is counted and skipped:
//! one item must not block the others.

use engine::ports::{OpenPage, StoreError, WakeUp};
use interpreter::Timestamp;

use crate::installation::{Installation, TickReport};
use crate::table::cursor::StoredCursor;
use crate::table::layout;
use crate::table::open::Opened;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// Task calls keep an execution overdue for a quarter of an hour; delivery by an intact queue for not much longer.
const STUCK_MS: i64 = 60 * 60 * 1_000;
/// Executions read at a time.
const PAGE: usize = 500;

impl Installation {
    /// Continues today's sweep, unless it is complete.
    pub(crate) async fn sweep(&self, until: Timestamp, report: &mut TickReport) -> Result<(), StoreError> {
        let today = self.today();
        let progress = self.progress().await?;
        if progress.done >= today {
            return Ok(());
        }
        let mut after = progress.place;
        while self.clock.now() < until {
            let Opened { page, unreadable } = self.table.opened(after.as_deref(), PAGE).await?;
            report.unreadable += unreadable;
            self.look_after(&page, report).await?;
            after = page.next;
            let done = if after.is_none() { today } else { progress.done };
            self.keep_progress(Sweep { done, place: after.clone() }).await?;
            if after.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// Restarts today's sweep from its beginning.
    pub(crate) async fn restart_sweep(&self) -> Result<(), StoreError> {
        self.keep_progress(Sweep { done: self.today().saturating_sub(1), place: None }).await
    }

    /// True when today's sweep is complete.
    pub(crate) async fn is_swept(&self) -> Result<bool, StoreError> {
        Ok(self.progress().await?.done >= self.today())
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
        for (execution, _) in &page.executions {
            match self.table.stamp_anew(execution).await {
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

    async fn progress(&self) -> Result<Sweep, StoreError> {
        let stored = self.table.stored_cursor(layout::SWEEP_SORT).await?.unwrap_or_default();
        Ok(Sweep { done: stored.position, place: stored.place })
    }

    async fn keep_progress(&self, Sweep { done, place }: Sweep) -> Result<(), StoreError> {
        self.table.store_cursor(layout::SWEEP_SORT, &StoredCursor { position: done, place }).await
    }

    /// The day since 1970.
    fn today(&self) -> i64 {
        self.clock.now().0.div_euclid(DAY_MS)
    }
}

/// Progress of the daily sweep.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Sweep {
    /// The day since 1970 of the last complete sweep.
    done: i64,
    /// The page at which the current sweep goes on.
    place: Option<String>,
}
