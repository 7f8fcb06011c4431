//! The state that survives a crash: the journal, the machines and the kept starts, in memory.
//!
//! These are the ports without faults; [`super::ports`] puts the faults in front of them. They are held to the port
//! contracts like every other adapter.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use engine::cells::{self, Content};
use engine::ports::{
    Appended, Cell, Direction, Document, Documents, Expect, Journal, ListPage, ListQuery, Listing, OpenPage, Put,
    Record, Seen, Starts, StoreError,
};
use interpreter::{Answer, Payload, Timestamp};
use tokio::sync::Notify;

/// A disk. Clones are the same disk.
#[derive(Clone, Default)]
pub struct Disk {
    stored: Arc<Mutex<Stored>>,
    closed: Arc<Notify>,
}

#[derive(Default)]
struct Stored {
    executions: BTreeMap<String, Vec<Record>>,
    machines: BTreeMap<String, Document>,
    revisions: BTreeMap<String, String>,
    starts: BTreeMap<String, String>,
    /// By execution and key.
    cells: BTreeMap<(String, String), Cell>,
    /// The decisions on waits beside the journal, in the order in which they were written.
    decided: Vec<Decided>,
    /// By execution, when each record was written.
    written: BTreeMap<String, Vec<Order>>,
    happened: u64,
}

/// Where something stands among all that happened in a world, in whatever process and by whatever clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Order(u64);

/// A cell that was written for good: an answer is in it, or its wait is over.
#[derive(Debug, Clone)]
pub struct Decided {
    pub execution: String,
    pub attempt_id: u64,
    pub answer: Option<Answer<Payload>>,
    pub at: Order,
}

impl Disk {
    /// Every record of an execution.
    pub fn records(&self, execution: &str) -> Vec<Record> {
        self.lock().executions.get(execution).cloned().unwrap_or_default()
    }

    /// When a record of an execution was written.
    pub fn written(&self, execution: &str, sequence: u64) -> Option<Order> {
        let place = usize::try_from(sequence).ok()?;
        self.lock().written.get(execution).and_then(|written| written.get(place)).copied()
    }

    /// Every wait of an execution that was decided beside its journal.
    pub fn decided(&self, execution: &str) -> Vec<Decided> {
        self.lock().decided.iter().filter(|decided| decided.execution == execution).cloned().collect()
    }

    /// Now: after everything so far.
    pub fn now(&self) -> Order {
        self.lock().next()
    }

    /// True when the execution has begun and is closed.
    pub fn is_closed(&self, execution: &str) -> bool {
        let stored = self.lock();
        let last = stored.executions.get(execution).and_then(|records| records.last());
        last.is_some_and(|last| !last.open)
    }

    /// Waits until the execution is closed.
    pub async fn closed(&self, execution: &str) {
        loop {
            let mut closing = std::pin::pin!(self.closed.notified());
            closing.as_mut().enable();
            if self.is_closed(execution) {
                return;
            }
            closing.await;
        }
    }

    /// Every execution that has begun.
    pub fn executions(&self) -> Vec<String> {
        self.lock().executions.keys().cloned().collect()
    }

    /// Puts a record in the place of another; false when there is none. No store does that.
    pub(super) fn replace(&self, record: &Record) -> bool {
        let mut stored = self.lock();
        let records = stored.executions.get_mut(&record.execution);
        let place = usize::try_from(record.sequence).ok();
        let there = records.zip(place).and_then(|(records, place)| records.get_mut(place));
        there.map(|there| *there = record.clone()).is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Stored> {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stored {
    fn next(&mut self) -> Order {
        self.happened += 1;
        Order(self.happened)
    }

    fn decide(&mut self, cell: &Cell) {
        let Some(note) = cells::decode(cell).ok().filter(|_| cell.is_final) else { return };
        let answer = match note.content {
            Content::Answered(answer) => Some(answer),
            Content::Heartbeat | Content::Closed => None,
        };
        let (execution, attempt_id, at) = (cell.execution.clone(), note.wait.attempt_id, self.next());
        self.decided.push(Decided { execution, attempt_id, answer, at });
    }
}

#[async_trait]
impl Journal for Disk {
    async fn append(&self, record: Record) -> Result<Appended, StoreError> {
        let mut stored = self.lock();
        let sequences = usize::try_from(record.sequence).map_err(|_| refused("a sequence beyond memory"))?;
        let there = stored.executions.get(&record.execution).map_or(&[][..], Vec::as_slice);
        if let Some(winner) = there.get(sequences) {
            return Ok(Appended::Taken(Box::new(winner.clone())));
        }
        if there.len() != sequences {
            return Err(refused("an append that leaves a gap"));
        }
        let now = stored.next();
        stored.written.entry(record.execution.clone()).or_default().push(now);
        let records = stored.executions.entry(record.execution.clone()).or_default();
        let closes = !record.open;
        records.push(record);
        if closes {
            self.closed.notify_waiters();
        }
        Ok(Appended::Written)
    }

    async fn tail(&self, execution: &str) -> Result<Vec<Record>, StoreError> {
        let records = self.records(execution);
        let full = records.last().map_or(0, |last| last.full);
        Ok(records.into_iter().filter(|record| record.sequence == 0 || record.sequence >= full).collect())
    }

    async fn ends(&self, execution: &str) -> Result<Option<(Record, Record)>, StoreError> {
        let records = self.records(execution);
        Ok(records.first().cloned().zip(records.last().cloned()))
    }

    async fn read(
        &self,
        execution: &str,
        from: u64,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        let records = self.records(execution);
        Ok(match direction {
            Direction::Ascending => records.into_iter().filter(|one| one.sequence >= from).take(limit).collect(),
            Direction::Descending => records.into_iter().rev().filter(|one| one.sequence <= from).take(limit).collect(),
        })
    }

    async fn list(&self, query: &ListQuery) -> Result<ListPage, StoreError> {
        let stored = self.lock();
        let latest = stored
            .executions
            .values()
            .filter_map(|records| records.iter().rev().find_map(|record| record.listing.clone()));
        let mut listings: Vec<Listing> = latest
            .filter(|listing| listing.machine == query.machine)
            .filter(|listing| query.status.is_none_or(|status| status == listing.status))
            .filter(|listing| query.after.as_ref().is_none_or(|after| place(listing) < (after.0, after.1.as_str())))
            .collect();
        listings.sort_by(|one, other| place(other).cmp(&place(one)));
        listings.truncate(query.limit);
        let last = listings.last().filter(|_| listings.len() >= query.limit);
        let next = last.map(|last| (last.started, last.execution.clone()));
        Ok(ListPage { listings, next })
    }

    async fn open(&self, after: Option<&str>, limit: usize) -> Result<OpenPage, StoreError> {
        let stored = self.lock();
        let open = stored.executions.iter().filter_map(|(execution, records)| {
            let last = records.last().filter(|last| last.open)?;
            Some((execution.clone(), last.due))
        });
        let rest = open.filter(|(execution, _)| after.is_none_or(|after| execution.as_str() > after));
        let executions: Vec<_> = rest.take(limit).collect();
        let next = executions.last().filter(|_| executions.len() >= limit).map(|(last, _)| last.clone());
        Ok(OpenPage { executions, next })
    }

    async fn cells(&self, execution: &str) -> Result<Vec<Cell>, StoreError> {
        Ok(self.lock().cells.values().filter(|cell| cell.execution == execution).cloned().collect())
    }

    async fn put_cell(&self, cell: Cell, over: Expect) -> Result<Put, StoreError> {
        let mut stored = self.lock();
        let place = (cell.execution.clone(), cell.key.clone());
        let there = stored.cells.get(&place);
        let fits = match over {
            Expect::NotFinal => there.is_none_or(|there| !there.is_final),
            Expect::Absent => there.is_none(),
            Expect::Nonce(nonce) => there.is_some_and(|there| there.nonce == nonce),
        };
        match there {
            Some(there) if there.nonce == cell.nonce => {}
            Some(there) if !fits => return Ok(Put::Refused(there.clone())),
            None if !fits => return Err(StoreError { message: "the cell is gone".to_owned(), retryable: true }),
            _ => {
                stored.decide(&cell);
                stored.cells.insert(place, cell);
            }
        }
        Ok(Put::Written)
    }

    async fn drop_cell(&self, execution: &str, key: &str) -> Result<(), StoreError> {
        self.lock().cells.remove(&(execution.to_owned(), key.to_owned()));
        Ok(())
    }

    async fn forget(&self, seen: &Seen) -> Result<(), StoreError> {
        let mut stored = self.lock();
        let execution = &seen.execution;
        let records = stored.executions.get(execution).map_or(&[][..], Vec::as_slice);
        let Some((first, last)) = records.first().zip(records.last()) else { return Ok(()) };
        if Seen::of(first, last) != *seen {
            return Ok(());
        }
        if last.open {
            return Err(refused("an open execution cannot be forgotten"));
        }
        stored.executions.remove(execution);
        stored.written.remove(execution);
        stored.cells.retain(|(of, _), _| of != execution);
        Ok(())
    }
}

/// Where a listing stands in lists; the greatest comes first.
fn place(listing: &Listing) -> (Timestamp, &str) {
    (listing.started, listing.execution.as_str())
}

fn refused(what: &str) -> StoreError {
    StoreError { message: what.to_owned(), retryable: false }
}

#[async_trait]
impl Documents for Disk {
    async fn get(&self, arn: &str) -> Result<Option<Document>, StoreError> {
        Ok(self.lock().machines.get(arn).cloned())
    }

    async fn put(&self, item: Document) -> Result<bool, StoreError> {
        let mut stored = self.lock();
        let version = stored.machines.get(&item.key).map_or(0, |old| old.version);
        let fits = item.version == version + 1;
        if fits {
            stored.machines.insert(item.key.clone(), item);
        }
        Ok(fits)
    }

    async fn remove(&self, arn: &str, version: u64) -> Result<bool, StoreError> {
        let mut stored = self.lock();
        let fits = stored.machines.get(arn).is_some_and(|item| item.version == version);
        if fits {
            stored.machines.remove(arn);
        }
        Ok(fits)
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Document>, StoreError> {
        let stored = self.lock();
        let items = stored
            .machines
            .values()
            .filter(|item| item.key.starts_with(prefix) && after.is_none_or(|after| item.key.as_str() > after));
        Ok(items.take(limit).cloned().collect())
    }

    async fn put_revision(&self, hash: &str, definition: &str) -> Result<(), StoreError> {
        self.lock().revisions.insert(hash.to_owned(), definition.to_owned());
        Ok(())
    }

    async fn revision(&self, hash: &str) -> Result<Option<String>, StoreError> {
        Ok(self.lock().revisions.get(hash).cloned())
    }
}

#[async_trait]
impl Starts for Disk {
    async fn keep(&self, id: &str, body: &str) -> Result<(), StoreError> {
        self.lock().starts.entry(id.to_owned()).or_insert_with(|| body.to_owned());
        Ok(())
    }

    async fn rewrite(&self, id: &str, body: &str) -> Result<(), StoreError> {
        self.lock().starts.entry(id.to_owned()).and_modify(|kept| *kept = body.to_owned());
        Ok(())
    }

    async fn drop(&self, id: &str) -> Result<(), StoreError> {
        self.lock().starts.remove(id);
        Ok(())
    }

    async fn pending(&self) -> Result<Vec<(String, String)>, StoreError> {
        Ok(self.lock().starts.iter().map(|(id, body)| (id.clone(), body.clone())).collect())
    }
}
