//! Who looks when nobody holds an execution: a message, and no more of them than it takes.
//!
//! What is left to nobody's hands is watched by a message for its earliest due time. Who commits such a state sends that
//! message first: so the last record's due time, while it is ahead, says that the message is on its way, and whoever
//! comes by meanwhile lets go without sending another. Where calls are in somebody's hands the record says nothing of
//! messages; then a process sends one and remembers it. Without these rules every message that finds nothing to do would
//! send its successor, and none would ever die.
//!
//! Deliberately absent: knowledge of the messages of other processes where calls are in flight.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use interpreter::{Snapshot, Timestamp};

use super::hold::{Holder, NEAR_MS};
use crate::ports::{StoreError, WakeUp};

/// A message of somebody else that is due sooner than this may have been told already, since his clock is ahead.
const AHEAD_MS: i64 = 3_000;
/// A message that comes earlier than this before its time is one that its queue could not delay for longer. One that is due
/// sooner than this may be the one that is being dealt with, where the clock has been set back since it was sent.
pub(crate) const EARLY_MS: i64 = 1_000;
/// One that is due later than this may be left to a record, and then goes with it when the next is written.
const KEPT_MS: i64 = 900_000;
/// Messages that a process remembers at most.
const REMEMBERED: usize = 4_096;

/// The messages that this process has sent and that are still to come, by execution.
#[derive(Default)]
pub(super) struct Watches(Mutex<HashMap<String, Timestamp>>);

impl Watches {
    /// A message is on its way to whoever looks at the execution at `due`.
    pub fn sent(&self, execution: &str, due: Timestamp, now: Timestamp) {
        if due > now.plus_millis(KEPT_MS) {
            return;
        }
        let mut sent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if sent.len() >= REMEMBERED {
            sent.retain(|_, due| *due > now);
        }
        if sent.len() >= REMEMBERED {
            // Forgetting costs a message each, no more.
            sent.clear();
        }
        sent.insert(execution.to_owned(), due);
    }

    /// One that was sent to be told at `due` has been told: nobody waits for it any more, even if the clock is set back now.
    pub fn told(&self, execution: &str, due: Timestamp) {
        let mut sent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if sent.get(execution) == Some(&due) {
            sent.remove(execution);
        }
    }

    /// True when such a message comes at `due` or before, and has not been told yet.
    pub fn cover(&self, execution: &str, due: Timestamp, now: Timestamp) -> bool {
        let sent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sent.get(execution).is_some_and(|sent| *sent <= due && *sent > now.plus_millis(EARLY_MS))
    }
}

impl Holder {
    /// When others have to look: at once when something could be begun, or heard, that is left to them.
    fn wake_up(&self, due: Timestamp) -> WakeUp {
        WakeUp::of(&self.held.head.arn, Some(due).filter(|_| !self.leaves_something()))
    }

    fn leaves_something(&self) -> bool {
        has_beginnings(&self.held.snapshot) || self.held.has_unheard_answers()
    }

    /// True when a message is on its way to whoever looks at `due`, or before.
    pub(super) fn is_watched(&self, due: Timestamp, now: Timestamp) -> bool {
        let snapshot = &self.held.snapshot;
        if self.leaves_something() {
            return false;
        }
        (rests(snapshot) && is_ahead(due, now)) || self.deliver.watches.cover(&self.held.head.arn, due, now)
    }

    /// Tells others to look before writing what they will find, where nobody may be there when it is due.
    pub(super) async fn announce(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let snapshot = &self.held.snapshot;
        let Some(due) = snapshot.due() else { return Ok(()) };
        if self.deliver.performs() && rests(snapshot) {
            let near = due.0.saturating_sub(now.0) <= NEAR_MS;
            let stays = near || (self.held.has_unheard_answers() && !self.term.is_over(now));
            return if stays && !self.unwatched { Ok(()) } else { self.arm(due, now).await };
        }
        if self.deliver.performs() && !self.unwatched {
            return Ok(());
        }
        let announces = Some(self.held.sequence.map_or(0, |last| last + 1));
        let wake_up = WakeUp { announces, ..self.wake_up(due) };
        self.deliver.world.queue.send(wake_up).await
    }

    /// Sends a message to whoever looks at `due`.
    pub(super) async fn arm(&mut self, due: Timestamp, now: Timestamp) -> Result<(), StoreError> {
        let wake_up = self.wake_up(due);
        let watched = wake_up.due;
        self.deliver.world.queue.send(wake_up).await?;
        if let Some(due) = watched {
            self.deliver.watches.sent(&self.held.head.arn, due, now);
        }
        Ok(())
    }

    /// The time is too short for something that could begin: others are told of it now, not when all calls are back.
    pub(super) async fn hand_over(&mut self) {
        let wake_up = self.wake_up(self.now());
        if let Err(error) = self.deliver.world.queue.send(wake_up).await {
            // They are told when the calls are back.
            tracing::warn!(execution = self.held.head.arn, %error, "others could not be told of what is left to them");
        }
    }
}

/// True when no message that anybody sent to be told then has been told yet.
pub(super) fn is_ahead(due: Timestamp, now: Timestamp) -> bool {
    due > now.plus_millis(AHEAD_MS)
}

/// True when nothing can be begun and nobody makes a call: time alone moves the execution, or somebody outside.
pub(super) fn rests(snapshot: &Snapshot) -> bool {
    !has_beginnings(snapshot) && snapshot.claimed().next().is_none()
}

/// True when something can be begun at once.
pub(super) fn has_beginnings(snapshot: &Snapshot) -> bool {
    snapshot.ready().next().is_some() || snapshot.unclaimed().next().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_may_be_in_hand_covers_nothing() {
        let (watches, now) = (Watches::default(), Timestamp(1_700_000_000_000));
        for (sent, covers) in [(-1, false), (0, false), (EARLY_MS, false), (EARLY_MS + 1, true), (60_000, true)] {
            watches.sent("one", now.plus_millis(sent), now);
            assert_eq!(watches.cover("one", now.plus_millis(60_000), now), covers, "{sent} ms ahead");
        }
        assert!(!watches.cover("one", now.plus_millis(59_999), now), "it comes later than that");
        assert!(!watches.cover("another", now.plus_millis(60_000), now));
        watches.told("one", now.plus_millis(59_999));
        assert!(watches.cover("one", now.plus_millis(60_000), now), "that was another");
        watches.told("one", now.plus_millis(60_000));
        assert!(!watches.cover("one", now.plus_millis(60_000), now));
    }
}
