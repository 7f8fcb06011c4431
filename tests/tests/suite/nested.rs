//! Nested executions on the real server: one of each level, whatever kills the process, and none that outlives its parent.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use stepwell_tests::client::{Client, parsed, types};
use stepwell_tests::server::Server;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);
/// Between kills of the process, in milliseconds: before, while and after the innermost executions wait.
const LIVES_MS: [u64; 4] = [120, 700, 1_400, 300];

/// A machine of one task that starts an execution of another and waits for its end.
async fn around(client: &Client, name: &str, pattern: &str, inner: &str) -> Result<String> {
    let resource = format!("arn:aws:states:::states:startExecution{pattern}");
    let parameters = json!({ "StateMachineArn": inner, "Input.$": "$" });
    let task = json!({ "Type": "Task", "Resource": resource, "Parameters": parameters, "End": true });
    client.create(name, &json!({ "StartAt": "Start", "States": { "Start": task } })).await
}

async fn waiting(client: &Client, seconds: u64) -> Result<String> {
    let states = json!({
        "Wait": { "Type": "Wait", "Seconds": seconds, "Next": "Done" },
        "Done": { "Type": "Pass", "Result": { "b": null, "a": 1 }, "End": true },
    });
    client.create("innermost", &json!({ "StartAt": "Wait", "States": states })).await
}

/// The statuses of all executions of a machine.
async fn statuses(client: &Client, machine: &str) -> Result<Vec<String>> {
    let listed = client.call("ListExecutions", &json!({ "stateMachineArn": machine })).await?;
    let executions = listed["executions"].as_array().context("no list")?;
    Ok(executions.iter().filter_map(|one| one["status"].as_str().map(str::to_owned)).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn three_levels_run_once_each_while_the_process_is_killed() -> Result<()> {
    let directory = TempDir::new()?;
    let data = directory.path().join("data");
    let mut server = Server::start(&data, &[]).await?;
    let innermost = waiting(server.client(), 2).await?;
    let middle = around(server.client(), "middle", ".sync:2", &innermost).await?;
    let outermost = around(server.client(), "outermost", ".sync", &middle).await?;
    let mut started = Vec::new();
    for number in 0..5 {
        started.push(server.client().start(&outermost, &format!("n{number}"), &json!({ "n": number })).await?);
    }
    for life in LIVES_MS {
        tokio::time::sleep(Duration::from_millis(life)).await;
        server.kill()?;
        server = Server::start(&data, &[]).await?;
    }
    for execution in &started {
        let description = server.client().finished(execution, PATIENCE).await?;
        ensure!(description["status"] == "SUCCEEDED", "{description:#}");
        // `.sync` shows texts, `.sync:2` JSON.
        let middle = parsed(&parsed(&description["output"])?["Output"])?;
        ensure!(middle["Output"] == json!({ "b": null, "a": 1 }), "{middle}");
        let history = server.client().history(execution).await?;
        let task = ["TaskScheduled", "TaskStarted", "TaskSubmitted", "TaskSucceeded"];
        let tasks: Vec<&str> = types(&history).into_iter().filter(|kind| task.contains(kind)).collect();
        ensure!(tasks == task, "{tasks:?}");
    }
    for machine in [&innermost, &middle, &outermost] {
        let statuses = statuses(server.client(), machine).await?;
        ensure!(statuses == ["SUCCEEDED"; 5], "{machine}: {statuses:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parent_that_is_stopped_or_times_out_stops_its_children_even_across_a_kill() -> Result<()> {
    let directory = TempDir::new()?;
    let data = directory.path().join("data");
    let mut server = Server::start(&data, &[]).await?;
    let innermost = waiting(server.client(), 600).await?;
    let middle = around(server.client(), "middle", ".sync:2", &innermost).await?;
    let outermost = around(server.client(), "outermost", ".sync:2", &middle).await?;
    let execution = server.client().start(&outermost, "one", &json!({})).await?;
    until(&server, &innermost, &["RUNNING"]).await?;
    server.client().call("StopExecution", &json!({ "executionArn": execution, "error": "No" })).await?;
    server.kill()?;
    server = Server::start(&data, &[]).await?;
    for machine in [&outermost, &middle, &innermost] {
        until(&server, machine, &["ABORTED"]).await?;
    }
    let description = server.client().describe(&execution).await?;
    ensure!(description["error"] == "No", "{description:#}");
    Ok(())
}

/// Waits until the executions of a machine have these statuses.
async fn until(server: &Server, machine: &str, expected: &[&str]) -> Result<()> {
    let mut last = Vec::new();
    for _ in 0..400 {
        last = statuses(server.client(), machine).await?;
        if last == expected {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    anyhow::bail!("{machine}: {last:?} instead of {expected:?}\n{}", server.log_text())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_that_fails_fails_the_task_with_what_is_known_of_it() -> Result<()> {
    let directory = TempDir::new()?;
    let server = Server::start(&directory.path().join("data"), &[]).await?;
    let client = server.client();
    let states = json!({ "F": { "Type": "Fail", "Error": "E", "Cause": "C" } });
    let failing = client.create("failing", &json!({ "StartAt": "F", "States": states })).await?;
    let machine = around(client, "around", ".sync", &failing).await?;
    let execution = client.start(&machine, "one", &json!({ "a": [1] })).await?;
    let description = client.finished(&execution, PATIENCE).await?;
    ensure!(description["error"] == "States.TaskFailed", "{description:#}");
    let cause: Value = parsed(&description["cause"])?;
    let shown = ["Cause", "Error", "Input", "Status", "RedriveStatus"].map(|name| &cause[name]);
    ensure!(
        shown == [&json!("C"), &json!("E"), &json!(r#"{"a":[1]}"#), &json!("FAILED"), &json!("REDRIVABLE")],
        "{cause}"
    );
    // A machine that is nowhere.
    let machine = around(client, "astray", ".sync", &format!("{failing}s")).await?;
    let execution = client.start(&machine, "one", &json!({})).await?;
    let description = client.finished(&execution, PATIENCE).await?;
    ensure!(description["error"] == "StepFunctions.StateMachineDoesNotExistException", "{description:#}");
    Ok(())
}
