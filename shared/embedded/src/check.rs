//! Checks before a directory is used: that it is whole, as far as a start can tell.
//!
//! Everything but `records` is checked as SQLite checks it, each index against its table: a start relies on all of it,
//! and it is small. Records are read one execution at a time, so theirs are looked at then, by their digests.

use std::fs;
use std::path::Path;

use rusqlite::Connection;

use crate::directory::DATABASE;
use crate::schema::SMALL_TABLES;

/// Where the header of a database says how large its pages are, and how many there are.
const PAGE_SIZE: std::ops::Range<usize> = 16..18;
const PAGES: std::ops::Range<usize> = 28..32;

/// The damage of the file before it is opened, if any; `commits` comes from its mark.
pub(crate) fn before_opening(directory: &Path, commits: Option<u64>) -> std::io::Result<Option<String>> {
    let length = match fs::metadata(directory.join(DATABASE)) {
        Ok(found) => found.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0,
        Err(error) => return Err(error),
    };
    let logged = fs::metadata(directory.join(format!("{DATABASE}-wal"))).is_ok_and(|log| log.len() > 0);
    if length == 0 {
        let lost = logged || commits.is_some_and(|commits| commits > 0);
        return Ok(lost.then(|| "it is missing or empty, and its other files say that it was not".to_owned()));
    }
    // With a log, what is missing here may be there.
    if logged {
        return Ok(None);
    }
    let header = header(directory)?;
    if !header.starts_with(b"SQLite format 3\0") {
        return Ok(None);
    }
    let number = |place: std::ops::Range<usize>| {
        let bytes = header.get(place)?;
        Some(bytes.iter().fold(0, |all, byte| (all << 8) | u64::from(*byte)))
    };
    let expected =
        number(PAGE_SIZE).zip(number(PAGES)).map_or(0, |(size, pages): (u64, u64)| size.saturating_mul(pages));
    Ok((length < expected).then(|| format!("it has {length} bytes and had {expected}")))
}

fn header(directory: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    let mut header = Vec::new();
    fs::File::open(directory.join(DATABASE))?.take(100).read_to_end(&mut header)?;
    Ok(header)
}

/// The damage of the tables that a start relies on, if any.
pub(crate) fn small_tables(connection: &Connection) -> rusqlite::Result<Option<String>> {
    for table in SMALL_TABLES {
        let check = format!("PRAGMA integrity_check('{table}')");
        let found: String = connection.query_row(&check, [], |row| row.get(0))?;
        if found != "ok" {
            return Ok(Some(format!("SQLite says '{}'", found.lines().last().unwrap_or_default())));
        }
    }
    Ok(None)
}
