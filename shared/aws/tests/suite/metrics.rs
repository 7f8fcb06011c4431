//! What functions count, as the lines that CloudWatch reads.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use async_trait::async_trait;
use aws::{MetricLines, TickReport};
use engine::Deployment;
use engine::ports::{ExecutionStatus, Happening, Metrics, TaskAnswer, TaskCall, Tasks};
use engine::worker::Worker;
use interpreter::Timestamp;
use serde_json::{Value, json};
use stepwell_tests::cloud::Process;
use stepwell_tests::cloud::{Cloud, Lines, call, create_machine, start};
use stepwell_tests::dynamo::Fault;

const SECRET: &str = "what is in payloads";
const NOW: Timestamp = Timestamp(1_700_000_000_000);

/// A function that takes three seconds and returns what it got.
struct Slow;

#[async_trait]
impl Tasks for Slow {
    async fn call(&self, call: TaskCall) -> TaskAnswer {
        tokio::time::sleep(Duration::from_secs(3)).await;
        TaskAnswer::Succeeded { output: call.arguments }
    }

    async fn limit(&self, _call: &TaskCall) -> Duration {
        Duration::from_secs(60)
    }
}

fn work() -> Value {
    let work = json!({ "Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f", "End": true });
    json!({ "StartAt": "Work", "States": { "Work": work } })
}

/// What the lines of one state machine add up to, once each is seen to be what CloudWatch takes.
fn sum(lines: &[Value], metric: &str) -> Result<u64> {
    let mut sum = 0;
    for line in lines {
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert!(line["_aws"]["Timestamp"].as_i64().is_some_and(|at| at >= NOW.0), "{line}");
        assert_eq!(
            (&directive["Namespace"], &directive["Dimensions"]),
            (&json!("Stepwell"), &json!([["StateMachineArn"]]))
        );
        for metric in directive["Metrics"].as_array().into_iter().flatten() {
            let name = metric["Name"].as_str().unwrap_or_default();
            assert!(!line[name].is_null(), "{line} announces {name}");
            assert_eq!(metric["Unit"], if name == "ExecutionTime" { "Milliseconds" } else { "Count" });
        }
        assert!(!line.to_string().contains(SECRET), "{line}");
        sum += line[metric].as_u64().unwrap_or(0);
    }
    Ok(sum)
}

fn times(lines: &[Value]) -> Vec<i64> {
    lines
        .iter()
        .flat_map(|line| line["ExecutionTime"].as_array().cloned().unwrap_or_default())
        .filter_map(|time| time.as_i64())
        .collect()
}

/// The lines that everybody has to write by now.
fn flushed(cloud: &Cloud, processes: [&Process; 2]) -> Result<Vec<Value>> {
    processes.iter().for_each(|process| process.metrics.flush(process.clock.now()));
    cloud.lines.take()
}

#[tokio::test(start_paused = true)]
async fn each_start_and_each_end_is_counted_once_by_who_wrote_it() -> Result<()> {
    let cloud = Cloud::new().await?;
    let (api, worker) = (
        cloud.process(Deployment::ApiOnly, Arc::new(Slow)).await?,
        cloud.process(Deployment::SharedWorker, Arc::new(Slow)).await?,
    );
    let machine = create_machine(&api.service, "counted", "STANDARD", &work()).await?;
    for name in ["a", "b", "c"] {
        start(&api.service, &machine, name, &json!(SECRET)).await?;
        start(&api.service, &machine, name, &json!(SECRET)).await?;
    }
    // Its answer is lost: the same entry is seen again, and is its own.
    cloud.dynamo.meets("PutItem", Fault::LosesAnswer);
    start(&api.service, &machine, "stopped", &json!(SECRET)).await?;
    call(
        &api.service,
        "StopExecution",
        json!({ "executionArn": machine.replace("stateMachine", "execution") + ":stopped" }),
    )
    .await?;
    cloud.deliver_all(&Worker::new(worker.engine.clone()), 2).await?;
    let lines = flushed(&cloud, [&api, &worker])?;
    let ends = ["ExecutionsSucceeded", "ExecutionsAborted", "ExecutionsFailed", "ExecutionsTimedOut"];
    assert_eq!(sum(&lines, "ExecutionsStarted")?, 4);
    assert_eq!(ends.map(|end| sum(&lines, end).unwrap_or(99)), [3, 1, 0, 0]);
    assert!(lines.iter().all(|line| line["StateMachineArn"] == machine.as_str()), "{lines:?}");
    let times = times(&lines);
    assert_eq!(times.len(), 4);
    assert_eq!(times.iter().filter(|time| (3_000..10_000).contains(*time)).count(), 3, "{times:?}");
    assert_eq!(flushed(&cloud, [&api, &worker])?, [] as [Value; 0], "once");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn express_executions_are_counted_where_they_run() -> Result<()> {
    let cloud = Cloud::new().await?;
    let (api, worker) = (
        cloud.process(Deployment::ApiOnly, Arc::new(Slow)).await?,
        cloud.process(Deployment::SharedWorker, Arc::new(Slow)).await?,
    );
    let states = json!({ "Bad": { "Type": "Fail", "Error": "No" } });
    let bad = create_machine(&api.service, "bad", "EXPRESS", &json!({ "StartAt": "Bad", "States": states })).await?;
    call(&api.service, "StartSyncExecution", json!({ "stateMachineArn": bad, "input": "{}" })).await?;
    let lines = flushed(&cloud, [&api, &worker])?;
    assert_eq!((sum(&lines, "ExecutionsStarted")?, sum(&lines, "ExecutionsFailed")?), (1, 1));
    start(&api.service, &bad, "later", &json!(SECRET)).await?;
    assert_eq!(flushed(&cloud, [&api, &worker])?, [] as [Value; 0], "it is a message so far");
    cloud.deliver_all(&Worker::new(worker.engine.clone()), 1).await?;
    let lines = flushed(&cloud, [&api, &worker])?;
    assert_eq!((sum(&lines, "ExecutionsStarted")?, sum(&lines, "ExecutionsFailed")?), (1, 1));
    Ok(())
}

#[test]
fn a_line_has_no_more_values_than_cloudwatch_takes() -> Result<()> {
    let lines = Lines::default();
    let metrics = MetricLines::to(lines.clone());
    for millis in 0..250 {
        metrics.count(Happening::Ended { machine: "m", status: ExecutionStatus::Succeeded, millis });
    }
    metrics.flush(NOW);
    let lines = lines.take()?;
    assert_eq!(lines.len(), 3);
    assert_eq!(sum(&lines, "ExecutionsSucceeded")?, 250);
    assert_eq!(times(&lines), (0..250).collect::<Vec<_>>());
    assert!(lines.iter().all(|line| line["ExecutionTime"].as_array().is_some_and(|times| times.len() <= 100)));
    Ok(())
}

#[test]
fn the_clock_counts_what_an_operator_has_to_know() -> Result<()> {
    let lines = Lines::default();
    let report = TickReport { stuck: 2, remaining: 1, given_up: 3, unreadable: 4, ..TickReport::default() };
    MetricLines::to(lines.clone()).tick(NOW, "table", &report);
    let line = lines.take()?.remove(0);
    assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Dimensions"], json!([["Table"]]));
    let shown = ["Table", "ExecutionsStuck", "DeadLettersRemaining", "ExecutionsGivenUp", "ExecutionsUnreadable"];
    assert_eq!(shown.map(|name| line[name].clone()), [json!("table"), json!(2), json!(1), json!(3), json!(4)]);
    Ok(())
}
