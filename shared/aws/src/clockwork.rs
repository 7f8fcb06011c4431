//! What the clock does once a minute: messages for what comes due, the daily sweep, and another try at dead letters.
//!
//! Nothing here edits an execution but to stamp its items anew: a message makes a worker look. Every part can be broken
//! off anywhere and is done again the next minute; done twice it costs messages, nothing else.

use interpreter::Timestamp;
use service::ports::{Journal, Notice, StoreError};

use crate::item::{Reading, item_of, key, number, text};
use crate::table::{Condition, Table};
use crate::{Installation, layout};

/// How far ahead messages are sent: as far as a queue can delay them.
const AHEAD_MS: i64 = 15 * 60 * 1_000;
/// Before the first minute of an installation there may be nothing to wake; later cursors say where to begin.
const FIRST_LOOK_BACK_MS: i64 = 24 * 60 * 60 * 1_000;
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// Calls of tasks keep an execution overdue for a quarter of an hour; a queue that lost nothing for not much longer.
const STUCK_MS: i64 = 60 * 60 * 1_000;
/// Rows and executions read at a time.
const PAGE: usize = 500;

/// What was done in a minute.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Messages sent for what comes due.
    pub woken: usize,
    /// Open executions that the sweep saw.
    pub swept: usize,
    /// Those of them for which something has been due for so long that whoever was to do it must be lost.
    pub stuck: usize,
    /// Items stamped anew.
    pub stamped: usize,
    /// Dead letters that could be dealt with, those whose executions were closed as failed, and those that stay. See
    /// `dead_letters.rs`.
    pub buried: usize,
    pub given_up: usize,
    pub dead: usize,
}

impl Installation {
    /// One minute's work, given up when `until` is near.
    pub async fn tick(&self, dead_letters: Option<&str>, until: Timestamp) -> Result<Tally, StoreError> {
        let mut tally = Tally::default();
        for shard in 0..layout::SHARDS {
            tally.woken += self.wake(shard).await?;
        }
        let swept = self.sweep(until, &mut tally).await;
        // Last: should a dead letter bring this process down too, the rest is done.
        if let Some(url) = dead_letters {
            self.bury(url, until, &mut tally).await?;
        }
        swept.map(|()| tally)
    }

    /// Tells the operator what a minute was like.
    pub fn report(&self, tally: &Tally) {
        self.metrics.flush(self.clock.now());
        self.metrics.minute(self.clock.now(), &self.table.name, tally);
    }

    /// Sends a message for every row of a shard from where the clock was to a quarter of an hour from now.
    async fn wake(&self, shard: u64) -> Result<usize, StoreError> {
        let now = self.clock.now();
        let until = now.plus_millis(AHEAD_MS);
        let after = self.table.cursor(shard).await?.unwrap_or(Timestamp(now.0.saturating_sub(FIRST_LOOK_BACK_MS)));
        let (mut page, mut woken) = (None, 0);
        loop {
            let rows = self.table.wakes(shard, (after, until), page.as_deref(), PAGE).await?;
            woken += rows.due.len();
            let notices = rows.due.iter().map(|(due, execution)| Notice::of(execution, Some(*due)));
            self.queue.send_all(notices.collect()).await?;
            page = rows.next;
            if page.is_none() {
                break;
            }
        }
        if until > after {
            self.table.move_cursor(shard, until).await?;
        }
        Ok(woken)
    }

    /// Once a day: looks after everything that is open. Wakes what is overdue, which costs nothing where all went well and
    /// recovers what a purged queue lost, and keeps the items of long executions from expiring.
    async fn sweep(&self, until: Timestamp, tally: &mut Tally) -> Result<(), StoreError> {
        let today = self.clock.now().0.div_euclid(DAY_MS);
        let standing = self.table.sweep().await?;
        if standing.done >= today {
            return Ok(());
        }
        let mut after = standing.place;
        while self.clock.now() < until {
            let page = self.table.open(after.as_deref(), PAGE).await?;
            tally.swept += page.executions.len();
            let now = self.clock.now();
            let late = now.0.saturating_sub(STUCK_MS);
            tally.stuck += page.executions.iter().filter(|(_, due)| due.is_some_and(|due| due.0 <= late)).count();
            let overdue = page.executions.iter().filter(|(_, due)| due.is_some_and(|due| due <= now));
            self.queue.send_all(overdue.map(|(execution, _)| Notice::of(execution, None)).collect()).await?;
            for (execution, _) in &page.executions {
                tally.stamped += self.table.stamp_anew(execution).await?;
            }
            after = page.next;
            let done = if after.is_none() { today } else { standing.done };
            self.table.keep_sweep(&Sweep { done, place: after.clone() }).await?;
            if after.is_none() {
                break;
            }
        }
        Ok(())
    }
}

/// How far the daily sweep is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Sweep {
    /// The day since 1970 of the last one that was finished.
    done: i64,
    /// Where the current one goes on.
    place: Option<String>,
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
}
