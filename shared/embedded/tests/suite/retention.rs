//! Closed executions go after the retention, and so does the space they took.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::records::{MACHINE, arn, close, record, write};
use anyhow::{Context, Result};
use embedded::{Directory, Durability, Options, Swept};
use engine::ports::{Documents, Journal, ListQuery};
use interpreter::Timestamp;
use stepwell_tests::contracts::forget;

const RETENTION: i64 = 1_000;

fn open(path: &Path) -> Result<Directory> {
    let retention = Duration::from_millis(RETENTION.unsigned_abs());
    Ok(Directory::open(path, &Options { durability: Durability::Off, retention })?)
}

/// Writes an execution of `records` records of `bytes` each and the one that closes it at `stopped`.
async fn write_closed(directory: &Directory, name: &str, records: u64, bytes: usize, stopped: i64) -> Result<()> {
    for sequence in 0..records {
        write(directory, record(name, sequence, bytes)).await?;
    }
    write(directory, close(name, records, stopped)).await
}

/// Sweeps until nothing is left to do; how many executions went, in how many calls.
async fn sweep(directory: &Directory, now: i64) -> Result<(usize, usize)> {
    let mut executions = 0;
    for calls in 1..1_000 {
        let swept = directory.sweep(Timestamp(now)).await?;
        executions += swept.executions;
        if !swept.more {
            return Ok((executions, calls));
        }
    }
    anyhow::bail!("the sweeps do not end")
}

fn bytes(path: &Path) -> Result<u64> {
    let size = |file: &str| fs::metadata(path.join(file)).map(|found| found.len()).context(file.to_owned());
    Ok(size("stepwell.db")? + size("stepwell.db-wal")?)
}

#[tokio::test]
async fn the_space_of_what_is_over_is_returned() -> Result<()> {
    let home = tempfile::tempdir()?;
    let directory = open(home.path())?;
    write_closed(&directory, "kept", 10, 4_000, 5_000).await?;
    for number in 0..300 {
        write_closed(&directory, &format!("old-{number}"), 20, 4_000, 100).await?;
    }
    write(&directory, record("open", 0, 4_000)).await?;
    let kept = (directory.tail(&arn("kept")).await?, directory.tail(&arn("open")).await?);
    let before = bytes(home.path())?;
    assert!(before > 24_000_000, "{before}");

    let (executions, calls) = sweep(&directory, 100 + RETENTION + 1).await?;
    assert_eq!(executions, 300);
    assert!(calls > 2, "24 MB went in {calls} sweeps: the work of one is not bounded");
    let after = bytes(home.path())?;
    assert!(after < 500_000, "{before} bytes became {after}");
    assert_eq!((directory.tail(&arn("kept")).await?, directory.tail(&arn("open")).await?), kept);
    let query = ListQuery { machine: MACHINE.to_owned(), status: None, after: None, limit: 1_000 };
    assert_eq!(Journal::list(&directory, &query).await?.listings.len(), 2);
    Ok(())
}

#[tokio::test]
async fn nothing_goes_before_its_time() -> Result<()> {
    let home = tempfile::tempdir()?;
    let directory = open(home.path())?;
    write_closed(&directory, "closed", 1, 10, 5_000).await?;
    write(&directory, record("open", 0, 10)).await?;
    directory.put_revision("hash", "{}").await?;
    let nothing = Swept { executions: 0, more: false };
    for now in [0, 5_000, 5_000 + RETENTION] {
        assert_eq!(directory.sweep(Timestamp(now)).await?, nothing, "at {now}");
    }
    assert_eq!(sweep(&directory, 5_000 + RETENTION + 1).await?.0, 1);
    assert_eq!(directory.tail(&arn("closed")).await?, []);
    assert_eq!(sweep(&directory, i64::MAX).await?.0, 0);
    assert_eq!(directory.tail(&arn("open")).await?.len(), 1, "an open execution has no age");
    assert_eq!(directory.revision("hash").await?.as_deref(), Some("{}"), "it may be pinned");
    Ok(())
}

#[tokio::test]
async fn a_name_is_free_after_the_retention_even_in_the_middle_of_a_sweep() -> Result<()> {
    let home = tempfile::tempdir()?;
    let directory = open(home.path())?;
    write_closed(&directory, "big", 12, 1 << 20, 100).await?;
    let first = directory.sweep(Timestamp(10_000)).await?;
    assert_eq!(first, Swept { executions: 1, more: true }, "8 MiB go at once, and it has 12");
    write(&directory, record("big", 0, 77)).await?;
    drop(directory);
    // The rest of the sweep is not forgotten over a restart, and takes nothing of the successor.
    let directory = open(home.path())?;
    sweep(&directory, 10_000).await?;
    assert_eq!(directory.tail(&arn("big")).await?, [record("big", 0, 77)]);
    let size = bytes(home.path())?;
    assert!(size < 500_000, "{size} bytes are left");
    Ok(())
}

#[tokio::test]
async fn the_space_of_what_was_forgotten_is_returned() -> Result<()> {
    let home = tempfile::tempdir()?;
    let directory = open(home.path())?;
    write_closed(&directory, "gone", 10, 1 << 20, 100).await?;
    forget(&directory, &arn("gone")).await?;
    sweep(&directory, 0).await?;
    let size = bytes(home.path())?;
    assert!(size < 500_000, "{size} bytes are left");
    Ok(())
}
