//! Removes closed executions after the retention and gives their space back to the file system.
//!
//! A sweep is a bounded piece of that, so that commits do not wait for it: some executions go out of sight, some
//! records of those out of sight are deleted, some free pages are cut off the file. The caller repeats it
//! while more is left.
//!
//! Absent: revisions of definitions, which stay; the decision when to sweep.

use engine::ports::StoreError;
use interpreter::Timestamp;
use rusqlite::{Connection, params};

use crate::directory::Directory;
use crate::failure::Failure;
use crate::journal::discard;
use crate::schema::place;

/// Executions that go out of sight in one sweep.
const EXECUTIONS: usize = 200;
/// Bytes of records that are deleted in one sweep, about.
const BYTES: u64 = 8 << 20;
/// Bytes counted for a record beside its body.
const RECORD_BYTES: u64 = 1 << 10;
/// Pages that are cut off the file in one sweep: 8 MiB.
const PAGES: u32 = 1024;

/// The result of a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Swept {
    /// The executions that are gone since this sweep.
    pub executions: usize,
    /// Whether another sweep would find something to do.
    pub more: bool,
}

impl Directory {
    /// Removes a piece of what is over since more than the retention at `now`. A few hundred executions and 8 MiB at
    /// most; the file shrinks with the call that returns `more: false`.
    pub async fn sweep(&self, now: Timestamp) -> Result<Swept, StoreError> {
        let retention = i64::try_from(self.retention.as_millis()).unwrap_or(i64::MAX);
        let before = now.0.saturating_sub(retention);
        let (swept, cut) = self.writer.write(move |connection| sweep(connection, before)).await?;
        if cut && !swept.more {
            self.writer.checkpoint().await?;
        }
        if swept.executions > 0 {
            tracing::debug!(executions = swept.executions, "closed executions removed after the retention");
        }
        Ok(swept)
    }
}

/// Removes what stopped before `before`; also tells whether pages were cut off.
fn sweep(connection: &Connection, before: i64) -> Result<(Swept, bool), Failure> {
    let expired = expired(connection, before)?;
    for id in &expired {
        discard(connection, *id)?;
    }
    let records_left = delete_records(connection)?;
    let free = free_pages(connection)?;
    cut_free_pages(connection)?;
    let pages_left = free_pages(connection)?;
    let more = expired.len() == EXECUTIONS || records_left || pages_left > 0;
    Ok((Swept { executions: expired.len(), more }, pages_left < free))
}

fn expired(connection: &Connection, before: i64) -> rusqlite::Result<Vec<i64>> {
    let mut statement = connection.prepare_cached(
        "SELECT id FROM executions INDEXED BY executions_closed
         WHERE open = 0 AND stopped < ?1 ORDER BY stopped LIMIT ?2",
    )?;
    statement.query_map(params![before, EXECUTIONS], |row| row.get(0))?.collect()
}

/// Deletes records of discarded executions, as many as the bound allows. True: there are more.
fn delete_records(connection: &Connection) -> rusqlite::Result<bool> {
    let mut left = BYTES;
    while left > 0 {
        let mut next = connection.prepare_cached("SELECT min(id) FROM discarded")?;
        let Some(id) = next.query_row([], |row| row.get::<_, Option<i64>>(0))? else {
            return Ok(false);
        };
        left = delete_records_of(connection, id, left)?;
    }
    Ok(true)
}

/// Deletes records of one discarded execution, and its mark when they are all gone. Returns what is left of the bound.
fn delete_records_of(connection: &Connection, id: i64, mut left: u64) -> rusqlite::Result<u64> {
    let [first, end] = [place(id, 0), place(id.saturating_add(1), 0)];
    let mut last = None;
    let mut sizes = connection
        .prepare_cached("SELECT place, length(body) FROM records WHERE place >= ?1 AND place < ?2 ORDER BY place")?;
    let mut rows = sizes.query([first, end])?;
    let mut complete = true;
    while let Some(row) = rows.next()? {
        if left == 0 {
            complete = false;
            break;
        }
        last = Some(row.get::<_, i64>(0)?);
        left = left.saturating_sub(row.get::<_, u64>(1)?.saturating_add(RECORD_BYTES));
    }
    drop(rows);
    if let Some(last) = last {
        connection.prepare_cached("DELETE FROM records WHERE place BETWEEN ?1 AND ?2")?.execute([first, last])?;
    }
    if complete {
        connection.prepare_cached("DELETE FROM discarded WHERE id = ?1")?.execute([id])?;
    }
    Ok(left)
}

fn free_pages(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA freelist_count", [], |row| row.get(0))
}

fn cut_free_pages(connection: &Connection) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
    let mut rows = statement.query([])?;
    // It cuts off one page per step and says so by a row.
    while rows.next()?.is_some() {}
    Ok(())
}
