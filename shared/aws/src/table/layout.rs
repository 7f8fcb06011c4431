//! The layout of the table: its keys, attributes and indexes, each with its reason. Everything here is promised:
//! a table outlives the programs that read it.
//!
//! | partition `pk` | sort key `sk` | item | written |
//! |---|---|---|---|
//! | the execution's ARN | `r` and ten digits | a record; `r0000000000` is the head | once, by a conditional put |
//! | the execution's ARN | `k/NONCE/INDEX` | a piece of a record's body that does not fit 400 KB | once, before the record |
//! | the execution's ARN | `s/START/TURN` | the cell of a wait: an answer, heartbeat or closing beside the journal | over the content that its writer may replace |
//! | `m/SHARD` | the state machine's ARN | a state machine | over the version it was made from |
//! | `m/SHARD/c` | `k/NONCE/INDEX` | a piece of a machine's body | once, before the machine |
//! | `d/HASH` | `d` | a revision of a definition | once |
//! | `d/HASH` | `k/NONCE/INDEX` | a piece of a revision | once, before the revision |
//! | `a/SHARD/ARN` of an activity | time queued, attempt and execution | a task that waits for a worker; `until` then it is hidden from callers | before its commit, over when it is received, deleted when it is leased |
//! | `clock` | a shard's number | the scheduler's cursor in a shard of `wake`: due times up to then, and a page behind that | by the scheduler |
//! | `clock` | `sweep` | the day of the last whole sweep | by the scheduler |
//! | `clock` | `sweep/SEGMENT` | the same of a segment of the index `list`, and the current sweep's page in it | by the scheduler |
//! | `clock` | `visits/ARN` | how often the scheduler began to drive the execution of a dead letter and did not return | counted up before it is driven, removed afterwards |
//! | `key` | `k` | the installation's keys, which sign tokens | once, and when the operator replaces one |
//!
//! Names of attributes are stored in every item and count towards its size, and are read by people in consoles: short
//! words. A sort key is text, not a number, so that an execution's partition has room for other things than records;
//! ten digits are more records than a partition could hold.
//!
//! # Indexes
//!
//! `list` has a row for every change of an execution's status: the head, and the records that close or reopen it. Rows
//! are sorted by start time, ARN and sequence, so those of an execution are neighbours and the last one counts; no
//! head is edited because its execution ended. `wake` has a row for every record whose due time is far away. Both are
//! sparse: the attributes that are their keys are on those records only. Their partitions are sharded by a hash of the
//! execution's ARN, because a partition takes 1,000 writes a second and an index that falls behind throttles its table.
//!
//! # When it changes
//!
//! Functions of two versions work on one table while it is upgraded, and no program rewrites items. So an attribute that
//! older readers can do without comes without a new number; anything else is a new [`VERSION`], written only once every
//! function can read it, that is one release after the code that reads it, and read beside every older one. A reader that
//! meets a newer item steps back. Another dictionary is another compression method (`compression.rs`), other keys are other
//! items. Each needs a golden table in `tests/golden_journals`, beside the older ones: a test fails until it is there.

use interpreter::Timestamp;
use sha2::{Digest, Sha256};

/// The format of items this code writes, and the newest it reads. In every item as [`FORMAT`].
pub const VERSION: u64 = 1;

pub const PARTITION: &str = "pk";
pub const SORT: &str = "sk";
/// The item's format: a reader that meets a newer one leaves the item alone.
pub const FORMAT: &str = "v";
/// The writer's random number: a put that is refused because of its own nonce was written, and its response lost.
pub const NONCE: &str = "nonce";
/// The sequence of the last record with a full set of frames: where loading begins.
pub const FULL: &str = "full";
/// When a worker has to load the execution, in milliseconds since 1970.
pub const DUE: &str = "due";
pub const OPEN: &str = "open";
/// The body, compressed by the method in [`COMPRESSION`]; absent when it is in chunks.
pub const BODY: &str = "body";
/// The body's compression method; absent when it is plain. See `compression.rs`.
pub const COMPRESSION: &str = "packed";
/// The length of the decompressed body: readers refuse to decompress more.
pub const SIZE: &str = "size";
/// How many chunks hold the body, and the first half of the SHA-256 of all of them together.
pub const CHUNKS: &str = "chunks";
pub const DIGEST: &str = "digest";
/// On a final cell, which a writer replaces only if it has read it.
pub const LAST: &str = "last";
/// When DynamoDB may delete the item, in seconds since 1970: the table's time to live.
pub const EXPIRES: &str = "expires";
/// The key of `list`: shard and machine, with [`PLACE`]: start time, ARN and sequence.
pub const LIST: &str = "list";
pub const PLACE: &str = "place";
/// Members of lists that the keys do not have.
pub const NAME: &str = "name";
pub const STATUS: &str = "status";
pub const STOPPED: &str = "stopped";
/// A text whose content may grow, since what an index projects cannot change. A table from before does not project it.
pub const SHOWN: &str = "shown";
/// The key of `wake`: shard, with [`WAKE_AT`]: when it is due.
pub const WAKE: &str = "wake";
pub const WAKE_AT: &str = "wake_at";
/// On a task of an activity: callers that come earlier do not see it, in milliseconds since 1970.
pub const HIDDEN: &str = "until";
/// How many visits did not return.
pub const VISITS: &str = "visits";
/// How many writes a machine's item has seen.
pub const WRITES: &str = "version";

/// The type of a key attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyType {
    Text,
    Number,
}

/// A global secondary index.
#[derive(Debug, Clone, Copy)]
pub struct Index {
    pub name: &'static str,
    pub partition: (&'static str, KeyType),
    pub sort: (&'static str, KeyType),
    /// Attributes of a row beside the keys of index and table.
    pub holds: &'static [&'static str],
}

/// The table's definition: what [`crate::create`] makes, and what the template has to say.
pub const TABLE_KEY: [(&str, KeyType); 2] = [(PARTITION, KeyType::Text), (SORT, KeyType::Text)];
pub const TIME_TO_LIVE: &str = EXPIRES;
pub const INDEXES: [Index; 2] = [LIST_INDEX, WAKE_INDEX];

/// Executions by machine and start.
pub const LIST_INDEX: Index = Index {
    name: "list",
    partition: (LIST, KeyType::Text),
    sort: (PLACE, KeyType::Text),
    holds: &[FORMAT, NAME, STATUS, STOPPED, SHOWN, EXPIRES],
};

/// Due times that are far away.
pub const WAKE_INDEX: Index =
    Index { name: "wake", partition: (WAKE, KeyType::Text), sort: (WAKE_AT, KeyType::Number), holds: &[] };

/// Eight shards take 4,000 starts and ends a second of one machine, more than AWS allows an account to begin, and a list
/// costs eight small reads.
pub const SHARDS: u64 = 8;

/// A due time farther away than this is in `wake`. The scheduler sends messages 15 minutes ahead, so it has 5
/// minutes to see a new row.
pub const FAR_MS: i64 = 20 * 60 * 1_000;
/// A message for a due time farther away than this is not sent: the record's row in `wake` stands for it. Later than
/// [`FAR_MS`], so that a writer and a sender whose clocks differ never both leave it to the other.
pub const UNSENT_MS: i64 = 25 * 60 * 1_000;
const _: () = assert!(FAR_MS + 60_000 < UNSENT_MS, "what is in doubt has both a row and a message");

/// Bytes of a body that stay in their item. An item has at most 400 KB, of which names and keys take a few.
pub const INLINE: usize = 384 << 10;
/// Bytes of a chunk.
pub const CHUNK: usize = 384 << 10;
/// Chunks of a body at most: 48 MiB, compressed.
pub const MOST_CHUNKS: usize = 128;

/// The sort key that is greater than those of all records.
pub(crate) const AFTER_RECORDS: &str = "r:";
/// The sort key that is greater than those of all records and cells.
pub(crate) const AFTER_CELLS: &str = "s0";
pub(crate) const CELL_PREFIX: &str = "s/";
const MOST_RECORDS: u64 = 9_999_999_999;
const RECORD: char = 'r';

/// Start times in lists are written in fifteen digits: until the year 33658.
const LATEST_START: i64 = 999_999_999_999_999;

/// The sort key of a record.
pub fn record_key(sequence: u64) -> String {
    format!("{RECORD}{:010}", sequence.min(MOST_RECORDS))
}

/// The sequence of a record by its sort key; `None` when it is no record.
pub fn record_sequence(sort: &str) -> Option<u64> {
    sort.strip_prefix(RECORD)?.parse().ok()
}

/// Whether an execution can have a record of that sequence.
pub fn fits_sequence(sequence: u64) -> bool {
    sequence <= MOST_RECORDS
}

/// The sort key of a cell. Behind the records, so that one query reads both.
pub fn cell_key(key: &str) -> String {
    format!("{CELL_PREFIX}{key}")
}

pub fn chunk_key(nonce: u64, index: usize) -> String {
    format!("{}{index:03}", chunk_prefix(nonce))
}

pub fn chunk_prefix(nonce: u64) -> String {
    format!("{CHUNK_PREFIX}{nonce:016x}/")
}

pub(crate) const CHUNK_PREFIX: &str = "k/";

pub fn list_partition(machine: &str, shard: u64) -> String {
    format!("{shard} {machine}")
}

/// The machine of a row in `list`.
pub fn listed_machine(partition: &str) -> Option<&str> {
    partition.split_once(' ').map(|(_, machine)| machine)
}

/// Where a row stands in `list`; `None` when the time is none that executions start at. A space sorts before everything
/// a name can have, so that places compare as pairs of time and ARN do.
pub fn place(started: Timestamp, execution: &str, sequence: u64) -> Option<String> {
    Some(format!("{}{sequence:010}", place_before(started, execution)?))
}

/// A key before every row of an execution, and after those of earlier executions.
pub fn place_before(started: Timestamp, execution: &str) -> Option<String> {
    (0..=LATEST_START).contains(&started.0).then(|| format!("{:015} {execution} ", started.0))
}

/// Start time, ARN and sequence of a row in `list`.
pub fn placed(place: &str) -> Option<(Timestamp, &str, u64)> {
    let (started, rest) = place.split_once(' ')?;
    let (execution, sequence) = rest.rsplit_once(' ')?;
    Some((Timestamp(started.parse().ok()?), execution, sequence.parse().ok()?))
}

pub fn wake_partition(shard: u64) -> String {
    shard.to_string()
}

/// Two shards take 2,000 writes a second, which are 660 tasks of one activity: more than AWS lets an account take out of
/// its queues. Each look at a queue costs as many small reads.
pub const ACTIVITY_SHARDS: u64 = 2;
/// Digits of a time in the sort key of a task.
pub const ACTIVITY_SORT_DIGITS: usize = 15;

pub fn activity_partition(shard: u64, activity: &str) -> String {
    format!("a/{shard}/{activity}")
}

/// The shard of an execution's tasks.
pub fn activity_shard(execution: &str) -> u64 {
    shard(execution) % ACTIVITY_SHARDS
}

/// Where a task stands in its queue; `None` when the time is none.
pub fn activity_sort(queued: Timestamp, attempt_id: u64, execution: &str) -> Option<String> {
    (0..=LATEST_START).contains(&queued.0).then(|| format!("{:015} {attempt_id:010} {execution}", queued.0))
}

/// Time, attempt and execution of a task.
pub fn queued(sort: &str) -> Option<(Timestamp, u64, &str)> {
    let (time, rest) = sort.split_once(' ')?;
    let (attempt_id, execution) = rest.split_once(' ')?;
    Some((Timestamp(time.parse().ok()?), attempt_id.parse().ok()?, execution))
}

pub fn machine_partition(shard: u64) -> String {
    format!("m/{shard}")
}

/// Chunks of machines are elsewhere, so that a list of machines does not read them.
pub fn machine_chunks(shard: u64) -> String {
    format!("m/{shard}/c")
}

pub fn revision_partition(hash: &str) -> String {
    format!("d/{hash}")
}

pub const REVISION_SORT: &str = "d";
pub const CLOCK_PARTITION: &str = "clock";
pub const SWEEP_SORT: &str = "sweep";

/// The sort key of the sweep's progress in a segment of the list index.
pub fn sweep_sort(segment: i32) -> String {
    format!("{SWEEP_SORT}/{segment}")
}

/// The sort key of the visits to a dead letter's execution that have not returned.
pub fn visits_sort(execution: &str) -> String {
    format!("visits/{execution}")
}

pub const KEY_PARTITION: &str = "key";
pub const KEY_SORT: &str = "k";

/// The shard of an ARN.
pub fn shard(arn: &str) -> u64 {
    let digest = Sha256::digest(arn.as_bytes());
    digest.iter().take(8).fold(0, |number: u64, byte| (number << 8) | u64::from(*byte)) % SHARDS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_compare_as_times_and_arns_do() {
        let pairs = [(1, "a"), (1, "a!"), (1, "a-b"), (1, "ab"), (2, "a"), (10, "a"), (1_700_000_000_000, "a")];
        for (one, other) in pairs.iter().zip(pairs.iter().skip(1)) {
            let key = |pair: &(i64, &str), sequence| place(Timestamp(pair.0), pair.1, sequence).expect("a time");
            assert!(key(one, 999_999_999) < key(other, 0), "{one:?} {other:?}");
            let bound = place_before(Timestamp(other.0), other.1).expect("a time");
            assert!(key(one, 999_999_999) < bound && bound < key(other, 0), "{one:?} {other:?}");
        }
    }

    #[test]
    fn keys_say_what_they_were_made_of() {
        assert_eq!(record_sequence(&record_key(12)), Some(12));
        assert_eq!(record_sequence(&chunk_key(12, 1)), None);
        let place = place(Timestamp(5), "arn:aws:x", 7).expect("a time");
        assert_eq!(placed(&place), Some((Timestamp(5), "arn:aws:x", 7)));
        assert_eq!(super::place(Timestamp(-1), "a", 0), None);
        assert_eq!(listed_machine(&list_partition("arn:aws:m", 3)), Some("arn:aws:m"));
        assert!(record_key(u64::MAX).as_str() < AFTER_RECORDS);
        let queued = activity_sort(Timestamp(5), 7, "arn:aws:x").expect("a time");
        assert_eq!(super::queued(&queued), Some((Timestamp(5), 7, "arn:aws:x")));
    }

    #[test]
    fn arns_keep_their_shards() {
        // A table outlives the program: another hash would hide what is stored.
        let shards: Vec<u64> = ["a", "b", "arn:aws:states:us-east-1:123456789012:execution:m:n"].map(shard).to_vec();
        assert_eq!(shards, [2, 2, 1]);
    }
}
