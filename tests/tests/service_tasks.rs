//! Tasks that call DynamoDB, SNS and SQS, from the flags of `serve` to what arrives there: on an emulator of the three,
//! spoken to by boto3. `python/test_services.py` has the tests.

use std::time::Duration;

use anyhow::{Result, ensure};
use stepwell_tests::emulators::Emulator;
use stepwell_tests::python::Clients;
use stepwell_tests::server::{ACCOUNT, Server};
use tempfile::TempDir;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/python");

#[tokio::test(flavor = "multi_thread")]
async fn dynamodb_sns_and_sqs_are_called_where_the_flags_say() -> Result<()> {
    let Some(clients) = Clients::find()? else { return Ok(()) };
    // It calls nobody.
    let emulator = Emulator::moto(clients.python(""))?;
    let endpoint = emulator.endpoint();
    let directory = TempDir::new()?;
    let flags = ["--dynamodb-endpoint", endpoint, "--sns-endpoint", endpoint, "--sqs-endpoint", endpoint];
    let server = Server::start(&directory.path().join("data"), &flags).await?;
    let mut python = clients.python(server.endpoint());
    python.env("STEPWELL_ACCOUNT", ACCOUNT);
    for service in ["DYNAMODB", "SNS", "SQS"] {
        python.env(format!("AWS_ENDPOINT_URL_{service}"), endpoint);
    }
    python.args(["-m", "unittest", "--verbose", "test_services.py"]).current_dir(FOLDER);
    let output = tokio::task::spawn_blocking(move || python.output());
    let output = tokio::time::timeout(Duration::from_secs(120), output).await???;
    let report = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{report}");
    ensure!(report.contains("Ran 7 tests") && report.contains("\nOK"), "not everything ran:\n{report}");
    Ok(())
}
