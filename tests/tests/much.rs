//! As much as the design promises: 100,000 executions that wait, within 1 GiB, and a history of 100,000 events; killed in
//! the middle, nothing is missing, and everything goes on.
//!
//! `STEPWELL_OPEN` says how many wait (10,000; 100,000 in the long mode). Durations are printed and not
//! judged: README has the figures.

#![expect(clippy::indexing_slicing, reason = "an index into JSON does not panic; any other that does fails the test")]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use stepwell_tests::client::{CallError, Client};
use stepwell_tests::modes::{Progress, count};
use stepwell_tests::server::Server;
use tempfile::TempDir;
use tokio::task::JoinSet;

/// Events of the history, at least.
const EVENTS: u64 = 100_000;
/// Clients that start executions at the same time.
const CLIENTS: u64 = 64;
/// Executions whose Wait is over soon after the restart.
const NEAR: usize = 50;
const SETTLE: Duration = Duration::from_secs(60);

/// The memory limit of a server: as an empty one, and for each execution that waits. 1 GiB for 100,000.
fn most_mib(open: u64) -> u64 {
    64 + open * 960 / 100_000
}

#[tokio::test(flavor = "multi_thread")]
async fn executions_that_wait_cost_little_and_are_all_there_after_a_kill() -> Result<()> {
    let open = count("STEPWELL_OPEN", 10_000, 100_000);
    let directory = TempDir::new()?;
    let data = directory.path().join("data");
    let server = Server::start(&data, &[]).await?;
    let wait = |seconds: u64| json!({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": seconds, "Next": "D"}, "D": {"Type": "Pass", "Result": 7, "End": true}}});
    let far = server.client().create("far", &wait(300 * 24 * 60 * 60)).await?;
    let near = server.client().create("near", &wait(3)).await?;
    let begun = Instant::now();
    let started = started(server.client(), &far, open).await?;
    let starting = begun.elapsed();
    let mut soon = Vec::new();
    for number in 0..NEAR {
        soon.push(server.client().start(&near, &format!("near-{number}"), &json!({})).await?);
    }
    let before = server.peak_mib()?;
    server.kill()?;

    let begun = Instant::now();
    let server = Server::start(&data, &[]).await?;
    let restart = begun.elapsed();
    let listed = listed(server.client(), &far).await?;
    ensure!(listed == started, "{} are open, {} were started", listed.len(), started.len());
    for execution in &soon {
        let ended = server.client().finished(execution, SETTLE).await?;
        ensure!(ended["status"] == "SUCCEEDED" && ended["output"] == "7", "{ended}");
    }
    let stopped = started.iter().next().context("none was started")?;
    server.client().call("StopExecution", &json!({"executionArn": stopped})).await?;
    ensure!(server.client().finished(stopped, SETTLE).await?["status"] == "ABORTED");
    let after = server.peak_mib()?;
    println!(
        "{open} open executions, started in {starting:.1?}: {before} MiB; restart in {restart:.2?}: {after} MiB, all \
         listed and {NEAR} ended"
    );
    ensure!(before.max(after) <= most_mib(open), "{before} and {after} MiB for {open} executions");
    Ok(())
}

/// Starts executions by several clients at a time; all that were acknowledged.
async fn started(client: &Client, machine: &str, number: u64) -> Result<BTreeSet<String>> {
    let mut starting = JoinSet::new();
    for own in 0..CLIENTS {
        let (client, machine) = (Client::new(client.endpoint()), machine.to_owned());
        let share = number / CLIENTS + u64::from(own < number % CLIENTS);
        starting.spawn(async move {
            let (mut started, mut progress) = (Vec::new(), Progress::new("executions of one of 64 clients", share));
            for turn in 0..share {
                if own == 0 {
                    progress.at(turn);
                }
                started.push(start(&client, &machine, &format!("{own}-{turn}")).await?);
            }
            anyhow::Ok(started)
        });
    }
    let mut all = BTreeSet::new();
    while let Some(started) = starting.join_next().await {
        all.extend(started??);
    }
    Ok(all)
}

/// Starts an execution, again while the server has too much to do.
async fn start(client: &Client, machine: &str, name: &str) -> Result<String> {
    let members = json!({"stateMachineArn": machine, "name": name, "input": json!({"name": name}).to_string()});
    loop {
        match client.call("StartExecution", &members).await {
            Ok(answer) => return stepwell_tests::client::text(&answer, "executionArn"),
            Err(error) if error.kind() == "ThrottlingException" => tokio::time::sleep(Duration::from_millis(20)).await,
            Err(error) => bail!("{name}: {error}"),
        }
    }
}

/// Every open execution of a machine, page by page.
async fn listed(client: &Client, machine: &str) -> Result<BTreeSet<String>, CallError> {
    let (mut listed, mut token) = (BTreeSet::new(), Value::Null);
    loop {
        let members =
            json!({"stateMachineArn": machine, "statusFilter": "RUNNING", "maxResults": 1000, "nextToken": token});
        let mut page = client.call("ListExecutions", &members).await?;
        let rows = page["executions"].as_array().into_iter().flatten();
        listed.extend(rows.filter_map(|row| row["executionArn"].as_str().map(str::to_owned)));
        token = page["nextToken"].take();
        if token.is_null() {
            return Ok(listed);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_as_long_as_its_limit_allows_has_no_gap() -> Result<()> {
    // Two states and four events a turn, and a few around them.
    let (turns, limit) = (EVENTS / 4, (EVENTS + 100).to_string());
    let directory = TempDir::new()?;
    let data = directory.path().join("data");
    let flags = ["--max-events", limit.as_str()];
    let server = Server::start(&data, &flags).await?;
    let definition = json!({"StartAt": "Count", "States": {
        "Count": {"Type": "Pass", "Parameters": {"turn.$": "States.MathAdd($.turn, 1)"}, "Next": "Enough"},
        "Enough": {"Type": "Choice", "Choices": [{"Variable": "$.turn", "NumericLessThan": turns, "Next": "Count"}], "Default": "Done"},
        "Done": {"Type": "Succeed"},
    }});
    let machine = server.client().create("loop", &definition).await?;
    let begun = Instant::now();
    let execution = server.client().start(&machine, "long", &json!({"turn": 0})).await?;
    let mut running = length(server.client(), &execution).await?;
    while running < EVENTS / 10 {
        running = length(server.client(), &execution).await?;
    }
    let still = server.client().describe(&execution).await?["status"] == "RUNNING";
    server.kill()?;
    let server = Server::start(&data, &flags).await?;
    let ended = server.client().finished(&execution, SETTLE).await?;
    let took = begun.elapsed();
    ensure!(ended["status"] == "SUCCEEDED" && ended["output"] == format!("{{\"turn\":{turns}}}"), "{ended}");
    let history = server.client().history(&execution).await?;
    println!(
        "{} events in {took:.1?}, killed after {running} of them; {} MiB, read in {:.1?}",
        history.len(),
        server.peak_mib()?,
        begun.elapsed() - took
    );
    ensure!(still, "it was over before the kill");
    ensure!(history.len() as u64 >= EVENTS, "{} events", history.len());
    let counts = history.iter().filter(|event| event["stateEnteredEventDetails"]["name"] == "Count").count();
    ensure!(counts as u64 == turns, "{counts} turns of {turns}");
    Ok(())
}

/// How many events there are by now.
async fn length(client: &Client, execution: &str) -> Result<u64> {
    let members = json!({"executionArn": execution, "maxResults": 1, "reverseOrder": true});
    let page = client.call("GetExecutionHistory", &members).await?;
    page["events"][0]["id"].as_u64().context("no events")
}
