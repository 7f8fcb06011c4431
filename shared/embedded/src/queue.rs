//! The port `Queue` in memory: which execution is to be looked at when.
//!
//! Nothing here is durable. After a restart the store says which executions are open and when something is due, and
//! whoever starts the process sends that here again.
//!
//! Messages for one execution are told once when they are due together. A message is never dropped in favour of an
//! earlier one: a message is sent before the commit that it announces, so who is told early may find nothing yet, and
//! the later message is then the only one that leads to the commit.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use interpreter::Timestamp;
use service::ports::{Clock, Notice, Queue, StoreError};
use tokio::sync::Notify;

/// Messages and their times. Any number may send, any number may wait for the next.
pub struct TimerQueue {
    clock: Arc<dyn Clock>,
    waiting: Mutex<Waiting>,
    /// Told when the earliest time becomes earlier.
    earlier: Notify,
}

impl TimerQueue {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, waiting: Mutex::default(), earlier: Notify::new() }
    }

    /// The next execution to look at: waits until a message is due, and takes every message for that execution that is.
    /// Among those due, the earliest first, then the one sent first. Nothing is taken when the future is dropped.
    pub async fn next(&self) -> String {
        loop {
            // Before the look at what waits, so that nothing sent in between is missed.
            let mut earlier = std::pin::pin!(self.earlier.notified());
            earlier.as_mut().enable();
            let now = self.clock.now();
            let first = {
                let mut waiting = self.lock();
                if let Some(execution) = waiting.take_due(now) {
                    return execution.as_ref().to_owned();
                }
                waiting.first()
            };
            match first {
                None => earlier.await,
                Some(first) => tokio::select! {
                    () = earlier => {}
                    () = self.clock.sleep_until(first) => {}
                },
            }
        }
    }

    /// How many messages wait, due or not.
    pub fn len(&self) -> usize {
        self.lock().order.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Queue for TimerQueue {
    async fn send(&self, notice: Notice) -> Result<(), StoreError> {
        let Notice { execution, due, announces: _ } = notice;
        let now = self.clock.now();
        if self.lock().add(&execution, due.unwrap_or(now), now) {
            self.earlier.notify_waiters();
        }
        Ok(())
    }
}

/// One message: when, the how-manieth, for which execution.
type Message = (Timestamp, u64, Arc<str>);

/// The same messages twice: in the order of time, and by execution.
#[derive(Default)]
struct Waiting {
    order: BTreeSet<Message>,
    /// For each execution with messages its times, each with the message's number.
    executions: BTreeMap<Arc<str>, BTreeMap<Timestamp, u64>>,
    sent: u64,
}

impl Waiting {
    fn first(&self) -> Option<Timestamp> {
        self.order.first().map(|(time, ..)| *time)
    }

    /// True when the message is earlier than all others.
    fn add(&mut self, execution: &str, due: Timestamp, now: Timestamp) -> bool {
        let earliest = self.first().is_none_or(|first| due < first);
        let name = match self.executions.get_key_value(execution) {
            Some((name, _)) => Arc::clone(name),
            None => Arc::from(execution),
        };
        let times = self.executions.entry(Arc::clone(&name)).or_default();
        // Who takes a message that is due already comes after this moment, and so sees what this one announces.
        let told_anyway = due <= now && times.first_key_value().is_some_and(|(first, _)| *first <= now);
        if let Entry::Vacant(place) = times.entry(due)
            && !told_anyway
        {
            self.sent = self.sent.wrapping_add(1);
            place.insert(self.sent);
            self.order.insert((due, self.sent, name));
        }
        earliest
    }

    /// Takes the first message that is due, and with it the others for its execution that are.
    fn take_due(&mut self, now: Timestamp) -> Option<Arc<str>> {
        if self.first()? > now {
            return None;
        }
        let (_, _, execution) = self.order.pop_first()?;
        if let Some(times) = self.executions.get_mut(&execution) {
            let later = times.split_off(&Timestamp(now.0.saturating_add(1)));
            for (time, number) in std::mem::replace(times, later) {
                self.order.remove(&(time, number, Arc::clone(&execution)));
            }
            if times.is_empty() {
                self.executions.remove(&execution);
            }
        }
        Some(execution)
    }
}
