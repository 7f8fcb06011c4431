//! The stack as the real SAM CLI deploys it, on an emulator of AWS that starts our functions as they are.
//!
//! What `serve` has to stand, stock clients have to find here too (`stepwell_tests::walk`); workflows are about what only
//! this form has: messages, functions that end, the clock.

#![expect(clippy::indexing_slicing, reason = "an index into JSON does not panic; any other that does fails the test")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use aws::{Cursor, Table, clients, layout};
use engine::SystemClock;
use engine::ports::{Clock, Journal, Record};
use interpreter::Timestamp;
use serde_json::{Value, json};
use stepwell_tests::client::{Client, parsed, text};
use stepwell_tests::deployment::{self, ACCOUNT, Turn};
use stepwell_tests::hand_clock::HandClock;
use stepwell_tests::parity;
use stepwell_tests::python::Clients;
use stepwell_tests::server;
use stepwell_tests::walk::{self, Walk};

/// A busy machine starts forty functions in Python slowly.
const PATIENCE: Duration = Duration::from_secs(180);
async fn on_lambda() -> Result<Option<(Walk, impl Sized)>> {
    let Some(clients) = Clients::find()? else { return Ok(None) };
    let Some(mut installed) = deployment::turn().await? else { return Ok(None) };
    let functions = walk::functions().await?;
    installed.calls_functions_at(Some(&functions.url())).await?;
    Ok(Some((Walk::of(clients, &installed.endpoint, ACCOUNT), (installed, functions))))
}

mod stock_clients {
    stepwell_tests::walk!(super::on_lambda);
}

/// A turn in which tasks call the emulator's own functions: `echo` is there.
async fn with_echo() -> Result<Option<Turn>> {
    let Some(mut installed) = deployment::turn().await? else { return Ok(None) };
    installed.calls_functions_at(None).await?;
    Ok(Some(installed))
}

fn function(name: &str) -> String {
    format!("arn:aws:lambda:us-east-1:{ACCOUNT}:function:{name}")
}

fn echo() -> Value {
    json!({"Type": "Task", "Resource": function("echo"), "End": true})
}

/// A machine of one state.
fn alone(mut state: Value) -> Value {
    state["End"] = true.into();
    json!({"StartAt": "Only", "States": {"Only": state}})
}

/// Runs a workflow that succeeds; its output, its history, and how long it took.
async fn run(client: &Client, name: &str, definition: &Value, input: &Value) -> Result<(Value, Vec<Value>, Duration)> {
    let machine = client.create(name, definition).await?;
    let begun = Instant::now();
    let execution = client.start(&machine, "one", input).await?;
    let told = client.finished(&execution, PATIENCE).await?;
    ensure!(told["status"] == "SUCCEEDED", "{told}");
    let took = begun.elapsed();
    Ok((parsed(&told["output"])?, client.history(&execution).await?, took))
}

#[tokio::test(flavor = "multi_thread")]
async fn states_without_tasks_run_within_the_call() -> Result<()> {
    let Some(installed) = with_echo().await? else { return Ok(()) };
    println!("built after {:.0} s, deployed after {:.0} s", installed.built_after, installed.deployed_after);
    let sums = json!({"QueryLanguage": "JSONata", "StartAt": "Sum",
        "States": {"Sum": {"Type": "Pass", "Output": "{% $sum($states.input) %}", "End": true}}});
    assert_eq!(run(&installed.client(), "sum", &sums, &json!([1, 2, 3])).await?.0, json!(6));
    installed.has_no_dead_letters().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_of_three_seconds_ends_in_time() -> Result<()> {
    let Some(installed) = with_echo().await? else { return Ok(()) };
    let (_, _, took) =
        run(&installed.client(), "wait", &alone(json!({"Type": "Wait", "Seconds": 3})), &json!({})).await?;
    assert!((3..10).contains(&took.as_secs()), "{took:?}");
    installed.has_no_dead_letters().await
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_in_a_row_hand_on_what_functions_return() -> Result<()> {
    let Some(installed) = with_echo().await? else { return Ok(()) };
    let step = |next: &str| json!({"Type": "Task", "Resource": function("echo"), "Next": next});
    let row = json!({"StartAt": "A", "States": {"A": step("B"), "B": step("C"), "C": echo()}});
    let (output, events, _) = run(&installed.client(), "row", &row, &json!({"a": 1})).await?;
    assert_eq!(output, json!({"a": 1}));
    assert_eq!(count(&events, "LambdaFunctionSucceeded"), 3);
    installed.has_no_dead_letters().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_map_of_two_hundred_tasks_goes_forty_at_a_time() -> Result<()> {
    let Some(installed) = with_echo().await? else { return Ok(()) };
    let each = json!({"StartAt": "Each", "States": {"Each": echo()}});
    let map = alone(json!({"Type": "Map", "MaxConcurrency": 40, "ItemProcessor": each}));
    let items = json!((0..200).collect::<Vec<_>>());
    let (output, events, _) = run(&installed.client(), "map", &map, &items).await?;
    assert_eq!(output, items);
    let (mut open, mut most) = (0i32, 0);
    for event in &events {
        match event["type"].as_str() {
            Some("MapIterationStarted") => open += 1,
            Some("MapIterationSucceeded") => open -= 1,
            _ => {}
        }
        most = most.max(open);
    }
    assert_eq!((most, open), (40, 0));
    installed.has_no_dead_letters().await
}

#[tokio::test(flavor = "multi_thread")]
async fn retries_wait_longer_each_time() -> Result<()> {
    let Some(installed) = with_echo().await? else { return Ok(()) };
    let missing = json!({"Type": "Task", "Resource": function("missing"), "End": true,
        "Retry": [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 2, "IntervalSeconds": 1, "BackoffRate": 2}],
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Caught", "ResultPath": null}]});
    let definition = json!({"StartAt": "Missing", "States": {"Missing": missing, "Caught": {"Type": "Succeed"}}});
    let (_, events, took) = run(&installed.client(), "retry", &definition, &json!({})).await?;
    assert_eq!(count(&events, "LambdaFunctionFailed"), 3);
    assert!((3..15).contains(&took.as_secs()), "{took:?}");
    installed.has_no_dead_letters().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_is_answered() -> Result<()> {
    let Some(installed) = with_echo().await? else { return Ok(()) };
    let client = installed.client();
    let asks = alone(json!({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "Parameters": {"FunctionName": "echo", "Payload": {"token.$": "$$.Task.Token"}}, "TimeoutSeconds": 60}));
    let execution = client.start(&client.create("callback", &asks).await?, "one", &json!({})).await?;
    let events = submitted(&client, &execution).await?;
    let scheduled = events.iter().find(|event| event["type"] == "TaskScheduled").context("nothing is scheduled")?;
    let parameters = parsed(&scheduled["taskScheduledEventDetails"]["parameters"])?;
    let answer = json!({"taskToken": parameters["Payload"]["token"], "output": "\"answered\""});
    client.call("SendTaskSuccess", &answer).await?;
    assert_eq!(client.finished(&execution, PATIENCE).await?["output"], "\"answered\"");
    installed.has_no_dead_letters().await
}

#[tokio::test(flavor = "multi_thread")]
async fn express_ends_within_its_call_or_by_a_message() -> Result<()> {
    let Some(installed) = with_echo().await? else { return Ok(()) };
    let client = installed.client();
    let machine = client.create_as("express", "EXPRESS", &alone(json!({"Type": "Wait", "Seconds": 1}))).await?;
    let told = client.call("StartSyncExecution", &json!({"stateMachineArn": machine, "input": "[1]"})).await?;
    assert_eq!([&told["status"], &told["output"]], ["SUCCEEDED", "[1]"]);
    client.call("StartExecution", &json!({"stateMachineArn": machine})).await?;
    installed.has_no_dead_letters().await
}

/// `python/deploy.py` makes the role `sends`, which may send to one queue and trusts the state machine `trusted`. The installation
/// itself may send to no queue but its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_task_in_a_role_may_do_what_that_may_when_the_role_trusts_its_state_machine() -> Result<()> {
    let Some(installed) = with_echo().await? else { return Ok(()) };
    let (client, role) = (installed.client(), format!("arn:aws:iam::{ACCOUNT}:role/sends"));
    let queue = installed.call("AmazonSQS.GetQueueUrl", &json!({ "QueueName": "of-the-role" })).await?;
    let queue = text(&queue, "QueueUrl")?;
    let own = alone(json!({"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage",
        "Parameters": {"QueueUrl": queue, "MessageBody": "in the role"}}));
    let mut in_role = own.clone();
    in_role["States"]["Only"]["Credentials"] = json!({ "RoleArn": role });
    let mut ends = Vec::new();
    for (name, definition) in [("trusted", &in_role), ("other", &in_role), ("own", &own)] {
        let execution = client.start(&client.create(name, definition).await?, "one", &json!({})).await?;
        ends.push(client.finished(&execution, PATIENCE).await?);
    }
    let [trusted, other, own] = ends.as_slice() else { anyhow::bail!("{ends:?}") };
    assert_eq!(trusted["status"], "SUCCEEDED", "{trusted}");
    assert_eq!([&other["status"], &other["error"]], ["FAILED", "States.TaskFailed"], "{other}");
    let cause = other["cause"].as_str().context("no cause")?;
    ensure!(cause.ends_with(&format!("is not authorized to assume the task state's role, {role}.")), "{cause}");
    assert_eq!([&own["status"], &own["error"]], ["FAILED", "SQS.AmazonSQSException"], "{own}");
    let received = installed.call("AmazonSQS.ReceiveMessage", &json!({ "QueueUrl": queue })).await?;
    assert_eq!(received["Messages"][0]["Body"], "in the role", "{received}");
    installed.has_no_dead_letters().await
}

/// Nothing but the clock knows of a wait of more than 25 minutes; of one of more than 20 a message knows as well, which takes a
/// quarter of an hour. Only its schedule of a minute calls the clock here.
#[tokio::test(flavor = "multi_thread")]
async fn the_clock_wakes_waits_of_more_than_twenty_minutes_on_its_own_schedule() -> Result<()> {
    let Some(installed) = with_echo().await? else { return Ok(()) };
    let (client, now) = (installed.client(), SystemClock::new()?.now());
    let mut executions = Vec::new();
    for (name, seconds) in [("week", 7 * 24 * 3_600), ("twenty-minutes", 20 * 60 + 1)] {
        let machine = client.create(name, &alone(json!({"Type": "Wait", "Seconds": seconds}))).await?;
        let execution = client.start(&machine, "one", &json!({})).await?;
        time_passes(&installed, &execution, now).await?;
        executions.push(execution);
    }
    // Twice: a clock that looks just then moves its place on, once more.
    for _ in 0..2 {
        let table = table(&installed, now).await;
        for execution in &executions {
            table.move_cursor(layout::shard(execution), &Cursor { after: now, place: None }).await?;
        }
        tokio::time::sleep(Duration::from_secs(8)).await;
    }
    for execution in &executions {
        let told = client.finished(execution, PATIENCE).await?;
        assert_eq!(told["status"], "SUCCEEDED", "{told}");
        let stopped = told["stopDate"].as_f64().context("no end")? * 1_000.;
        ensure!(stopped >= soon(now).0 as f64, "too early: {told}");
        println!("{execution} ended {:.1} s after it was due", (stopped - soon(now).0 as f64) / 1_000.);
    }
    installed.has_no_dead_letters().await
}

/// When the waits of a test that began at `now` end.
fn soon(now: Timestamp) -> Timestamp {
    now.plus_seconds(3)
}

async fn table(installed: &Turn, now: Timestamp) -> Table {
    Table::new(clients::dynamodb(&installed.sdk().await), &installed.table, Arc::new(HandClock::at(now)), 90)
}

/// The time passes in the table: the record of an execution that waits is written anew, as by a process of half an hour ago.
async fn time_passes(installed: &Turn, execution: &str, now: Timestamp) -> Result<()> {
    let table = table(installed, now.plus_millis(-30 * 60 * 1_000)).await;
    let [record] = <[Record; 1]>::try_from(table.tail(execution).await?).map_err(|_| anyhow::anyhow!("one record"))?;
    let (due, soon) = (record.due.context("nothing is due")?, soon(now));
    let body = String::from_utf8(record.body)?;
    ensure!(body.contains(&due.0.to_string()), "the due time is not in the body");
    let body = body.replace(&due.0.to_string(), &soon.0.to_string()).into_bytes();
    let key = json!({ "pk": { "S": execution }, "sk": { "S": layout::record_key(record.sequence) } });
    installed.call("DynamoDB_20120810.DeleteItem", &json!({ "TableName": installed.table, "Key": key })).await?;
    table.append(Record { due: Some(soon), body, ..record }).await?;
    Ok(())
}

/// `parity.rs` does the same on `serve`; `parity/README.md` says what fails there and here.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_agrees_with_aws_on_serve_does_here() -> Result<()> {
    let (Some(corpus), Some(clients)) = (parity::corpus()?, Clients::find()?) else { return Ok(()) };
    let Some(mut installed) = deployment::turn().await? else { return Ok(()) };
    let stub = server::free_address()?;
    installed.calls_functions_at(Some(&format!("http://{stub}"))).await?;
    let port = stub.port().to_string();
    let flags = ["--endpoint", &installed.endpoint, "--stub-port", &port, "--timeout", "60"];
    let report = tokio::task::block_in_place(|| parity::replay(&clients, &corpus, &flags))?;
    println!("{report}");
    installed.has_no_dead_letters().await
}

fn count(events: &[Value], kind: &str) -> usize {
    events.iter().filter(|event| event["type"] == kind).count()
}

/// The history of an execution whose task waits for its token.
async fn submitted(client: &Client, execution: &str) -> Result<Vec<Value>> {
    let limit = Instant::now() + PATIENCE;
    loop {
        let events = client.history(execution).await?;
        if count(&events, "TaskSubmitted") > 0 {
            return Ok(events);
        }
        ensure!(Instant::now() < limit, "never submitted: {events:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
