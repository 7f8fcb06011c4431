//! A test that hangs is named, and ends with its process and the server it started.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use stepwell_tests::server::Server;
use stepwell_tests::watchdog::EXIT_CODE;
use tempfile::TempDir;

/// Set in the process that is to hang: the folder in which it starts a server.
const HANGS_IN: &str = "STEPWELL_HANGS_IN";
const NAME: &str = "watchdog::a_test_that_hangs_is_named_and_ended_with_its_server";

#[tokio::test]
async fn a_test_that_hangs_is_named_and_ended_with_its_server() -> Result<()> {
    if let Some(folder) = std::env::var_os(HANGS_IN) {
        let server = Server::start(&std::path::Path::new(&folder).join("data"), &[]).await?;
        std::fs::write(std::path::Path::new(&folder).join("endpoint"), server.endpoint())?;
        return std::future::pending().await;
    }
    let folder = TempDir::new()?;
    // Built before the time of the other process runs.
    stepwell_tests::server::binary()?;
    let mut itself = Command::new(std::env::current_exe()?);
    itself.args(["--exact", NAME]).env(HANGS_IN, folder.path()).env("STEPWELL_TEST_SECONDS", "5");
    let begun = Instant::now();
    let output = tokio::task::spawn_blocking(move || itself.output());
    let output = tokio::time::timeout(Duration::from_secs(120), output).await.context("it was not ended")???;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(EXIT_CODE), "{}: {said}", output.status);
    ensure!(said.contains(&format!("the test {NAME} hangs")), "{said}");
    ensure!(begun.elapsed() >= Duration::from_secs(5), "it ended after {:?}", begun.elapsed());
    let endpoint = std::fs::read_to_string(folder.path().join("endpoint"))?;
    ensure!(!stepwell_tests::client::Client::new(&endpoint).is_healthy().await, "its server still runs");
    Ok(())
}
