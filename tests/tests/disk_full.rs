//! The disk is full for a while: what does not fit is answered with an error that stock clients wait out, what was
//! acknowledged stays, and what was under way goes on once there is space, without a restart.
//!
//! The disk is a small tmpfs, which only root may mount: elsewhere the test says that it is skipped.
#![cfg(target_os = "linux")]
#![expect(clippy::indexing_slicing, reason = "an index into JSON does not panic; any other that does fails the test")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use stepwell_tests::client::{CallError, Client};
use stepwell_tests::lambda_server::{Answer, Dialect, LambdaServer};
use stepwell_tests::python::Clients;
use stepwell_tests::retrying_client::RetryingClient;
use stepwell_tests::server::Server;
use tempfile::TempDir;

/// The disk, and what fills the most of it until it is taken away, in bytes.
const DISK: usize = 24 << 20;
const BALLAST: usize = 18 << 20;
/// How long the disk is full: what is due in this time cannot be written.
const FULL: Duration = Duration::from_secs(4);
const PATIENCE: Duration = Duration::from_secs(20);

/// A small disk of its own. It is taken away when this is dropped.
struct Disk(TempDir);

impl Disk {
    /// `None` where mounting one is not permitted.
    fn mount() -> Result<Option<Disk>> {
        let directory = TempDir::new()?;
        let size = format!("size={DISK}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(directory.path()).output();
        Ok(mounted.is_ok_and(|output| output.status.success()).then_some(Disk(directory)))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a server that is still being killed may have files open.
        let _unmounted = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_loses_nothing_and_is_over_when_there_is_space() -> Result<()> {
    let Some(disk) = Disk::mount()? else {
        println!("skipped: nobody but root may mount a small disk");
        return Ok(());
    };
    // First, since it may have to be installed.
    let clients = Clients::find()?;
    let calls = Arc::new(AtomicUsize::new(0));
    let functions = LambdaServer::start(Dialect::Aws).await?;
    let counted = Arc::clone(&calls);
    functions.register("Slow", move |_, _| {
        counted.fetch_add(1, Ordering::SeqCst);
        Answer::After(Duration::from_secs(2), Box::new(Answer::Returns(json!({"slow": true}))))
    });
    let url = functions.url();
    let data = disk.path().join("data");
    let server = Server::start(&data, &["--lambda-endpoint", &url]).await?;
    let client = server.client();
    let function = "arn:aws:lambda:us-east-1:123456789012:function:Slow";
    let task = one_state(&json!({"Type": "Task", "Resource": function, "End": true}));
    let tasks = client.create("tasks", &task).await?;
    let waits = client.create("waits", &one_state(&json!({"Type": "Wait", "Seconds": 3, "End": true}))).await?;

    fs::File::create(disk.ballast())?.write_all(&vec![1; BALLAST])?;
    let mut acknowledged = vec![client.start(&tasks, "under-way", &json!({})).await?];
    acknowledged.push(client.start(&waits, "waiting", &json!({})).await?);
    let refusal = fill(client, &waits, &mut acknowledged).await?;
    println!("{} executions acknowledged, then {refusal}", acknowledged.len());
    let CallError::Refused { status, kind, .. } = &refusal else { bail!("{refusal}") };
    ensure!(*status == 503 && kind == "ServiceUnavailable", "{refusal}");
    // Everything of that is due meanwhile, and read all the same.
    tokio::time::sleep(FULL).await;
    for execution in &acknowledged {
        ensure!(client.describe(execution).await?["executionArn"] == execution.as_str(), "{execution}");
    }
    ensure!(client.is_healthy().await, "not healthy");
    let retrying = clients.map(|clients| refused_boto3(&clients, &server, &waits)).transpose()?;

    fs::remove_file(disk.ballast())?;
    let (again, after) = taken_again(client, &waits).await?;
    println!("taken again {after:?} after there was space");
    acknowledged.push(again);
    if let Some(retrying) = retrying {
        let (answers, execution) = retrying.succeeds()?;
        println!("boto3 was answered {answers:?} after it was refused, and then went on");
        acknowledged.push(execution);
    }
    all_succeed(client, &acknowledged).await.with_context(|| server.log_text())?;
    ensure!(calls.load(Ordering::SeqCst) == 1, "the function was called {calls:?} times");
    let log = server.log_text();
    ensure!(!log.contains("panicked") && !log.contains("nothing is acknowledged any more"), "{log}");

    server.kill()?;
    let server = Server::start(&data, &["--lambda-endpoint", &url]).await?;
    all_succeed(server.client(), &acknowledged).await
}

/// Starts an execution as soon as there is space; also when that was.
async fn taken_again(client: &Client, machine: &str) -> Result<(String, Duration)> {
    let begun = Instant::now();
    loop {
        match client.start(machine, "again", &json!({})).await {
            Ok(execution) => return Ok((execution, begun.elapsed())),
            Err(error) => ensure!(begun.elapsed() < PATIENCE, "there is space, and still {error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A boto3 whose first attempt found no room.
fn refused_boto3(clients: &Clients, server: &Server, machine: &str) -> Result<RetryingClient> {
    let mut retrying = RetryingClient::start(clients, server.endpoint(), machine)?;
    let line = retrying.line()?;
    ensure!(line.starts_with("answered 503 "), "{line}");
    Ok(retrying)
}

fn one_state(state: &Value) -> Value {
    json!({"StartAt": "S", "States": {"S": state}})
}

/// Starts executions until the disk has no room for one more; the answer that said so.
async fn fill(client: &Client, machine: &str, acknowledged: &mut Vec<String>) -> Result<CallError> {
    // First large ones, then small ones, so that hardly a page is left.
    for (size, most) in [(100_000, 200), (10, 5_000)] {
        for number in 0..most {
            let input = json!({"padding": "x".repeat(size)}).to_string();
            let members = json!({"stateMachineArn": machine, "name": format!("{size}-{number}"), "input": input});
            match client.call("StartExecution", &members).await {
                Ok(answer) => acknowledged.push(answer["executionArn"].as_str().context("no ARN")?.to_owned()),
                Err(error) if size == 10 => return Ok(error),
                Err(_) => break,
            }
        }
    }
    bail!("the disk does not get full")
}

async fn all_succeed(client: &Client, executions: &[String]) -> Result<()> {
    for execution in executions {
        let description = client.finished(execution, PATIENCE).await?;
        ensure!(description["status"] == "SUCCEEDED", "{description}");
        client.history(execution).await?;
    }
    Ok(())
}
