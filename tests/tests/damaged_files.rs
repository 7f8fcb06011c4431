//! A server that was killed, files that are not what it left, and the server started again: it has all that it
//! acknowledged, or it does not start, or it says of which execution something is damaged; each in words that help.
//!
//! The detection of any damage is tested in `shared/embedded/tests/suite/damage.rs`; this is what becomes of it in the process: its exit
//! code, what it prints, what its clients are answered. `STEPWELL_SERVED_DAMAGES` says how many random ones there are
//! (12; 400 in the long mode), `STEPWELL_SEED` repeats those of a run that failed.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use stepwell_tests::client::{CallError, Client};
use stepwell_tests::damage::{copied, damage};
use stepwell_tests::modes::{Progress, count, number_in};
use stepwell_tests::server::Server;
use stepwell_tests::simulation::Chance;
use tempfile::TempDir;

const LOG: &str = "stepwell.db-wal";
const SETTLE: Duration = Duration::from_secs(20);
/// The words that an operator finds in any refusal.
const HELP: [&str; 3] = ["stepwell.db", "backup", "stepwell: "];

/// A directory as a killed server left it, and what it had answered by then: description and history of each execution.
struct Left {
    home: TempDir,
    told: BTreeMap<String, (Value, Vec<Value>)>,
}

impl Left {
    fn path(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// The same again, to be damaged.
    fn copy(&self) -> Result<(TempDir, PathBuf)> {
        let home = TempDir::new()?;
        let data = home.path().join("data");
        fs::create_dir(&data)?;
        copied(&self.path(), &data)?;
        Ok((home, data))
    }
}

/// A dozen executions, half of them over; half of everything in the database, half in its log.
async fn left() -> Result<Left> {
    let home = TempDir::new()?;
    let data = home.path().join("data");
    let mut told = BTreeMap::new();
    let mut arns = Vec::new();
    for part in ["database", "log"] {
        let server = Server::start(&data, &[]).await?;
        let client = server.client();
        let state = |kind: Value| json!({"StartAt": "S", "States": {"S": kind}});
        let passes = client.create(&format!("passes-{part}"), &state(json!({"Type": "Pass", "End": true}))).await?;
        let wait = json!({"Type": "Wait", "Seconds": 86_400, "End": true});
        let waits = client.create(&format!("waits-{part}"), &state(wait)).await?;
        for number in 0..6 {
            let machine = if number % 2 == 0 { &passes } else { &waits };
            let input = json!({"number": number, "text": "x".repeat(3_000)});
            arns.push(client.start(machine, &format!("{part}-{number}"), &input).await?);
        }
        if part == "database" {
            server.stop().await?;
            continue;
        }
        for arn in &arns {
            told.insert(arn.clone(), (client.describe(arn).await?, client.history(arn).await?));
        }
        server.kill()?;
    }
    Ok(Left { home, told })
}

/// The outcome of a start on damaged files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Everything is there.
    Whole,
    /// It runs, and says of something that it is damaged.
    Told,
    /// It does not start.
    Refused,
}

/// Starts a server on files and asks it for everything; the outcome and what it logged.
async fn outcome(data: &Path, told: &BTreeMap<String, (Value, Vec<Value>)>) -> Result<(Outcome, String)> {
    let server = match Server::start(data, &[]).await {
        Ok(server) => server,
        Err(refusal) => {
            let text = refusal.to_string();
            ensure!(text.contains("ended with exit status: 1"), "{text}");
            ensure!(HELP.iter().all(|word| text.contains(word)) && !text.contains("panicked"), "no help: {text}");
            return Ok((Outcome::Refused, text));
        }
    };
    let mut damaged = 0;
    for (arn, expected) in told {
        match told_of(server.client(), arn).await {
            Ok(found) => ensure!(found == *expected, "{arn} is {found:#?} and was {expected:#?}"),
            Err(error) => {
                let kind = error.downcast_ref::<CallError>().map(CallError::kind).unwrap_or_default();
                ensure!(matches!(kind, "InternalFailure" | "ServiceUnavailable"), "{arn}: {error}");
                damaged += 1;
            }
        }
    }
    let log = server.log_text();
    ensure!(!log.contains("panicked"), "{log}");
    if damaged > 0 {
        ensure!(log.contains("stepwell.db is damaged") && log.contains("restore the data directory"), "no help: {log}");
    }
    server.kill()?;
    Ok((if damaged > 0 { Outcome::Told } else { Outcome::Whole }, log))
}

async fn told_of(client: &Client, arn: &str) -> Result<(Value, Vec<Value>)> {
    Ok((client.describe(arn).await?, client.history(arn).await?))
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_every_kind_of_damage_are_refused_told_or_made_whole() -> Result<()> {
    let left = left().await?;
    let length = fs::metadata(left.path().join(LOG))?.len();
    let cases = [
        ("nothing", Done::Nothing, Outcome::Whole, ""),
        ("a log cut in the middle", Done::Cut(LOG, length / 2), Outcome::Refused, "lacks what was acknowledged"),
        ("a log without its last bytes", Done::Cut(LOG, length - 7), Outcome::Refused, "remove stepwell.db-mark"),
        ("no log", Done::Removed(LOG), Outcome::Refused, "commits were, and it has"),
        ("half a database", Done::Cut("stepwell.db", 20_000), Outcome::Refused, "is damaged"),
        ("no database", Done::Removed("stepwell.db"), Outcome::Refused, "is missing or empty"),
        // Never acknowledged: SQLite's own recovery ends before it.
        ("a commit torn while it was written", Done::BegunCommit, Outcome::Whole, ""),
        ("no mark", Done::Removed("stepwell.db-mark"), Outcome::Whole, ""),
        ("no index of the log", Done::Removed("stepwell.db-shm"), Outcome::Whole, ""),
    ];
    for (what, done, expected, says) in cases {
        let (_home, data) = left.copy()?;
        done.to(&data)?;
        let (found, said) = outcome(&data, &left.told).await.context(what)?;
        ensure!(found == expected && said.contains(says), "{what}: {found:?}, {said}");
    }
    Ok(())
}

/// The damage to a directory.
enum Done {
    Nothing,
    Cut(&'static str, u64),
    Removed(&'static str),
    /// The beginning of one more commit: frames that are in the log already, in another place.
    BegunCommit,
}

impl Done {
    fn to(&self, data: &Path) -> Result<()> {
        match self {
            Done::Nothing => Ok(()),
            Done::Cut(file, length) => Ok(fs::File::options().write(true).open(data.join(file))?.set_len(*length)?),
            Done::Removed(file) => Ok(fs::remove_file(data.join(file))?),
            Done::BegunCommit => {
                let log = data.join(LOG);
                let begun = fs::read(&log)?.get(32..6_000).context("a log")?.to_vec();
                Ok(fs::File::options().append(true).open(log)?.write_all(&begun)?)
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_in_what_an_execution_says_concerns_that_execution_only() -> Result<()> {
    let left = left().await?;
    // A clean stop, so that everything is in one file.
    let server = Server::start(&left.path(), &[]).await?;
    server.stop().await?;
    let database = left.path().join("stepwell.db");
    let mut content = fs::read(&database)?;
    let body = b"\"number\":4,";
    let place = content.windows(body.len()).position(|bytes| bytes == body).context("no such body")?;
    *content.get_mut(place + 9).context("within")? ^= 1;
    fs::write(&database, content)?;
    let (found, log) = outcome(&left.path(), &left.told).await?;
    ensure!(found == Outcome::Told && log.contains("is not what was written"), "{found:?}: {log}");
    let server = Server::start(&left.path(), &[]).await?;
    let mut whole = 0;
    for arn in left.told.keys() {
        whole += usize::from(server.client().describe(arn).await.is_ok());
    }
    ensure!(whole == left.told.len() - 1, "{whole} of {} can be described", left.told.len());
    // It goes on.
    let machine =
        server.client().create("after", &json!({"StartAt": "S", "States": {"S": {"Type": "Succeed"}}})).await?;
    let after = server.client().start(&machine, "one", &json!({})).await?;
    ensure!(server.client().finished(&after, SETTLE).await?["status"] == "SUCCEEDED");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn random_damage_is_refused_told_or_without_effect() -> Result<()> {
    let seed = match number_in("STEPWELL_SEED") {
        Some(seed) => seed,
        None => u64::from(SystemTime::now().duration_since(UNIX_EPOCH)?.subsec_nanos()),
    };
    let damages = count("STEPWELL_SERVED_DAMAGES", 12, 400);
    println!("{damages} damages, STEPWELL_SEED={seed}");
    let (left, mut chance) = (left().await?, Chance::new(seed));
    let (mut whole, mut told, mut refused) = (0, 0, 0);
    let mut progress = Progress::new("damages", damages);
    for number in 0..damages {
        progress.at(number);
        let (_home, data) = left.copy()?;
        let what = damage(&data, &mut chance)?;
        let (found, _) = outcome(&data, &left.told).await.context(what)?;
        match found {
            Outcome::Whole => whole += 1,
            Outcome::Told => told += 1,
            Outcome::Refused => refused += 1,
        }
    }
    println!("{refused} refused, {told} told of an execution, {whole} without effect");
    // Few may all be without effect.
    ensure!(damages < 100 || refused + told > 0, "no damage was found");
    Ok(())
}
