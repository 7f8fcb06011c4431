//! The process is killed at random moments under load and started again on the same directory: nothing it acknowledged
//! is lost, nothing is stuck, no attempt is started twice, no history has a gap.
//!
//! `STEPWELL_KILLS` says how often (6 unless it is set, 200 in the long mode; `.ci/run` says 50), `STEPWELL_SEED` repeats
//! the moments of a run that failed. The losses by power failure beyond the process is `power_loss.rs`; crashes between any two calls of the ports,
//! in order and without chance, are `simulation.rs`.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};
use stepwell_tests::lambda_server::{Dialect, LambdaServer};
use stepwell_tests::load::Load;
use stepwell_tests::modes::{Progress, count, number_in};
use stepwell_tests::server::Server;
use tempfile::TempDir;

/// How long a server lives, in milliseconds, at least and at most.
const LIFE: (u64, u64) = (30, 600);
const SETTLE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_stuck_or_done_twice_when_the_process_is_killed() -> Result<()> {
    let kills = count("STEPWELL_KILLS", 6, 200);
    let mut chance = number_in("STEPWELL_SEED").map_or_else(seed, Ok)?;
    println!("{kills} kills, STEPWELL_SEED={chance}");
    let functions = LambdaServer::start(Dialect::Aws).await?;
    let (directory, url) = (TempDir::new()?, functions.url());
    let (data, flags) = (directory.path().join("data"), ["--lambda-endpoint", url.as_str()]);

    let mut server = Server::start(&data, &flags).await?;
    let mut load = Load::begin(server.client(), &functions, Arc::new(AtomicU64::new(0))).await?;
    let (mut slowest, mut progress) = (Duration::ZERO, Progress::new("kills", kills));
    for killed in 0..kills {
        progress.at(killed);
        tokio::time::sleep(Duration::from_millis(LIFE.0 + next(&mut chance) % (LIFE.1 - LIFE.0))).await;
        server.kill()?;
        let begin = Instant::now();
        server = Server::start(&data, &flags).await?;
        slowest = slowest.max(begin.elapsed());
        load.moved_to(server.client());
    }
    load.wind_down().await?;
    let ledger = load.settled(SETTLE).await?;
    let findings = ledger.audit(server.client()).await?;
    println!(
        "{} executions, {} attempts of which {} lost, {} answers, slowest restart {slowest:?}",
        findings.executions,
        ledger.attempts.len(),
        findings.lost_attempts,
        findings.answers
    );
    ensure!(findings.breaches.is_empty(), "{:#?}\n{}", findings.breaches, server.log_text());
    ensure!(findings.answers > 0 && findings.executions > 20, "too little load to mean anything");
    ensure!(kills < 5 || findings.lost_attempts > 0, "no kill met a task in flight");
    ensure!(server.stop().await?.success(), "the last one did not stop well");
    Ok(())
}

fn seed() -> Result<u64> {
    Ok(u64::from(SystemTime::now().duration_since(UNIX_EPOCH)?.subsec_nanos()))
}

/// The next number of a sequence (SplitMix64).
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
