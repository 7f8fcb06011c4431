//! Where a holder's commits go: the journal of a standard execution, or nowhere for an express one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use asl::StateMachine;
use interpreter::{Closing, Snapshot, Timestamp};

use super::rehearsal::Rehearsal;
use super::round::Round;
use super::watch::rests;
use super::{Deliver, DeliverError};
use crate::cells::{self, CellRead};
use crate::entry::{self, Assembly, Draft, Entry, Head};
use crate::ports::{Appended, Cell, Direction, ExecutionStatus, Happening, Listing, Record, StoreError};

/// Bytes of changes since the last full set below which no new one is written.
const FULL_SET_AFTER: usize = 256 << 10;
/// Changes may outweigh the last full set this many times before a new one is written. More would make an execution
/// slower to take up, less would make the full sets of a long Map weigh on each of its items.
const FULL_SET_RATIO: usize = 8;
/// Attempts to get through to a store that is busy, before the letters are told so.
const STORE_TRIES: u32 = 8;

/// An execution in hand.
pub(super) struct Held {
    pub machine: Arc<StateMachine>,
    pub snapshot: Snapshot,
    pub head: Head,
    pub rehearsal: Option<Rehearsal>,
    /// The sequence of the last entry; `None` before the first.
    pub sequence: Option<u64>,
    /// The time of the last entry: no step is earlier.
    pub at: Timestamp,
    /// What was said to its waits beside the journal, as of the last look at the cells.
    pub notes: Vec<CellRead>,
    full: u64,
    full_bytes: usize,
    bytes_since: usize,
}

/// What became of a commit.
pub(super) enum Committed {
    Durable,
    /// Somebody else wrote this sequence first.
    Taken(Box<Record>),
}

impl Held {
    pub fn new(machine: Arc<StateMachine>, snapshot: Snapshot, head: Head) -> Held {
        let (at, rehearsal) = (head.started, Rehearsal::of(&head, BTreeMap::new()));
        Held {
            machine,
            snapshot,
            head,
            rehearsal,
            sequence: None,
            at,
            notes: Vec::new(),
            full: 0,
            full_bytes: 0,
            bytes_since: 0,
        }
    }

    /// Reads an execution from its journal.
    pub async fn load(deliver: &Deliver, arn: &str) -> Result<Held, DeliverError> {
        let journal = &deliver.world.journal;
        let (records, cells) = journal.load(arn).await?;
        let Some(last) = records.last() else { return Err(DeliverError::NoSuchExecution) };
        let (sequence, full) = (last.sequence, last.full);
        let bytes = |kept: &dyn Fn(&Record) -> bool| -> usize {
            records.iter().filter(|record| kept(record)).map(|record| record.body.len()).sum()
        };
        let full_bytes = bytes(&|record| full > 0 && record.sequence == full);
        let bytes_since = bytes(&|record| record.sequence > full);
        let entries: Result<Vec<(u64, Entry)>, _> = records
            .iter()
            .map(|record| Ok((record.sequence, entry::decode(record.sequence, &record.body)?)))
            .collect::<Result<_, entry::Unreadable>>();
        let mut assembly = Assembly::of(entries?)?;
        for (from, count) in runs(&assembly.missing()) {
            for record in journal.read(arn, from, Direction::Ascending, count).await? {
                assembly.supply(record.sequence, entry::decode(record.sequence, &record.body)?);
            }
        }
        let (at, calls) = (assembly.at, std::mem::take(&mut assembly.calls));
        let (head, snapshot) = assembly.finish()?;
        let notes = notes(&head, &cells)?;
        let machine = deliver.definitions.get(&head.revision).await?;
        let rehearsal = Rehearsal::of(&head, calls);
        Ok(Held {
            machine,
            snapshot,
            head,
            rehearsal,
            sequence: Some(sequence),
            at,
            notes,
            full,
            full_bytes,
            bytes_since,
        })
    }

    /// Looks at the cells again.
    pub async fn read_cells(&mut self, deliver: &Deliver) -> Result<(), DeliverError> {
        let cells = deliver.world.journal.cells(&self.head.arn).await?;
        self.notes = notes(&self.head, &cells)?;
        Ok(())
    }

    /// Writes a round down. Until this returns `Durable`, nobody may act on it.
    pub async fn commit(&mut self, deliver: &Deliver, round: &Round, now: Timestamp) -> Result<Committed, StoreError> {
        let sequence = self.sequence.map_or(0, |last| last + 1);
        let full = self.bytes_since > FULL_SET_AFTER.max(self.full_bytes.saturating_mul(FULL_SET_RATIO));
        let draft = Draft {
            sequence,
            at: now,
            head: (sequence == 0).then(|| self.head.clone()),
            snapshot: &self.snapshot,
            events: &round.events,
            changed: &round.changed,
            full: full || sequence == 0,
            calls: self.rehearsal.as_ref().map(Rehearsal::calls),
        };
        let mut encoded =
            entry::encode(draft).map_err(|error| StoreError { message: error.to_string(), retryable: false })?;
        let size = encoded.body.len();
        let open = self.snapshot.is_open();
        let record = Record {
            execution: self.head.arn.clone(),
            sequence,
            nonce: nonce(deliver),
            full: if full { sequence } else { self.full },
            due: self.look_at(now),
            open,
            listing: (sequence == 0 || !open).then(|| self.listing()),
            body: std::mem::take(&mut encoded.body),
        };
        match append(deliver, record).await? {
            Appended::Taken(winner) => return Ok(Committed::Taken(winner)),
            Appended::Written => {}
        }
        encoded.settle();
        self.count(deliver);
        self.sequence = Some(sequence);
        self.at = now;
        if full {
            (self.full, self.full_bytes, self.bytes_since) = (sequence, size, 0);
        } else {
            self.bytes_since += size;
        }
        Ok(Committed::Durable)
    }

    /// When somebody has to look who knows nothing of this holder.
    fn look_at(&self, now: Timestamp) -> Option<Timestamp> {
        let snapshot = &self.snapshot;
        if !snapshot.is_open() {
            return None;
        }
        if rests(snapshot) { snapshot.due() } else { Some(now) }
    }

    /// Tells who counts what the commit that was just written did; `sequence` is still that of the one before.
    fn count(&self, deliver: &Deliver) {
        let machine = &self.head.machine_arn;
        if self.sequence.is_none() {
            deliver.world.metrics.count(Happening::Started { machine });
        }
        if let Some((closing, at)) = &self.snapshot.closed {
            deliver.count_end(machine, status_of(closing), self.head.started, *at);
        }
    }

    fn listing(&self) -> Listing {
        let (status, stopped) = match &self.snapshot.closed {
            None => (ExecutionStatus::Running, None),
            Some((closing, at)) => (status_of(closing), Some(*at)),
        };
        Listing {
            execution: self.head.arn.clone(),
            machine: self.head.machine_arn.clone(),
            name: self.head.name.clone(),
            status,
            started: self.head.started,
            stopped,
        }
    }
}

impl Deliver {
    pub(super) fn count_end(&self, machine: &str, status: ExecutionStatus, started: Timestamp, stopped: Timestamp) {
        let millis = stopped.0.saturating_sub(started.0);
        self.world.metrics.count(Happening::Ended { machine, status, millis });
    }
}

fn notes(head: &Head, cells: &[Cell]) -> Result<Vec<CellRead>, entry::Unreadable> {
    cells.iter().filter(|cell| cells::belongs(cell, head.started)).map(cells::decode).collect()
}

/// The status a closing gives.
pub fn status_of<P>(closing: &Closing<P>) -> ExecutionStatus {
    match closing {
        Closing::Succeeded { .. } => ExecutionStatus::Succeeded,
        Closing::Failed(_) => ExecutionStatus::Failed,
        Closing::Aborted(_) => ExecutionStatus::Aborted,
        Closing::TimedOut(_) => ExecutionStatus::TimedOut,
    }
}

/// Appends; after an error, reads whether it was written before trying again.
pub(super) async fn append(deliver: &Deliver, record: Record) -> Result<Appended, StoreError> {
    let journal = &deliver.world.journal;
    let mut pause = Duration::from_millis(20);
    let mut tries = 1;
    loop {
        let error = match journal.append(record.clone()).await {
            Ok(Appended::Taken(winner)) if winner.nonce == record.nonce => return Ok(Appended::Written),
            Ok(appended) => return Ok(appended),
            Err(error) => error,
        };
        if !error.retryable || tries >= STORE_TRIES {
            return Err(error);
        }
        tracing::warn!(execution = record.execution, %error, tries, "the store did not take an entry; trying again");
        tokio::time::sleep(pause).await;
        tries += 1;
        pause = pause.saturating_mul(2);
    }
}

pub(super) fn nonce(deliver: &Deliver) -> u64 {
    deliver.world.clock.seed().iter().take(8).fold(0, |nonce, byte| (nonce << 8) | u64::from(*byte))
}

/// Sequences as runs without large gaps: (first, how many to read).
fn runs(sequences: &[u64]) -> Vec<(u64, usize)> {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for sequence in sequences {
        match runs.last_mut() {
            Some((first, last)) if sequence - *last <= 8 && sequence - *first < 1_000 => *last = *sequence,
            _ => runs.push((*sequence, *sequence)),
        }
    }
    runs.into_iter().map(|(first, last)| (first, usize::try_from(last - first + 1).unwrap_or(1))).collect()
}
