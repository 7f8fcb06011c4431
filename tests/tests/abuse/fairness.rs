//! One state machine with far more executions than the server has calls for, all on a function that is slow: what the others
//! do is not delayed by it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use serde_json::{Value, json};
use stepwell_tests::client::{CallError, Client};
use stepwell_tests::lambda_server::{Answer, Dialect, LambdaServer};
use stepwell_tests::modes::count;
use stepwell_tests::server::Server;
use tempfile::TempDir;
use tokio::task::JoinSet;

/// Longer than the test looks.
const SLOW: Duration = Duration::from_secs(300);
const CLIENTS: u64 = 32;
/// What another machine's start, Wait and task may be late by, while nothing else happens, and while the flood comes in.
const LATE: Duration = Duration::from_secs(1);
const LATE_IN_FLOOD: Duration = Duration::from_secs(5);
const WAIT: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn executions_on_a_slow_function_delay_no_other_machine() -> Result<()> {
    let _alone = super::ALONE.lock().await;
    let functions = LambdaServer::start(Dialect::Aws).await?;
    functions.register("slow", |_, _| Answer::After(SLOW, Box::new(Answer::Returns(json!(1)))));
    functions.register("fast", |_, _| Answer::Returns(json!(1)));
    let (directory, url) = (TempDir::new()?, functions.url());
    let flags = ["--lambda-endpoint", &url, "--max-calls", "64", "--max-active-executions", "500"];
    let server = Server::start(&directory.path().join("data"), &flags).await?;
    let client = server.client();
    let greedy = client.create("greedy", &one_task("slow")).await?;
    let other = client.create("other", &wait_then_task()).await?;

    let (all, begun) = (count("STEPWELL_GREEDY", 10_000, 100_000), Arc::new(AtomicU64::new(0)));
    let mut flood = JoinSet::new();
    for _ in 0..CLIENTS {
        flood.spawn(start_all(Client::new(server.endpoint()), greedy.clone(), all, begun.clone()));
    }
    let mut in_flood = Vec::new();
    while begun.load(Ordering::Relaxed) < all {
        let lateness = lateness(client, &other, &format!("flood-{}", in_flood.len())).await?;
        in_flood.push(lateness);
    }
    while let Some(started) = flood.join_next().await {
        started??;
    }
    let mut after = Vec::new();
    for number in 0..5 {
        after.push(lateness(client, &other, &format!("after-{number}")).await?);
    }
    println!("{all} executions; late in the flood {in_flood:?}, after it {after:?}, peak {} MiB", server.peak_mib()?);
    let worst = |all: &[Duration]| all.iter().max().copied().unwrap_or_default();
    ensure!(worst(&after) < LATE, "late by {after:?}");
    ensure!(worst(&in_flood) < LATE_IN_FLOOD, "late by {in_flood:?}");
    let called = functions.calls().iter().filter(|call| call.function.contains("slow")).count();
    ensure!((32..=64).contains(&called), "the slow function was called {called} times");
    Ok(())
}

fn one_task(function: &str) -> Value {
    let resource = format!("arn:aws:lambda:us-east-1:123456789012:function:{function}");
    json!({"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": resource, "End": true}}})
}

fn wait_then_task() -> Value {
    let resource = "arn:aws:lambda:us-east-1:123456789012:function:fast";
    json!({"StartAt": "W", "States": {
        "W": {"Type": "Wait", "Seconds": WAIT.as_secs(), "Next": "T"},
        "T": {"Type": "Task", "Resource": resource, "End": true},
    }})
}

/// How much longer than its Wait an execution took, from the call that starts it to its end.
async fn lateness(client: &Client, machine: &str, name: &str) -> Result<Duration> {
    let begun = Instant::now();
    let execution = loop {
        match client.call("StartExecution", &json!({"stateMachineArn": machine, "name": name})).await {
            Ok(_) => break machine.replace(":stateMachine:", ":execution:") + ":" + name,
            Err(CallError::Refused { kind, .. }) if kind == "ThrottlingException" && begun.elapsed() < PATIENCE => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(error) => bail!("{error}"),
        }
    };
    let ended = client.finished(&execution, PATIENCE).await?;
    ensure!(ended["status"] == "SUCCEEDED", "{ended}");
    Ok(begun.elapsed().saturating_sub(WAIT))
}

/// Starts executions until so many are started.
async fn start_all(client: Client, machine: String, all: u64, begun: Arc<AtomicU64>) -> Result<()> {
    loop {
        let number = begun.load(Ordering::Relaxed);
        if number >= all {
            return Ok(());
        }
        match client.call("StartExecution", &json!({"stateMachineArn": machine})).await {
            Ok(_) => _ = begun.fetch_add(1, Ordering::Relaxed),
            Err(CallError::Refused { kind, .. }) if kind == "ThrottlingException" => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(error) => bail!("{error}"),
        }
    }
}
