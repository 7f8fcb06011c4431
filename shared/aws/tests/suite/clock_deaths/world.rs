//! An installation on a day on which its clock has something of everything to do, and what has to come of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use aws::{layout, message};
use engine::Deployment;
use engine::ports::{Clock, TaskAnswer, TaskCall, Tasks, WakeUp};
use engine::worker::{Message, Worker};
use interpreter::Timestamp;
use serde_json::{Value, json};
use stepwell_tests::cloud::Process;
use stepwell_tests::cloud::{Bringing, Cloud, DEAD_LETTERS, QUEUE, TABLE, Ticking, call, create_machine, start};
use stepwell_tests::dynamo::Request;
use stepwell_tests::simulation::Plan;
use stepwell_tests::sqs::Sqs;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const DAY: i64 = 24 * 60 * MINUTE;
/// So long ago the first executions began: their items have to be stamped anew.
const AGO: i64 = 21 * DAY;
/// What is due when its clock begins was written so long before.
const BEFORE: i64 = 15 * MINUTE;
/// What the clock's first minute reaches is due this long after it, …
const DUE: i64 = 11 * MINUTE;
/// … and what only one of its later minutes reaches, and no sweep of this day, so long.
const LATER: i64 = 20 * MINUTE + 30 * SECOND;
/// In the first minute there is most to do, in the second there are dead letters, and in the seventh what is due later.
const MINUTES: &[u32] = &[0, 1, 6];
/// The same with the minutes behind these, in which is made good what failed and told nobody.
const EVERY_MINUTE: &[u32] = &[0, 1, 2, 6, 7];
/// How long what has closed is shown.
const RETENTION_DAYS: i64 = 90;
/// Rows of an index that are told at a time.
const ROWS: u64 = 3;
/// What a clock's invocation has, and keeps for its farewell.
const TERM: (Duration, Duration) = (Duration::from_secs(300), Duration::from_secs(30));
/// A minute that a clock leaves undone is its successor's, and what it was busy with is late by less than this.
const DELAY: i64 = 2 * MINUTE + 30 * SECOND;
/// What is woken in time is done in time.
const PROMPTLY: i64 = 5 * SECOND;

/// Functions that return at once. The one of a task with a token keeps it.
#[derive(Default)]
pub struct Functions {
    calls: Mutex<Vec<(String, String)>>,
    token: Mutex<Option<String>>,
}

impl Functions {
    fn calls(&self) -> MutexGuard<'_, Vec<(String, String)>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn token(&self) -> MutexGuard<'_, Option<String>> {
        self.token.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Tasks for Functions {
    async fn call(&self, call: TaskCall) -> TaskAnswer {
        let arguments: Value = serde_json::from_str(&call.arguments).unwrap_or_default();
        if let Some(token) = arguments["Payload"]["token"].as_str() {
            *self.token() = Some(token.to_owned());
        }
        self.calls().push((call.execution, call.state));
        TaskAnswer::Succeeded { output: "{}".to_owned() }
    }

    async fn limit(&self, _call: &TaskCall) -> Duration {
        Duration::from_secs(5)
    }
}

/// How the clocks of a day are.
#[derive(Debug, Clone)]
pub struct Clocks {
    pub first: Plan,
    pub beside: bool,
    pub minutes: &'static [u32],
}

impl Default for Clocks {
    fn default() -> Clocks {
        Clocks { first: Plan::default(), beside: false, minutes: MINUTES }
    }
}

impl Clocks {
    pub fn every_minute(first: Plan) -> Clocks {
        Clocks { first, minutes: EVERY_MINUTE, ..Clocks::default() }
    }
}

/// What the first clock lived to see.
pub struct Seen {
    /// Moments at which it could have died, and requests that it made.
    pub points: u64,
    pub requests: u64,
}

/// What is to come of an execution.
struct Fate {
    status: &'static str,
    /// It has ended by then.
    by: Timestamp,
    calls: usize,
}

pub struct World {
    cloud: Cloud,
    functions: Arc<Functions>,
    api: Process,
    /// A process whose messages never arrive, and where they are instead.
    unheard: Process,
    lost: Sqs,
    sleeps: String,
    /// The execution that waits for an answer.
    asking: String,
    fates: Mutex<BTreeMap<String, Fate>>,
    /// Who waits for the clock, and until when.
    waits: Vec<(String, Timestamp)>,
    /// Messages that were sent: how many for each execution.
    sent: Mutex<BTreeMap<String, usize>>,
    began: Timestamp,
}

fn work(next: Value) -> Value {
    let mut work = json!({ "Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:work" });
    if let (Value::Object(work), Value::Object(next)) = (&mut work, next) {
        work.extend(next);
    }
    work
}

/// Waits for as long as its input says, and then works.
fn sleeps() -> Value {
    json!({ "StartAt": "Sleep", "States": {
        "Sleep": { "Type": "Wait", "SecondsPath": "$.seconds", "Next": "Work" },
        "Work": work(json!({ "End": true })),
    } })
}

/// Waits for an answer, and then works.
fn asks() -> Value {
    let asks = json!({
        "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", "HeartbeatSeconds": 40 * DAY / SECOND,
        "Parameters": { "FunctionName": "work", "Payload": { "token.$": "$$.Task.Token" } }, "Next": "Work",
    });
    json!({ "StartAt": "Ask", "States": { "Ask": work(asks), "Work": work(json!({ "End": true })) } })
}

impl World {
    /// A day on which everything is ready for the clock.
    pub async fn new() -> Result<World> {
        let (cloud, functions, lost) = (Cloud::new().await?, Arc::new(Functions::default()), Sqs::default());
        let api = cloud.process(Deployment::ApiOnly, functions.clone()).await?;
        let unheard = cloud.process_beside(&lost, Deployment::ApiOnly, functions.clone()).await?;
        let sleeps = create_machine(&api.service, "sleeps", "STANDARD", &sleeps()).await?;
        let began = cloud.clock.now().plus_millis(AGO + BEFORE);
        let (fates, sent) = (Mutex::default(), Mutex::default());
        let mut world = World {
            cloud,
            functions,
            api,
            unheard,
            lost,
            sleeps,
            asking: String::new(),
            fates,
            waits: Vec::new(),
            sent,
            began,
        };
        world.long_ago().await?;
        world.cloud.dynamo.tells_rows(ROWS);
        world.just_before().await?;
        world.cloud.sqs.requests();
        Ok(world)
    }

    /// Two executions that stay open, one of them with a cell, and a clock that worked on that day, and then no more.
    async fn long_ago(&mut self) -> Result<()> {
        let asks = create_machine(&self.api.service, "asks", "STANDARD", &asks()).await?;
        let asking = start(&self.api.service, &asks, "asking", &json!({})).await?;
        let process = self.cloud.process(Deployment::SharedWorker, self.functions.clone()).await?;
        self.cloud.deliver_all(&Worker::new(process.engine.clone()), 1).await?;
        let token = self.functions.token().clone().context("no token")?;
        call(&self.api.service, "SendTaskHeartbeat", json!({ "taskToken": token })).await?;
        self.asking.clone_from(&asking);
        self.expects(&asking, Fate { status: "SUCCEEDED", by: Timestamp(i64::MAX), calls: 2 });
        self.waits("long", LATER).await?;
        process.tick(None, self.cloud.until()).await?;
        self.cloud.sqs.purge();
        self.sleep_until(self.began.plus_millis(-BEFORE)).await;
        Ok(())
    }

    /// What comes due in several shards, each with more than a page of it, and what is overdue and was lost.
    async fn just_before(&mut self) -> Result<()> {
        for (due, of_shards) in [(DUE, [(1, 2), (4, 4)]), (LATER, [(4, 4), (7, 1)])] {
            for (shard, count) in of_shards {
                for name in names(shard, due).take(count) {
                    self.waits(&name, due).await?;
                }
            }
        }
        let damaged = start(&self.api.service, &self.sleeps, "damaged", &json!({ "seconds": 7_200 })).await?;
        self.cloud.spoil(&damaged, &layout::record_key(0), "body", json!({ "B": "AAEC" }))?;
        self.expects(&damaged, Fate { status: "FAILED", by: self.began.plus_millis(MINUTE + DELAY), calls: 0 });
        self.sleep_until(self.began).await;
        self.lost("overdue", 0, self.began.plus_millis(DELAY)).await?;
        self.lost("soon", 240, self.began.plus_millis(240 * SECOND + PROMPTLY)).await?;
        Ok(())
    }

    async fn sleep_until(&self, time: Timestamp) {
        self.cloud.clock.sleep_until(time).await;
    }

    fn expects(&self, execution: &str, fate: Fate) {
        self.fates.lock().unwrap_or_else(PoisonError::into_inner).insert(execution.to_owned(), fate);
    }

    /// Starts what waits until so long after the clock's beginning.
    async fn waits(&mut self, name: &str, due: i64) -> Result<()> {
        let due = self.began.plus_millis(due);
        let seconds = (due.0 - self.cloud.clock.now().0) / SECOND;
        let execution = start(&self.api.service, &self.sleeps, name, &json!({ "seconds": seconds })).await?;
        self.expects(&execution, Fate { status: "SUCCEEDED", by: due.plus_millis(PROMPTLY), calls: 1 });
        // What is left of the second in which it was started.
        self.waits.push((execution, due.plus_millis(SECOND)));
        Ok(())
    }

    /// Starts what waits so long, and whose message is lost.
    async fn lost(&self, name: &str, seconds: u64, by: Timestamp) -> Result<String> {
        let execution = start(&self.unheard.service, &self.sleeps, name, &json!({ "seconds": seconds })).await?;
        self.expects(&execution, Fate { status: "SUCCEEDED", by, calls: 1 });
        Ok(execution)
    }

    /// Dead letters of every kind, about what began after the day's sweep.
    async fn letters(&self) -> Result<()> {
        let letter = |body: &str, marks: Value| {
            self.cloud.sqs.put(DEAD_LETTERS, &json!({ "MessageBody": body, "MessageAttributes": marks }));
        };
        let look = |execution: &str, due| message::write(&Message::WakeUp(WakeUp::of(execution, due)));
        let by = self.cloud.clock.now().plus_millis(MINUTE + DELAY);
        letter(&look(&self.lost("given-up", 0, by).await?, None)?, json!({}));
        let early = self.cloud.clock.now().plus_millis(200 * SECOND);
        letter(&look(&self.lost("early", 200, early.plus_millis(PROMPTLY)).await?, Some(early))?, json!({}));
        letter(&look(&self.sleeps.replace(":stateMachine:", ":execution:"), None)?, json!({}));
        letter(&look(&self.arn("damaged"), None)?, json!({}));
        let express = json!({ "StartAt": "Work", "States": { "Work": work(json!({ "End": true })) } });
        let express = create_machine(&self.api.service, "express", "EXPRESS", &express).await?;
        self.lost.purge();
        start(&self.unheard.service, &express, "quick", &json!({})).await?;
        let kept = self.lost.kept(QUEUE).pop().context("no start was kept")?;
        letter(&kept, json!({}));
        for (body, marks) in STAYING {
            let marks: Value = serde_json::from_str(marks)?;
            letter(body, marks);
        }
        Ok(())
    }

    fn arn(&self, name: &str) -> String {
        format!("{}:{name}", self.sleeps.replace(":stateMachine:", ":execution:"))
    }

    // ---- the day ----

    /// Lives through the day.
    pub async fn day(&self, clocks: Clocks) -> Result<Seen> {
        let tasks: Arc<dyn Tasks> = self.functions.clone();
        let ticks = AtomicBool::new(true);
        let awaited = || ticks.load(Ordering::Relaxed);
        let ticking = async {
            let ticking = Ticking {
                first: clocks.first,
                minutes: clocks.minutes,
                beside: clocks.beside,
                term: TERM,
                holds: &|| self.no_cursor_is_past_what_was_not_woken(),
            };
            let seen = self.cloud.tick(&tasks, ticking).await;
            ticks.store(false, Ordering::Relaxed);
            seen
        };
        let letters = async {
            self.sleep_until(self.began.plus_millis(MINUTE / 2)).await;
            self.letters().await
        };
        let brought = self.cloud.bring(&tasks, Bringing { first: Plan::default(), beside: false, awaited: &awaited });
        let (seen, letters, brought) = tokio::join!(ticking, letters, brought);
        letters?;
        brought?;
        let (points, requests) = seen?;
        Ok(Seen { points, requests })
    }

    /// The items of a partition, past all processes.
    fn items(&self, partition: &str) -> Result<Vec<Value>> {
        let body = json!({
            "TableName": TABLE, "KeyConditionExpression": "pk = :of",
            "ExpressionAttributeValues": { ":of": { "S": partition } },
        });
        let request = Request { operation: "Query".to_owned(), body, units: 0.0 };
        let answer: Value = serde_json::from_str(&self.cloud.dynamo.arrives_again(&request)?)?;
        Ok(answer["Items"].as_array().cloned().unwrap_or_default())
    }

    /// Whoever is due before a cursor was sent a message: nobody comes back there.
    fn no_cursor_is_past_what_was_not_woken(&self) -> Result<()> {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        for sending in self.cloud.sent()? {
            if let Message::WakeUp(wake_up) = sending.message {
                *sent.entry(wake_up.execution).or_default() += 1;
            }
        }
        let cursors = self.items(layout::CLOCK_PARTITION)?;
        for (execution, due) in &self.waits {
            let shard = layout::shard(execution).to_string();
            let cursor = cursors.iter().find(|item| item["sk"]["S"] == *shard).context("no cursor")?;
            let cursor = number(cursor, "due")?;
            ensure!(due.0 > cursor || sent.contains_key(execution), "the cursor is past {execution}");
        }
        Ok(())
    }

    // ---- what came of it ----

    /// Everything has come to its end, in time, and once.
    pub async fn is_well(&self, clocks: &Clocks) -> Result<()> {
        self.nothing_expires()?;
        self.answers().await?;
        let fates = std::mem::take(&mut *self.fates.lock().unwrap_or_else(PoisonError::into_inner));
        let mut calls: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (execution, state) in self.functions.calls().clone() {
            calls.entry(execution).or_default().push(state);
        }
        for (execution, Fate { status, by, calls: expected }) in &fates {
            let described = call(&self.api.service, "DescribeExecution", json!({ "executionArn": execution })).await?;
            ensure!(described["status"] == *status, "{described}");
            let stopped = described["stopDate"].as_f64().context("it runs")?;
            ensure!(stopped <= by.0 as f64 / 1_000.0, "{execution} ended {} s late", stopped - by.0 as f64 / 1_000.0);
            let made = calls.remove(execution).unwrap_or_default();
            let once: BTreeSet<&String> = made.iter().collect();
            ensure!((made.len(), once.len()) == (*expected, *expected), "{execution} called {made:?}");
        }
        // The start of an Express execution runs at least once.
        ensure!(!calls.is_empty() && calls.keys().all(|execution| execution.contains(":express:")), "{calls:?}");
        let mut left = self.cloud.sqs.kept(DEAD_LETTERS);
        left.sort();
        ensure!(left == STAYING.map(|(body, _)| body), "{left:?} are left");
        let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        for (execution, _) in &self.waits {
            let messages = sent.get(execution).copied().unwrap_or_default();
            // By the clock, and perhaps by the sweep; and again by whoever goes on where one died.
            ensure!(messages <= if clocks.beside { 5 } else { 3 }, "{messages} messages for {execution}");
        }
        Ok(())
    }

    /// What has been open for long has its full time again.
    fn nothing_expires(&self) -> Result<()> {
        let full = self.began.0 + (RETENTION_DAYS + 30) * DAY;
        let items = self.items(&self.asking)?;
        ensure!(
            items.iter().any(|item| item["sk"]["S"].as_str().is_some_and(|sort| sort.starts_with("s/"))),
            "no cell"
        );
        for item in items {
            ensure!(number(&item, "expires")? >= full / SECOND, "{} expires", item["sk"]);
        }
        Ok(())
    }

    async fn answers(&self) -> Result<()> {
        let token = self.functions.token().clone().context("no token")?;
        let body = json!({ "taskToken": token, "output": "{}" });
        call(&self.api.service, "SendTaskSuccess", body).await?;
        let process = self.cloud.process(Deployment::SharedWorker, self.functions.clone()).await?;
        self.cloud.deliver_all(&Worker::new(process.engine.clone()), 1).await
    }
}

/// The letters that are left to the operator, in their order.
const STAYING: [(&str, &str); 3] = [
    ("no message of ours", "{}"),
    (r#"{"v":1,"start":"{}"}"#, r#"{ "again": { "DataType": "String", "StringValue": "1" } }"#),
    (r#"{"v":2,"other":[]}"#, "{}"),
];

fn number(item: &Value, attribute: &str) -> Result<i64> {
    Ok(item[attribute]["N"].as_str().with_context(|| format!("{item} has no {attribute}"))?.parse()?)
}

/// Names of executions that lie in a shard.
fn names(shard: u64, due: i64) -> impl Iterator<Item = String> {
    let arn = |name: &str| format!("arn:aws:states:us-east-1:123456789012:execution:sleeps:{name}");
    (0..).map(move |number| format!("due-{due}-{number}")).filter(move |name| layout::shard(&arn(name)) == shard)
}
