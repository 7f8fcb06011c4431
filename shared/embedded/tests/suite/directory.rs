//! The directory as files: who may open it, what it survives, how it is copied.

use std::fs;
use std::path::Path;

use super::records::{arn, close, record, write};
use anyhow::{Context, Result};
use embedded::{Directory, Durability, OpenError, Options};
use engine::ports::{Direction, Documents, Journal, Record, Starts};
use futures_util::future::try_join_all;
use rusqlite::Connection;
use stepwell_tests::contracts::forget;

fn open(path: &Path) -> Result<Directory, OpenError> {
    Directory::open(path, &Options::default())
}

#[cfg(unix)]
#[test]
fn a_missing_directory_is_made_for_its_owner_only() -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir()?;
    let path = home.path().join("not/there/yet");
    let _directory = open(&path)?;
    let mode = |path: &Path| fs::metadata(path).map(|found| found.permissions().mode() & 0o777);
    assert_eq!(mode(&path)?, 0o700);
    for file in ["stepwell.db", "stepwell.db-wal", "lock"] {
        assert_eq!(mode(&path.join(file))?, 0o600, "{file}");
    }
    Ok(())
}

#[cfg(unix)]
#[test]
fn files_that_are_symbolic_links_are_refused_and_their_targets_left_alone() -> Result<()> {
    for file in ["lock", "stepwell.db", "stepwell.db-mark"] {
        let home = tempfile::tempdir()?;
        let (target, directory) = (home.path().join("precious"), home.path().join("data"));
        fs::create_dir(&directory)?;
        fs::write(&target, "not to be touched")?;
        std::os::unix::fs::symlink(&target, directory.join(file))?;
        let refusal = open(&directory).err().context("follows a link")?.to_string();
        assert!(refusal.contains(&format!("{file} is a symbolic link")), "{file}: {refusal}");
        assert_eq!(fs::read_to_string(&target)?, "not to be touched", "{file}");
    }
    Ok(())
}

#[test]
fn a_directory_in_use_is_refused_until_it_is_closed() -> Result<()> {
    let home = tempfile::tempdir()?;
    let first = open(home.path())?;
    let refusal = open(home.path()).err().context("two have it")?;
    assert!(matches!(refusal, OpenError::InUse { .. }));
    let text = refusal.to_string();
    assert!(text.contains(&home.path().display().to_string()), "{text}");
    assert!(text.contains(&format!("the process {}", std::process::id())), "{text}");
    assert!(text.contains("choose another directory"), "{text}");
    drop(first);
    open(home.path())?;
    Ok(())
}

#[test]
fn a_newer_format_is_refused_and_left_alone() -> Result<()> {
    let home = tempfile::tempdir()?;
    drop(open(home.path())?);
    let database = home.path().join("stepwell.db");
    Connection::open(&database)?.pragma_update(None, "user_version", 2)?;
    let before = fs::read(&database)?;
    let refusal = open(home.path()).err().context("it was opened")?;
    assert!(matches!(refusal, OpenError::Newer { found: 2, known: 1, .. }));
    assert!(refusal.to_string().contains("has format 2, and this program knows formats up to 1"), "{refusal}");
    assert_eq!(fs::read(&database)?, before);
    Ok(())
}

#[test]
fn what_is_no_database_of_ours_is_refused_and_left_alone() -> Result<()> {
    for kind in ["text", "another program's database", "another application's id"] {
        let home = tempfile::tempdir()?;
        let database = home.path().join("stepwell.db");
        match kind {
            "text" => fs::write(&database, "some text. ".repeat(1000))?,
            "another program's database" => Connection::open(&database)?.execute_batch("CREATE TABLE theirs (a)")?,
            _ => Connection::open(&database)?.pragma_update(None, "application_id", 7)?,
        }
        let before = fs::read(&database)?;
        let refusal = open(home.path()).err().context(kind)?;
        assert!(matches!(refusal, OpenError::Foreign { .. }), "{kind}: {refusal:?}");
        assert_eq!(fs::read(&database)?, before, "{kind}");
    }
    Ok(())
}

#[test]
fn what_is_no_directory_is_refused() -> Result<()> {
    let home = tempfile::tempdir()?;
    let file = home.path().join("file");
    fs::write(&file, "")?;
    assert!(matches!(open(&file), Err(OpenError::Files { .. })));
    Ok(())
}

#[test]
fn an_installation_keeps_its_key_and_shares_it_with_nobody() -> Result<()> {
    let (home, other) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let key = open(home.path())?.key();
    assert_eq!(open(home.path())?.key(), key);
    assert_ne!(open(other.path())?.key(), key);
    assert_ne!(key, [0; 32]);
    let shown = format!("{:?}", open(home.path())?);
    assert!(!shown.contains("key"), "{shown}");
    Ok(())
}

/// What a crash leaves of the files at this moment: a copy without closing anything.
fn crash_into(from: &Path, to: &Path) -> Result<()> {
    for file in ["stepwell.db", "stepwell.db-wal", "lock"] {
        fs::copy(from.join(file), to.join(file)).context(file)?;
    }
    Ok(())
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_crash() -> Result<()> {
    let (home, after) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let directory = open(home.path())?;
    write(&directory, record("crash", 0, 3000)).await?;
    write(&directory, record("crash", 1, 30)).await?;
    directory.put_revision("hash", "{}").await?;
    directory.keep("express", "start").await?;
    crash_into(home.path(), after.path())?;
    let survivor = open(after.path())?;
    assert_eq!(survivor.tail(&arn("crash")).await?, [record("crash", 0, 3000), record("crash", 1, 30)]);
    assert_eq!(Journal::open(&survivor, None, 10).await?.executions, [(arn("crash"), None)]);
    assert_eq!(survivor.revision("hash").await?.as_deref(), Some("{}"));
    assert_eq!(survivor.pending().await?, [("express".to_owned(), "start".to_owned())]);
    assert_eq!(survivor.key(), directory.key());
    write(&survivor, record("crash", 2, 30)).await
}

#[tokio::test]
async fn every_durability_keeps_what_was_written_over_a_restart() -> Result<()> {
    for durability in [Durability::Full, Durability::Normal, Durability::Off] {
        let home = tempfile::tempdir()?;
        let options = Options { durability, ..Options::default() };
        let directory = Directory::open(home.path(), &options)?;
        write(&directory, record("kept", 0, 100)).await?;
        drop(directory);
        assert!(!home.path().join("stepwell.db-wal").exists(), "{durability:?}: a clean stop leaves no log");
        let directory = Directory::open(home.path(), &options)?;
        assert_eq!(directory.tail(&arn("kept")).await?, [record("kept", 0, 100)], "{durability:?}");
    }
    Ok(())
}

#[tokio::test]
async fn an_append_that_breaks_its_promises_is_refused_and_its_neighbours_are_not() -> Result<()> {
    let home = tempfile::tempdir()?;
    let directory = open(home.path())?;
    write(&directory, record("fine", 0, 1)).await?;
    let cases = [
        ("would leave a gap", record("fine", 2, 1)),
        ("would leave a gap", record("nobody", 1, 1)),
        ("is a head without listing", Record { listing: None, ..record("bare", 0, 1) }),
        ("is listed as another execution", Record { listing: record("b", 0, 1).listing, ..record("a", 0, 1) }),
        ("closes its execution without saying when", Record { listing: None, ..close("fine", 1, 5) }),
        ("has its last full set in the future", Record { full: 2, ..record("fine", 1, 1) }),
    ];
    let good = (0..16).map(|number| write(&directory, record("good", number, 1)));
    let bad = cases.map(|(expected, record)| {
        let directory = &directory;
        async move {
            let error = directory.append(record).await.err().context(expected)?;
            assert!(error.message.ends_with(expected), "{error}");
            assert!(!error.retryable);
            anyhow::Ok(())
        }
    });
    tokio::try_join!(try_join_all(good), try_join_all(bad))?;
    assert_eq!(directory.tail(&arn("fine")).await?.len(), 1);
    assert_eq!(directory.tail(&arn("good")).await?.len(), 16);
    let error = forget(&directory, &arn("good")).await.err().context("an open execution was forgotten")?;
    assert!(error.to_string().contains("is open"), "{error}");
    Ok(())
}

#[tokio::test]
async fn the_log_does_not_grow_without_bound() -> Result<()> {
    let home = tempfile::tempdir()?;
    let options = Options { durability: Durability::Off, ..Options::default() };
    let directory = Directory::open(home.path(), &options)?;
    for sequence in 0..100 {
        write(&directory, record("long", sequence, 1 << 20)).await?;
        // Somebody always reads.
        directory.read(&arn("long"), u64::MAX, Direction::Descending, 1).await?;
    }
    let log = fs::metadata(home.path().join("stepwell.db-wal"))?.len();
    assert!(log < 40 << 20, "100 MiB written, the log has {log} bytes");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_made_under_load_opens_and_has_no_gap() -> Result<()> {
    let (home, elsewhere) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let target = elsewhere.path().join("backup");
    let directory = open(home.path())?;
    directory.put_revision("hash", "{}").await?;
    for sequence in 0..50 {
        write(&directory, record("before", sequence, 2000)).await?;
    }
    let during = async {
        for sequence in 0..200 {
            write(&directory, record("during", sequence, 2000)).await?;
        }
        anyhow::Ok(())
    };
    let (written, backed_up) = tokio::join!(during, directory.backup_to(&target));
    written?;
    backed_up?;
    let again = directory.backup_to(&target).await.err().context("a backup was overwritten")?;
    assert!(again.message.contains("there is a database already"), "{again}");

    let restored = open(&target)?;
    assert_eq!(restored.key(), directory.key());
    assert_eq!(restored.revision("hash").await?.as_deref(), Some("{}"));
    assert_eq!(restored.tail(&arn("before")).await?, directory.tail(&arn("before")).await?);
    let part = restored.tail(&arn("during")).await?;
    let whole = directory.tail(&arn("during")).await?;
    assert_eq!(whole.get(..part.len()), Some(part.as_slice()));
    write(&restored, record("after", 0, 1)).await?;
    assert!(directory.tail(&arn("after")).await?.is_empty(), "the restored directory is another one");
    Ok(())
}

#[tokio::test]
async fn a_copy_of_a_closed_directory_opens() -> Result<()> {
    let (home, copy) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let directory = open(home.path())?;
    write(&directory, record("copied", 0, 100)).await?;
    drop(directory);
    for entry in fs::read_dir(home.path())? {
        let entry = entry?;
        fs::copy(entry.path(), copy.path().join(entry.file_name()))?;
    }
    assert_eq!(open(copy.path())?.tail(&arn("copied")).await?, [record("copied", 0, 100)]);
    Ok(())
}
