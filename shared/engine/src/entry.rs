//! The stored shape of a commit: the one place that says how an execution is written down and read again.
//!
//! An entry holds the events of its steps and the threads they changed. Each payload is stored once in it, as raw JSON
//! in `payloads`; a thread that still holds a payload of an earlier entry holds its address. Whatever is serialised here
//! is promised: `FORMAT` counts the shapes, and a reader refuses one it does not know.
//!
//! # When the shape changes
//!
//! A member that an older program can do without, and whose absence a newer one takes for what was meant before, comes
//! without a new number. Anything else, a member renamed, removed, or of another meaning, is a new `FORMAT`, whose reader
//! goes on reading every older one: journals outlive programs, and an execution may wait for a year. Then the goldens in
//! `tests/golden_journals` stay as they are and one more is written; a test fails until there is one. The same holds for
//! the numbers of cells, state machines and kept starts.

mod assembly;
mod redrive;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use interpreter::{
    Address, Attempt, Call, Cancel, Closing, Detail, Event, Execution, Failure, Frame, Limits, Payload, Phase,
    Snapshot, ThreadPath, Timestamp, Wait,
};
use serde::{Deserialize, Serialize};
use serde_json::error::Category;
use serde_json::value::RawValue;

use crate::log_records::Logging;
use crate::payload_format;
use crate::tokens::TaskToken;
pub use assembly::Assembly;
use redrive::Resume;
pub use redrive::{ClientToken, Reopening};

/// The newest shape this code reads. An entry is written in the lowest that says it: format 2 is for payloads that a worker
/// of format 1 takes for `null`, and for an execution whose state machine was deleted; format 3 for an execution that was
/// redriven, for jobs and for tasks of activities.
pub const FORMAT: u32 = 3;
/// The shape of an entry that every worker reads as it is meant.
const FIRST: u32 = 1;
/// The shape of an entry of an execution whose state machine was deleted, at least.
const DELETED: u32 = 2;
/// The shape of an entry of an execution that was redriven.
const REDRIVEN: u32 = 3;
/// The shape of an entry that has jobs, or jobs that have to be cancelled.
const WITH_JOBS: u32 = 3;
/// The shape of an entry with a task of an activity.
const ACTIVITY: u32 = 3;

/// Why something stored cannot be read, in a text that quotes none of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreadable {
    /// A newer version of Stepwell wrote it, and has to read it.
    Newer(String),
    /// No version of Stepwell can read it.
    Damaged(String),
}

impl Unreadable {
    pub fn damaged(what: impl Into<String>) -> Unreadable {
        Unreadable::Damaged(what.into())
    }

    /// `what` is no JSON, or JSON of another shape. The parser's own words may quote what is stored.
    pub fn of(what: &str, error: &serde_json::Error) -> Unreadable {
        let problem = match error.classify() {
            Category::Io | Category::Syntax => "is no JSON",
            Category::Data => "has another shape",
            Category::Eof => "is cut off",
        };
        Unreadable::Damaged(format!("{what} {problem} at column {}", error.column()))
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unreadable::Newer(what) | Unreadable::Damaged(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Unreadable {}

/// One commit.
#[derive(Serialize, Deserialize)]
struct Stored {
    v: u32,
    at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    head: Option<Head>,
    payloads: Vec<Box<RawValue>>,
    events: Vec<Event<u32>>,
    /// True when `frames` are all threads there are.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    full: bool,
    frames: Vec<(ThreadPath, Option<Frame<Slot>>)>,
    last_event: u64,
    #[serde(rename = "last_turn")]
    last_attempt_id: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    closed: Option<(Closing<u32>, Timestamp)>,
    /// How often each state was called so far, in an execution with a test case.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    calls: BTreeMap<String, u32>,
    /// The state machine was deleted: the next transition fails the execution. Since format 2.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    machine_deleted: bool,
    /// On the entry that closes an execution that can be redriven.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resume: Option<Resume>,
    /// On every entry since the execution was redriven, the last redrive. Since format 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reopened: Option<Reopening>,
    /// On those of them that have a full set of threads: the tokens of the last redrives.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    client_tokens: Vec<ClientToken>,
    /// Jobs that have to be cancelled, by the numbers of their waits: all there are. Since format 3.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    cancels: BTreeMap<u64, Cancel>,
    /// Waits for a task token that were given up when a branch beside them failed: those of the threads that changed, all in
    /// a full set and at the end. A program that does not know them takes their tokens for timed out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    cancelled: Vec<Wait>,
}

/// Where a thread's payload lies: in this entry, or in an earlier one.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(untagged)]
enum Slot {
    Here(u32),
    There(u64, u32),
}

/// The facts of an execution that its first entry holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Head {
    pub arn: String,
    pub name: String,
    pub role_arn: String,
    pub machine_arn: String,
    pub machine_name: String,
    pub region: String,
    pub started: Timestamp,
    pub limits: Limits,
    /// The longest it may run, in seconds.
    pub seconds: u64,
    /// The hash of the definition it is pinned to.
    pub revision: String,
    /// The id of the call that started it, so that the same call sent again gets the same answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invocation: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_header: Option<String>,
    /// The test case whose mocks answer its tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_case: Option<String>,
    /// When the revision it is pinned to came, and the id that UpdateStateMachine gave it; the first has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision_id: Option<String>,
    /// The number of the version it was started with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// The name of the alias that routed it to the version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// The attempt of a task that waits for its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<TaskToken>,
    /// The logging that it has for good. A program that does not know it logs nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logging: Option<Logging>,
    input: u32,
}

impl Head {
    pub fn new(execution: &Execution, seconds: u64, revision: String) -> Head {
        Head {
            arn: execution.arn.clone(),
            name: execution.name.clone(),
            role_arn: execution.role_arn.clone(),
            machine_arn: execution.machine_arn.clone(),
            machine_name: execution.machine_name.clone(),
            region: execution.region.clone(),
            started: execution.started,
            limits: execution.limits,
            seconds,
            revision,
            invocation: None,
            trace_header: None,
            test_case: None,
            updated: None,
            revision_id: None,
            version: None,
            alias: None,
            parent: None,
            logging: None,
            input: 0,
        }
    }

    /// The execution this is the head of.
    pub fn execution(&self, input: Payload) -> Execution {
        Execution {
            arn: self.arn.clone(),
            name: self.name.clone(),
            role_arn: self.role_arn.clone(),
            machine_arn: self.machine_arn.clone(),
            machine_name: self.machine_name.clone(),
            region: self.region.clone(),
            started: self.started,
            input,
            limits: self.limits,
        }
    }
}

/// The parts of a commit.
pub struct Draft<'a> {
    pub sequence: u64,
    pub at: Timestamp,
    /// On the first entry.
    pub head: Option<Head>,
    pub snapshot: &'a Snapshot,
    pub events: &'a [Event<Payload>],
    pub changed: &'a BTreeSet<ThreadPath>,
    /// Write all threads, not only the changed ones.
    pub full: bool,
    /// The execution is closed and can be redriven, and the threads that are kept for that were not read.
    pub kept_unread: bool,
    /// How often each state was called so far, where that counts.
    pub calls: Option<&'a BTreeMap<String, u32>>,
    /// The tokens of the last redrives.
    pub client_tokens: &'a [ClientToken],
}

/// An encoded commit, and the payloads that have a home once it is durable.
pub struct Encoded {
    pub body: Vec<u8>,
    homes: Vec<(Payload, Address)>,
}

impl Encoded {
    /// The entry is durable: its payloads need not be written again.
    pub fn settle(&self) {
        for (payload, address) in &self.homes {
            payload.settle(*address);
        }
    }
}

/// Writes a commit down.
pub fn encode(draft: Draft<'_>) -> Result<Encoded, Unreadable> {
    let mut table = Table { sequence: draft.sequence, ..Table::default() };
    let snapshot = draft.snapshot;
    let mut head = draft.head;
    if let Some(head) = &mut head {
        head.input = table.here(snapshot.execution.input.clone())?;
    }
    let events: Result<Vec<Event<u32>>, Unreadable> =
        draft.events.iter().map(|event| event.clone().try_map(&mut |payload| table.here(payload))).collect();
    let events = events?;
    let mut frames = Vec::new();
    let all: Vec<&ThreadPath> = if !snapshot.is_open() {
        // Its end takes all threads along, without naming each.
        Vec::new()
    } else if draft.full {
        snapshot.frames().map(|(path, _)| path).collect()
    } else {
        draft.changed.iter().collect()
    };
    for path in all {
        let frame = snapshot.frame(path).cloned().map(|frame| frame.try_map(&mut |payload| table.slot(payload)));
        frames.push((path.clone(), frame.transpose()?));
    }
    let closed = match &snapshot.closed {
        Some((closing, at)) => Some((closing_with(closing.clone(), |payload| table.here(payload))?, *at)),
        None => None,
    };
    let resume = match draft.kept_unread {
        // The threads that are kept stay as they are.
        true => Some(Resume { full: false, frames: Vec::new() }),
        false => Resume::of(snapshot, draft.changed, draft.full, &mut table)?,
    };
    let client_tokens = if draft.full { draft.client_tokens.to_vec() } else { Vec::new() };
    let of_events = draft.events.iter().map(|event| lowest_of_event(&event.detail)).max().unwrap_or(FIRST);
    let of_frames = frames.iter().filter_map(|(_, frame)| frame.as_ref().map(lowest_of_frame)).max().unwrap_or(FIRST);
    let stored = Stored {
        v: lowest_format(snapshot, &table, &frames).max(of_events).max(of_frames),
        at: draft.at,
        head,
        payloads: table.payloads,
        events,
        full: draft.full,
        frames,
        last_event: snapshot.last_event,
        last_attempt_id: snapshot.last_attempt_id,
        closed,
        calls: draft.calls.cloned().unwrap_or_default(),
        machine_deleted: snapshot.machine_deleted,
        resume,
        reopened: Reopening::of(snapshot),
        client_tokens,
        cancels: snapshot.cancels.clone(),
        cancelled: snapshot.cancelled((!draft.full && snapshot.is_open()).then_some(draft.changed)),
    };
    let body = serde_json::to_vec(&stored).map_err(|error| Unreadable::of("an entry", &error))?;
    Ok(Encoded { body, homes: table.homes })
}

/// The lowest format that says what is to be written.
fn lowest_format<P>(snapshot: &Snapshot, table: &Table, frames: &[(ThreadPath, Option<Frame<P>>)]) -> u32 {
    let payloads = payload_format::lowest(table.payloads.iter().map(|raw| raw.get()));
    let deleted = if snapshot.machine_deleted { DELETED } else { FIRST };
    let redriven = if snapshot.redriven.is_some() { REDRIVEN } else { FIRST };
    let has_job = |frame: &Frame<P>| matches!(&frame.phase, Phase::Task(Attempt { job: Some(_), .. }));
    let waits = frames.iter().any(|(_, frame)| frame.as_ref().is_some_and(has_job));
    let jobs = if waits || !snapshot.cancels.is_empty() { WITH_JOBS } else { FIRST };
    payloads.max(deleted).max(redriven).max(jobs)
}

/// Writes down the end of an execution of which nothing can be read, or that no worker can drive: its last event comes
/// after `last_event`, which is the last that can be shown. It cannot be redriven.
pub fn encode_failure(
    at: Timestamp,
    (last_event, reopened): (u64, Option<Reopening>),
    failure: Failure,
) -> Result<Vec<u8>, Unreadable> {
    let id = last_event.saturating_add(1);
    let stored = Stored {
        v: if reopened.is_some() { REDRIVEN } else { FIRST },
        at,
        head: None,
        payloads: Vec::new(),
        events: vec![Event { id, previous: last_event, at, detail: Detail::ExecutionFailed(failure.clone()) }],
        full: false,
        frames: Vec::new(),
        last_event: id,
        last_attempt_id: 0,
        closed: Some((Closing::Failed(failure), at)),
        calls: BTreeMap::new(),
        machine_deleted: false,
        resume: None,
        reopened,
        client_tokens: Vec::new(),
        cancels: BTreeMap::new(),
        cancelled: Vec::new(),
    };
    serde_json::to_vec(&stored).map_err(|error| Unreadable::of("an entry", &error))
}

/// The lowest format that has this event.
fn lowest_of_event<P>(detail: &Detail<P>) -> u32 {
    match detail {
        Detail::ActivityScheduled { .. }
        | Detail::ActivityStarted { .. }
        | Detail::ActivitySucceeded { .. }
        | Detail::ActivityFailed(_)
        | Detail::ActivityTimedOut(_) => ACTIVITY,
        _ => FIRST,
    }
}

/// The lowest format that has a thread in this phase.
fn lowest_of_frame<P>(frame: &Frame<P>) -> u32 {
    match &frame.phase {
        Phase::Task(attempt) => match attempt.call {
            Call::Queued | Call::Leased => ACTIVITY,
            Call::Unclaimed | Call::Claimed { .. } | Call::Returned => FIRST,
        },
        Phase::Ready | Phase::Waiting { .. } | Phase::Retrying { .. } => FIRST,
        Phase::Parallel { .. } | Phase::Map(_) | Phase::Finished { .. } => FIRST,
    }
}

fn closing_with<P, Q>(
    closing: Closing<P>,
    mut f: impl FnMut(P) -> Result<Q, Unreadable>,
) -> Result<Closing<Q>, Unreadable> {
    Ok(match closing {
        Closing::Succeeded { output } => Closing::Succeeded { output: f(output)? },
        Closing::Failed(failure) => Closing::Failed(failure),
        Closing::Aborted(failure) => Closing::Aborted(failure),
        Closing::TimedOut(failure) => Closing::TimedOut(failure),
    })
}

/// The payloads of an entry, each once.
#[derive(Default)]
struct Table {
    sequence: u64,
    payloads: Vec<Box<RawValue>>,
    slots: HashMap<String, u32>,
    homes: Vec<(Payload, Address)>,
}

impl Table {
    fn here(&mut self, payload: Payload) -> Result<u32, Unreadable> {
        let slot = match self.slots.get(payload.text()) {
            Some(slot) => *slot,
            None => {
                let slot = u32::try_from(self.payloads.len()).map_err(|_| Unreadable::damaged("too many payloads"))?;
                let raw = RawValue::from_string(payload.text().to_owned())
                    .map_err(|error| Unreadable::of("a payload", &error))?;
                self.payloads.push(raw);
                self.slots.insert(payload.text().to_owned(), slot);
                slot
            }
        };
        if payload.home().is_none() {
            self.homes.push((payload, Address { sequence: self.sequence, slot }));
        }
        Ok(slot)
    }

    fn slot(&mut self, payload: Payload) -> Result<Slot, Unreadable> {
        match payload.home() {
            Some(home) => Ok(Slot::There(home.sequence, home.slot)),
            None => self.here(payload).map(Slot::Here),
        }
    }
}

/// A commit, read.
pub struct Entry {
    pub at: Timestamp,
    pub head: Option<(Head, Payload)>,
    pub events: Vec<Event<Payload>>,
    pub closed: Option<(Closing<Payload>, Timestamp)>,
    pub last_event: u64,
    /// The last redrive, if there was one.
    pub reopened: Option<Reopening>,
    /// The tokens of the last redrives, on an entry with a full set of threads.
    pub client_tokens: Vec<ClientToken>,
    last_attempt_id: u64,
    full: bool,
    frames: Vec<(ThreadPath, Option<Frame<Slot>>)>,
    resume: Option<Resume>,
    payloads: Vec<Payload>,
    calls: BTreeMap<String, u32>,
    machine_deleted: bool,
    cancels: BTreeMap<u64, Cancel>,
    cancelled: Vec<Wait>,
}

impl Entry {
    /// True when it closes its execution and says what a redrive goes on with.
    pub fn is_redrivable(&self) -> bool {
        self.resume.is_some()
    }

    /// The threads it changed, `None` for those that are gone; of their payloads those that it holds itself.
    pub fn threads(&self) -> impl Iterator<Item = (&ThreadPath, Option<Frame<Option<Payload>>>)> {
        self.frames.iter().map(|(path, frame)| {
            let held: Option<Result<_, std::convert::Infallible>> = frame.clone().map(|frame| {
                frame.try_map(&mut |slot| {
                    Ok(match slot {
                        Slot::Here(slot) => self.payloads.get(slot as usize).cloned(),
                        Slot::There(..) => None,
                    })
                })
            });
            match held.transpose() {
                Ok(held) => (path, held),
            }
        })
    }
}

/// Reads a commit.
pub fn decode(sequence: u64, body: &[u8]) -> Result<Entry, Unreadable> {
    #[derive(Deserialize)]
    struct Version {
        v: u32,
    }
    let damaged = |error: serde_json::Error| Unreadable::of(&format!("entry {sequence}"), &error);
    let stored: Stored = match serde_json::from_slice(body) {
        Ok(stored) => stored,
        Err(error) => {
            let Version { v } = serde_json::from_slice(body).map_err(damaged)?;
            return Err(if v > FORMAT { newer(v) } else { damaged(error) });
        }
    };
    if stored.v > FORMAT {
        return Err(newer(stored.v));
    }
    let payloads: Vec<Payload> = (0u32..)
        .zip(stored.payloads)
        .map(|(slot, raw)| {
            let payload = Payload::from_json_text(Box::<str>::from(raw));
            payload.settle(Address { sequence, slot });
            payload
        })
        .collect();
    let mut at = |slot: u32| payload_at(&payloads, slot);
    let events: Result<Vec<_>, Unreadable> = stored.events.into_iter().map(|event| event.try_map(&mut at)).collect();
    let closed = stored.closed.map(|(closing, when)| Ok((closing_with(closing, &mut at)?, when))).transpose()?;
    let head = stored.head.map(|head| at(head.input).map(|input| (head, input))).transpose()?;
    Ok(Entry {
        at: stored.at,
        head,
        events: events?,
        closed,
        last_event: stored.last_event,
        reopened: stored.reopened,
        client_tokens: stored.client_tokens,
        last_attempt_id: stored.last_attempt_id,
        full: stored.full,
        frames: stored.frames,
        resume: stored.resume,
        payloads,
        calls: stored.calls,
        machine_deleted: stored.machine_deleted,
        cancels: stored.cancels,
        cancelled: stored.cancelled,
    })
}

fn newer(v: u32) -> Unreadable {
    Unreadable::Newer(format!("the entry has format {v}; this version of Stepwell reads up to {FORMAT}"))
}

fn payload_at(payloads: &[Payload], slot: u32) -> Result<Payload, Unreadable> {
    payloads.get(slot as usize).cloned().ok_or_else(|| Unreadable::damaged("an entry names a payload it does not have"))
}
