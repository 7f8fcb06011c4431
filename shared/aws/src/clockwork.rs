//! What the clock does once a minute: messages for what comes due, the daily sweep, and another try at dead letters.
//!
//! Nothing here edits an execution but to stamp its items anew: a message makes a worker look. Every part can be broken
//! off anywhere and is done again the next minute; done twice it costs messages, nothing else. What fails keeps no other part
//! from being done, and is told when all are through.

use engine::ports::{StoreError, WakeUp};
use interpreter::Timestamp;
use serde::Serialize;

use crate::wake::Cursor;
use crate::{Installation, layout};

/// How far ahead messages are sent: as far as a queue can delay them.
const AHEAD_MS: i64 = 15 * 60 * 1_000;
/// Before the first minute of an installation there may be nothing to wake; later cursors say where to begin.
const FIRST_LOOK_BACK_MS: i64 = 24 * 60 * 60 * 1_000;
/// Rows read at a time.
const PAGE: usize = 500;

/// What was done in a minute.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Messages sent for what comes due.
    pub woken: usize,
    /// Open executions that the sweep saw.
    pub swept: usize,
    /// Those of them for which something has been due for so long that whoever was to do it must be lost.
    pub stuck: usize,
    /// Messages that the sweep sent for what was due, or soon will be.
    pub recalled: usize,
    /// Executions that it passed by, because this version cannot read what it has to know of them.
    pub unreadable: usize,
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
        let (mut tally, mut done) = (Tally::default(), Ok(()));
        for shard in 0..layout::SHARDS {
            done = done.and(self.wake(shard, until).await.map(|woken| tally.woken += woken));
        }
        done = done.and(self.sweep(until, &mut tally).await);
        // Last: should a dead letter bring this process down too, the rest is done.
        if let Some(url) = dead_letters {
            done = done.and(self.bury(url, until, &mut tally).await);
        }
        // What failed hides nothing of what was done, or found.
        self.report(&tally);
        done.map(|()| tally)
    }

    /// Tells the operator what a minute was like.
    fn report(&self, tally: &Tally) {
        let Tally { woken, swept, stuck, recalled, unreadable, stamped, buried, given_up, dead } = tally;
        tracing::info!(woken, swept, stuck, recalled, unreadable, stamped, buried, given_up, dead, "a minute");
        self.metrics.flush(self.clock.now());
        self.metrics.minute(self.clock.now(), &self.table.name, tally);
    }

    /// Sends a message for every row of a shard from where the clock was to a quarter of an hour from now, page by page: a
    /// clock whose time is over leaves the rest to the next one, however much comes due at once.
    async fn wake(&self, shard: u64, until: Timestamp) -> Result<usize, StoreError> {
        let now = self.clock.now();
        let reach = now.plus_millis(AHEAD_MS);
        let first = Cursor { after: Timestamp(now.0.saturating_sub(FIRST_LOOK_BACK_MS)), place: None };
        let (mut cursor, mut woken) = (self.table.cursor(shard).await?.unwrap_or(first), 0);
        while cursor.after < reach && self.clock.now() < until {
            let rows = self.table.wakes(shard, (cursor.after, reach), cursor.place.as_deref(), PAGE).await?;
            woken += rows.due.len();
            let wake_ups = rows.due.iter().map(|(due, execution)| WakeUp::of(execution, Some(*due)));
            self.queue.send_all(wake_ups.collect()).await?;
            let after = if rows.next.is_some() { cursor.after } else { reach };
            cursor = Cursor { after, place: rows.next };
            self.table.move_cursor(shard, &cursor).await?;
        }
        Ok(woken)
    }
}
