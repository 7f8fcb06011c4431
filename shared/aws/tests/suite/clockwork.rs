//! The clock's minute over DynamoDB and SQS: what it wakes, sweeps and buries, and that it does so once.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use async_trait::async_trait;
use aws::{Environment, Installation, MetricLines, TickReport, clients, create};
use engine::Deployment;
use engine::ports::{Journal, Record, TaskAnswer, TaskCall, Tasks};
use interpreter::Timestamp;
use serde_json::{Value, json};
use stepwell_tests::contracts::{close, execution_arn, head, write};
use stepwell_tests::dynamo::{Dynamo, Request};
use stepwell_tests::hand_clock::HandClock;
use stepwell_tests::sqs::Sqs;

const NOW: Timestamp = Timestamp(1_700_000_000_000);
const MINUTE: i64 = 60_000;
const QUEUE: &str = "https://queue.invalid/work";
const DEAD: &str = "https://queue.invalid/work-dead";

struct NoTasks;

#[async_trait]
impl Tasks for NoTasks {
    async fn call(&self, call: TaskCall) -> TaskAnswer {
        TaskAnswer::Failed { error: "NotExpected".to_owned(), cause: Some(call.state) }
    }

    async fn limit(&self, _call: &TaskCall) -> Duration {
        Duration::from_secs(1)
    }
}

struct World {
    dynamo: Dynamo,
    sqs: Sqs,
    clock: Arc<HandClock>,
    installation: Installation,
}

impl World {
    async fn new() -> Result<World> {
        let (dynamo, sqs, clock) = (Dynamo::new()?, Sqs::default(), Arc::new(HandClock::at(NOW)));
        let client = clients::dynamodb(&dynamo.config());
        create::create_table(&client, "stepwell").await?;
        let environment = Environment {
            table: "stepwell".to_owned(),
            queue: QUEUE.to_owned(),
            dead_letters: Some(DEAD.to_owned()),
            partition: "aws".to_owned(),
            region: "us-east-1".to_owned(),
            account: "123456789012".to_owned(),
            retention_days: 90,
            activity_poll: Duration::from_secs(20),
        };
        let both = (client, clients::sqs(&sqs.config()));
        let metrics = Arc::new(MetricLines::to(std::io::sink()));
        let installation =
            environment.joined(both, clock.clone(), Deployment::SharedWorker, Arc::new(NoTasks), metrics).await?;
        Ok(World { dynamo, sqs, clock, installation })
    }

    async fn tick(&self) -> Result<TickReport> {
        let hour = Timestamp(engine::ports::Clock::now(&*self.clock).0 + 60 * MINUTE);
        Ok(self.installation.tick(Some(DEAD), hour).await?)
    }

    /// Changes an attribute of the first record of an execution.
    fn spoil(&self, name: &str, attribute: &str, value: Value) -> Result<()> {
        self.spoil_item((&execution_arn(name), &aws::layout::record_key(0)), attribute, value)
    }

    fn spoil_item(&self, (partition, sort): (&str, &str), attribute: &str, value: Value) -> Result<()> {
        let body = json!({
            "TableName": "stepwell", "Key": { "pk": { "S": partition }, "sk": { "S": sort } },
            "UpdateExpression": "SET #spoilt = :value", "ExpressionAttributeNames": { "#spoilt": attribute },
            "ExpressionAttributeValues": { ":value": value },
        });
        self.dynamo.arrives_again(&Request { operation: "UpdateItem".to_owned(), body, units: 0.0 })?;
        Ok(())
    }

    /// The entries of all batches that were sent: execution and delay.
    fn sent(&self) -> Vec<(String, i64)> {
        let requests = self.sqs.requests().into_iter().filter(|(operation, _)| operation == "SendMessageBatch");
        let entries = requests.flat_map(|(_, body)| body["Entries"].as_array().cloned().unwrap_or_default());
        entries
            .map(|entry| {
                let body: Value =
                    serde_json::from_str(entry["MessageBody"].as_str().unwrap_or_default()).unwrap_or_default();
                (body["execution"].as_str().unwrap_or_default().to_owned(), entry["DelaySeconds"].as_i64().unwrap_or(0))
            })
            .collect()
    }

    async fn open(&self, name: &str, due: i64) -> Result<()> {
        let due = Some(Timestamp(NOW.0 + due));
        write(&self.installation.table, Record { due, ..head(name, NOW.0) }).await
    }
}

#[tokio::test]
async fn what_is_due_far_away_gets_one_message_in_time() -> Result<()> {
    let world = World::new().await?;
    world.open("far", 60 * MINUTE).await?;
    world.open("near", 10 * MINUTE).await?;
    assert_eq!(world.tick().await?.woken, 0, "the near one has its own message");
    world.clock.move_by_millis(50 * MINUTE);
    world.sent();
    assert_eq!(world.tick().await?.woken, 1);
    assert_eq!(world.sent(), [(execution_arn("far"), 600)]);
    world.clock.move_by_millis(MINUTE);
    assert_eq!(world.tick().await?.woken, 0);
    assert_eq!(world.sent(), []);
    Ok(())
}

#[tokio::test]
async fn the_sweep_wakes_what_is_overdue_once_a_day() -> Result<()> {
    let world = World::new().await?;
    world.open("overdue", -MINUTE).await?;
    world.open("waiting", 10 * MINUTE).await?;
    world.open("far", 21 * MINUTE).await?;
    write(&world.installation.table, head("ended", NOW.0)).await?;
    write(&world.installation.table, close("ended", 1, NOW.0, NOW.0)).await?;
    let report = world.tick().await?;
    assert_eq!((report.swept, report.stuck), (3, 0), "a minute late is not stuck");
    let mut sent = world.sent();
    sent.sort();
    assert_eq!(sent, [(execution_arn("overdue"), 0), (execution_arn("waiting"), 600)], "its message may be lost");
    assert_eq!((report.recalled, world.tick().await?.swept), (2, 0));
    assert_eq!(world.sent(), []);
    world.clock.move_by_days(1);
    let report = world.tick().await?;
    assert_eq!((report.swept, report.stuck), (3, 3));
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_read_is_counted_and_keeps_nothing_else_from_being_looked_after() -> Result<()> {
    let world = World::new().await?;
    for name in ["newer", "older", "damaged", "younger"] {
        world.open(name, -2 * 60 * MINUTE).await?;
    }
    world.spoil("newer", "v", json!({ "N": "1000" }))?;
    world.spoil("damaged", "open", json!({ "S": "perhaps" }))?;
    let report = world.tick().await?;
    assert_eq!((report.unreadable, report.swept, report.stuck, report.recalled), (2, 2, 2, 2));
    let mut sent: Vec<String> = world.sent().into_iter().map(|(execution, _)| execution).collect();
    sent.sort();
    assert_eq!(sent, [execution_arn("older"), execution_arn("younger")]);
    assert_eq!(world.tick().await?, TickReport::default(), "the day is done");
    Ok(())
}

#[tokio::test]
async fn a_shard_that_fails_keeps_no_other_from_being_woken_and_is_told() -> Result<()> {
    let world = World::new().await?;
    world.tick().await?;
    for number in 0..40 {
        world.open(&format!("far {number}"), 60 * MINUTE).await?;
    }
    world.clock.move_by_millis(50 * MINUTE);
    world.sent();
    world.spoil_item(("clock", "3"), "v", json!({ "N": "1000" }))?;
    let told = world.tick().await.expect_err("what a newer version wrote").to_string();
    assert!(told.contains("clock 3 has format 1000"), "{told}");
    assert!((20..40).contains(&world.sent().len()), "those of seven shards of eight");
    Ok(())
}

#[tokio::test]
async fn the_sweep_keeps_long_executions_from_expiring() -> Result<()> {
    let world = World::new().await?;
    world.open("long", 400 * 24 * 60 * MINUTE).await?;
    for day in 0..400 {
        let stamped = world.tick().await?.stamped;
        assert!(day >= 20 || stamped == 0, "day {day}");
        world.clock.move_by_days(1);
    }
    assert_eq!(world.installation.table.tail(&execution_arn("long")).await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_dead_letter_is_buried_once_it_can_be_dealt_with() -> Result<()> {
    let world = World::new().await?;
    let letters = json!({ "Messages": [
        { "MessageId": "1", "ReceiptHandle": "one", "Body": r#"{"v":1,"execution":"arn:gone"}"# },
        { "MessageId": "2", "ReceiptHandle": "two", "Body": "no message of ours" },
        { "MessageId": "3", "ReceiptHandle": "three", "Body": r#"{"v":1,"start":"{}"}"# },
    ] });
    world.sqs.answers_next("ReceiveMessage", letters);
    let report = world.tick().await?;
    assert_eq!((report.handled, report.remaining), (2, 1));
    let requests = world.sqs.requests();
    let deleted: Vec<&Value> = requests
        .iter()
        .filter(|(operation, _)| operation == "DeleteMessage")
        .map(|(_, body)| &body["ReceiptHandle"])
        .collect();
    assert_eq!(deleted, [&json!("one"), &json!("three")]);
    let again: Vec<&Value> = requests
        .iter()
        .filter(|(operation, _)| operation == "SendMessage")
        .map(|(_, body)| &body["QueueUrl"])
        .collect();
    assert_eq!(again, [&json!(QUEUE)], "a start goes back to the workers");
    Ok(())
}
