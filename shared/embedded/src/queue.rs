//! The port `Queue` in memory: wake-ups of executions, by due time.
//!
//! Nothing here is durable. After a restart the process reads open executions and their due times from the store and
//! sends them here again.
//!
//! Wake-ups of one execution that are due together are delivered as one. A wake-up never replaces a later one: it is sent
//! before the commit that it announces, so an early delivery may find nothing yet, and then only the later wake-up leads
//! to the commit.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use engine::ports::{Clock, Queue, StoreError, WakeUp};
use interpreter::Timestamp;
use tokio::sync::Notify;

/// An execution to wake, and the due times of its wake-ups.
#[derive(Debug)]
pub struct Wake {
    pub execution: String,
    times: Vec<Due>,
}

/// `None` is at once, and comes first even if the clock is set back before its delivery.
type Due = Option<Timestamp>;

/// Wake-ups by due time. Any number of tasks may send, any number may wait for the next.
pub struct TimerQueue {
    clock: Arc<dyn Clock>,
    waiting: Mutex<Waiting>,
    /// Wake when the earliest time becomes earlier.
    earlier: Notify,
}

impl TimerQueue {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, waiting: Mutex::default(), earlier: Notify::new() }
    }

    /// The next execution to wake: waits until a wake-up is due, and takes all due wake-ups of that execution.
    /// Among those due, the earliest first, then the one sent first. Nothing is taken when the future is dropped.
    pub async fn next(&self) -> Wake {
        loop {
            // Before the queue is read, so that nothing sent in between is missed.
            let mut earlier = std::pin::pin!(self.earlier.notified());
            earlier.as_mut().enable();
            let now = self.clock.now();
            let first = {
                let mut waiting = self.lock();
                if let Some(wake) = waiting.take_due(now) {
                    return wake;
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

    /// The execution was woken. Wake-ups that a clock set back has made future ones are queued again.
    pub fn delivered(&self, Wake { execution, times }: Wake) {
        let now = self.clock.now();
        for due in times.into_iter().filter(|due| due.is_some_and(|due| due > now)) {
            self.add(&execution, due);
        }
    }

    /// Queued wake-ups, due or not.
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
        let WakeUp { execution, due, announces: _, ended: _ } = wake_up;
        self.add(&execution, due);
        Ok(())
    }
}

/// A queued wake-up: its due time, its number in the order of sending, its execution.
type Message = (Due, u64, Arc<str>);

/// Queued wake-ups by time, and by execution.
#[derive(Default)]
struct Waiting {
    order: BTreeSet<Message>,
    /// By execution: due times, each with the wake-up's number.
    executions: BTreeMap<Arc<str>, BTreeMap<Due, u64>>,
    sent: u64,
}

impl Waiting {
    fn first(&self) -> Option<Due> {
        self.order.first().map(|(due, ..)| *due)
    }

    /// True when the wake-up is earlier than all others.
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

    /// Takes the first due wake-up, and with it the other due ones of its execution.
    fn take_due(&mut self, now: Timestamp) -> Option<Wake> {
        let (first, _, execution) = self.order.first()?;
        if *first > Some(now) {
            return None;
        }
        let execution = Arc::clone(execution);
        let mut wake = Wake { execution: execution.as_ref().to_owned(), times: Vec::with_capacity(1) };
        if let Some(times) = self.executions.get_mut(&execution) {
            let later = times.split_off(&Some(now.plus_millis(1)));
            for (due, number) in std::mem::replace(times, later) {
                self.order.remove(&(due, number, Arc::clone(&execution)));
                wake.times.push(due);
            }
            if times.is_empty() {
                self.executions.remove(&execution);
            }
        }
        Some(wake)
    }
}
