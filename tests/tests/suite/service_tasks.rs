//! Tasks that call services of AWS, from the flags of `serve` to what arrives there: on an emulator, spoken to by boto3.
//! `python/test_services.py` has the tests of the optimised integrations, `python/test_sdk_calls.py` those of the SDK,
//! `python/test_many_services.py` calls many services of every protocol once.

use std::time::Duration;

use anyhow::{Result, ensure};
use stepwell_tests::emulators::Emulator;
use stepwell_tests::python::Clients;
use stepwell_tests::server::{ACCOUNT, Server};
use tempfile::TempDir;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/python");

#[tokio::test(flavor = "multi_thread")]
async fn dynamodb_sns_and_sqs_are_called_where_the_flags_say() -> Result<()> {
    let flags = |endpoint: &str| {
        ["--dynamodb-endpoint", "--sns-endpoint", "--sqs-endpoint"].map(|flag| format!("{flag}={endpoint}")).to_vec()
    };
    run("test_services.py", flags, "Ran 7 tests").await
}

#[tokio::test(flavor = "multi_thread")]
async fn services_of_every_protocol_are_called_through_the_sdk() -> Result<()> {
    run("test_sdk_calls.py", |endpoint| vec![format!("--endpoint=all={endpoint}")], "Ran 11 tests").await
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_calls_of_many_services_are_answered_or_fail_in_their_words() -> Result<()> {
    run("test_many_services.py", |endpoint| vec![format!("--endpoint=all={endpoint}")], "Ran 6 tests").await
}

/// Runs a file of tests against `serve` with these flags.
async fn run(file: &str, flags: impl Fn(&str) -> Vec<String>, ran: &str) -> Result<()> {
    let Some(clients) = Clients::find()? else { return Ok(()) };
    // Stepwell's own endpoint is not for the emulator, which calls nothing.
    let emulator = Emulator::moto(clients.python(""))?;
    let endpoint = emulator.endpoint();
    let directory = TempDir::new()?;
    let flags = flags(endpoint);
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let server = Server::start(&directory.path().join("data"), &flags).await?;
    let mut python = clients.python(server.endpoint());
    python.env("STEPWELL_ACCOUNT", ACCOUNT).env("AWS_ENDPOINT_URL", endpoint);
    python.args(["-m", "unittest", "--verbose", file]).current_dir(FOLDER);
    let output = tokio::task::spawn_blocking(move || python.output());
    let output = tokio::time::timeout(Duration::from_secs(120), output).await???;
    let report = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{report}");
    ensure!(report.contains(ran) && report.contains("\nOK"), "not everything ran:\n{report}");
    Ok(())
}
