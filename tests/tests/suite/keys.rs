//! Access keys with the unmodified aws CLI and boto3, against the real server.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use stepwell_tests::python::Clients;
use stepwell_tests::server::{Server, command};
use tempfile::TempDir;

const MACHINE: &str = "arn:aws:states:us-east-1:123456789012:stateMachine:dev-1";
const CREATE: &str = r#"
import boto3
definition = '{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}'
client = boto3.client("stepfunctions")
for name in ["dev-1", "prod"]:
    role = "arn:aws:iam::123456789012:role/any"
    print(client.create_state_machine(name=name, roleArn=role, definition=definition)["stateMachineArn"])
sync = boto3.client("stepfunctions")
made = sync.create_state_machine(name="dev-x", roleArn=role, definition=definition, type="EXPRESS")
print(sync.start_sync_execution(stateMachineArn=made["stateMachineArn"])["status"])
"#;
const START: &str = r#"
import boto3, sys
client = boto3.client("stepfunctions")
try:
    print(client.start_execution(stateMachineArn=sys.argv[1])["executionArn"])
except client.exceptions.ClientError as error:
    print(error.response["Error"]["Code"], error.response["Error"].get("Message"))
"#;

struct Key {
    id: String,
    secret: String,
}

fn keys(directory: &Path, arguments: &[&str]) -> Result<String> {
    let output = command()?.arg("keys").arg("--data-dir").arg(directory).args(arguments).output()?;
    ensure!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

fn made(directory: &Path, arguments: &[&str]) -> Result<Key> {
    let told = keys(directory, arguments)?;
    let line = |name: &str| told.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned).context("no key");
    Ok(Key { id: line("AWS_ACCESS_KEY_ID=")?, secret: line("AWS_SECRET_ACCESS_KEY=")? })
}

/// What a client says, on either output.
fn said(client: &mut Command, Key { id, secret }: &Key) -> Result<String> {
    let output = client.env("AWS_ACCESS_KEY_ID", id).env("AWS_SECRET_ACCESS_KEY", secret).output()?;
    Ok(String::from_utf8([output.stdout, output.stderr].concat())?)
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_clients_are_let_in_with_a_key_and_refused_without_its_rights() -> Result<()> {
    let Some(clients) = Clients::find()? else { return Ok(()) };
    let parent = TempDir::new()?;
    let directory = parent.path().join("data");
    let admin = made(&directory, &["create", "admin", "--role", "admin"])?;
    let server = Server::start(&directory, &[]).await?;
    let endpoint = server.endpoint();
    let create = said(clients.python(endpoint).args(["-c", CREATE]), &admin)?;
    ensure!(create.contains(MACHINE) && create.trim_end().ends_with("SUCCEEDED"), "{create}");

    // Made beside the running server.
    let dev = made(&directory, &["create", "dev", "--role", "run", "--machines", "dev-*"])?;
    let start = |machine: &str, key: &Key| said(clients.python(endpoint).args(["-c", START, machine]), key);
    let list = |key: &Key| said(clients.aws(endpoint).args(["stepfunctions", "list-state-machines"]), key);
    let started = start(MACHINE, &dev)?;
    ensure!(started.contains(":execution:dev-1:"), "{started}");
    let others = start(&MACHINE.replace("dev-1", "prod"), &dev)?;
    ensure!(others.contains("AccessDeniedException User: arn:aws:iam::123456789012:user/dev is not"), "{others}");
    ensure!(list(&admin)?.contains(MACHINE) && list(&dev)?.contains("AccessDeniedException"), "lists need everything");
    let wrong = Key { id: dev.id.clone(), secret: "wrong".to_owned() };
    let refused = [start(MACHINE, &wrong)?, list(&wrong)?];
    ensure!(refused.iter().all(|said| said.contains("InvalidSignatureException")), "{refused:?}");
    keys(&directory, &["revoke", "dev"])?;
    let refused = [start(MACHINE, &dev)?, list(&dev)?];
    ensure!(refused.iter().all(|said| said.contains("UnrecognizedClientException")), "{refused:?}");

    let log = server.log_text();
    let denied = log.lines().find(|line| line.contains("call denied")).context("no line of what was denied")?;
    ensure!(denied.contains("StartExecution") && denied.contains("127.0.0.1") && denied.contains(&dev.id), "{denied}");
    ensure!(log.contains("call allowed") && log.contains("call refused"), "{log}");
    ensure!(!log.contains(&admin.secret) && !log.contains(&dev.secret) && !log.contains("StartAt"), "{log}");
    Ok(())
}
