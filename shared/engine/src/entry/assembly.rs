//! An execution as its entries tell it: the threads that are there after the last of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use interpreter::{Cancel, Closing, Frame, Payload, Snapshot, ThreadPath, Timestamp, Wait};

use super::redrive::Resume;
use super::{ClientToken, Entry, Head, Reopening, Slot, Unreadable, payload_at};

/// An execution as its entries tell it, before the payloads of earlier entries are there.
pub struct Assembly {
    head: Head,
    input: Payload,
    frames: BTreeMap<ThreadPath, Frame<Slot>>,
    known: BTreeMap<u64, Vec<Payload>>,
    closed: Option<(Closing<Payload>, Timestamp)>,
    last_event: u64,
    last_attempt_id: u64,
    pub at: Timestamp,
    /// How often each state was called so far, in an execution with a test case.
    pub calls: BTreeMap<String, u32>,
    machine_deleted: bool,
    cancels: BTreeMap<u64, Cancel>,
    cancelled: Vec<Wait>,
    reopened: Option<Reopening>,
    /// The tokens of the last redrives.
    pub client_tokens: Vec<ClientToken>,
}

impl Assembly {
    /// From the head and every entry since the last full set, in order, each with its sequence.
    pub fn of(entries: Vec<(u64, Entry)>) -> Result<Assembly, Unreadable> {
        let mut assembly: Option<Assembly> = None;
        for (sequence, entry) in entries {
            let assembly = match &mut assembly {
                Some(assembly) => assembly,
                none => {
                    let (head, input) = entry.head.clone().ok_or_else(|| Unreadable::damaged("the head is missing"))?;
                    none.insert(Assembly {
                        head,
                        input,
                        frames: BTreeMap::new(),
                        known: BTreeMap::new(),
                        closed: None,
                        last_event: 0,
                        last_attempt_id: 0,
                        at: entry.at,
                        calls: BTreeMap::new(),
                        machine_deleted: false,
                        cancels: BTreeMap::new(),
                        cancelled: Vec::new(),
                        reopened: None,
                        client_tokens: Vec::new(),
                    })
                }
            };
            assembly.add(sequence, entry);
        }
        assembly.ok_or_else(|| Unreadable::damaged("the execution has no entries"))
    }

    fn add(&mut self, sequence: u64, entry: Entry) {
        if entry.full {
            self.frames.clear();
            self.client_tokens = entry.client_tokens;
        }
        self.change(sequence, entry.frames);
        match (&entry.closed, entry.resume) {
            (None, _) => {}
            // Its end takes all threads along, without naming each.
            (Some(_), None) => self.frames.clear(),
            (Some(_), Some(Resume { full, frames })) => {
                if full {
                    self.frames.clear();
                }
                self.change(sequence, frames);
            }
        }
        self.known.insert(sequence, entry.payloads);
        self.closed = entry.closed;
        self.last_event = entry.last_event;
        self.last_attempt_id = entry.last_attempt_id;
        self.calls = entry.calls;
        self.machine_deleted = entry.machine_deleted;
        self.cancels = entry.cancels;
        self.cancelled.extend(entry.cancelled);
        self.reopened = entry.reopened;
        self.at = self.at.max(entry.at);
    }

    /// Applies the changes of threads that an entry has.
    fn change(&mut self, sequence: u64, frames: Vec<(ThreadPath, Option<Frame<Slot>>)>) {
        for (path, frame) in frames {
            // Frames that hold payloads of this entry know where they are from now on.
            let there = frame.map(|frame| {
                let placed: Result<_, std::convert::Infallible> = frame.try_map(&mut |slot| {
                    Ok(match slot {
                        Slot::Here(slot) => Slot::There(sequence, slot),
                        there @ Slot::There(..) => there,
                    })
                });
                match placed {
                    Ok(frame) => frame,
                }
            });
            match there {
                Some(frame) => _ = self.frames.insert(path, frame),
                None => _ = self.frames.remove(&path),
            }
        }
    }

    /// Leaves out what only a redrive needs; true when there was anything.
    pub fn leave_kept(&mut self) -> bool {
        let kept = self.closed.is_some() && !self.frames.is_empty();
        if kept {
            self.frames.clear();
        }
        kept
    }

    /// The sequences of earlier entries whose payloads are needed, ascending.
    pub fn missing(&self) -> Vec<u64> {
        let mut missing = BTreeSet::new();
        for frame in self.frames.values() {
            let looked: Result<Frame<()>, std::convert::Infallible> = frame.clone().try_map(&mut |slot| {
                if let Slot::There(sequence, _) = slot
                    && !self.known.contains_key(&sequence)
                {
                    missing.insert(sequence);
                }
                Ok(())
            });
            match looked {
                Ok(_) => {}
            }
        }
        missing.into_iter().collect()
    }

    pub fn supply(&mut self, sequence: u64, entry: Entry) {
        self.known.insert(sequence, entry.payloads);
    }

    /// The snapshot, once nothing is missing.
    pub fn finish(self) -> Result<(Head, Snapshot), Unreadable> {
        let execution = Arc::new(self.head.execution(self.input.clone()));
        let mut snapshot = Snapshot::bare(execution, self.head.seconds);
        snapshot.last_event = self.last_event;
        snapshot.last_attempt_id = self.last_attempt_id;
        snapshot.closed = self.closed;
        snapshot.machine_deleted = self.machine_deleted;
        snapshot.cancels = self.cancels;
        self.cancelled.into_iter().for_each(|wait| snapshot.cancel(wait));
        if let Some(Reopening { redriven, deadline }) = self.reopened {
            snapshot.redriven = Some(redriven);
            snapshot.deadline = deadline;
        }
        let is_open = snapshot.is_open();
        let known = self.known;
        for (path, frame) in self.frames {
            let frame = frame.try_map(&mut |slot| match slot {
                Slot::Here(_) => Err(Unreadable::damaged("a thread's payload has no place")),
                Slot::There(sequence, slot) => {
                    let payloads = known.get(&sequence).ok_or_else(|| Unreadable::damaged("an entry is missing"))?;
                    payload_at(payloads, slot)
                }
            })?;
            if is_open { snapshot.put(path, frame) } else { snapshot.keep(path, frame) }
        }
        Ok((self.head, snapshot))
    }
}
