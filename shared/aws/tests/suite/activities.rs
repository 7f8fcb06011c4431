//! Activities over DynamoDB and SQS: workers ask several API processes, and a worker of the installation drives the rest.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use aws::NoTargets;
use engine::Deployment;
use engine::worker::Worker;
use futures_util::future::try_join_all;
use serde_json::{Value, json};
use stepwell_tests::cloud::{Cloud, Process, call, create_machine, start, text};

const TASKS: usize = 20;

struct World {
    cloud: Cloud,
    apis: [Process; 2],
    worker: Worker,
    activity: String,
    execution: String,
}

impl World {
    /// An execution with so many tasks of one activity, each with these fields.
    async fn of(tasks: usize, fields: Value) -> Result<World> {
        let cloud = Cloud::new().await?;
        let targets = Arc::new(NoTargets);
        let api = cloud.process(Deployment::ApiOnly, targets.clone()).await?;
        let other = cloud.process(Deployment::ApiOnly, targets.clone()).await?;
        let worker = Worker::new(cloud.process(Deployment::SharedWorker, targets).await?.engine.clone());
        let created = call(&api.service, "CreateActivity", json!({ "name": "approve" })).await?;
        let activity = text(&created, "activityArn")?;
        let mut ask = json!({ "Type": "Task", "Resource": activity, "End": true });
        for (name, value) in fields.as_object().cloned().unwrap_or_default() {
            ask[name] = value;
        }
        let each = json!({ "StartAt": "Ask", "States": { "Ask": ask } });
        let all = json!({ "Type": "Map", "ItemProcessor": each, "End": true });
        let definition = json!({ "StartAt": "All", "States": { "All": all } });
        let machine = create_machine(&api.service, "approvals", "STANDARD", &definition).await?;
        let items: Vec<usize> = (0..tasks).collect();
        let execution = start(&api.service, &machine, "one", &json!(items)).await?;
        Ok(World { cloud, apis: [api, other], worker, activity, execution })
    }

    /// An answer to GetActivityTask, of one of the API processes.
    async fn poll(&self, number: usize) -> Result<Value> {
        let api = &self.apis[number % self.apis.len()];
        call(&api.service, "GetActivityTask", json!({ "activityArn": self.activity, "workerName": "w" })).await
    }

    async fn describe(&self) -> Result<Value> {
        call(&self.apis[0].service, "DescribeExecution", json!({ "executionArn": self.execution })).await
    }
}

#[tokio::test(start_paused = true)]
async fn no_two_workers_get_the_same_task_and_an_empty_queue_answers_nothing() -> Result<()> {
    let world = World::of(TASKS, json!({})).await?;
    let found = try_join_all((0..TASKS + 6).map(|number| world.poll(number))).await?;
    let (given, empty): (Vec<&Value>, Vec<&Value>) = found.iter().partition(|found| found["taskToken"].is_string());
    ensure!(given.len() == TASKS && empty.iter().all(|found| **found == json!({})), "{} were given", given.len());
    let inputs: BTreeSet<&str> = given.iter().filter_map(|found| found["input"].as_str()).collect();
    ensure!(inputs.len() == TASKS, "each once: {inputs:?}");
    for (number, found) in given.iter().enumerate() {
        let answer = json!({ "taskToken": found["taskToken"], "output": found["input"] });
        call(&world.apis[number % 2].service, "SendTaskSuccess", answer).await?;
    }
    world.cloud.deliver_all(&world.worker, 2).await?;
    let described = world.describe().await?;
    let expected: Vec<usize> = (0..TASKS).collect();
    assert_eq!(described["output"].as_str().context("an output")?, json!(expected).to_string(), "{described}");
    assert_eq!(world.poll(0).await?, json!({}), "nothing is left in the queue");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_vanishes_is_a_timeout_and_its_task_is_queued_anew() -> Result<()> {
    let retry = json!([{ "ErrorEquals": ["States.Timeout"], "IntervalSeconds": 1, "MaxAttempts": 1 }]);
    let world = World::of(1, json!({ "HeartbeatSeconds": 30, "Retry": retry })).await?;
    // Longer than its heartbeat: nothing runs while no worker has it.
    world.cloud.deliver_all(&world.worker, 1).await?;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let first = world.poll(0).await?;
    ensure!(first["taskToken"].is_string(), "{first}");
    world.cloud.deliver_all(&world.worker, 1).await?;
    let second = world.poll(1).await?;
    ensure!(second["taskToken"].is_string() && second["taskToken"] != first["taskToken"], "{second}");
    let late = json!({ "taskToken": first["taskToken"], "output": "1" });
    let refused = call(&world.apis[0].service, "SendTaskSuccess", late).await.err().context("it is late")?;
    ensure!(refused.to_string().contains(&format!("Task Timed Out: '{}'", world.activity)), "{refused}");
    let answer = json!({ "taskToken": second["taskToken"], "output": "2" });
    call(&world.apis[0].service, "SendTaskSuccess", answer).await?;
    world.cloud.deliver_all(&world.worker, 1).await?;
    assert_eq!(world.describe().await?["output"], "[2]");
    let history =
        call(&world.apis[0].service, "GetExecutionHistory", json!({ "executionArn": world.execution })).await?;
    let events = history["events"].as_array().context("events")?;
    let started = events.iter().filter(|event| event["type"] == "ActivityStarted").count();
    assert_eq!(started, 2);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_tasks_of_a_stopped_execution_are_not_given_out() -> Result<()> {
    let world = World::of(3, json!({})).await?;
    call(&world.apis[0].service, "StopExecution", json!({ "executionArn": world.execution })).await?;
    assert_eq!(world.poll(0).await?, json!({}));
    Ok(())
}
