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
use engine::ports::{Clock, Queue, StoreError, WakeUp};
use interpreter::Timestamp;
use tokio::sync::Notify;

/// An execution to look at, and when the messages that say so were due.
#[derive(Debug)]
pub struct Told {
    pub execution: String,
    times: Vec<Due>,
}

/// `None` is at once, and comes first: even if the clock is set back before it is told.
type Due = Option<Timestamp>;

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
    pub async fn next(&self) -> Told {
        loop {
            // Before the look at what waits, so that nothing sent in between is missed.
            let mut earlier = std::pin::pin!(self.earlier.notified());
            earlier.as_mut().enable();
            let now = self.clock.now();
            let first = {
                let mut waiting = self.lock();
                if let Some(told) = waiting.take_due(now) {
                    return told;
                }
                waiting.first().flatten()
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

    /// Somebody has looked. Where the clock was set back meanwhile, he took these messages for ones that are still to come:
    /// so they come again.
    pub fn dealt_with(&self, Told { execution, times }: Told) {
        let now = self.clock.now();
        for due in times.into_iter().filter(|due| due.is_some_and(|due| due > now)) {
            self.add(&execution, due);
        }
    }

    /// How many messages wait, due or not.
    pub fn len(&self) -> usize {
        self.lock().order.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn add(&self, execution: &str, due: Due) {
        if self.lock().add(execution, due) {
            self.earlier.notify_waiters();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Queue for TimerQueue {
    async fn send(&self, wake_up: WakeUp) -> Result<(), StoreError> {
        let WakeUp { execution, due, announces: _ } = wake_up;
        self.add(&execution, due);
        Ok(())
    }
}

/// One message: when, the how-manieth, for which execution.
type Message = (Due, u64, Arc<str>);

/// The same messages twice: in the order of time, and by execution.
#[derive(Default)]
struct Waiting {
    order: BTreeSet<Message>,
    /// For each execution with messages its times, each with the message's number.
    executions: BTreeMap<Arc<str>, BTreeMap<Due, u64>>,
    sent: u64,
}

impl Waiting {
    fn first(&self) -> Option<Due> {
        self.order.first().map(|(due, ..)| *due)
    }

    /// True when the message is earlier than all others.
    fn add(&mut self, execution: &str, due: Due) -> bool {
        let earliest = self.first().is_none_or(|first| due < first);
        let name = match self.executions.get_key_value(execution) {
            Some((name, _)) => Arc::clone(name),
            None => Arc::from(execution),
        };
        let times = self.executions.entry(Arc::clone(&name)).or_default();
        if let Entry::Vacant(place) = times.entry(due) {
            self.sent = self.sent.wrapping_add(1);
            place.insert(self.sent);
            self.order.insert((due, self.sent, name));
        }
        earliest
    }

    /// Takes the first message that is due, and with it the others for its execution that are.
    fn take_due(&mut self, now: Timestamp) -> Option<Told> {
        let (first, _, execution) = self.order.first()?;
        if *first > Some(now) {
            return None;
        }
        let execution = Arc::clone(execution);
        let mut told = Told { execution: execution.as_ref().to_owned(), times: Vec::with_capacity(1) };
        if let Some(times) = self.executions.get_mut(&execution) {
            let later = times.split_off(&Some(now.plus_millis(1)));
            for (due, number) in std::mem::replace(times, later) {
                self.order.remove(&(due, number, Arc::clone(&execution)));
                told.times.push(due);
            }
            if times.is_empty() {
                self.executions.remove(&execution);
            }
        }
        Some(told)
    }
}
