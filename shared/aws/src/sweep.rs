//! The daily sweep: looks after everything that is open.
//!
//! It wakes what is overdue, which costs nothing where all went well and recovers what a purged queue lost; what is due
//! in the next twenty minutes, too, because then nothing but a message would know of it. And it keeps the items of long
//! executions from expiring. It goes on where it was left, minute by minute, until everything was seen.
//!
//! What this version cannot read, because it is damaged or a newer one wrote it, is counted and passed by: one item must not
//! keep all others from being looked after.

use std::collections::BTreeSet;

use engine::ports::{ExecutionStatus, OpenPage, StoreError, WakeUp};
use futures_util::stream::{self, StreamExt};
use interpreter::Timestamp;

use crate::clockwork::Tally;
use crate::failure::store_error;
use crate::item::{Item, Reading, item_of, key, listing_of, number, text};
use crate::list::{MOST_ROWS, start_of, token_of};
use crate::table::{Condition, Table};
use crate::{Installation, layout};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// Calls of tasks keep an execution overdue for a quarter of an hour; a queue that lost nothing for not much longer.
const STUCK_MS: i64 = 60 * 60 * 1_000;
/// Executions read at a time.
const PAGE: usize = 500;
/// Open executions that are looked at at a time.
const LOOKS: usize = 16;

impl Installation {
    /// Goes on with the sweep of this day, unless it is done.
    pub(crate) async fn sweep(&self, until: Timestamp, tally: &mut Tally) -> Result<(), StoreError> {
        let today = self.today();
        let standing = self.table.sweep().await?;
        if standing.done >= today {
            return Ok(());
        }
        let mut after = standing.place;
        while self.clock.now() < until {
            let Opened { page, unreadable } = self.table.opened(after.as_deref(), PAGE).await?;
            tally.unreadable += unreadable;
            self.look_after(&page, tally).await?;
            after = page.next;
            let done = if after.is_none() { today } else { standing.done };
            self.table.keep_sweep(&Sweep { done, place: after.clone() }).await?;
            if after.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// Begins today's sweep anew.
    pub(crate) async fn sweep_anew(&self) -> Result<(), StoreError> {
        self.table.keep_sweep(&Sweep { done: self.today().saturating_sub(1), place: None }).await
    }

    /// True when everything was seen today.
    pub(crate) async fn is_swept(&self) -> Result<bool, StoreError> {
        Ok(self.table.sweep().await?.done >= self.today())
    }

    async fn look_after(&self, page: &OpenPage, tally: &mut Tally) -> Result<(), StoreError> {
        let now = self.clock.now();
        let late = now.0.saturating_sub(STUCK_MS);
        let soon = now.plus_millis(layout::FAR_MS);
        tally.swept += page.executions.len();
        tally.stuck += page.executions.iter().filter(|(_, due)| due.is_some_and(|due| due.0 <= late)).count();
        let due = page.executions.iter().filter(|(_, due)| due.is_some_and(|due| due <= soon));
        let wake_ups: Vec<WakeUp> = due.map(|(execution, due)| WakeUp::of(execution, *due)).collect();
        tally.recalled += wake_ups.len();
        self.queue.send_all(wake_ups).await?;
        for (execution, _) in &page.executions {
            match self.table.stamp_anew(execution).await {
                Ok(stamped) => tally.stamped += stamped,
                Err(error) if error.retryable => return Err(error),
                Err(error) => {
                    tracing::error!(execution, %error, "an execution cannot be kept from expiring");
                    tally.unreadable += 1;
                }
            }
        }
        Ok(())
    }

    /// The day since 1970.
    fn today(&self) -> i64 {
        self.clock.now().0.div_euclid(DAY_MS)
    }
}

/// How far the sweep is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Sweep {
    /// The day since 1970 of the last one that was finished.
    done: i64,
    /// Where the current one goes on.
    place: Option<String>,
}

/// A piece of what is open.
#[derive(Default)]
pub(crate) struct Opened {
    pub page: OpenPage,
    /// Executions of which this version cannot say whether they are open.
    pub unreadable: usize,
}

impl Table {
    async fn sweep(&self) -> Result<Sweep, StoreError> {
        let Some(item) = self.get(layout::CLOCK_PARTITION, layout::SWEEP_SORT).await? else {
            return Ok(Sweep::default());
        };
        let reading = Reading(&item).known_format()?;
        let place = item.contains_key(layout::PLACE).then(|| reading.text(layout::PLACE)).transpose()?;
        Ok(Sweep { done: reading.number(layout::DUE)?, place: place.map(str::to_owned) })
    }

    async fn keep_sweep(&self, sweep: &Sweep) -> Result<(), StoreError> {
        let mut item = item_of(key(layout::CLOCK_PARTITION, layout::SWEEP_SORT));
        item.extend(item_of([(layout::FORMAT, number(layout::VERSION)), (layout::DUE, number(sweep.done))]));
        if let Some(place) = &sweep.place {
            item.extend(item_of([(layout::PLACE, text(place.clone()))]));
        }
        self.put(item, Condition::None).await.map(|_| ())
    }

    /// Open executions: a piece of the whole index `list`, and for every execution that looks open there its last record.
    ///
    /// The pieces read all that is kept, closed or not: half a KB a row, so a sweep over a million executions
    /// costs a few cents. An index of open ones only would cost every execution two writes more.
    pub(crate) async fn opened(&self, after: Option<&str>, limit: usize) -> Result<Opened, StoreError> {
        let start = after.map(start_of).transpose()?;
        let request = self
            .client
            .scan()
            .table_name(&self.name)
            .index_name(layout::LIST_INDEX.name)
            .limit(i32::try_from(limit.clamp(1, MOST_ROWS)).unwrap_or(i32::MAX))
            .set_exclusive_start_key(start);
        let answer = request.send().await.map_err(|error| store_error("read open executions", error))?;
        let next = answer.last_evaluated_key.map(|key| token_of(&key)).transpose()?;
        let (candidates, mut unreadable) = self.candidates(&answer.items.unwrap_or_default());
        let looks: Vec<_> = candidates.iter().map(|execution| self.due_if_open(execution)).collect();
        let found: Vec<_> = stream::iter(looks).buffered(LOOKS).collect().await;
        let mut executions = Vec::new();
        for (execution, found) in candidates.into_iter().zip(found) {
            match found {
                Ok(open) => executions.extend(open.map(|due| (execution, due))),
                Err(error) if error.retryable => return Err(error),
                Err(error) => {
                    tracing::error!(execution, %error, "an execution cannot be looked after");
                    unreadable.insert(execution);
                }
            }
        }
        Ok(Opened { page: OpenPage { executions, next }, unreadable: unreadable.len() })
    }

    /// The executions whose last row here says that they run, and those of rows that cannot be read. The last row of the
    /// piece may have a successor in the next one; looking at the execution itself decides.
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
                    tracing::error!(%error, "an execution cannot be looked after");
                    unreadable.extend(Reading(row).text(layout::PARTITION).map(str::to_owned));
                }
            }
        }
        running.retain(|execution| !unreadable.contains(execution));
        (running, unreadable)
    }

    /// When something is due in an execution, if it is open.
    async fn due_if_open(&self, execution: &str) -> Result<Option<Option<Timestamp>>, StoreError> {
        let Some(last) = self.last(execution).await? else { return Ok(None) };
        let last = Reading(&last).known_format()?;
        Ok(if last.flag(layout::OPEN)? { Some(last.optional(layout::DUE)?.map(Timestamp)) } else { None })
    }
}
