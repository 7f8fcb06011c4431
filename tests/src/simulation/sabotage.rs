//! Deliberate faults: ports that break a promise. Nothing that the service does makes up for them, so a world with one of
//! them has to be found broken; this is how the checks are checked.

use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use engine::entry::{self, Entry};
use engine::ports::{Appended, Cell, ExecutionStatus, Expect, Journal, Put, Record, StoreError};
use interpreter::{Answer, Detail, Phase};
use serde_json::Value;

use super::Disk;

/// One promise that is broken now and then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    /// The first record of an execution is acknowledged and not kept.
    StartsAreForgotten,
    /// So is one that claims an attempt.
    ClaimsAreForgotten,
    /// So is one that takes in an answer to a task token.
    AnswersAreForgotten,
    /// So is one that lies in a cell.
    CellsAreForgotten,
    /// So is one that stops an execution.
    StopsAreForgotten,
    /// A record replaces another of its sequence.
    TheLastWriterWins,
    /// Records say that nothing is due.
    DueTimesAreDropped,
    /// Messages are acknowledged and not sent.
    MessagesAreDropped,
    /// The sweep sends no wake-ups.
    TheSweepSleeps,
    /// A message is sent many times.
    MessagesMultiply,
    /// A task is called twice for one attempt.
    CallsAreRepeated,
    /// An event gets the id of the one before it.
    EventIdsAreDoubled,
    /// An event follows another than it did.
    LinksAreBent,
    /// An event happened before the one before it.
    TimeRunsBackwards,
    /// A payload is kept as another.
    PayloadsChange,
    /// The start of an Express execution is acknowledged and not kept.
    ExpressStartsAreForgotten,
    /// A list shows an execution that succeeded as one that failed.
    ListsAreWrong,
}

/// Every so many occasions are taken.
const EVERY: u64 = 3;
const COPIES: u64 = 12;

/// Breaks its promise now and then.
#[derive(Debug, Default)]
pub struct Saboteur {
    breaks: Option<Sabotage>,
    occasions: AtomicU64,
}

impl Saboteur {
    pub fn of(breaks: Option<Sabotage>) -> Saboteur {
        Saboteur { breaks, occasions: AtomicU64::new(0) }
    }

    /// True when now is the time for this.
    fn does(&self, what: Sabotage) -> bool {
        self.breaks == Some(what) && self.occasions.fetch_add(1, Ordering::Relaxed) % EVERY == 1
    }

    pub async fn append(&self, disk: &Disk, record: Record) -> Result<Appended, StoreError> {
        let Some(breaks) = self.breaks else { return disk.append(record).await };
        let Ok(entry) = entry::decode(record.sequence, &record.body) else { return disk.append(record).await };
        if is_forgotten(breaks, &record, &entry) && self.does(breaks) {
            return Ok(Appended::Written);
        }
        if breaks == Sabotage::TheLastWriterWins && self.does(breaks) && disk.replace(&record) {
            return Ok(Appended::Written);
        }
        disk.append(self.spoilt(record, &entry)).await
    }

    pub async fn put_cell(&self, disk: &Disk, cell: Cell, over: Expect) -> Result<Put, StoreError> {
        if cell.needs_wakeup && self.does(Sabotage::CellsAreForgotten) {
            return Ok(Put::Written);
        }
        disk.put_cell(cell, over).await
    }

    fn spoilt(&self, mut record: Record, entry: &Entry) -> Record {
        match self.breaks {
            Some(Sabotage::DueTimesAreDropped) => record.due = None,
            Some(what @ Sabotage::ListsAreWrong) if !record.open => {
                let listing = record.listing.as_mut().filter(|one| one.status == ExecutionStatus::Succeeded);
                if let (Some(listing), true) = (listing, self.does(what)) {
                    listing.status = ExecutionStatus::Failed;
                }
            }
            Some(what) if entry.events.len() > 1 && self.does(what) => {
                if let Some(body) = spoilt_body(what, &record.body) {
                    record.body = body;
                }
            }
            Some(_) | None => {}
        }
        record
    }

    /// How often a message is sent that should be sent once.
    pub fn copies(&self) -> u64 {
        if self.does(Sabotage::MessagesAreDropped) {
            0
        } else if self.does(Sabotage::MessagesMultiply) {
            COPIES
        } else {
            1
        }
    }

    /// Always, or an hour later it would not.
    pub fn sleeps(&self) -> bool {
        self.breaks == Some(Sabotage::TheSweepSleeps)
    }

    pub fn forgets_a_start(&self) -> bool {
        self.does(Sabotage::ExpressStartsAreForgotten)
    }

    pub fn repeats_a_call(&self) -> bool {
        self.does(Sabotage::CallsAreRepeated)
    }
}

/// Whether this is a record of the kind that is forgotten.
fn is_forgotten(breaks: Sabotage, record: &Record, entry: &Entry) -> bool {
    let tells = |kind: fn(&Detail<interpreter::Payload>) -> bool| entry.events.iter().any(|event| kind(&event.detail));
    match breaks {
        Sabotage::StartsAreForgotten => record.sequence == 0,
        Sabotage::ClaimsAreForgotten => {
            tells(|detail| matches!(detail, Detail::LambdaFunctionStarted | Detail::TaskStarted(_)))
        }
        Sabotage::AnswersAreForgotten => {
            let parked = entry.threads().any(|(_, frame)| {
                frame.is_some_and(|frame| match frame.phase {
                    Phase::Task(attempt) => {
                        matches!(attempt.parked, Some(Answer::Succeeded { .. } | Answer::Failed(_)))
                    }
                    _ => false,
                })
            });
            parked || tells(|detail| matches!(detail, Detail::TaskSucceeded { .. }))
        }
        Sabotage::StopsAreForgotten => tells(|detail| matches!(detail, Detail::ExecutionAborted(_))),
        _ => false,
    }
}

/// The last event of an entry, or its last payload, made another.
fn spoilt_body(what: Sabotage, body: &[u8]) -> Option<Vec<u8>> {
    let mut stored: Value = serde_json::from_slice(body).ok()?;
    let events = stored.get_mut("events")?.as_array_mut()?;
    let last = events.last_mut()?;
    let mut less = |member: &str, by: i64| -> Option<()> {
        let number = last.get_mut(member)?;
        *number = Value::from(number.as_i64()?.saturating_sub(by).max(0));
        Some(())
    };
    match what {
        Sabotage::EventIdsAreDoubled => less("id", 1)?,
        Sabotage::LinksAreBent => less("previous", 1)?,
        Sabotage::TimeRunsBackwards => less("at", 5_000)?,
        Sabotage::PayloadsChange => {
            *stored.get_mut("payloads")?.as_array_mut()?.last_mut()? = Value::from("another");
        }
        _ => return None,
    }
    serde_json::to_vec(&stored).ok()
}
