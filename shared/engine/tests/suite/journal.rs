//! A journal of one execution in memory: what a worker writes down, and loads again.

use std::collections::BTreeSet;

use engine::entry::{Assembly, Draft, Entry, Head, decode, encode};
use interpreter::{Event, Payload, Snapshot, ThreadPath, Timestamp};

/// A journal of one execution.
#[derive(Default)]
pub struct Journal {
    pub bodies: Vec<Vec<u8>>,
    full: usize,
    pub events: Vec<Event<Payload>>,
    pub changed: BTreeSet<ThreadPath>,
}

impl Journal {
    pub fn commit(&mut self, snapshot: &Snapshot, at: Timestamp, full: bool) {
        let sequence = self.bodies.len() as u64;
        let first = sequence == 0;
        let seconds = (snapshot.deadline.0 - snapshot.execution.started.0) / 1_000;
        let head = first.then(|| Head::new(&snapshot.execution, seconds as u64, "revision".into()));
        let full = full || first;
        let draft = Draft {
            sequence,
            at,
            head,
            snapshot,
            events: &self.events,
            changed: &self.changed,
            full,
            calls: None,
            kept_unread: false,
            client_tokens: &[],
        };
        let encoded = encode(draft).unwrap();
        self.bodies.push(encoded.body.clone());
        encoded.settle();
        if full {
            self.full = self.bodies.len() - 1;
        }
        self.events.clear();
        self.changed.clear();
    }

    fn entry(&self, sequence: usize) -> (u64, Entry) {
        (sequence as u64, decode(sequence as u64, &self.bodies[sequence]).unwrap())
    }

    /// As a worker loads it: the head, what follows the last full set, and what those name.
    pub fn read(&self) -> Snapshot {
        let tail = (0..self.bodies.len()).filter(|sequence| *sequence == 0 || *sequence >= self.full);
        let mut assembly = Assembly::of(tail.map(|sequence| self.entry(sequence)).collect()).unwrap();
        for sequence in assembly.missing() {
            let (_, entry) = self.entry(sequence as usize);
            assembly.supply(sequence, entry);
        }
        assembly.finish().unwrap().1
    }

    pub fn all_events(&self) -> Vec<Event<Payload>> {
        (0..self.bodies.len()).flat_map(|sequence| self.entry(sequence).1.events).collect()
    }
}
