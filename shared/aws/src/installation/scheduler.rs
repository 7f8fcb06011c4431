//! A tick of the scheduler, once a minute: messages for due times, the daily sweep, dead letters.
//!
//! The scheduler edits no execution but to renew the expiry of its items: a message makes a worker load it. Every part
//! can be interrupted anywhere and is repeated by the next tick; repetition costs messages, nothing else. A part that
//! fails does not keep the others from running; the tick returns the first error at its end.

use engine::ports::{StoreError, WakeUp};
use futures_util::future::join_all;
use interpreter::Timestamp;
use serde::Serialize;

use super::Installation;
use crate::table::{Cursor, layout};

/// How far ahead the scheduler sends messages: the longest delay of SQS.
const AHEAD_MS: i64 = 15 * 60 * 1_000;
/// How far back the first tick of an installation reads; later ticks begin at their cursor.
const FIRST_LOOK_BACK_MS: i64 = 24 * 60 * 60 * 1_000;
/// Rows read at a time.
const PAGE: usize = 500;
/// The parts of a tick's time, in percent, after which it wakes, and sweeps, no more: the rest gets its turn in each tick.
const WAKING: i64 = 60;
const SWEEPING: i64 = 85;

/// Counts of a tick.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TickReport {
    /// Messages sent for rows of the index `wake`.
    pub woken: usize,
    /// Open executions that the sweep read.
    pub swept: usize,
    /// Those of them that are overdue for longer than any call can take: their messages must be lost.
    pub stuck: usize,
    /// Messages that the sweep sent for due times that have passed or are near.
    pub recalled: usize,
    /// Executions that the sweep skipped because this version cannot read them.
    pub unreadable: usize,
    /// Items whose expiry was renewed.
    pub stamped: usize,
    /// Dead letters that were handled, dead letters whose executions were force-failed, and dead letters that remain.
    /// See `dead_letters.rs`.
    pub handled: usize,
    pub given_up: usize,
    pub remaining: usize,
}

impl Installation {
    /// One tick within its time budget, which ends at `until`.
    pub async fn tick(&self, dead_letters: Option<&str>, until: Timestamp) -> Result<TickReport, StoreError> {
        let (mut report, mut done) = (TickReport::default(), Ok(()));
        let begun = self.clock.now();
        // Shards at the same time, so that one with much to do keeps none of the others waiting.
        let woken = join_all((0..layout::SHARDS).map(|shard| self.wake(shard, part(WAKING, begun, until)))).await;
        for woken in woken {
            done = done.and(woken.map(|woken| report.woken += woken));
        }
        done = done.and(self.sweep(part(SWEEPING, begun, until), &mut report).await);
        // Last: a dead letter may end this process, too.
        if let Some(url) = dead_letters {
            done = done.and(self.handle_dead_letters(url, until, &mut report).await);
        }
        // An error of one part hides nothing that the others did or found.
        self.publish(&report);
        done.map(|()| report)
    }

    /// Writes the tick report to log and metrics.
    fn publish(&self, report: &TickReport) {
        let TickReport { woken, swept, stuck, recalled, unreadable, stamped, handled, given_up, remaining } = report;
        tracing::info!(
            woken,
            swept,
            stuck,
            recalled,
            unreadable,
            stamped,
            handled,
            given_up,
            remaining,
            "scheduler: tick"
        );
        self.metrics.flush(self.clock.now());
        self.metrics.tick(self.clock.now(), &self.table.name, report);
    }

    /// Sends a message for every row of a shard from its cursor to a quarter of an hour from now, page by page. A tick
    /// whose time budget ends leaves the rest to the next tick, however much comes due at once.
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

/// When so many percent of the time from `begun` to `until` are over.
fn part(percent: i64, begun: Timestamp, until: Timestamp) -> Timestamp {
    let whole = until.0.saturating_sub(begun.0).max(0);
    begun.plus_millis(whole / 100 * percent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_of_a_tick_has_its_time() {
        let (begun, until) = (Timestamp(1_000_000), Timestamp(1_270_000));
        assert_eq!(part(WAKING, begun, until), Timestamp(1_162_000));
        assert_eq!(part(SWEEPING, begun, until), Timestamp(1_229_500));
        assert_eq!(part(WAKING, until, begun), until, "there is none");
    }
}
