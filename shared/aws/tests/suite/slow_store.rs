//! A table that is slow, throttles, or loses its answers, over the real adapters: it is waited for. Nothing is told as lost
//! that was never begun, no attempt is made or recorded twice, none of a Retrier's is used up, and nothing times out that
//! was answered in time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use engine::Deployment;
use engine::ports::{TaskAnswer, TaskCall, Tasks, TestCases};
use engine::worker::Worker;
use serde_json::{Value, json};
use stepwell_tests::cloud::{Cloud, call, create_machine, start};
use stepwell_tests::dynamo::{Dynamo, Fault};
use stepwell_tests::simulation::{Chance, pages};

/// One answer of the slow table, just within the client's patience with one try.
const SLOW: Duration = Duration::from_millis(2_900);
/// More faults than the client and the deliver loop together try one commit.
const AN_OUTAGE: usize = 80;
const CASE: &str = "Rehearsed";

/// Functions that answer after a second; the first one spoils what is to come of the table.
struct Functions {
    table: Dynamo,
    faults: Vec<Fault>,
    result: fn(&TaskCall) -> String,
    calls: Mutex<Vec<String>>,
    cases: TestCases,
}

#[async_trait]
impl Tasks for Functions {
    async fn call(&self, call: TaskCall) -> TaskAnswer {
        if call.state == "First" {
            self.table.takes(SLOW);
            self.faults.iter().for_each(|fault| self.table.meets("PutItem", *fault));
        }
        let number = call.test.as_ref().map_or(String::new(), |test| format!("#{}", test.number));
        let made = format!("{}{number} {}", call.state, call.arguments);
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(made);
        tokio::time::sleep(Duration::from_secs(1)).await;
        TaskAnswer::Succeeded { output: (self.result)(&call) }
    }

    async fn limit(&self, _call: &TaskCall) -> Duration {
        Duration::from_secs(60)
    }

    fn test_cases(&self) -> Option<&TestCases> {
        Some(&self.cases)
    }
}

/// What became of an execution: its events by type, and the calls.
struct Ended {
    status: String,
    events: BTreeMap<String, usize>,
    calls: Vec<String>,
}

/// Runs a workflow whose function `First` leaves a table with these faults behind.
async fn ended(definition: &Value, faults: &[Fault], result: fn(&TaskCall) -> String) -> Result<Ended> {
    ended_in("", definition, faults, result).await
}

/// The same in a test case, unless that is empty.
async fn ended_in(case: &str, definition: &Value, faults: &[Fault], result: fn(&TaskCall) -> String) -> Result<Ended> {
    let cloud = Cloud::new().await?;
    let cases = TestCases::from([("slow".to_owned(), [CASE.to_owned()].into())]);
    let (table, faults, calls) = (cloud.dynamo.clone(), faults.to_vec(), Mutex::default());
    let functions = Arc::new(Functions { table, faults, result, calls, cases });
    let api = cloud.process(Deployment::ApiOnly, functions.clone()).await?.service;
    let worker = Worker::new(cloud.process(Deployment::SharedWorker, functions.clone()).await?.engine.clone());
    let machine = create_machine(&api, "slow", "STANDARD", definition).await?;
    let execution = start(&api, &format!("{machine}{case}"), "one", &json!({ "items": [1, 2, 3] })).await?;
    cloud.deliver_all(&worker, 1).await?;
    cloud.dynamo.takes(Duration::ZERO);
    let described = call(&api, "DescribeExecution", json!({ "executionArn": execution })).await?;
    let history = json!({ "executionArn": execution, "maxResults": 1000, "includeExecutionData": false });
    let mut events = BTreeMap::<String, usize>::new();
    for event in pages(&api, "GetExecutionHistory", "events", history).await? {
        *events.entry(event["type"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
    }
    let status = described["status"].as_str().unwrap_or_default().to_owned();
    let calls = functions.calls.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok(Ended { status, events, calls })
}

impl Ended {
    /// It succeeded, and so many calls were each made and recorded once.
    fn well(&self, calls: usize) -> Result<()> {
        let count = |kind: &str| self.events.get(kind).copied().unwrap_or(0);
        ensure!(self.status == "SUCCEEDED", "{} after {:?}", self.status, self.events);
        ensure!(self.calls.len() == calls, "{} calls instead of {calls}: {:?}", self.calls.len(), self.events);
        for kind in ["Scheduled", "Started", "Succeeded"] {
            ensure!(count(&format!("LambdaFunction{kind}")) == calls, "{:?}", self.events);
        }
        ensure!(count("LambdaFunctionFailed") + count("LambdaFunctionTimedOut") == 0, "{:?}", self.events);
        Ok(())
    }
}

fn work(more: Value) -> Value {
    let mut work = json!({
        "Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:work", "ResultPath": null,
    });
    for (name, value) in more.as_object().cloned().unwrap_or_default() {
        work[name] = value;
    }
    work
}

/// The store turns slow while the first task is called, so the claim of the second takes long.
fn two_tasks(second: Value) -> Value {
    let mut second = work(second);
    second["End"] = json!(true);
    json!({ "StartAt": "First", "States": { "First": work(json!({ "Next": "Second" })), "Second": second } })
}

fn nothing(_: &TaskCall) -> String {
    "null".to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_is_throttled_for_too_long_is_made_again() -> Result<()> {
    for throttled in [1, 3, 8, 12, 20, 30] {
        let ended = ended(&two_tasks(json!({})), &vec![Fault::Throttles; throttled], nothing).await?;
        ended.well(2).with_context(|| format!("throttled {throttled} times"))?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_claim_whose_commits_answer_is_lost_again_and_again_is_made_again() -> Result<()> {
    for lost in [1, 8, 20, AN_OUTAGE] {
        let ended = ended(&two_tasks(json!({})), &vec![Fault::LosesAnswer; lost], nothing).await?;
        ended.well(2).with_context(|| format!("{lost} answers lost"))?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_nobody_knows_of_whether_it_was_written_is_made_again() -> Result<()> {
    // Written at last, and then nothing more is heard of the table for as long as it is asked.
    for before in [0, 5] {
        let mut faults = vec![Fault::Breaks; before];
        faults.push(Fault::LosesAnswer);
        faults.extend(vec![Fault::Breaks; AN_OUTAGE]);
        let ended = ended(&two_tasks(json!({})), &faults, nothing).await?;
        ended.well(2).with_context(|| format!("after {before} refusals"))?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_test_case_does_not_count_a_call_that_was_not_made() -> Result<()> {
    let mut definition = two_tasks(json!({}));
    let each = json!({ "StartAt": "Each", "States": { "Each": work(json!({ "End": true })) } });
    definition["States"]["Second"] = json!({
        "Type": "Map", "ItemProcessor": each, "ItemsPath": "$$.Execution.Input.items", "ResultPath": null, "End": true,
    });
    let ended = ended_in(&format!("#{CASE}"), &definition, &[Fault::Throttles; 12], nothing).await?;
    ended.well(4)?;
    let mut numbers: Vec<&str> = ended.calls.iter().filter_map(|call| call.split(' ').next()).collect();
    numbers.sort_unstable();
    ensure!(numbers == ["Each#0", "Each#1", "Each#2", "First#0"], "{numbers:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_task_has_its_own_time_however_long_its_claim_takes() -> Result<()> {
    // A commit takes as long as the task may, or longer; the function takes a second.
    for (seconds, throttled) in [(2, 0), (3, 1), (5, 3), (20, 12)] {
        let definition = two_tasks(json!({ "TimeoutSeconds": seconds }));
        let ended = ended(&definition, &vec![Fault::Throttles; throttled], nothing).await?;
        ended.well(2).with_context(|| format!("{seconds} s, throttled {throttled} times"))?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_was_answered_in_time_does_not_time_out_because_the_table_is_slow() -> Result<()> {
    // What comes back first is written down for half a minute; the others come back meanwhile, and their time is over then.
    let branch = |state: Value, name: &str| json!({ "StartAt": name, "States": { name: state } });
    let within = |name: &str| branch(work(json!({ "TimeoutSeconds": 10, "End": true })), name);
    let first = branch(work(json!({ "End": true })), "First");
    let branches = json!([first, within("Second"), within("Third"), within("Fourth")]);
    let definition =
        json!({ "StartAt": "All", "States": { "All": { "Type": "Parallel", "Branches": branches, "End": true } } });
    ended(&definition, &[Fault::Throttles; 12], nothing).await?.well(4)
}

/// Nearly 256 KiB, unlike all before, that do not compress to much less.
fn much(_: &TaskCall) -> String {
    static MADE: AtomicU64 = AtomicU64::new(1);
    json!(Chance::new(MADE.fetch_add(1, Ordering::Relaxed)).text(261_000)).to_string()
}

/// Maps of forty tasks at a time, beside each other.
fn maps_of_forty(maps: usize, result_path: &Value) -> Value {
    let map = |map: usize| {
        let name = |state: &str| format!("{state} {map}");
        let each = work(json!({ "Parameters": { "item.$": "$" }, "ResultPath": result_path, "End": true }));
        let each = json!({ "StartAt": name("Each"), "States": { name("Each"): each } });
        let items: Vec<Value> = (0..40).map(|item| json!({ "of": format!("{map}/{item}") })).collect();
        json!({ "StartAt": name("Items"), "States": {
            name("Items"): { "Type": "Pass", "Result": items, "Next": name("Map") },
            name("Map"): { "Type": "Map", "ItemProcessor": each, "ResultPath": null, "End": true },
        } })
    };
    let branches: Vec<Value> = (0..maps).map(map).collect();
    json!({ "Type": "Parallel", "Branches": branches, "ResultPath": null, "End": true })
}

#[tokio::test(start_paused = true)]
async fn ten_maps_of_forty_large_results_lose_nothing_on_a_slow_table() -> Result<()> {
    let states = json!({ "First": work(json!({ "Next": "All" })), "All": maps_of_forty(10, &Value::Null) });
    ended(&json!({ "StartAt": "First", "States": states }), &[], much).await?.well(401)
}

/// Hundreds of threads begin at once, each with a large input of its own.
#[tokio::test(start_paused = true)]
async fn more_inputs_at_once_than_one_record_can_hold_are_written_one_after_another() -> Result<()> {
    let map = |numbers: Value, each: &Value| {
        let item = json!({ "text.$": "$.text", "items.$": "$.items", "numbers": numbers });
        json!({ "Type": "Map", "ItemsPath": "$.items", "ItemSelector": item, "ItemProcessor": each, "End": true })
    };
    let nothing =
        json!({ "StartAt": "Nothing", "States": { "Nothing": { "Type": "Pass", "Result": 0, "End": true } } });
    let inner = map(json!({ "outer.$": "$.numbers.outer", "inner.$": "$$.Map.Item.Index" }), &nothing);
    let outer = json!({ "StartAt": "Inner", "States": { "Inner": inner } });
    let input = json!({ "text": Chance::new(1).text(250_000), "items": (0..16).collect::<Vec<u32>>() });
    let definition = json!({ "StartAt": "Text", "States": {
        "Text": { "Type": "Pass", "Result": input, "Next": "Outer" },
        "Outer": map(json!({ "outer.$": "$$.Map.Item.Index" }), &outer),
    } });
    ended(&definition, &[], |_| String::new()).await?.well(0)
}

/// All that can be called at a time returns at once, and each result is written twice: as such, and within its state's output.
#[tokio::test(start_paused = true)]
async fn more_results_at_once_than_one_record_can_hold_are_written_one_after_another() -> Result<()> {
    let states = json!({ "All": maps_of_forty(4, &json!("$.result")) });
    ended(&json!({ "StartAt": "All", "States": states }), &[], much).await?.well(160)
}
