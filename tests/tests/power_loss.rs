//! The power goes while the server works: nothing it acknowledged was only in the page cache.
//!
//! The real server runs under load while every write and fsync of its directory is logged from outside. Then, for many
//! moments of that log, the directory is made as a disk shows it that lost its power there, what was not synced gone or
//! torn; a server is started on it and held to everything that was acknowledged before the moment. The same is done to a
//! server with `--durability relaxed`, which promises less: it has to be caught, or this test sees nothing.
//!
//! `STEPWELL_SEED` repeats the moments of a run that failed.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use stepwell_tests::client::Client;
use stepwell_tests::disk::{Log, Unsynced};
use stepwell_tests::lambda_server::{Dialect, LambdaServer};
use stepwell_tests::load::Load;
use stepwell_tests::load::ledger::Ledger;
use stepwell_tests::server::{self, Server};
use stepwell_tests::trace::Traced;
use tempfile::TempDir;

const MOMENTS: usize = 12;
const LOADED: Duration = Duration::from_secs(3);
const START_LIMIT: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn whatever_was_acknowledged_survives_power_loss_at_any_moment() -> Result<()> {
    let (log, ledger) = record("full").await?;
    let mut chance = match std::env::var("STEPWELL_SEED") {
        Ok(seed) => seed.parse()?,
        Err(_) => u64::from(SystemTime::now().duration_since(UNIX_EPOCH)?.subsec_nanos()) | 1,
    };
    println!("{} operations, {} syncs, STEPWELL_SEED={chance}", log.operations.len(), log.syncs());
    let first = usize::try_from(ledger.acknowledged.first().context("nothing was acknowledged")?.0)?;
    for number in 0..MOMENTS {
        chance = chance.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        let span = u64::try_from(log.operations.len() - first)?;
        let moment = first + usize::try_from((chance >> 33) % (span + 1))?;
        let unsynced = if number % 2 == 0 { Unsynced::Gone } else { Unsynced::Chance(chance | 1) };
        let breaches = breaches_after(&log, &ledger, moment, unsynced).await?;
        ensure!(breaches.is_empty(), "power lost after operation {moment}, {unsynced:?}: {breaches:#?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_acknowledges_before_it_syncs_is_caught() -> Result<()> {
    let (log, ledger) = record("relaxed").await?;
    let breaches = breaches_after(&log, &ledger, log.longest_unsynced(), Unsynced::Gone).await?;
    ensure!(!breaches.is_empty(), "nothing was lost of {} acknowledgements", ledger.acknowledged.len());
    Ok(())
}

/// Runs a server under load for a while and kills it: what it did to its directory, and what it acknowledged when.
async fn record(durability: &str) -> Result<(Log, Ledger)> {
    let functions = LambdaServer::start(Dialect::Aws).await?;
    let directory = TempDir::new()?;
    let root = directory.path().canonicalize()?;
    let data = root.join("data");
    let address = server::free_address()?;
    let mut arguments: Vec<String> =
        ["serve", "--host", "127.0.0.1", "--durability", durability].map(Into::into).into();
    arguments.extend(["--port".to_owned(), address.port().to_string()]);
    arguments.extend(["--lambda-endpoint".to_owned(), functions.url()]);
    arguments.extend(["--data-dir".to_owned(), data.display().to_string()]);
    let ticks = Arc::new(AtomicU64::new(0));
    let traced = Traced::spawn(server::binary()?, &arguments, &data, Arc::clone(&ticks))?;
    let client = Client::new(&format!("http://{address}"));
    let limit = Instant::now() + START_LIMIT;
    while !client.is_healthy().await {
        ensure!(Instant::now() < limit, "the server under watch does not get healthy");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let load = Load::begin(&client, &functions, ticks).await?;
    tokio::time::sleep(LOADED).await;
    let ledger = load.ledger();
    drop(load);
    Ok((traced.kill()?, ledger))
}

/// The losses of a server that starts on the remaining files.
async fn breaches_after(log: &Log, ledger: &Ledger, moment: usize, unsynced: Unsynced) -> Result<Vec<String>> {
    let directory = TempDir::new()?;
    let data = directory.path().join("data");
    log.after_power_loss(moment, unsynced, &data)?;
    let server = start(&data).await.with_context(|| format!("after operation {moment}, {unsynced:?}"))?;
    ledger.audit_survival(server.client(), u64::try_from(moment)?).await
}

async fn start(data: &Path) -> Result<Server> {
    // There is no function any more: what was open may retry meanwhile, what was acknowledged is unmoved by it.
    let nowhere = format!("http://{}", server::free_address()?);
    Server::start(data, &["--lambda-endpoint", &nowhere]).await
}
