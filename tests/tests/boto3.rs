//! boto3 against the real server: `python/test_*.py` has the tests, this file gives them a server and functions.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use stepwell_tests::lambda_server::{Answer, Dialect, LambdaServer};
use stepwell_tests::python::Clients;
use stepwell_tests::server::Server;
use tempfile::TempDir;

#[tokio::test(flavor = "multi_thread")]
async fn state_machines_are_managed_as_at_aws() -> Result<()> {
    run("test_machines.py").await
}

#[tokio::test(flavor = "multi_thread")]
async fn executions_are_driven_as_at_aws() -> Result<()> {
    run("test_executions.py").await
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_are_answered_by_token_as_at_aws() -> Result<()> {
    run("test_callbacks.py").await
}

/// Runs a file of Python's own `unittest` against a new server.
async fn run(file: &str) -> Result<()> {
    let Some(clients) = Clients::find()? else { return Ok(()) };
    let functions = LambdaServer::start(Dialect::Aws).await?;
    functions
        .register("Double", |event, _| Answer::Returns(json!({"doubled": event["number"].as_i64().map(|n| n * 2)})));
    functions.register("Break", |_, _| Answer::raises("Broken", "as asked"));
    functions.register("Accept", |_, _| Answer::Returns(Value::Null));
    let directory = TempDir::new()?;
    let flags = ["--lambda-endpoint", &functions.url()];
    let server = Server::start(&directory.path().join("data"), &flags).await?;
    let mut python = clients.python(server.endpoint());
    python.args(["-m", "unittest", "--verbose", file]).current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/python"));
    let output = tokio::task::spawn_blocking(move || python.output());
    let output = tokio::time::timeout(Duration::from_secs(120), output).await???;
    let report = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{report}");
    ensure!(report.contains("\nOK") && !report.contains("Ran 0 tests"), "nothing ran:\n{report}");
    Ok(())
}
