//! Files that are not what was written: torn, cut off, zeroed, flipped or gone, wherever chance puts it. Whoever opens the
//! directory then finds all that was acknowledged or is told what is wrong: which file, and what to do. Nothing is read
//! that was not written, and nothing acknowledged is missing without a word.
//!
//! `STEPWELL_DAMAGES` says how many (150; 5,000 in long mode), `STEPWELL_SEED` repeats those of a run that failed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::records::{arn, close, record, write};
use anyhow::{Context, Result, ensure};
use embedded::{Directory, Options};
use engine::ports::{Direction, Document, Documents, Journal, Record, Starts, StoreError};
use stepwell_tests::damage::{FILES, copied, damage};
use stepwell_tests::modes::{count, number_in};
use stepwell_tests::simulation::Chance;

/// Everything that was acknowledged.
struct Written {
    journals: BTreeMap<String, Vec<Record>>,
    machine: Document,
}

/// A directory as a killed process leaves it: what is in the log is there only.
async fn killed(into: &Path) -> Result<Written> {
    let home = tempfile::tempdir()?;
    let directory = Directory::open(home.path(), &Options::default())?;
    let machine = Document { key: "machine".to_owned(), version: 1, body: "{\"role\":\"r\"}".to_owned() };
    directory.put(machine.clone()).await?;
    directory.put_revision("hash", "{\"StartAt\":\"A\"}").await?;
    directory.keep("express", "start").await?;
    let mut journals: BTreeMap<String, Vec<Record>> = BTreeMap::new();
    for number in 0..60 {
        let name = format!("execution-{number}");
        let records = journals.entry(arn(&name)).or_default();
        records.extend((0..4).map(|sequence| record(&name, sequence, 200 + 50 * usize::from(number % 7 == 0))));
        if number % 3 == 0 {
            records.push(close(&name, 4, 1_000));
        }
        for record in records {
            write(&directory, record.clone()).await?;
        }
        if number == 30 {
            // Half of it is in the database, half in the log.
            drop_log_into_database(home.path())?;
        }
    }
    copied(home.path(), into)?;
    Ok(Written { journals, machine })
}

fn drop_log_into_database(home: &Path) -> Result<()> {
    let connection = rusqlite::Connection::open(home.join("stepwell.db"))?;
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
    // Left open, or SQLite would remove the log of a database that nobody else seems to use in this process.
    std::mem::forget(connection);
    Ok(())
}

/// True when all is there, false when something is refused in words that help.
async fn survives(directory: &Path, written: &Written) -> Result<bool> {
    let helps = |text: &str| text.contains("stepwell.db") && (text.contains("backup") || text.contains("newer"));
    let directory = match Directory::open(directory, &Options::default()) {
        Ok(directory) => directory,
        Err(error) => {
            ensure!(helps(&error.to_string()), "no help: {error}");
            return Ok(false);
        }
    };
    let mut refused = 0;
    let mut told = |error: StoreError| {
        refused += 1;
        ensure!(!error.retryable && helps(&error.message), "no help: {error}");
        Ok(())
    };
    let open = match Journal::open(&directory, None, 1_000).await {
        Ok(page) => Some(page.executions.into_iter().map(|(execution, _)| execution).collect::<Vec<_>>()),
        Err(error) => told(error).map(|()| None)?,
    };
    for (execution, records) in &written.journals {
        match directory.tail(execution).await {
            Ok(found) => ensure!(found == *records, "another tail of {execution}: {} records", found.len()),
            Err(error) => told(error)?,
        }
        match directory.read(execution, 0, Direction::Ascending, 100).await {
            Ok(found) => ensure!(found == *records, "another journal of {execution}: {} records", found.len()),
            Err(error) => told(error)?,
        }
        match directory.ends(execution).await {
            Ok(ends) => {
                let expected = records.first().cloned().zip(records.last().cloned());
                ensure!(ends == expected, "other ends of {execution}");
            }
            Err(error) => told(error)?,
        }
        let is_open = records.last().is_some_and(|last| last.open);
        ensure!(open.as_ref().is_none_or(|open| open.contains(execution) == is_open), "{execution} open: {is_open}");
    }
    match directory.get("machine").await {
        Ok(machine) => ensure!(machine.as_ref() == Some(&written.machine), "another machine: {machine:?}"),
        Err(error) => told(error)?,
    }
    match directory.revision("hash").await {
        Ok(definition) => ensure!(definition.as_deref() == Some("{\"StartAt\":\"A\"}"), "{definition:?}"),
        Err(error) => told(error)?,
    }
    match directory.pending().await {
        Ok(starts) => ensure!(starts == [("express".to_owned(), "start".to_owned())], "{starts:?}"),
        Err(error) => told(error)?,
    }
    Ok(refused == 0)
}

#[tokio::test]
async fn damage_anywhere_is_told_or_does_no_harm() -> Result<()> {
    let seed = match number_in("STEPWELL_SEED") {
        Some(seed) => seed,
        None => u64::from(SystemTime::now().duration_since(UNIX_EPOCH)?.subsec_nanos()),
    };
    let (damages, mut chance) = (count("STEPWELL_DAMAGES", 150, 5_000), Chance::new(seed));
    println!("{damages} damages, STEPWELL_SEED={seed}");
    let pristine = tempfile::tempdir()?;
    let written = killed(pristine.path()).await?;
    let untouched = tempfile::tempdir()?;
    copied(pristine.path(), untouched.path())?;
    ensure!(survives(untouched.path(), &written).await?, "without damage something is refused");
    let (mut told, mut whole, mut breaches) = (0, 0, Vec::new());
    for _ in 0..damages {
        let home = tempfile::tempdir()?;
        copied(pristine.path(), home.path())?;
        let what = damage(home.path(), &mut chance)?;
        match survives(home.path(), &written).await {
            Ok(true) => whole += 1,
            Ok(false) => told += 1,
            Err(breach) => breaches.push(format!("{what}: {breach:#}")),
        }
    }
    println!("{told} damages told, {whole} without effect, {} unnoticed", breaches.len());
    let (count, examples) = (breaches.len(), breaches.into_iter().take(5).collect::<Vec<_>>());
    ensure!(count == 0, "{count} of {damages}, such as {examples:#?}");
    ensure!(told > damages / 4, "only {told} of {damages} damages are told");
    Ok(())
}

#[tokio::test]
async fn every_file_that_matters_is_missed() -> Result<()> {
    let pristine = tempfile::tempdir()?;
    let written = killed(pristine.path()).await?;
    for missing in FILES {
        let home = tempfile::tempdir()?;
        for file in FILES.into_iter().filter(|file| *file != missing) {
            fs::copy(pristine.path().join(file), home.path().join(file))?;
        }
        let whole = survives(home.path(), &written).await.context(missing)?;
        ensure!(whole == !matches!(missing, "stepwell.db" | "stepwell.db-wal"), "{missing}");
    }
    Ok(())
}

#[tokio::test]
async fn who_removes_the_mark_goes_on_without_what_is_missing() -> Result<()> {
    let home = tempfile::tempdir()?;
    killed(home.path()).await?;
    fs::remove_file(home.path().join("stepwell.db-wal"))?;
    let refusal = Directory::open(home.path(), &Options::default()).err().context("it was opened")?.to_string();
    ensure!(refusal.contains("commits were") && refusal.contains("remove stepwell.db-mark"), "{refusal}");
    fs::remove_file(home.path().join("stepwell.db-mark"))?;
    let directory = Directory::open(home.path(), &Options::default())?;
    write(&directory, record("after", 0, 10)).await
}
