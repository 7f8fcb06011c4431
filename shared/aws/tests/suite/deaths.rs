//! Workers that die, over the real adapters: at every call of the table, of the queue and of a function, before it and
//! after it. Everything ends as if nobody had died, no attempt is made twice, and a death is noticed soon.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use engine::Deployment;
use engine::ports::{TaskAnswer, TaskCall, Tasks};
use serde_json::{Value, json};
use service::Service;
use stepwell_tests::cloud::Process;
use stepwell_tests::cloud::{Bringing, Cloud, Life, call, create_machine, start};
use stepwell_tests::simulation::Plan;

/// How long every function takes, and may take, but for the one called Long.
const TAKES: Duration = Duration::from_secs(2);
const MAY_TAKE: Duration = Duration::from_secs(5);
const LONG: Duration = Duration::from_secs(60);
/// An attempt is lost so long after its claim, where nothing else is due: its lease, and 30 seconds.
const LOST_AFTER: f64 = 35.0;
/// Nobody is missed for longer than that, …
const MISSED_FOR: f64 = 13.0;
/// … but for who was brought a message and died before his first word of it: he is missed for the queue's own time.
const QUEUES_TIME: f64 = 900.0;

/// Functions that return what they got. One fails at its first attempt, and whoever is given a token answers with it:
/// before the function returns, or after.
#[derive(Default)]
struct Functions {
    calls: Mutex<Vec<String>>,
    front: Mutex<Weak<Service>>,
    /// Answers that are still to come.
    awaited: Arc<AtomicUsize>,
}

impl Functions {
    async fn answer(&self, token: &Value, after: Duration) {
        let front = self.front.lock().unwrap_or_else(PoisonError::into_inner).upgrade();
        let (Some(front), body) = (front, json!({ "taskToken": token, "output": "[1,2,3]" })) else { return };
        let awaited = self.awaited.clone();
        awaited.fetch_add(1, Ordering::SeqCst);
        let answering = async move {
            tokio::time::sleep(after).await;
            let answered = call(&front, "SendTaskSuccess", body).await;
            awaited.fetch_sub(1, Ordering::SeqCst);
            assert!(answered.is_ok(), "{answered:?}");
        };
        if after > TAKES { drop(tokio::spawn(answering)) } else { answering.await }
    }
}

#[async_trait]
impl Tasks for Functions {
    async fn call(&self, call: TaskCall) -> TaskAnswer {
        let made = format!("{} {} {}", call.execution, call.state, call.arguments);
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(made);
        let arguments: Value = serde_json::from_str(&call.arguments).unwrap_or_default();
        let given = &arguments["Payload"]["token"];
        match call.state.as_str() {
            "Early" => self.answer(given, Duration::from_secs(1)).await,
            "Late" => self.answer(given, Duration::from_secs(20)).await,
            _ => {}
        }
        tokio::time::sleep(if call.state == "Long" { LONG } else { TAKES }).await;
        if call.state == "Flaky" && arguments["attempt"] == 0 {
            return TaskAnswer::Failed { error: "Flaky".to_owned(), cause: None };
        }
        TaskAnswer::Succeeded { output: call.arguments }
    }

    async fn limit(&self, call: &TaskCall) -> Duration {
        if call.state == "Long" { LONG } else { MAY_TAKE }
    }
}

/// A task whose arguments say which attempt of which item it is: two equal calls are one attempt made twice.
fn work(more: Value) -> Value {
    let mut work = json!({
        "Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:work", "ResultPath": null,
        "Parameters": { "attempt.$": "$$.State.RetryCount", "input.$": "$" },
        "Retry": [{ "ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "BackoffRate": 1, "MaxAttempts": 3 }],
    });
    for (name, value) in more.as_object().cloned().unwrap_or_default() {
        work[name] = value;
    }
    work
}

/// Tasks in a row.
fn tasks<const N: usize>(names: [&str; N]) -> Value {
    let place = |place: usize| names.get(place + 1).map_or(json!({ "End": true }), |next| json!({ "Next": next }));
    let states = names.iter().enumerate().map(|(at, name)| ((*name).to_owned(), work(place(at))));
    json!({ "StartAt": names[0], "States": states.collect::<serde_json::Map<_, _>>() })
}

/// A task that somebody outside answers, and one behind it.
fn callback(name: &str) -> Value {
    let mut definition = tasks([name, "Last"]);
    definition["States"][name] = work(json!({
        "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", "ResultPath": "$",
        "Parameters": { "FunctionName": "work", "Payload": { "token.$": "$$.Task.Token" } },
        "Next": "Last",
    }));
    definition
}

struct World {
    cloud: Cloud,
    functions: Arc<Functions>,
    api: Process,
    execution: String,
}

impl World {
    async fn new(definition: &Value) -> Result<World> {
        let (cloud, functions) = (Cloud::new().await?, Arc::new(Functions::default()));
        let api = cloud.process(Deployment::ApiOnly, functions.clone()).await?;
        *functions.front.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&api.service);
        let machine = create_machine(&api.service, "crashable", "STANDARD", definition).await?;
        let execution = start(&api.service, &machine, "one", &json!([1, 2, 3])).await?;
        Ok(World { cloud, functions, api, execution })
    }

    /// Runs to the end; what the first worker saw of it.
    async fn run(&self, first: Plan, beside: bool) -> Result<Life> {
        let tasks: Arc<dyn Tasks> = self.functions.clone();
        let awaited = || self.functions.awaited.load(Ordering::SeqCst) > 0;
        self.cloud.bring(&tasks, Bringing { first, beside, awaited: &awaited }).await
    }

    async fn ask(&self, action: &str) -> Result<Value> {
        call(&self.api.service, action, json!({ "executionArn": self.execution })).await
    }

    async fn history(&self) -> Result<Vec<Value>> {
        Ok(self.ask("GetExecutionHistory").await?["events"].as_array().cloned().unwrap_or_default())
    }

    /// It succeeded, with a history without a gap, and every attempt was called once; how many seconds it took.
    async fn is_well(&self) -> Result<f64> {
        let described = self.ask("DescribeExecution").await?;
        ensure!(described["status"] == "SUCCEEDED" && described["output"] == "[1,2,3]", "{described}");
        let ids: Vec<u64> = self.history().await?.iter().filter_map(|event| event["id"].as_u64()).collect();
        ensure!(ids.iter().copied().eq(1..=ids.len() as u64), "{ids:?}");
        let calls = self.functions.calls.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let once: BTreeSet<&String> = calls.iter().collect();
        ensure!(once.len() == calls.len(), "{calls:#?}");
        Ok(described["stopDate"].as_f64().unwrap_or(f64::MAX) - described["startDate"].as_f64().unwrap_or(0.0))
    }
}

/// Runs a workflow once without a death, and then once for each point at which its first worker can die.
async fn ends_whenever_a_worker_dies(definition: Value, twice: bool) -> Result<()> {
    let world = World::new(&definition).await?;
    let Life { points, brought } = world.run(Plan::default(), twice).await?;
    let undisturbed = world.is_well().await?;
    ensure!(points > 10, "{points} points");
    for point in 1..=points {
        let died = || format!("the first worker died at {point} of {points}");
        let world = World::new(&definition).await?;
        world.run(Plan::crash_at(point), twice).await.with_context(died)?;
        let took = world.is_well().await.with_context(died)?;
        let most = undisturbed + LOST_AFTER + if brought.contains(&(point - 1)) { QUEUES_TIME } else { MISSED_FOR };
        ensure!(took <= most, "{}: {took} s, without it {undisturbed} s", died());
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn tasks_in_a_row_one_of_which_is_retried_survive_a_death_anywhere() -> Result<()> {
    ends_whenever_a_worker_dies(tasks(["First", "Flaky", "Last"]), false).await
}

#[tokio::test(start_paused = true)]
async fn a_map_survives_a_death_anywhere() -> Result<()> {
    let all = json!({ "Type": "Map", "ItemProcessor": tasks(["Each"]), "MaxConcurrency": 2, "End": true });
    ends_whenever_a_worker_dies(json!({ "StartAt": "All", "States": { "All": all } }), false).await
}

#[tokio::test(start_paused = true)]
async fn a_wait_between_tasks_survives_a_death_anywhere() -> Result<()> {
    let mut definition = tasks(["Before", "Rest", "After"]);
    definition["States"]["Rest"] = json!({ "Type": "Wait", "Seconds": 30, "Next": "After" });
    ends_whenever_a_worker_dies(definition, false).await
}

#[tokio::test(start_paused = true)]
async fn an_answer_from_outside_survives_a_death_anywhere() -> Result<()> {
    ends_whenever_a_worker_dies(callback("Late"), false).await
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_before_its_calls_return_survives_a_death_anywhere() -> Result<()> {
    ends_whenever_a_worker_dies(callback("Early"), false).await
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_delivery_goes_on_where_the_first_worker_dies() -> Result<()> {
    for definition in [callback("Early"), callback("Late"), tasks(["First", "Last"])] {
        ends_whenever_a_worker_dies(definition, true).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn who_lives_keeps_a_message_for_as_long_as_it_takes() -> Result<()> {
    let world = World::new(&tasks(["Long"])).await?;
    let Life { brought, .. } = world.run(Plan::default(), false).await?;
    ensure!(world.is_well().await? < 61.0 && brought.len() == 1, "brought {} times", brought.len());
    let requests = world.cloud.sqs.requests();
    let words = requests.iter().filter(|(operation, _)| operation == "ChangeMessageVisibilityBatch").count();
    ensure!((14..=16).contains(&words), "one each four seconds, not {words} in a minute");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_worker_died_in_it_is_over_when_its_time_is() -> Result<()> {
    const TIMEOUT: u64 = 5;
    let mut definition = tasks(["Work"]);
    definition["States"]["Work"]["TimeoutSeconds"] = json!(TIMEOUT);
    let Life { points, brought } = World::new(&definition).await?.run(Plan::default(), false).await?;
    let mut timed_out = 0;
    for point in (1..=points).filter(|point| !brought.contains(&(point - 1))) {
        let world = World::new(&definition).await?;
        world.run(Plan::crash_at(point), false).await?;
        world.is_well().await?;
        let events = world.history().await?;
        let at = |kind: &str| events.iter().find(|event| event["type"] == kind)?["timestamp"].as_f64();
        if let (Some(claimed), Some(told)) = (at("LambdaFunctionStarted"), at("LambdaFunctionTimedOut")) {
            ensure!(
                told - claimed <= TIMEOUT as f64 + 10.0,
                "{point} of {points}: told {} s after its claim",
                told - claimed
            );
            timed_out += 1;
        }
    }
    ensure!(timed_out > 2, "{timed_out} of {points} deaths were in the call");
    Ok(())
}
