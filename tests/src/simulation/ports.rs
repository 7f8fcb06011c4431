//! The ports as one process sees them: the disk, a queue and a clock, behind the process's gate.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use embedded::TimerQueue;
use engine::SteadyTime;
use engine::ports::{
    Appended, Cell, Clock, Direction, Document, Documents, Expect, Journal, ListPage, ListQuery, OpenPage, Put, Queue,
    Record, Seen, Starts, StoreError, WakeUp,
};
use interpreter::Timestamp;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::faults::Gate;
use super::sabotage::Saboteur;
use super::watchdog::Watchdog;
use super::{Chance, Disk};

/// The disk behind a gate.
pub struct Gated {
    pub disk: Disk,
    pub saboteur: Arc<Saboteur>,
    pub gate: Arc<Gate>,
}

#[async_trait]
impl Journal for Gated {
    async fn append(&self, record: Record) -> Result<Appended, StoreError> {
        let bytes = record.body.len();
        let (execution, sequence, due) = (record.execution.clone(), record.sequence, record.due);
        let answer = self.gate.commit(bytes, self.saboteur.append(&self.disk, record)).await;
        self.gate.say(|| {
            let outcome = match &answer {
                Ok(Appended::Written) => "written".to_owned(),
                Ok(Appended::Taken(_)) => "taken".to_owned(),
                Err(error) => error.to_string(),
            };
            format!("{execution} #{sequence} {outcome}, due {due:?}")
        });
        answer
    }

    async fn tail(&self, execution: &str) -> Result<Vec<Record>, StoreError> {
        self.gate.count(|counts| counts.loads += 1);
        self.gate.pass(self.disk.tail(execution)).await
    }

    async fn ends(&self, execution: &str) -> Result<Option<(Record, Record)>, StoreError> {
        self.gate.pass(self.disk.ends(execution)).await
    }

    async fn read(
        &self,
        execution: &str,
        from: u64,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        self.gate.pass(Journal::read(&self.disk, execution, from, direction, limit)).await
    }

    async fn list(&self, query: &ListQuery) -> Result<ListPage, StoreError> {
        self.gate.pass(Journal::list(&self.disk, query)).await
    }

    async fn open(&self, after: Option<&str>, limit: usize) -> Result<OpenPage, StoreError> {
        self.gate.pass(self.disk.open(after, limit)).await
    }

    async fn cells(&self, execution: &str) -> Result<Vec<Cell>, StoreError> {
        // Loading reads both at once.
        self.disk.cells(execution).await
    }

    async fn put_cell(&self, cell: Cell, over: Expect) -> Result<Put, StoreError> {
        let (execution, key) = (cell.execution.clone(), cell.key.clone());
        let answers = cell.needs_wakeup;
        let answer = self.gate.pass(self.saboteur.put_cell(&self.disk, cell, over)).await;
        if answers && matches!(answer, Ok(Put::Written)) {
            self.gate.count(|counts| counts.cells += 1);
        }
        self.gate.say(|| format!("{execution} cell {key} {over:?}: {answer:?}"));
        answer
    }

    async fn drop_cell(&self, execution: &str, key: &str) -> Result<(), StoreError> {
        self.gate.pass(self.disk.drop_cell(execution, key)).await
    }

    async fn forget(&self, seen: &Seen) -> Result<(), StoreError> {
        self.gate.pass(self.disk.forget(seen)).await
    }
}

#[async_trait]
impl Documents for Gated {
    async fn get(&self, arn: &str) -> Result<Option<Document>, StoreError> {
        self.gate.pass(self.disk.get(arn)).await
    }

    async fn put(&self, item: Document) -> Result<bool, StoreError> {
        self.gate.pass(self.disk.put(item)).await
    }

    async fn remove(&self, arn: &str, version: u64) -> Result<bool, StoreError> {
        self.gate.pass(self.disk.remove(arn, version)).await
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Document>, StoreError> {
        self.gate.pass(Documents::list(&self.disk, prefix, after, limit)).await
    }

    async fn put_revision(&self, hash: &str, definition: &str) -> Result<(), StoreError> {
        self.gate.pass(self.disk.put_revision(hash, definition)).await
    }

    async fn revision(&self, hash: &str) -> Result<Option<String>, StoreError> {
        self.gate.pass(self.disk.revision(hash)).await
    }
}

#[async_trait]
impl Starts for Gated {
    async fn keep(&self, id: &str, body: &str) -> Result<(), StoreError> {
        if self.saboteur.forgets_a_start() {
            return self.gate.pass(async { Ok(()) }).await;
        }
        self.gate.pass(self.disk.keep(id, body)).await
    }

    async fn rewrite(&self, id: &str, body: &str) -> Result<(), StoreError> {
        self.gate.pass(self.disk.rewrite(id, body)).await
    }

    async fn drop(&self, id: &str) -> Result<(), StoreError> {
        self.gate.pass(Starts::drop(&self.disk, id)).await
    }

    async fn pending(&self) -> Result<Vec<(String, String)>, StoreError> {
        self.gate.pass(self.disk.pending()).await
    }
}

/// A process's queue: it dies with it, as that of `serve`.
pub struct GatedQueue {
    pub queue: Arc<TimerQueue>,
    pub gate: Arc<Gate>,
}

#[async_trait]
impl Queue for GatedQueue {
    async fn send(&self, wake_up: WakeUp) -> Result<(), StoreError> {
        let arrive = async {
            match self.gate.copies() {
                0 => Ok(()),
                1 => self.queue.send(wake_up).await,
                _ => {
                    // The second comes when the first has long been dealt with.
                    let again = WakeUp { due: wake_up.due.map(|due| due.plus_seconds(3)), ..wake_up.clone() };
                    self.queue.send(wake_up).await?;
                    self.queue.send(again).await
                }
            }
        };
        self.gate.pass(arrive).await
    }
}

/// Virtual time, and chance from a seed.
pub struct VirtualClock {
    /// Its reading when time began.
    base: AtomicI64,
    began: Instant,
    chance: Mutex<Chance>,
    watchdog: Arc<Watchdog>,
    /// Present where it is that of a process that has its own time, as the system's clock has.
    steady: Option<Mutex<SteadyTime>>,
    /// Told when it is set.
    stepped: Notify,
}

impl VirtualClock {
    /// A clock that shows `base` now. Only inside a runtime whose time is virtual.
    pub fn new(base: Timestamp, seed: u64) -> VirtualClock {
        VirtualClock {
            base: AtomicI64::new(base.0),
            began: Instant::now(),
            chance: Mutex::new(Chance::new(seed)),
            watchdog: Arc::default(),
            steady: None,
            stepped: Notify::new(),
        }
    }

    /// One that ends its world when it is asked too often.
    pub(super) fn watched(base: Timestamp, seed: u64) -> VirtualClock {
        VirtualClock { watchdog: Arc::new(Watchdog::watching()), ..VirtualClock::new(base, seed) }
    }

    /// The same, never set back, as the system's clock is.
    pub(super) fn steady(self) -> VirtualClock {
        let clock = VirtualClock { steady: Some(Mutex::default()), ..self };
        clock.now();
        clock
    }

    /// Another clock, that far ahead of this one.
    pub fn beside(&self, ahead_ms: i64, seed: u64) -> VirtualClock {
        let base = self.base.load(Ordering::Relaxed).saturating_add(ahead_ms);
        let (chance, watchdog) = (Mutex::new(Chance::new(seed)), self.watchdog.clone());
        let (steady, stepped) = (None, Notify::new());
        VirtualClock { base: AtomicI64::new(base), began: self.began, chance, watchdog, steady, stepped }
    }

    /// Counts how often this clock and those beside it are asked.
    pub(super) fn watchdog(&self) -> &Watchdog {
        &self.watchdog
    }

    pub fn set_back(&self, millis: i64) {
        self.step(-millis);
    }

    /// Sets it ahead, or back.
    pub fn step(&self, millis: i64) {
        self.base.fetch_add(millis, Ordering::Relaxed);
        self.stepped.notify_waiters();
    }

    /// From now on it shows what the other does.
    pub fn jump_to(&self, other: &VirtualClock) {
        self.base.store(other.base.load(Ordering::Relaxed), Ordering::Relaxed);
        self.stepped.notify_waiters();
    }
}

#[async_trait]
impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        self.watchdog.asked();
        let base = Timestamp(self.base.load(Ordering::Relaxed));
        let wall = base.plus_millis(i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX));
        let Some(steady) = &self.steady else { return wall };
        let since_1970 = Duration::from_millis(u64::try_from(wall.0).unwrap_or(0));
        let mut steady = steady.lock().unwrap_or_else(PoisonError::into_inner);
        steady.read(since_1970, self.began.elapsed()).now
    }

    fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    fn seed(&self) -> [u8; 32] {
        self.watchdog.asked();
        let mut chance = self.chance.lock().unwrap_or_else(PoisonError::into_inner);
        let mut seed = [0; 32];
        for eight in seed.chunks_mut(8) {
            eight.copy_from_slice(&chance.draw().to_le_bytes());
        }
        seed
    }

    async fn sleep_until(&self, time: Timestamp) {
        while let Some(left) = u64::try_from(time.0.saturating_sub(self.now().0)).ok().filter(|left| *left > 0) {
            // The system's clock looks every second; here a year goes by in a moment.
            tokio::select! {
                biased;
                () = tokio::time::sleep(Duration::from_millis(left)) => {}
                () = self.stepped.notified() => {}
            }
        }
    }
}
