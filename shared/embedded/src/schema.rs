//! The tables of `stepwell.db`, its format version, and how connections to it are set up.
//!
//! | table | one row per | notes |
//! |---|---|---|
//! | `executions` | execution | what lists show, when something is due, where its tail begins |
//! | `records` | commit | `place` is the execution's `id` times 2^24 plus the sequence; `body` is the service's |
//! | `discarded` | execution that is gone, whose records are not yet | emptied by the sweep |
//! | `machines`, `revisions` | state machine, definition | |
//! | `starts` | asynchronous Express execution under way | |
//! | `installation` | fact about the installation | its key, and how many commits there were |
//!
//! Times are milliseconds since 1970. `digest` is what [`crate::digest`] makes of the rest of a row, or nothing.
//!
//! # When the shape changes
//!
//! `PRAGMA user_version` is the version. An addition that older programs can ignore, a column or a row that they do not
//! name, comes without a new version: [`complete`] adds it to older files, and readers accept its
//! absence. Anything else is a new [`VERSION`], with a step in `complete` from the one before, in one transaction: files
//! of every older version are brought up when they are opened, files of a newer one are refused and left alone. A new
//! version needs a golden of its own in `tests/golden_journals`, beside those of the older ones: a test fails until it
//! is there.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use crate::directory::Durability;

/// The format this program writes, in `PRAGMA user_version`.
pub(crate) const VERSION: i64 = 1;
/// "STPW", in `PRAGMA application_id`: whose file this is.
const APPLICATION: i64 = 0x5354_5057;
/// How many bits of a record's place are its sequence.
const SEQUENCE_BITS: u32 = 24;
/// An execution has fewer records than this.
pub(crate) const MAX_SEQUENCE: u64 = (1 << SEQUENCE_BITS) - 1;
/// How long a connection waits for a shell or a backup tool that holds the file.
const BUSY: Duration = Duration::from_secs(5);

/// All tables but the one that grows with what executions do.
pub(crate) const SMALL_TABLES: [&str; 7] =
    ["sqlite_schema", "executions", "discarded", "machines", "revisions", "starts", "installation"];
/// Columns that came later, which files of before do not have.
const ADDED: [(&str, &str, &str); 7] = [
    ("executions", "digest", "INTEGER"),
    ("records", "digest", "INTEGER"),
    ("machines", "digest", "INTEGER"),
    ("revisions", "digest", "INTEGER"),
    ("starts", "digest", "INTEGER"),
    ("executions", "shown", "TEXT"),
    ("records", "shown", "TEXT"),
];

const TABLES: &str = "
CREATE TABLE executions (
    id INTEGER PRIMARY KEY,
    execution TEXT NOT NULL UNIQUE,
    machine TEXT NOT NULL,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    started INTEGER NOT NULL,
    stopped INTEGER,
    open INTEGER NOT NULL,
    due INTEGER,
    last INTEGER NOT NULL,
    full INTEGER NOT NULL,
    digest INTEGER,
    shown TEXT
);
CREATE INDEX executions_by_start ON executions (machine, started, execution);
CREATE INDEX executions_by_status ON executions (machine, status, started, execution);
CREATE INDEX executions_open ON executions (execution) WHERE open = 1;
CREATE INDEX executions_closed ON executions (stopped) WHERE open = 0;
CREATE TABLE records (
    place INTEGER PRIMARY KEY,
    nonce INTEGER NOT NULL,
    full INTEGER NOT NULL,
    due INTEGER,
    open INTEGER NOT NULL,
    status TEXT,
    machine TEXT,
    name TEXT,
    started INTEGER,
    stopped INTEGER,
    body BLOB NOT NULL,
    digest INTEGER,
    shown TEXT
);
CREATE TABLE discarded (id INTEGER PRIMARY KEY);
CREATE TABLE machines (arn TEXT PRIMARY KEY, version INTEGER NOT NULL, body TEXT NOT NULL, digest INTEGER);
CREATE TABLE revisions (hash TEXT PRIMARY KEY, definition TEXT NOT NULL, digest INTEGER);
CREATE TABLE starts (id TEXT PRIMARY KEY, body TEXT NOT NULL, digest INTEGER);
CREATE TABLE installation (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
";

/// The format of a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Empty,
    Ours,
    Newer(i64),
    Foreign,
}

/// Looks without writing.
pub(crate) fn examine(connection: &Connection) -> rusqlite::Result<Format> {
    let application: i64 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(match (application, version) {
        (0, 0) if tables == 0 => Format::Empty,
        (APPLICATION, VERSION) => Format::Ours,
        (APPLICATION, newer) if newer > VERSION => Format::Newer(newer),
        _ => Format::Foreign,
    })
}

/// Makes an empty file ours. All or nothing: a crash leaves an empty one.
pub(crate) fn create(connection: &mut Connection, key: &[u8; 32]) -> rusqlite::Result<()> {
    // Both are decided for good by the first page that is written.
    connection
        .execute_batch("PRAGMA page_size = 8192; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;")?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(TABLES)?;
    transaction.execute("INSERT INTO installation (name, value) VALUES ('key', ?1)", [key.as_slice()])?;
    transaction.execute_batch(&format!("PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION};"))?;
    transaction.commit()
}

/// Brings a file of ours to what this program writes.
pub(crate) fn complete(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for (table, column, kind) in ADDED {
        let known = "SELECT count(*) FROM pragma_table_info(?1) WHERE name = ?2";
        if transaction.query_row(known, [table, column], |row| row.get::<_, i64>(0))? == 0 {
            transaction.execute_batch(&format!("ALTER TABLE {table} ADD COLUMN {column} {kind}"))?;
        }
    }
    transaction.commit()
}

/// How many commits the file has seen; `None` in a file from before commits were counted.
pub(crate) fn commits(connection: &Connection) -> rusqlite::Result<Option<u64>> {
    connection.query_row("SELECT value FROM installation WHERE name = 'commits'", [], |row| row.get(0)).optional()
}

/// Says how many commits there are with this one.
pub(crate) fn count_commits(connection: &Connection, commits: u64) -> rusqlite::Result<()> {
    let count = "INSERT INTO installation (name, value) VALUES ('commits', ?1)
                 ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    connection.prepare_cached(count)?.execute([commits])?;
    Ok(())
}

/// The secret of the installation.
pub(crate) fn key(connection: &Connection) -> rusqlite::Result<Option<[u8; 32]>> {
    connection.query_row("SELECT value FROM installation WHERE name = 'key'", [], |row| row.get(0)).optional()
}

/// Settings of the one connection that writes.
pub(crate) fn prepare_writer(connection: &Connection, durability: Durability) -> rusqlite::Result<()> {
    prepare_reader(connection)?;
    // A restored backup arrives in another mode.
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA cache_size = -65536;")?;
    connection.execute_batch(match durability {
        Durability::Full => "PRAGMA synchronous = FULL;",
        Durability::Normal => "PRAGMA synchronous = NORMAL;",
        Durability::Off => "PRAGMA synchronous = OFF;",
    })
}

/// Settings of every connection.
pub(crate) fn prepare_reader(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(64);
    connection.busy_timeout(BUSY)?;
    connection.execute_batch("PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384;")
}

/// Where a record of an execution is. `sequence` is at most [`MAX_SEQUENCE`].
pub(crate) fn place(id: i64, sequence: u64) -> i64 {
    (id << SEQUENCE_BITS) | (sequence.min(MAX_SEQUENCE) as i64)
}

/// The sequence of the record at a place.
pub(crate) fn sequence(place: i64) -> u64 {
    (place as u64) & MAX_SEQUENCE
}
