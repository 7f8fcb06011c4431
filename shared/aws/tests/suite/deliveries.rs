//! Messages that come twice, in another order, late or never, workers that die, and answers of the table that get lost:
//! over the real adapters everything ends as if nothing had happened, and no attempt is started twice.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use engine::Deployment;
use engine::ports::{TaskAnswer, TaskCall, Tasks};
use engine::worker::{Message, Worker};
use serde_json::{Value, json};
use stepwell_tests::cloud::Process;
use stepwell_tests::cloud::{Bringing, Cloud, QUEUE, Sent, call, create_machine, start};
use stepwell_tests::dynamo::Fault;
use stepwell_tests::simulation::Plan;

/// Functions that take a second and return what they got; while the worker is dying, their answers never arrive.
#[derive(Default)]
struct Functions {
    calls: Mutex<Vec<String>>,
    dying: AtomicBool,
}

#[async_trait]
impl Tasks for Functions {
    async fn call(&self, call: TaskCall) -> TaskAnswer {
        let made = format!("{} {} {}", call.execution, call.state, call.arguments);
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(made);
        if self.dying.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        TaskAnswer::Succeeded { output: call.arguments }
    }

    async fn limit(&self, _call: &TaskCall) -> Duration {
        Duration::from_secs(60)
    }
}

/// A task whose arguments say which attempt of which item it is: two equal calls are one attempt started twice.
fn work(more: Value) -> Value {
    let mut work = json!({
        "Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:work", "ResultPath": null,
        "Parameters": { "attempt.$": "$$.State.RetryCount", "input.$": "$" },
        "Retry": [{ "ErrorEquals": ["Lambda.SdkClientException"], "IntervalSeconds": 1, "MaxAttempts": 2 }],
    });
    for (name, value) in more.as_object().cloned().unwrap_or_default() {
        work[name] = value;
    }
    work
}

/// Tasks in a row, a wait, and a Map of tasks.
fn definition() -> Value {
    let each = json!({ "StartAt": "Each", "States": { "Each": work(json!({ "End": true })) } });
    json!({
        "StartAt": "First",
        "States": {
            "First": work(json!({ "Next": "Rest" })),
            "Rest": { "Type": "Wait", "Seconds": 90, "Next": "Second" },
            "Second": work(json!({ "Next": "All" })),
            "All": { "Type": "Map", "ItemProcessor": each, "MaxConcurrency": 2, "End": true },
        }
    })
}

struct World {
    cloud: Cloud,
    functions: Arc<Functions>,
    api: Process,
    machine: String,
}

impl World {
    async fn new() -> Result<World> {
        let (cloud, functions) = (Cloud::new().await?, Arc::new(Functions::default()));
        let api = cloud.process(Deployment::ApiOnly, functions.clone()).await?;
        let machine = create_machine(&api.service, "delivered", "STANDARD", &definition()).await?;
        Ok(World { cloud, functions, api, machine })
    }

    async fn start(&self, name: &str) -> Result<String> {
        start(&self.api.service, &self.machine, name, &json!([1, 2, 3])).await
    }

    /// Another process that works.
    async fn worker(&self) -> Result<Worker> {
        Ok(Worker::new(self.cloud.process(Deployment::SharedWorker, self.functions.clone()).await?.engine.clone()))
    }

    /// Every execution succeeded, with a history without a gap, and every attempt was called once.
    async fn all_is_well(&self, executions: &[String], attempts: usize) -> Result<()> {
        for execution in executions {
            let asked = json!({ "executionArn": execution, "maxResults": 1000 });
            let described = call(&self.api.service, "DescribeExecution", json!({ "executionArn": execution })).await?;
            ensure!(described["status"] == "SUCCEEDED" && described["output"] == "[1,2,3]", "{described}");
            let history = call(&self.api.service, "GetExecutionHistory", asked).await?;
            let ids: Vec<u64> =
                history["events"].as_array().into_iter().flatten().filter_map(|event| event["id"].as_u64()).collect();
            ensure!(ids.iter().copied().eq(1..=ids.len() as u64), "{ids:?}");
        }
        let calls = self.functions.calls.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let once: BTreeSet<&String> = calls.iter().collect();
        ensure!(once.len() == calls.len() && calls.len() == attempts, "{} of {attempts}: {calls:#?}", calls.len());
        Ok(())
    }
}

/// Calls of an execution in which no attempt is lost.
const CALLS: usize = 5;

#[tokio::test(start_paused = true)]
async fn messages_may_come_three_times() -> Result<()> {
    let world = World::new().await?;
    let execution = world.start("one").await?;
    world.cloud.deliver_all(&world.worker().await?, 3).await?;
    world.all_is_well(&[execution], CALLS).await
}

#[tokio::test(start_paused = true)]
async fn messages_may_come_together_to_several_workers_in_any_order() -> Result<()> {
    let world = World::new().await?;
    let mut executions = Vec::new();
    for name in ["a", "b", "c", "d"] {
        executions.push(world.start(name).await?);
    }
    let workers = [world.worker().await?, world.worker().await?];
    let mut waiting = world.cloud.sent()?;
    while !waiting.is_empty() {
        let now = tokio::time::Instant::now();
        let (visible, later): (Vec<Sent>, Vec<Sent>) = waiting.into_iter().partition(|sent| sent.visible <= now);
        waiting = later;
        let messages: Vec<Message> = visible.into_iter().map(|sent| sent.message).collect();
        let backwards = messages.iter().rev().cloned().collect();
        let (until, pause) = (world.cloud.until(), tokio::time::sleep(Duration::from_secs(1)));
        tokio::join!(workers[0].handle(messages, until), workers[1].handle(backwards, until), pause);
        waiting.extend(world.cloud.sent()?);
    }
    world.all_is_well(&executions, 4 * CALLS).await
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_dealt_with_comes_again_after_pauses_that_grow() -> Result<()> {
    let world = World::new().await?;
    world.api.sqs.send_message().queue_url(QUEUE).message_body("nothing of ours").send().await?;
    let worker = world.cloud.process(Deployment::SharedWorker, world.functions.clone()).await?;
    let mut pauses = Vec::new();
    while pauses.len() < 6 {
        let batch = world.cloud.sqs.receive(QUEUE, 10, Duration::from_secs(900));
        let undone = worker.work(&batch, world.cloud.until()).await;
        ensure!(batch.len() == 1 && undone == [batch[0].id.clone()], "{undone:?} of {batch:?}");
        let next = world.cloud.sqs.next(QUEUE).context("it is gone")?;
        pauses.push(next.duration_since(tokio::time::Instant::now()).as_secs());
        tokio::time::sleep_until(next).await;
    }
    assert_eq!(pauses, [10, 30, 90, 270, 810, 900]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn who_lost_a_message_to_somebody_else_says_no_more_about_it() -> Result<()> {
    let world = World::new().await?;
    world.start("one").await?;
    world.functions.dying.store(true, Ordering::SeqCst);
    let worker = world.cloud.process(Deployment::SharedWorker, world.functions.clone()).await?;
    // Somebody else is brought it, and that is its last receipt.
    let late = world.cloud.sqs.receive(QUEUE, 10, Duration::ZERO);
    world.cloud.sqs.receive(QUEUE, 10, Duration::from_secs(900));
    world.cloud.sqs.requests();
    let works = tokio::time::timeout(Duration::from_secs(60), worker.work(&late, world.cloud.until())).await;
    assert!(works.is_err(), "it hangs in its call");
    let requests = world.cloud.sqs.requests();
    let words = requests.iter().filter(|(operation, _)| operation == "ChangeMessageVisibilityBatch").count();
    assert_eq!(words, 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_while_a_message_is_dealt_with_loses_nothing() -> Result<()> {
    let world = World::new().await?;
    let (worker, execution) = (world.worker().await?, world.start("one").await?);
    let begin = world.cloud.sent()?.into_iter().map(|sent| sent.message).collect();
    ensure!(worker.handle(begin, world.cloud.until()).await.is_empty());
    let wake = world.cloud.sent()?.pop().context("nobody wakes it")?;
    tokio::time::sleep_until(wake.visible).await;
    world.cloud.dynamo.takes(Duration::from_millis(500));
    let set_back = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        world.cloud.clock.set_back(2_000);
    };
    let (undone, ()) = tokio::join!(worker.handle(vec![wake.message], world.cloud.until()), set_back);
    world.cloud.dynamo.takes(Duration::ZERO);
    ensure!(undone.is_empty(), "{undone:?}");
    world.cloud.deliver_all(&worker, 1).await?;
    world.all_is_well(&[execution], 5).await
}

#[tokio::test(start_paused = true)]
async fn a_purged_queue_is_made_good_by_the_sweep() -> Result<()> {
    const EXECUTIONS: usize = 60;
    let world = World::new().await?;
    let (mut executions, mut lost) = (Vec::new(), 0);
    for number in 0..EXECUTIONS {
        executions.push(world.start(&format!("e{number}")).await?);
        // Some have come as far as their Wait.
        let messages = world.cloud.sent()?.into_iter().map(|sent| sent.message).collect();
        if number % 2 == 0 {
            let undone = world.worker().await?.handle(messages, world.cloud.until()).await;
            assert!(undone.is_empty(), "{undone:?}");
            lost += world.cloud.sent()?.len();
        } else {
            lost += 1;
        }
    }
    assert_eq!(lost, EXECUTIONS, "messages are purged");
    tokio::time::sleep(Duration::from_secs(24 * 60 * 60)).await;
    let clock = world.cloud.process(Deployment::SharedWorker, world.functions.clone()).await?;
    let report = clock.tick(None, world.cloud.until()).await?;
    assert_eq!((report.swept, report.stuck), (EXECUTIONS, EXECUTIONS));
    world.cloud.deliver_all(&world.worker().await?, 1).await?;
    world.all_is_well(&executions, EXECUTIONS * CALLS).await
}

#[tokio::test(start_paused = true)]
async fn a_purged_queue_is_made_good_at_once_when_an_operator_asks() -> Result<()> {
    const EXECUTIONS: usize = 20;
    let world = World::new().await?;
    let clock = world.cloud.process(Deployment::SharedWorker, world.functions.clone()).await?;
    clock.handle_event(&json!({}), None, world.cloud.until()).await?;
    let mut executions = Vec::new();
    for number in 0..EXECUTIONS {
        executions.push(world.start(&format!("e{number}")).await?);
        if number % 2 == 0 {
            // It comes as far as its Wait of 90 seconds.
            let batch = world.cloud.sqs.receive(QUEUE, 10, Duration::from_secs(900));
            world
                .cloud
                .process(Deployment::SharedWorker, world.functions.clone())
                .await?
                .work(&batch, world.cloud.until())
                .await;
        }
    }
    world.cloud.sqs.purge();
    let begun = tokio::time::Instant::now();
    let answer = clock.handle_event(&json!({ "command": "recover" }), None, world.cloud.until()).await?;
    assert_eq!((&answer["found"]["recalled"], &answer["finished"]), (&json!(EXECUTIONS), &json!(true)), "{answer}");
    let tasks: Arc<dyn Tasks> = world.functions.clone();
    world.cloud.bring(&tasks, Bringing { first: Plan::default(), beside: false, awaited: &|| false }).await?;
    ensure!(begun.elapsed() < Duration::from_secs(150), "{:?}", begun.elapsed());
    world.all_is_well(&executions, EXECUTIONS * CALLS).await
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_dies_in_a_call_loses_that_attempt_and_another_makes_the_next() -> Result<()> {
    let world = World::new().await?;
    let execution = world.start("one").await?;
    let first: Vec<Message> = world.cloud.sent()?.into_iter().map(|sent| sent.message).collect();
    // It claims, calls, and is heard of no more.
    world.functions.dying.store(true, Ordering::SeqCst);
    let (dying, until) = (world.worker().await?, world.cloud.until());
    let dies = tokio::time::timeout(Duration::from_secs(5), dying.handle(first.clone(), until)).await;
    assert!(dies.is_err(), "it hangs in its call");
    world.functions.dying.store(false, Ordering::SeqCst);
    // Its message comes again, early: the claim is alive, so a message for its end is left and nothing is done.
    let undone = world.worker().await?.handle(first, until).await;
    assert!(undone.is_empty(), "{undone:?}");
    world.cloud.deliver_all(&world.worker().await?, 2).await?;
    let described = call(&world.api.service, "DescribeExecution", json!({ "executionArn": execution })).await?;
    let (started, stopped) = (described["startDate"].as_f64(), described["stopDate"].as_f64());
    let took = stopped.unwrap_or(f64::MAX) - started.unwrap_or(0.0);
    assert!(took < 60.0 + 30.0 + 90.0 + 30.0, "lease, 30 s, the Wait and little more, not {took} s");
    world.all_is_well(&[execution], CALLS + 1).await
}

#[tokio::test(start_paused = true)]
async fn a_table_that_is_asked_for_as_long_as_it_may_be_is_no_reason_to_lose_an_attempt() -> Result<()> {
    let world = World::new().await?;
    let execution = world.start("one").await?;
    let worker = world.worker().await?;
    // The claim is written after 9 of the 10 seconds for which the table is asked.
    world.cloud.dynamo.takes(Duration::from_millis(2_900));
    for _ in 0..2 {
        world.cloud.dynamo.meets("PutItem", Fault::Throttles);
    }
    world.cloud.deliver_all(&worker, 1).await?;
    let calls = world.functions.calls.lock().unwrap_or_else(PoisonError::into_inner).clone();
    ensure!(calls.iter().all(|call| call.contains(r#""attempt":0"#)), "{calls:#?}");
    world.all_is_well(&[execution], CALLS).await
}

#[tokio::test(start_paused = true)]
async fn answers_of_the_table_may_get_lost_after_it_did_what_was_asked() -> Result<()> {
    // One, as many as the client tries, and more than that: the outcome is read before anything else happens.
    for lost in [1, 8, 20] {
        let world = World::new().await?;
        for _ in 0..lost {
            world.cloud.dynamo.meets("PutItem", Fault::LosesAnswer);
        }
        let mut started = world.start("one").await;
        if started.is_err() {
            // The client tries again.
            started = world.start("one").await;
        }
        for _ in 0..lost {
            world.cloud.dynamo.meets("PutItem", Fault::LosesAnswer);
        }
        world.cloud.deliver_all(&world.worker().await?, 1).await?;
        world.all_is_well(&[started?], CALLS).await?;
    }
    Ok(())
}
