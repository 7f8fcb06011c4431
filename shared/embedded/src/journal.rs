//! The port `Journal`: executions as rows of records, and one row each for lists.
//!
//! A head is one new row and one new record; any other append is one look at the execution's row, one new record and one
//! change of that row. It refuses what its caller promised not to do (a gap, a head without listing), so that lists and
//! retention can rely on what they find.

use async_trait::async_trait;
use engine::ports::{
    Appended, Direction, ExecutionStatus, Journal, ListPage, ListQuery, Listing, OpenPage, Record, Seen, StoreError,
};
use interpreter::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

use crate::digest::{Digest, damaged};
use crate::directory::Directory;
use crate::failure::Failure;
use crate::schema::{MAX_SEQUENCE, place, sequence};

#[async_trait]
impl Journal for Directory {
    async fn append(&self, record: Record) -> Result<Appended, StoreError> {
        let digest = record_digest(&record).finish();
        self.writer.write(move |connection| append(connection, &record, digest)).await
    }

    async fn tail(&self, execution: &str) -> Result<Vec<Record>, StoreError> {
        let execution = execution.to_owned();
        self.readers.read(move |connection| tail(connection, &execution)).await
    }

    async fn ends(&self, execution: &str) -> Result<Option<(Record, Record)>, StoreError> {
        let execution = execution.to_owned();
        self.readers.read(move |connection| ends(connection, &execution)).await
    }

    async fn read(
        &self,
        execution: &str,
        from: u64,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        let execution = execution.to_owned();
        self.readers.read(move |connection| read(connection, &execution, from, direction, limit)).await
    }

    async fn list(&self, query: &ListQuery) -> Result<ListPage, StoreError> {
        let query = query.clone();
        self.readers.read(move |connection| list(connection, &query)).await
    }

    async fn open(&self, after: Option<&str>, limit: usize) -> Result<OpenPage, StoreError> {
        let after = after.unwrap_or_default().to_owned();
        self.readers.read(move |connection| open(connection, &after, limit)).await
    }

    async fn forget(&self, seen: &Seen) -> Result<(), StoreError> {
        let seen = seen.clone();
        self.writer.write(move |connection| forget(connection, &seen)).await
    }
}

/// The columns of an execution that an append needs.
struct Known {
    id: i64,
    last: u64,
    full: u64,
    open: bool,
}

fn known(connection: &Connection, execution: &str) -> rusqlite::Result<Option<Known>> {
    let mut statement =
        connection.prepare_cached("SELECT id, last, full, open, due, digest FROM executions WHERE execution = ?1")?;
    statement
        .query_row([execution], |row| {
            let known = Known { id: row.get(0)?, last: row.get(1)?, full: row.get(2)?, open: row.get(3)? };
            let digest = execution_digest(execution, known.last, known.full, known.open, row.get(4)?);
            digest.check(row.get(5)?, || format!("the row of {execution}"))?;
            Ok(known)
        })
        .optional()
}

/// The digest of an execution's row: columns that readers use before they read its records.
fn execution_digest(execution: &str, last: u64, full: u64, open: bool, due: Option<i64>) -> Digest {
    let digest = Digest::of("executions").text(execution).bytes(&last.to_le_bytes()).bytes(&full.to_le_bytes());
    digest.number(i64::from(open)).maybe(due)
}

fn digest_after(record: &Record) -> i64 {
    let due = record.due.map(|time| time.0);
    execution_digest(&record.execution, record.sequence, record.full, record.open, due).finish()
}

fn append(connection: &Connection, record: &Record, digest: i64) -> Result<Appended, Failure> {
    // Most heads are new: they are added without looking first.
    if record.sequence == 0
        && let Some(listing) = &record.listing
        && check(record, None).is_ok()
        && let Some(id) = add_execution(connection, record, listing)?
    {
        add_record(connection, record, id, digest)?;
        return Ok(Appended::Written);
    }
    let known = known(connection, &record.execution)?;
    if let Some(Known { id, last, .. }) = known
        && record.sequence <= last
    {
        return Ok(Appended::Taken(Box::new(record_at(connection, &record.execution, place(id, record.sequence))?)));
    }
    check(record, known.as_ref())?;
    let Some(known) = known else { return Err(Failure::Refused(format!("{} cannot be begun", record.execution))) };
    change_execution(connection, record, known.id)?;
    add_record(connection, record, known.id, digest)?;
    Ok(Appended::Written)
}

/// Holds the caller to its side of the port.
fn check(record: &Record, known: Option<&Known>) -> Result<(), Failure> {
    let listing = record.listing.as_ref();
    let expected = known.map_or(0, |known| known.last.saturating_add(1));
    let broken = if record.sequence != expected {
        "would leave a gap"
    } else if record.sequence > MAX_SEQUENCE {
        "is one more than an execution can have"
    } else if record.full > record.sequence {
        "has its last full set in the future"
    } else if listing.is_some_and(|listing| listing.execution != record.execution) {
        "is listed as another execution"
    } else if known.is_none() && listing.is_none() {
        "is a head without listing"
    } else if known.is_none_or(|known| known.open) && !record.open && listing.is_none_or(|l| l.stopped.is_none()) {
        "closes its execution without saying when"
    } else {
        return Ok(());
    };
    Err(Failure::Refused(format!("record {} of {} {broken}", record.sequence, record.execution)))
}

/// Adds an execution and gives it an id; `None` when it is there already.
fn add_execution(connection: &Connection, record: &Record, listing: &Listing) -> rusqlite::Result<Option<i64>> {
    // An id is used again only when nothing is left of the execution that had it.
    let mut insert = connection.prepare_cached(
        "INSERT INTO executions
             (id, execution, machine, name, status, started, stopped, open, due, last, full, digest, shown)
         VALUES (
             1 + max(coalesce((SELECT max(id) FROM executions), 0), coalesce((SELECT max(id) FROM discarded), 0)),
             ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12
         ) ON CONFLICT (execution) DO NOTHING",
    )?;
    let added = insert.execute(params![
        record.execution,
        listing.machine,
        listing.name,
        listing.status.name(),
        listing.started.0,
        listing.stopped.map(|time| time.0),
        record.open,
        record.due.map(|time| time.0),
        record.sequence,
        record.full,
        digest_after(record),
        listing.shown,
    ])?;
    Ok((added > 0).then(|| connection.last_insert_rowid()))
}

fn change_execution(connection: &Connection, record: &Record, id: i64) -> rusqlite::Result<()> {
    let (due, digest) = (record.due.map(|time| time.0), digest_after(record));
    match &record.listing {
        None => {
            let mut update = connection.prepare_cached(
                "UPDATE executions SET open = ?2, due = ?3, last = ?4, full = ?5, digest = ?6 WHERE id = ?1",
            )?;
            update.execute(params![id, record.open, due, record.sequence, record.full, digest])?;
        }
        Some(listing) => {
            let mut update = connection.prepare_cached(
                "UPDATE executions SET open = ?2, due = ?3, last = ?4, full = ?5, digest = ?6, machine = ?7, name = ?8,
                 status = ?9, started = ?10, stopped = ?11, shown = ?12 WHERE id = ?1",
            )?;
            update.execute(params![
                id,
                record.open,
                due,
                record.sequence,
                record.full,
                digest,
                listing.machine,
                listing.name,
                listing.status.name(),
                listing.started.0,
                listing.stopped.map(|time| time.0),
                listing.shown,
            ])?;
        }
    }
    Ok(())
}

fn add_record(connection: &Connection, record: &Record, id: i64, digest: i64) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO records (place, nonce, full, due, open, status, machine, name, started, stopped, body, digest, shown)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )?;
    let listing = record.listing.as_ref();
    insert.execute(params![
        place(id, record.sequence),
        // SQLite's integers have a sign: the bits are kept.
        record.nonce as i64,
        record.full,
        record.due.map(|time| time.0),
        record.open,
        listing.map(|listing| listing.status.name()),
        listing.map(|listing| &listing.machine),
        listing.map(|listing| &listing.name),
        listing.map(|listing| listing.started.0),
        listing.and_then(|listing| listing.stopped).map(|time| time.0),
        record.body,
        digest,
        listing.and_then(|listing| listing.shown.as_ref()),
    ])?;
    Ok(())
}

fn tail(connection: &Connection, execution: &str) -> Result<Vec<Record>, Failure> {
    let Some(known) = known(connection, execution)? else {
        return Ok(Vec::new());
    };
    let mut records = Vec::new();
    if known.full > 0 {
        records.push(record_at(connection, execution, place(known.id, 0))?);
    }
    // To the end of its places, not to the one that is taken for its last: what is behind that was acknowledged, too.
    let range = [place(known.id, known.full), place(known.id, MAX_SEQUENCE)];
    let tail = records_between(connection, execution, range, Direction::Ascending, usize::MAX)?;
    if !tail.iter().map(|record| record.sequence).eq(known.full..=known.last) {
        return Err(damaged(format!("the journal of {execution}")).into());
    }
    records.extend(tail);
    Ok(records)
}

fn ends(connection: &Connection, execution: &str) -> Result<Option<(Record, Record)>, Failure> {
    let Some(known) = known(connection, execution)? else {
        return Ok(None);
    };
    let first = record_at(connection, execution, place(known.id, 0))?;
    let last = match known.last {
        0 => first.clone(),
        last => record_at(connection, execution, place(known.id, last))?,
    };
    Ok(Some((first, last)))
}

fn read(
    connection: &Connection,
    execution: &str,
    from: u64,
    direction: Direction,
    limit: usize,
) -> Result<Vec<Record>, Failure> {
    let Some(known) = known(connection, execution)? else {
        return Ok(Vec::new());
    };
    let range = match direction {
        Direction::Ascending if from > known.last => return Ok(Vec::new()),
        Direction::Ascending => [place(known.id, from), place(known.id, known.last)],
        Direction::Descending => [place(known.id, 0), place(known.id, from.min(known.last))],
    };
    let records = records_between(connection, execution, range, direction, limit)?;
    let expected = range[1].saturating_sub(range[0]).saturating_add(1);
    if records.len() < limit && i64::try_from(records.len()).unwrap_or(i64::MAX) < expected {
        return Err(damaged(format!("the journal of {execution}")).into());
    }
    Ok(records)
}

const RECORD: &str =
    "SELECT place, nonce, full, due, open, status, machine, name, started, stopped, shown, body, digest FROM records";

fn record_at(connection: &Connection, execution: &str, place: i64) -> rusqlite::Result<Record> {
    let mut statement = connection.prepare_cached(&format!("{RECORD} WHERE place = ?1"))?;
    statement.query_row([place], |row| record(execution, row))
}

fn records_between(
    connection: &Connection,
    execution: &str,
    [first, last]: [i64; 2],
    direction: Direction,
    limit: usize,
) -> rusqlite::Result<Vec<Record>> {
    let order = match direction {
        Direction::Ascending => "ASC",
        Direction::Descending => "DESC",
    };
    let sql = format!("{RECORD} WHERE place BETWEEN ?1 AND ?2 ORDER BY place {order} LIMIT ?3");
    let mut statement = connection.prepare_cached(&sql)?;
    statement.query_map(params![first, last, sql_limit(limit)], |row| record(execution, row))?.collect()
}

fn record(execution: &str, row: &Row<'_>) -> rusqlite::Result<Record> {
    let listing = match row.get::<_, Option<String>>("status")? {
        None => None,
        Some(status) => Some(Listing {
            execution: execution.to_owned(),
            machine: row.get("machine")?,
            name: row.get("name")?,
            status: execution_status(&status)?,
            started: Timestamp(row.get("started")?),
            stopped: row.get::<_, Option<i64>>("stopped")?.map(Timestamp),
            shown: row.get("shown")?,
        }),
    };
    let record = Record {
        execution: execution.to_owned(),
        sequence: sequence(row.get("place")?),
        nonce: row.get::<_, i64>("nonce")? as u64,
        full: row.get("full")?,
        due: row.get::<_, Option<i64>>("due")?.map(Timestamp),
        open: row.get("open")?,
        listing,
        body: row.get("body")?,
    };
    record_digest(&record).check(row.get("digest")?, || format!("record {} of {execution}", record.sequence))?;
    Ok(record)
}

fn record_digest(record: &Record) -> Digest {
    let Record { execution, sequence, nonce, full, due, open, listing, body } = record;
    let mut digest = Digest::of("records").text(execution);
    for number in [sequence, nonce, full] {
        digest = digest.bytes(&number.to_le_bytes());
    }
    digest = digest.maybe(due.map(|time| time.0)).number(i64::from(*open)).bytes(body);
    match listing {
        None => digest,
        // Not what is shown: programs of before do not know of it, and take the digest as they have it.
        Some(Listing { execution: _, machine, name, status, started, stopped, shown: _ }) => {
            let digest = digest.text(machine).text(name).text(status.name());
            digest.number(started.0).maybe(stopped.map(|time| time.0))
        }
    }
}

fn execution_status(name: &str) -> rusqlite::Result<ExecutionStatus> {
    ExecutionStatus::from_name(name).ok_or_else(|| {
        let unknown = format!("no status of an execution: {name}");
        rusqlite::Error::FromSqlConversionFailure(0, Type::Text, unknown.into())
    })
}

fn list(connection: &Connection, query: &ListQuery) -> Result<ListPage, Failure> {
    // The names of indexes are given so that a list never becomes a scan of everything.
    let (index, condition) = match query.status {
        None => ("executions_by_start", ":status IS NULL"),
        Some(_) => ("executions_by_status", "status = :status"),
    };
    let sql = format!(
        "SELECT execution, machine, name, status, started, stopped, shown FROM executions INDEXED BY {index}
         WHERE machine = :machine AND {condition} AND (started, execution) < (:started, :execution)
         ORDER BY started DESC, execution DESC LIMIT :limit"
    );
    let (started, execution) =
        query.after.as_ref().map_or((i64::MAX, ""), |(started, execution)| (started.0, execution.as_str()));
    let mut statement = connection.prepare_cached(&sql)?;
    let values = named_params! {
        ":machine": query.machine,
        ":status": query.status.map(ExecutionStatus::name),
        ":started": started,
        ":execution": execution,
        ":limit": sql_limit(query.limit),
    };
    let listings = statement.query_map(values, listing)?.collect::<Result<Vec<Listing>, _>>()?;
    let last = listings.last().filter(|_| listings.len() >= query.limit);
    let next = last.map(|last| (last.started, last.execution.clone()));
    Ok(ListPage { listings, next })
}

fn listing(row: &Row<'_>) -> rusqlite::Result<Listing> {
    Ok(Listing {
        execution: row.get("execution")?,
        machine: row.get("machine")?,
        name: row.get("name")?,
        status: execution_status(&row.get::<_, String>("status")?)?,
        started: Timestamp(row.get("started")?),
        stopped: row.get::<_, Option<i64>>("stopped")?.map(Timestamp),
        shown: row.get("shown")?,
    })
}

fn open(connection: &Connection, after: &str, limit: usize) -> Result<OpenPage, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT execution, due, last, full, open, digest FROM executions INDEXED BY executions_open
         WHERE open = 1 AND execution > ?1 ORDER BY execution LIMIT ?2",
    )?;
    let rows = statement.query_map(params![after, sql_limit(limit)], |row| {
        let (execution, due): (String, Option<i64>) = (row.get(0)?, row.get(1)?);
        let digest = execution_digest(&execution, row.get(2)?, row.get(3)?, row.get(4)?, due);
        digest.check(row.get(5)?, || format!("the row of {execution}"))?;
        Ok((execution, due.map(Timestamp)))
    })?;
    let executions = rows.collect::<Result<Vec<(String, Option<Timestamp>)>, _>>()?;
    // In the order of the ARNs, so the last one is the place.
    let next = executions.last().filter(|_| executions.len() >= limit).map(|(last, _)| last.clone());
    Ok(OpenPage { executions, next })
}

fn forget(connection: &Connection, seen: &Seen) -> Result<(), Failure> {
    let Seen { execution, head, last } = seen;
    let Some(known) = known(connection, execution)? else { return Ok(()) };
    // SQLite's integers have a sign: the bits are kept.
    let nonce: Option<i64> = connection
        .prepare_cached("SELECT nonce FROM records WHERE place = ?1")?
        .query_row([place(known.id, 0)], |row| row.get(0))
        .optional()?;
    if known.last != *last || nonce != Some(*head as i64) {
        return Ok(());
    }
    if known.open {
        return Err(Failure::Refused(format!("{execution} is open and cannot be forgotten")));
    }
    Ok(discard(connection, known.id)?)
}

/// Takes an execution out of sight. Its records go with the sweeps that follow, its name is free at once.
pub(crate) fn discard(connection: &Connection, id: i64) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM executions WHERE id = ?1")?.execute([id])?;
    connection.prepare_cached("INSERT INTO discarded (id) VALUES (?1)")?.execute([id])?;
    Ok(())
}

/// SQLite counts with a sign.
pub(crate) fn sql_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
