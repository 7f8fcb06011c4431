//! Dead letters over DynamoDB: what is closed as failed because nobody can drive it, what is left for later, and what the
//! API says of it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use async_trait::async_trait;
use aws::TickReport;
use engine::Deployment;
use engine::ports::{TaskAnswer, TaskCall, Tasks};
use engine::worker::Worker;
use serde_json::{Value, json};
use stepwell_tests::cloud::Process;
use stepwell_tests::cloud::{Cloud, DEAD_LETTERS, QUEUE, call, create_machine, start, text};
use stepwell_tests::dynamo::Fault;

/// Whoever asks how long a call may take meets a defect.
struct Defective;

#[async_trait]
impl Tasks for Defective {
    async fn call(&self, call: TaskCall) -> TaskAnswer {
        TaskAnswer::Failed { error: "NotExpected".to_owned(), cause: Some(call.state) }
    }

    async fn limit(&self, _call: &TaskCall) -> Duration {
        panic!("a defect of the test's own making")
    }
}

/// A function whose limit is never known: a process that asks for it is ended by its time.
struct Deadly;

#[async_trait]
impl Tasks for Deadly {
    async fn call(&self, call: TaskCall) -> TaskAnswer {
        TaskAnswer::Failed { error: "NotExpected".to_owned(), cause: Some(call.state) }
    }

    async fn limit(&self, _call: &TaskCall) -> Duration {
        std::future::pending().await
    }
}

struct World {
    cloud: Cloud,
    api: Process,
    clock: Process,
    execution: String,
}

impl World {
    /// One execution of these states.
    async fn new(definition: Value) -> Result<World> {
        World::with(definition, Arc::new(Defective)).await
    }

    async fn with(definition: Value, tasks: Arc<dyn Tasks>) -> Result<World> {
        let cloud = Cloud::new().await?;
        let api = cloud.process(Deployment::ApiOnly, tasks.clone()).await?;
        let clock = cloud.process(Deployment::SharedWorker, tasks).await?;
        let machine = create_machine(&api.service, "fragile", "STANDARD", &definition).await?;
        let execution = start(&api.service, &machine, "one", &json!({ "order": 7 })).await?;
        Ok(World { cloud, api, clock, execution })
    }

    /// One that waits, and whose second record was written a minute ago.
    async fn waiting() -> Result<World> {
        let wait = |next: &str| json!({ "Type": "Wait", "Seconds": 60, "Next": next });
        let states = json!({ "First": wait("Second"), "Second": wait("End"), "End": { "Type": "Succeed" } });
        let world = World::new(json!({ "StartAt": "First", "States": states })).await?;
        tokio::time::sleep(Duration::from_secs(61)).await;
        let driven = world.clock.engine.deliver().drive(&world.execution, &[], world.cloud.until()).await;
        assert!(driven.is_ok(), "{driven:?}");
        Ok(world)
    }

    /// The body of a record is not what it was.
    fn spoil(&self, sequence: u64, body: Value) -> Result<()> {
        self.cloud.spoil(&self.execution, &format!("r{sequence:010}"), "body", json!({ "B": body }))
    }

    /// A minute of the clock, with a dead letter about the execution.
    async fn minute(&self) -> Result<TickReport> {
        let body = json!({ "v": 1, "execution": self.execution }).to_string();
        self.cloud.sqs.requests();
        self.cloud.sqs.answers_next(
            "ReceiveMessage",
            json!({ "Messages": [
            { "MessageId": "1", "ReceiptHandle": "one", "Body": body },
        ] }),
        );
        Ok(self.clock.tick(Some(DEAD_LETTERS), self.cloud.until()).await?)
    }

    async fn ask(&self, action: &str) -> Result<Value> {
        call(&self.api.service, action, json!({ "executionArn": self.execution })).await
    }

    async fn history(&self) -> Result<Vec<Value>> {
        Ok(self.ask("GetExecutionHistory").await?["events"].as_array().cloned().unwrap_or_default())
    }

    /// Who comes later finds the execution closed.
    async fn is_over_for_everybody(&self) -> Result<()> {
        let machine = self.execution.replace(":execution:", ":stateMachine:").replace(":one", "");
        let listed = call(&self.api.service, "ListExecutions", json!({ "stateMachineArn": machine })).await?;
        assert_eq!(listed["executions"][0]["status"], "FAILED", "{listed}");
        assert_eq!(listed["executions"][0]["executionArn"], self.execution.as_str());
        let stopped = self.ask("StopExecution").await?;
        assert_eq!(stopped["stopDate"], self.ask("DescribeExecution").await?["stopDate"]);
        self.cloud.sent()?;
        let worker = Worker::new(self.clock.engine.clone());
        let late = engine::worker::Message::WakeUp(engine::ports::WakeUp::of(&self.execution, None));
        let undone = worker.handle(vec![late], self.cloud.until()).await;
        assert!(undone.is_empty(), "{undone:?}");
        let again = self.minute().await?;
        assert_eq!((again.handled, again.given_up, again.remaining), (1, 0, 0));
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn an_execution_whose_last_record_is_damaged_fails_and_shows_what_can_be_read() -> Result<()> {
    let world = World::waiting().await?;
    let before = world.history().await?;
    world.spoil(1, json!("AAEC"))?;
    let running = world.ask("DescribeExecution").await?;
    assert_eq!((running["status"].as_str(), running["input"].as_str()), (Some("RUNNING"), Some("{\"order\":7}")));
    assert_eq!(world.history().await?, before[..2], "what is whole is shown while it runs, too");
    let report = world.minute().await?;
    assert_eq!((report.handled, report.given_up, report.remaining), (0, 1, 0));
    let told = world.ask("DescribeExecution").await?;
    assert_eq!((told["status"].as_str(), told["error"].as_str()), (Some("FAILED"), Some("States.Runtime")));
    let cause = "Stepwell could not continue this execution and ended it: entry 1 is no JSON at column 1.";
    assert_eq!(told["cause"], cause);
    assert_eq!(told["input"], "{\"order\":7}");
    let events = world.history().await?;
    assert_eq!(events[..2], before[..2]);
    assert_eq!(events.len(), 3);
    let last = json!({ "error": "States.Runtime", "cause": cause });
    assert_eq!(events[2]["executionFailedEventDetails"], last);
    assert_eq!((events[2]["id"].as_u64(), events[2]["previousEventId"].as_u64()), (Some(3), Some(2)));
    world.is_over_for_everybody().await
}

#[tokio::test(start_paused = true)]
async fn an_execution_whose_head_is_damaged_fails_too() -> Result<()> {
    let world = World::waiting().await?;
    let before = world.history().await?;
    world.spoil(0, json!("AAEC"))?;
    assert_eq!(world.minute().await?.given_up, 1);
    let told = world.ask("DescribeExecution").await?;
    assert_eq!((told["status"].as_str(), told["error"].as_str()), (Some("FAILED"), Some("States.Runtime")));
    assert_eq!((&told["input"], &told["inputDetails"]), (&Value::Null, &json!({ "included": false })));
    assert_eq!(told["name"], "one");
    let events = world.history().await?;
    assert_eq!(events[..events.len() - 1], before[2..], "the second record's events, then the end");
    assert_eq!(events[events.len() - 1]["type"], "ExecutionFailed");
    let machine = text(&told, "stateMachineArn")?;
    let again = start(&world.api.service, &machine, "one", &json!({ "order": 7 })).await.expect_err("taken");
    assert!(again.to_string().contains("ExecutionAlreadyExists"), "{again}");
    world.is_over_for_everybody().await
}

#[tokio::test(start_paused = true)]
async fn an_execution_of_which_nothing_can_be_read_fails() -> Result<()> {
    let world = World::waiting().await?;
    world.spoil(0, json!(""))?;
    world.cloud.spoil(&world.execution, "r0000000001", "size", json!({ "N": "7" }))?;
    assert_eq!(world.minute().await?.given_up, 1);
    let events = world.history().await?;
    assert_eq!(events.len(), 1);
    assert_eq!((events[0]["id"].as_u64(), events[0]["type"].as_str()), (Some(1), Some("ExecutionFailed")));
    world.is_over_for_everybody().await
}

#[tokio::test(start_paused = true)]
async fn an_execution_that_meets_a_defect_of_ours_fails() -> Result<()> {
    let work = json!({ "Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f", "End": true });
    let world = World::new(json!({ "StartAt": "Work", "States": { "Work": work } })).await?;
    assert_eq!(world.minute().await?.given_up, 1);
    let told = world.ask("DescribeExecution").await?;
    assert_eq!((told["status"].as_str(), told["error"].as_str()), (Some("FAILED"), Some("States.Runtime")));
    assert!(text(&told, "cause")?.contains("a defect of Stepwell"), "{told}");
    let ids: Vec<_> = world.history().await?.iter().map(|event| event["id"].as_u64()).collect();
    assert_eq!(ids, (1..=ids.len() as u64).map(Some).collect::<Vec<_>>());
    world.is_over_for_everybody().await
}

#[tokio::test(start_paused = true)]
async fn what_may_pass_is_left_alone() -> Result<()> {
    let world = World::waiting().await?;
    // {"v":99}
    world.spoil(1, json!("eyJ2Ijo5OX0="))?;
    let report = world.minute().await?;
    assert_eq!((report.given_up, report.remaining), (0, 1), "a newer version wrote it");

    let world = World::waiting().await?;
    // The day's sweep reads it, too.
    world.minute().await?;
    world.cloud.spoil(&world.execution, "r0000000001", "v", json!({ "N": "2" }))?;
    let report = world.minute().await?;
    assert_eq!((report.given_up, report.remaining), (0, 1), "a newer version wrote the item");

    let world = World::waiting().await?;
    for _ in 0..100 {
        world.cloud.dynamo.meets("GetItem", Fault::Breaks);
    }
    world.spoil(1, json!("AAEC"))?;
    let worker = Worker::new(world.clock.engine.clone());
    let error = worker
        .handle_dead_letter(engine::ports::WakeUp::of(&world.execution, None))
        .await
        .expect_err("the store is ill");
    assert!(format!("{error:?}").contains("retryable: true"), "{error:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_start_goes_back_once_and_then_stays() -> Result<()> {
    let world = World::waiting().await?;
    let body = r#"{"v":1,"start":"{}"}"#;
    let letter = |id: &str, marks: Value| json!({ "MessageId": id, "ReceiptHandle": id, "Body": body, "MessageAttributes": marks });
    world.cloud.sqs.requests();
    world.cloud.sqs.answers_next(
        "ReceiveMessage",
        json!({ "Messages": [
        letter("fresh", json!({})),
        letter("old", json!({ "again": { "DataType": "String", "StringValue": "1" } })),
    ] }),
    );
    let report = world.clock.tick(Some(DEAD_LETTERS), world.cloud.until()).await?;
    assert_eq!((report.handled, report.remaining), (1, 1));
    let requests = world.cloud.sqs.requests();
    let of = |name: &str| requests.iter().filter(|(operation, _)| operation == name).map(|(_, body)| body).collect();
    let (sent, deleted): (Vec<&Value>, Vec<&Value>) = (of("SendMessage"), of("DeleteMessage"));
    assert_eq!((sent.len(), &sent[0]["QueueUrl"], &sent[0]["MessageBody"]), (1, &json!(QUEUE), &json!(body)));
    assert_eq!(sent[0]["MessageAttributes"]["again"]["StringValue"], "1");
    assert_eq!(deleted.iter().map(|body| &body["ReceiptHandle"]).collect::<Vec<_>>(), [&json!("fresh")]);
    Ok(())
}

/// A minute of a clock that is a process of its own, and ends with its time.
async fn mortal_minute(world: &mut World) -> Result<Option<TickReport>> {
    world.clock = world.cloud.process(Deployment::SharedWorker, Arc::new(Deadly)).await?;
    tokio::time::timeout(Duration::from_secs(300), world.minute()).await.ok().transpose()
}

#[tokio::test(start_paused = true)]
async fn an_execution_that_outlasts_its_readers_fails_at_the_third_visit_without_being_loaded() -> Result<()> {
    let work = json!({ "Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f", "End": true });
    let definition = json!({ "StartAt": "Work", "States": { "Work": work } });
    let mut world = World::with(definition, Arc::new(Deadly)).await?;
    for visit in 1..=2 {
        assert_eq!(mortal_minute(&mut world).await?, None, "visit {visit} ends its process");
        assert_eq!(world.ask("DescribeExecution").await?["status"], "RUNNING");
    }
    world.cloud.dynamo.requests();
    let report = mortal_minute(&mut world).await?.expect("nothing is driven");
    assert_eq!((report.handled, report.given_up, report.remaining), (0, 1, 0));
    let loads = world.cloud.dynamo.requests().into_iter().filter(|request| {
        let loads = request.operation == "Query" && request.body.get("Limit") != Some(&json!(1));
        loads && request.body.to_string().contains(":execution:")
    });
    assert_eq!(loads.count(), 0, "its last record is read, and no more");
    let told = world.ask("DescribeExecution").await?;
    assert_eq!((told["status"].as_str(), told["error"].as_str()), (Some("FAILED"), Some("States.Runtime")));
    assert!(text(&told, "cause")?.contains("ended before it was through"), "{told}");
    world.is_over_for_everybody().await
}

#[tokio::test(start_paused = true)]
async fn visits_that_return_are_not_counted() -> Result<()> {
    let world = World::waiting().await?;
    for _ in 0..5 {
        let report = world.minute().await?;
        assert_eq!((report.handled, report.given_up, report.remaining), (1, 0, 0));
    }
    // A passing error returns, too.
    world.spoil(1, json!("eyJ2Ijo5OX0="))?;
    world.cloud.spoil(&world.execution, "r0000000001", "v", json!({ "N": "2" }))?;
    for _ in 0..5 {
        let report = world.minute().await?;
        assert_eq!((report.handled, report.given_up, report.remaining), (0, 0, 1));
    }
    Ok(())
}
