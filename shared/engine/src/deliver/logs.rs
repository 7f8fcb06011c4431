//! Events to log groups: of a Standard execution once they are durable, of an Express one as they happen.

use interpreter::{Event, Payload, Snapshot};

use super::Deliver;
use crate::entry::{self, Head, Reopening};
use crate::ports::Record;

impl Deliver {
    /// Hands events to the log group of their execution, if it has one.
    pub(super) fn log(&self, head: &Head, snapshot: &Snapshot, events: &[Event<Payload>]) {
        self.log_redriven(head, snapshot.redriven.map_or(0, |redriven| redriven.count), events);
    }

    /// Does so for the event of a force-fail, whose execution is not loaded.
    pub(super) fn log_force_fail(&self, first: &Record, written: (u64, &[u8])) {
        if self.world.logs.is_none() {
            return;
        }
        // A head that is damaged says nothing of a log group.
        let head = entry::decode(first.sequence, &first.body).ok().and_then(|entry| entry.head);
        let entry = entry::decode(written.0, written.1).ok();
        if let (Some((head, _)), Some(entry)) = (head, entry) {
            let redrives = entry.reopened.as_ref().map_or(0, |Reopening { redriven, .. }| redriven.count);
            self.log_redriven(&head, redrives, &entry.events);
        }
    }

    fn log_redriven(&self, head: &Head, redrives: u32, events: &[Event<Payload>]) {
        let (Some(logs), Some(logging)) = (&self.world.logs, &head.logging) else { return };
        let records: Vec<String> =
            events.iter().filter_map(|event| logging.record(&head.arn, redrives, event)).collect();
        if !records.is_empty() {
            logs.deliver(&logging.log_group, records);
        }
    }
}
