//! Log records of the real `serve`: what each level and data flag deliver to the file of a log group, for Standard and Express
//! executions.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use stepwell_tests::client::Client;
use stepwell_tests::server::Server;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(30);
/// Records are in their file after this.
const DELIVERED: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(20);

fn logging(group: &str, level: &str, data: bool) -> Value {
    let arn = format!("arn:aws:logs:us-east-1:123456789012:log-group:{group}:*");
    json!({
        "level": level, "includeExecutionData": data,
        "destinations": [{ "cloudWatchLogsLogGroup": { "logGroupArn": arn } }]
    })
}

/// It fails in a state of its own.
fn failing() -> Value {
    json!({ "StartAt": "Begin", "States": {
        "Begin": { "Type": "Pass", "Next": "Give up" },
        "Give up": { "Type": "Fail", "Error": "Enough", "Cause": "it is" }
    } })
}

fn waiting(seconds: u32) -> Value {
    json!({ "StartAt": "Rest", "States": { "Rest": { "Type": "Wait", "Seconds": seconds, "End": true } } })
}

async fn create(client: &Client, (name, kind): (&str, &str), definition: &Value, logging: Value) -> Result<String> {
    let created = client
        .call(
            "CreateStateMachine",
            &json!({
                "name": name, "type": kind, "definition": definition.to_string(),
                "roleArn": "arn:aws:iam::123456789012:role/workflows", "loggingConfiguration": logging
            }),
        )
        .await?;
    created["stateMachineArn"].as_str().map(str::to_owned).context("no ARN")
}

fn records(file: &Path) -> Result<Vec<Value>> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

/// The records of a file once there are so many.
async fn delivered(file: &Path, count: usize) -> Result<Vec<Value>> {
    let waited = tokio::time::timeout(DELIVERED, async {
        while records(file).unwrap_or_default().len() < count {
            tokio::time::sleep(POLL).await;
        }
    });
    if waited.await.is_err() {
        bail!("{} has {:?}", file.display(), records(file));
    }
    records(file)
}

fn log_file(directory: &TempDir, group: &str) -> PathBuf {
    directory.path().join("logs").join(format!("{group}.log"))
}

async fn serve(directory: &TempDir) -> Result<Server> {
    let logs = directory.path().join("logs");
    Server::start(&directory.path().join("data"), &["--log-groups", logs.to_str().context("a path")?]).await
}

fn types_of(records: &[Value]) -> Vec<&str> {
    records.iter().filter_map(|record| record["type"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_level_delivers_its_events_for_both_types_of_workflow() -> Result<()> {
    let directory = TempDir::new()?;
    let server = serve(&directory).await?;
    let client = server.client();
    let all = ["ExecutionStarted", "PassStateEntered", "PassStateExited", "FailStateEntered", "ExecutionFailed"];
    let levels = [("ALL", &all[..]), ("ERROR", &all[3..]), ("FATAL", &all[4..]), ("OFF", &all[5..])];
    for kind in ["STANDARD", "EXPRESS"] {
        for (level, expected) in levels {
            for data in [true, false] {
                let group = format!("{kind}-{level}-{data}");
                let machine = create(client, (&group, kind), &failing(), logging(&group, level, data)).await?;
                let execution = client.start(&machine, "one", &json!({ "secret": 1 })).await?;
                if kind == "STANDARD" {
                    client.finished(&execution, PATIENCE).await?;
                }
                let file = log_file(&directory, &group);
                let records = delivered(&file, expected.len()).await?;
                ensure!(types_of(&records) == expected, "{group}: {records:?}");
                ensure!(records.iter().all(|record| record["execution_arn"] == *execution), "{group}: {records:?}");
                // The input of the Fail state shows it too.
                let shows = data && ["ALL", "ERROR"].contains(&level);
                ensure!(json!(records).to_string().contains("secret") == shows, "{group}: {records:?}");
                if let Some(last) = records.last() {
                    ensure!(last["details"] == json!({ "error": "Enough", "cause": "it is" }), "{last}");
                    ensure!((&last["id"], &last["previous_event_id"]) == (&json!("5"), &json!("4")), "{last}");
                    ensure!(last["redrive_count"] == "0", "{last}");
                }
            }
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_logs_as_it_started_whatever_changes_and_across_a_kill() -> Result<()> {
    let directory = TempDir::new()?;
    let server = serve(&directory).await?;
    let machine = create(server.client(), ("pinned", "STANDARD"), &waiting(4), logging("pinned", "ALL", true)).await?;
    let execution = server.client().start(&machine, "one", &json!({})).await?;
    let update = json!({ "stateMachineArn": machine, "loggingConfiguration": { "level": "OFF" } });
    server.client().call("UpdateStateMachine", &update).await?;
    let file = log_file(&directory, "pinned");
    ensure!(types_of(&delivered(&file, 2).await?) == ["ExecutionStarted", "WaitStateEntered"]);
    server.kill()?;
    let server = serve(&directory).await?;
    server.client().finished(&execution, PATIENCE).await?;
    let records = delivered(&file, 4).await?;
    let expected = ["ExecutionStarted", "WaitStateEntered", "WaitStateExited", "ExecutionSucceeded"];
    ensure!(types_of(&records) == expected, "{records:?}");
    let history = server.client().history(&execution).await?;
    for (record, event) in records.iter().zip(&history) {
        let numbers = |of: &Value, names: [&str; 2]| names.map(|name| of[name].to_string().replace('"', ""));
        let (logged, kept) = (numbers(record, ["id", "previous_event_id"]), numbers(event, ["id", "previousEventId"]));
        ensure!(logged == kept && record["type"] == event["type"], "{record} and {event}");
    }
    ensure!(records.last().is_some_and(|last| last["details"]["outputDetails"] == json!({ "truncated": false })));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_cannot_be_written_is_a_line_of_the_log_and_no_failure() -> Result<()> {
    let directory = TempDir::new()?;
    let server = serve(&directory).await?;
    std::fs::create_dir(log_file(&directory, "blocked"))?;
    let client = server.client();
    let machine = create(client, ("blocked", "STANDARD"), &waiting(0), logging("blocked", "ALL", true)).await?;
    for name in ["one", "two"] {
        let execution = client.start(&machine, name, &json!({})).await?;
        let done = client.finished(&execution, PATIENCE).await?;
        ensure!(done["status"] == "SUCCEEDED", "{done}");
    }
    let said = tokio::time::timeout(DELIVERED, async {
        while server.log_text().matches("log groups: not written").count() != 1 {
            tokio::time::sleep(POLL).await;
        }
    });
    ensure!(said.await.is_ok(), "{}", server.log_text());
    Ok(())
}
