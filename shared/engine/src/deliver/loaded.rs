//! An execution that is loaded: read from its journal, advanced in memory, committed entry by entry.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use asl::StateMachine;
use interpreter::{Call, Closing, Snapshot, Stimulus, Timestamp};

use super::cells::Cells;
use super::inbox::Arrival;
use super::live::Live;
use super::mailbox::{Command, Redrive};
use super::steps::Steps;
use super::test_case_run::TestCaseRun;
use super::{Deliver, DeliverError};
use crate::Deployment;
use crate::entry::{self, Assembly, ClientToken, Draft, Entry, Head};
use crate::ports::{Appended, Direction, ExecutionStatus, Happening, Listing, Record, StoreError};
use crate::shown::Shown;

/// Bytes of changes since the last full set below which no new one is written.
const FULL_SET_AFTER: usize = 256 << 10;
/// Changes may outweigh the last full set this many times before a new one is written. More would make an execution
/// slower to load, less would make the full sets of a long Map weigh on each of its items.
const FULL_SET_RATIO: usize = 8;
/// Attempts to get through to a store that is busy, before requests are refused.
const STORE_TRIES: u32 = 8;
/// The pause after the first of them; each later one is twice as long.
const FIRST_PAUSE_MS: u64 = 20;
/// The longest that a store or a queue takes for one request: adapters give up then.
pub(crate) const LONGEST_ATTEMPT_MS: u64 = 10_000;
/// The longest from the first attempt to append an entry until it is there, or never will be.
pub(crate) const LONGEST_APPEND_MS: u64 =
    STORE_TRIES as u64 * LONGEST_ATTEMPT_MS + FIRST_PAUSE_MS * ((1 << (STORE_TRIES - 1)) - 1);

pub(super) struct LoadedExecution {
    pub live: Live,
    pub head: Head,
    pub cells: Cells,
    /// When the cells were read.
    pub cells_at: Timestamp,
    /// The sequence of the last entry; `None` before the first.
    pub sequence: Option<u64>,
    /// The time of the last entry: no step is earlier.
    pub at: Timestamp,
    full_sets: FullSets,
    /// The tokens of the last redrives.
    client_tokens: Vec<ClientToken>,
    /// It can be redriven, and what that needs was not read.
    kept_unread: bool,
    /// The redrives that the journal knows.
    redrives: u32,
    end: End,
}

/// How much of a closed execution is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// Its end.
    Usual,
    /// What a redrive goes on with, too.
    WithKept,
}

/// Whether the execution has ended, as of the last entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Ahead,
    /// With the last entry, and nothing acted on it yet.
    Newly,
    Known,
}

/// The outcome of a commit.
pub(super) enum Committed {
    Durable,
    /// Another writer was first; this is its entry.
    Taken(Box<Record>),
}

impl LoadedExecution {
    /// An execution that has not been written yet.
    pub fn new(machine: Arc<StateMachine>, snapshot: Snapshot, head: Head) -> LoadedExecution {
        let (at, test_case) = (head.started, TestCaseRun::of(&head, BTreeMap::new()));
        let live = Live::new(machine, snapshot, test_case);
        LoadedExecution {
            live,
            head,
            cells: Cells::default(),
            cells_at: at,
            sequence: None,
            at,
            full_sets: FullSets::default(),
            client_tokens: Vec::new(),
            kept_unread: false,
            redrives: 0,
            end: End::Ahead,
        }
    }

    /// Reads an execution from its journal.
    pub async fn load(deliver: &Deliver, arn: &str, reading: Reading) -> Result<LoadedExecution, DeliverError> {
        let journal = &deliver.world.journal;
        let cells_at = deliver.world.clock.now();
        let (records, cells) = journal.load(arn).await?;
        let Some(last) = records.last() else { return Err(DeliverError::NoSuchExecution) };
        let (sequence, full_sets) = (last.sequence, FullSets::of(&records, last.full));
        let entries: Result<Vec<(u64, Entry)>, _> = records
            .iter()
            .map(|record| Ok((record.sequence, entry::decode(record.sequence, &record.body)?)))
            .collect::<Result<_, entry::Unreadable>>();
        let mut assembly = Assembly::of(entries?)?;
        let kept_unread = reading == Reading::Usual && assembly.leave_kept();
        for (from, count) in runs(&assembly.missing()) {
            for record in journal.read(arn, from, Direction::Ascending, count).await? {
                assembly.supply(record.sequence, entry::decode(record.sequence, &record.body)?);
            }
        }
        let (at, calls) = (assembly.at, std::mem::take(&mut assembly.calls));
        let client_tokens = std::mem::take(&mut assembly.client_tokens);
        let (head, snapshot) = assembly.finish()?;
        let cells = Cells::decode(&head, &cells)?;
        let machine = deliver.definitions.get(&head.revision).await?;
        let test_case = TestCaseRun::of(&head, calls);
        let live = Live::new(machine, snapshot, test_case);
        let end = if live.snapshot.is_open() { End::Ahead } else { End::Known };
        let (sequence, redrives) = (Some(sequence), redrives_of(&live.snapshot));
        Ok(LoadedExecution {
            live,
            head,
            cells,
            cells_at,
            sequence,
            at,
            full_sets,
            client_tokens,
            kept_unread,
            redrives,
            end,
        })
    }

    /// When it ended, if it has.
    pub fn closed_at(&self) -> Option<Timestamp> {
        self.live.snapshot.closed.as_ref().map(|(_, at)| *at)
    }

    /// True when a command is about a wait, or an end, that is not loaded: another process may have written it since.
    pub fn lacks(&self, command: &Command) -> bool {
        let redrives = matches!(command, Command::Redrive(_)) && self.live.snapshot.kept().len() == 0;
        redrives
            || command.wait().is_some_and(|wait| !self.live.snapshot.awaits(wait) || !command.is_for(self.head.started))
    }

    /// Whether a command would change something.
    pub fn would_change(&self, command: &Command) -> bool {
        match command {
            Command::Wake => false,
            Command::Stop(_) => self.live.snapshot.is_open(),
            Command::Redrive(Redrive { at, token }) => {
                let find = |token: &String| ClientToken::find(&self.client_tokens, token, *at);
                self.live.snapshot.kept().len() > 0 && token.as_ref().and_then(find).is_none()
            }
            Command::Answer(of, _) | Command::Heartbeat(of) => {
                command.is_for(self.head.started) && self.cells.awaits_token(&self.live, &of.wait)
            }
            Command::JobEnded(of) => {
                let attempt = self.live.snapshot.attempt(&of.wait);
                command.is_for(self.head.started) && attempt.is_some_and(|(_, attempt)| attempt.job.is_some())
            }
            Command::Lease(of, _) => {
                let attempt = self.live.snapshot.attempt(&of.wait);
                self.live.snapshot.is_open() && attempt.is_some_and(|(_, attempt)| attempt.call == Call::Queued)
            }
        }
    }

    /// True when a command is about a wait that was given up when a branch beside it failed.
    pub fn was_cancelled(&self, command: &Command) -> bool {
        let cancelled = |wait| self.live.snapshot.was_cancelled(wait);
        command.is_for(self.head.started) && command.wait().is_some_and(cancelled)
    }

    /// Whether an arrival would change something.
    pub fn would_advance(&self, arrival: Arrival<'_>) -> bool {
        match arrival {
            Arrival::Completion(Stimulus::Started) => true,
            Arrival::Completion(Stimulus::JobCancelled { wait }) => {
                self.live.snapshot.cancels.contains_key(&wait.attempt_id)
            }
            Arrival::Completion(stimulus) => {
                stimulus.wait().is_some_and(|wait| self.live.snapshot.attempt(wait).is_some())
            }
            Arrival::Request(_, command) => self.would_change(command),
        }
    }

    /// The closed execution can be redriven, and what that needs was not read.
    pub fn is_kept_unread(&self) -> bool {
        self.kept_unread
    }

    /// When it was redriven last.
    pub fn redriven_at(&self) -> Option<Timestamp> {
        self.live.snapshot.redriven.map(|redriven| redriven.at)
    }

    /// A request with that token has redriven it.
    pub fn remember_token(&mut self, token: Option<&String>) {
        if let (Some(hash), Some(at)) = (token.cloned(), self.redriven_at()) {
            ClientToken::remember(&mut self.client_tokens, ClientToken { hash, at });
        }
    }

    /// A moment of this round at which nothing is due yet: what is known to have come first is applied then.
    pub fn before_due(&self, now: Timestamp) -> Timestamp {
        let before = self.live.snapshot.due().map_or(now, |due| due.plus_millis(-1));
        now.min(before).max(self.at)
    }

    /// Writes down what steps did. Until this returns `Durable`, nothing may act on it.
    pub async fn commit(&mut self, deliver: &Deliver, steps: &Steps, now: Timestamp) -> Result<Committed, StoreError> {
        let sequence = self.sequence.map_or(0, |last| last + 1);
        let open = self.live.snapshot.is_open();
        let reopened = redrives_of(&self.live.snapshot) != self.redrives;
        // An end takes few changes of the threads before it, and would make all of them new.
        let kept_unread = self.kept_unread && !open;
        let keeps = self.live.snapshot.kept().len() > 0 || kept_unread;
        let full = reopened || (!keeps && self.full_sets.is_due());
        let draft = Draft {
            sequence,
            at: now,
            head: (sequence == 0).then(|| self.head.clone()),
            snapshot: &self.live.snapshot,
            events: &steps.events,
            changed: &steps.changed,
            full: full || sequence == 0,
            calls: self.live.test_case.as_ref().map(TestCaseRun::calls),
            kept_unread,
            client_tokens: &self.client_tokens,
        };
        let mut encoded =
            entry::encode(draft).map_err(|error| StoreError { message: error.to_string(), retryable: false })?;
        let size = encoded.body.len();
        let record = Record {
            execution: self.head.arn.clone(),
            sequence,
            nonce: deliver.world.clock.nonce(),
            full: if full { sequence } else { self.full_sets.last },
            due: self.next_visit(deliver.deployment, now),
            open: open || !self.live.snapshot.cancels.is_empty(),
            listing: (sequence == 0 || !open || reopened).then(|| self.listing()),
            body: std::mem::take(&mut encoded.body),
        };
        match append(deliver, record).await? {
            Appended::Taken(winner) => return Ok(Committed::Taken(winner)),
            Appended::Written => {}
        }
        encoded.settle();
        if reopened {
            // What goes on ends anew, perhaps in this very entry.
            self.end = End::Ahead;
        }
        self.count(deliver);
        self.end = match self.end {
            _ if open => End::Ahead,
            End::Ahead => End::Newly,
            known => known,
        };
        self.sequence = Some(sequence);
        self.redrives = redrives_of(&self.live.snapshot);
        self.at = now;
        self.full_sets.written(sequence, size, full);
        Ok(Committed::Durable)
    }

    /// When a process that knows nothing of this actor has to visit the execution.
    fn next_visit(&self, deployment: Deployment, now: Timestamp) -> Option<Timestamp> {
        let snapshot = &self.live.snapshot;
        if !snapshot.is_open() && snapshot.cancels.is_empty() {
            return None;
        }
        // A process that is alone on its store has the queues of activities in memory: the next one fills them again.
        let in_memory = deployment == Deployment::SingleProcess && snapshot.queued().next().is_some();
        if self.live.is_idle() && !in_memory { snapshot.due() } else { Some(now) }
    }

    /// Counts what the commit that was just written did; `sequence` is still that of the one before.
    fn count(&self, deliver: &Deliver) {
        let machine = &self.head.machine_arn;
        if self.sequence.is_none() {
            deliver.world.metrics.count(Happening::Started { machine });
        }
        if let (End::Ahead, Some((closing, at))) = (self.end, &self.live.snapshot.closed) {
            deliver.count_end(machine, status_of(closing), self.head.started, *at);
        }
    }

    /// True once, after the entry that ended the execution.
    pub fn newly_ended(&mut self) -> bool {
        let newly = self.end == End::Newly;
        if newly {
            self.end = End::Known;
        }
        newly
    }

    fn listing(&self) -> Listing {
        let (status, stopped) = match &self.live.snapshot.closed {
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
            shown: Some(Shown::of(&self.head).with_redrive(self.live.snapshot.redriven).written()),
        }
    }
}

fn redrives_of(snapshot: &Snapshot) -> u32 {
    snapshot.redriven.map_or(0, |redriven| redriven.count)
}

/// When a commit writes all threads again, so that loading does not have to begin at the head.
#[derive(Debug, Default)]
struct FullSets {
    /// The sequence of the last one.
    last: u64,
    last_bytes: usize,
    /// Bytes of entries since.
    bytes_since: usize,
}

impl FullSets {
    /// As the records of an execution show it, of which `last` has the last full set.
    fn of(records: &[Record], last: u64) -> FullSets {
        let bytes = |counts: &dyn Fn(&Record) -> bool| -> usize {
            records.iter().filter(|record| counts(record)).map(|record| record.body.len()).sum()
        };
        let last_bytes = bytes(&|record| last > 0 && record.sequence == last);
        let bytes_since = bytes(&|record| record.sequence > last);
        FullSets { last, last_bytes, bytes_since }
    }

    /// True when the changes outweigh the last full set.
    fn is_due(&self) -> bool {
        self.bytes_since > FULL_SET_AFTER.max(self.last_bytes.saturating_mul(FULL_SET_RATIO))
    }

    /// An entry of so many bytes is durable.
    fn written(&mut self, sequence: u64, bytes: usize, full: bool) {
        if full {
            *self = FullSets { last: sequence, last_bytes: bytes, bytes_since: 0 };
        } else {
            self.bytes_since += bytes;
        }
    }
}

impl Deliver {
    pub(crate) fn count_end(&self, machine: &str, status: ExecutionStatus, started: Timestamp, stopped: Timestamp) {
        let millis = stopped.0.saturating_sub(started.0);
        self.world.metrics.count(Happening::Ended { machine, status, millis });
    }
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
    let mut pause = Duration::from_millis(FIRST_PAUSE_MS);
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
        tracing::warn!(execution = record.execution, %error, tries, "store did not append the entry, retrying");
        tokio::time::sleep(pause).await;
        tries += 1;
        pause = pause.saturating_mul(2);
    }
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

#[cfg(test)]
mod tests {
    use interpreter::{Failure, Wait};

    use super::*;
    use crate::deliver::example::{self, NOW};
    use crate::deliver::mailbox::TokenWait;

    fn loaded(live: Live) -> LoadedExecution {
        let Live { machine, snapshot, .. } = live;
        let mut loaded = LoadedExecution::new(machine, snapshot, example::head());
        loaded.sequence = Some(0);
        loaded
    }

    #[test]
    fn a_stale_or_repeated_arrival_changes_nothing() {
        let (live, wait) = example::waiting_for_token();
        let stale = Wait { attempt_id: wait.attempt_id + 1, ..wait.clone() };
        let mut loaded = loaded(live);
        let answer = |wait: &Wait| Command::Answer(of(wait, None), example::succeeded());
        for (command, changes, lacks) in [
            (Command::Wake, false, false),
            (Command::Stop(Failure::of(None, None)), true, false),
            (answer(&wait), true, false),
            (Command::Heartbeat(of(&wait, None)), true, false),
            (answer(&stale), false, true),
            (Command::Heartbeat(of(&stale, None)), false, true),
        ] {
            assert_eq!(loaded.would_change(&command), changes, "{command:?}");
            assert_eq!(loaded.would_advance(Arrival::Request(0, &command)), changes, "{command:?}");
            assert_eq!(loaded.lacks(&command), lacks, "{command:?}");
        }
        assert!(loaded.would_advance(Arrival::Completion(&example::returned(&wait))));
        assert!(!loaded.would_advance(Arrival::Completion(&example::returned(&stale))));
        assert!(loaded.would_advance(Arrival::Completion(&Stimulus::Started)));
        example::apply(&mut loaded.live, example::answered(&wait), NOW);
        assert_eq!(loaded.closed_at(), Some(NOW));
        for command in [answer(&wait), Command::Stop(Failure::of(None, None))] {
            assert!(!loaded.would_change(&command), "it is closed: {command:?}");
        }
    }

    fn of(wait: &Wait, started: Option<Timestamp>) -> TokenWait {
        TokenWait { wait: wait.clone(), started }
    }

    #[test]
    fn a_token_of_a_predecessor_counts_for_nothing() {
        let (live, wait) = example::waiting_for_token();
        let loaded = loaded(live);
        for (started, counts) in [(None, true), (Some(NOW), true), (Some(NOW.plus_millis(-1)), false)] {
            for command in
                [Command::Answer(of(&wait, started), example::succeeded()), Command::Heartbeat(of(&wait, started))]
            {
                assert_eq!(loaded.would_change(&command), counts, "{command:?}");
                assert_eq!(loaded.lacks(&command), !counts, "{command:?}");
            }
        }
    }

    #[test]
    fn a_record_says_when_a_process_that_knows_nothing_of_its_writer_has_to_visit() {
        let now = NOW.plus_seconds(1);
        let mut live = example::plain_task();
        assert_eq!(
            loaded(example::plain_task()).next_visit(Deployment::SharedWorker, now),
            Some(now),
            "at once: a call can be claimed"
        );
        let wait = example::claim(&mut live, "worker", NOW, 10);
        let mut claimed = loaded(live);
        assert_eq!(claimed.next_visit(Deployment::SharedWorker, now), Some(now), "at once: its worker may be gone");
        assert_eq!(loaded(example::timer(60)).next_visit(Deployment::SharedWorker, now), Some(NOW.plus_seconds(60)));
        example::apply(&mut claimed.live, example::returned(&wait), NOW);
        assert_eq!(claimed.next_visit(Deployment::SharedWorker, now), None, "never: it is closed");
    }

    #[test]
    fn what_came_first_is_applied_before_anything_is_due() {
        let timer = loaded(example::timer(60));
        let due = NOW.plus_seconds(60);
        assert_eq!(timer.before_due(due), due.plus_millis(-1));
        assert_eq!(timer.before_due(due.plus_seconds(5)), due.plus_millis(-1));
        assert_eq!(timer.before_due(NOW.plus_seconds(5)), NOW.plus_seconds(5));
        let mut late = timer;
        late.at = due;
        assert_eq!(late.before_due(due), due, "no step is earlier than the last entry");
    }

    #[test]
    fn a_full_set_is_written_when_the_changes_outweigh_the_last_one() {
        let mut sets = FullSets::default();
        sets.written(1, FULL_SET_AFTER, false);
        assert!(!sets.is_due());
        sets.written(2, 1, false);
        assert!(sets.is_due());
        sets.written(3, FULL_SET_AFTER, true);
        assert!(!sets.is_due() && sets.last == 3);
        sets.written(4, FULL_SET_AFTER * FULL_SET_RATIO, false);
        assert!(!sets.is_due());
        sets.written(5, 1, false);
        assert!(sets.is_due());
    }

    #[test]
    fn payloads_of_earlier_entries_are_read_in_few_requests() {
        assert_eq!(runs(&[]), []);
        assert_eq!(runs(&[3, 4, 12, 21]), [(3, 10), (21, 1)]);
        let close: Vec<u64> = (0..=200).map(|number| number * 8).collect();
        assert!(runs(&close).iter().all(|(_, count)| *count <= 1_000));
    }
}
