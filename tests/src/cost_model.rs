//! An installation on AWS whose bill is counted: the functions' services over DynamoDB in process, with an SQS in process,
//! in virtual time.
//!
//! The units are those that AWS charges for: capacity units as the emulator counts them, requests to SQS and those that
//! the event source mapping makes, invocations and their milliseconds. Time passes when a store, a queue or a task
//! answers; processors are taken as infinitely fast.
//!
//! Deliberately absent: prices, and what an installation costs that does nothing.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::cloud::Process;
use anyhow::{Result, ensure};
use async_trait::async_trait;
use aws::{Environment, MetricLines, clients, create};
use engine::Deployment;
use engine::ports::{Clock, TaskAnswer, TaskCall, Tasks};
use interpreter::Timestamp;
use serde_json::{Value, json};
use service::Call;
use tokio::time::Instant;

use crate::dynamo::{Dynamo, Request};
use crate::simulation::VirtualClock;
use crate::sqs::Sqs;

/// The assumed duration of a request to DynamoDB: AWS speaks of single-digit milliseconds.
pub const STORE: Duration = Duration::from_millis(5);
/// The assumed duration of a request to SQS.
pub const QUEUE: Duration = Duration::from_millis(10);

const BEGIN: Timestamp = Timestamp(1_700_000_000_000);
/// A worker's quarter of an hour, without its farewell.
const TERM_MS: i64 = 895_000;
/// Between two ticks of the clock. In production it is a minute; what a tick finds is the same.
const TICK: Duration = Duration::from_secs(600);
/// Ticks after which a world is stuck.
const PATIENCE: usize = 3 * 24 * 6;
const TABLE: &str = "stepwell";
const URL: &str = "https://queue.invalid/stepwell";
/// The template's `VisibilityTimeout`.
const HIDDEN: Duration = Duration::from_secs(900);
/// Bytes of a message that are one request.
const CHUNK: usize = 64 << 10;

/// A workflow that is run and counted.
pub struct Workflow {
    pub definition: Value,
    pub input: Value,
    /// How long the function of every task takes.
    pub task: Duration,
}

/// What AWS counts for a number of executions.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Bill {
    pub writes: f64,
    pub write_units: f64,
    pub read_units: f64,
    /// Messages that were sent.
    pub messages: f64,
    /// Requests to SQS: sends, receives, words of workers that they live, and deletions.
    pub queue_requests: f64,
    pub api_ms: f64,
    pub worker_ms: f64,
    pub invocations: f64,
    /// Bytes that stay in the table and its indexes until they expire.
    pub stored: f64,
    /// Bytes of metrics in the functions' logs.
    pub logged: f64,
}

/// An installation.
pub struct CostModel {
    dynamo: Dynamo,
    sqs: Sqs,
    clock: Arc<VirtualClock>,
    api: Process,
    worker: Process,
    logged: Logged,
    bill: Bill,
}

impl CostModel {
    /// Counts `executions` that are started one after another and then brought to one worker in one batch.
    pub async fn count(workflow: &Workflow, executions: usize) -> Result<Bill> {
        let mut model = CostModel::new(workflow.task).await?;
        let made = json!({ "name": "m", "roleArn": "arn:aws:iam::123456789012:role/r",
            "definition": workflow.definition.to_string() });
        let made = model.call("CreateStateMachine", &made).await?;
        let machine = text_of(&made, "stateMachineArn");
        // Definitions are read once in a process's life.
        model.run(&machine, &workflow.input, 1).await?;
        model.bill = Bill::default();
        model.run(&machine, &workflow.input, executions).await?;
        Ok(model.bill.of_one(executions))
    }

    async fn new(task: Duration) -> Result<CostModel> {
        let (dynamo, sqs) = (Dynamo::new()?, Sqs::default());
        create::create_table(&clients::dynamodb(&dynamo.config()), TABLE).await?;
        dynamo.takes(STORE);
        sqs.takes(QUEUE);
        let clock = Arc::new(VirtualClock::new(BEGIN, 1));
        let logged = Logged::default();
        let environment = Environment {
            table: TABLE.into(),
            queue: URL.into(),
            dead_letters: None,
            partition: "aws".into(),
            region: "us-east-1".into(),
            account: "123456789012".into(),
            retention_days: 90,
            activity_poll: Duration::from_secs(20),
        };
        let joined = |role| {
            let clients = (clients::dynamodb(&dynamo.config()), clients::sqs(&sqs.config()));
            let metrics = Arc::new(MetricLines::to(logged.clone()));
            environment.joined(clients, clock.clone(), role, Arc::new(Answering(task)), metrics)
        };
        let (api, worker) = (joined(Deployment::ApiOnly).await?, joined(Deployment::SharedWorker).await?);
        let (api, worker) = (Process::new(api), Process::new(worker));
        Ok(CostModel { dynamo, sqs, clock, api, worker, logged, bill: Bill::default() })
    }

    async fn run(&mut self, machine: &str, input: &Value, executions: usize) -> Result<()> {
        let mut started = Vec::new();
        for _ in 0..executions {
            let begun = Instant::now();
            let start = json!({ "stateMachineArn": machine, "input": input.to_string() });
            let answer = self.call("StartExecution", &start).await?;
            self.api.metrics.flush(self.clock.now());
            started.push(text_of(&answer, "executionArn"));
            self.bill.api_ms += millis(begun);
            self.bill.invocations += 1.0;
            self.collect();
        }
        for _ in 0..PATIENCE {
            self.deliver(executions).await?;
            if self.all_ended(&started).await? {
                return Ok(());
            }
            // A wait is longer than a queue can delay: a tick of the clock, whose messages count. What it
            // reads and tells of its minute does not, since it does that in any case.
            tokio::time::sleep(TICK).await;
            self.worker.tick(None, self.clock.now().plus_millis(TERM_MS)).await?;
            self.dynamo.requests();
            self.logged.take();
            self.collect();
        }
        anyhow::bail!("the executions do not end")
    }

    /// Brings messages to the worker, until none is left.
    async fn deliver(&mut self, at_once: usize) -> Result<()> {
        while let Some(due) = self.sqs.next(URL) {
            tokio::time::sleep_until(due).await;
            let batch = self.sqs.receive(URL, at_once.min(10), HIDDEN);
            let begun = Instant::now();
            let undone = self.worker.work(&batch, self.clock.now().plus_millis(TERM_MS)).await;
            ensure!(undone.is_empty(), "{undone:?}");
            self.bill.worker_ms += millis(begun);
            self.bill.invocations += 1.0;
            for delivery in batch {
                self.sqs.delete(&delivery.receipt);
            }
            // One receive and one deletion; messages are far below 64 KB together.
            self.bill.queue_requests += 2.0;
            self.collect();
        }
        Ok(())
    }

    /// Puts on the bill what was asked of table and queue, and keeps what was sent.
    fn collect(&mut self) {
        for request in self.dynamo.requests() {
            if request.operation.ends_with("Item") && request.operation != "GetItem" {
                self.bill.writes += 1.0;
                self.bill.write_units += request.units;
                self.bill.stored += stored(&request);
            } else {
                self.bill.read_units += request.units;
            }
        }
        for (_, body) in self.sqs.requests() {
            let entries = body.get("Entries").and_then(Value::as_array).cloned().unwrap_or_else(|| vec![body]);
            let texts: Vec<&str> = entries.iter().filter_map(|entry| entry.get("MessageBody")?.as_str()).collect();
            let bytes: usize = texts.iter().map(|text| text.len()).sum();
            self.bill.queue_requests += bytes.div_ceil(CHUNK).max(1) as f64;
            self.bill.messages += texts.len() as f64;
        }
        self.bill.logged += self.logged.take();
    }

    /// Looks, off the bill.
    async fn all_ended(&self, executions: &[String]) -> Result<bool> {
        let mut ended = true;
        for execution in executions {
            let told = self.call("DescribeExecution", &json!({ "executionArn": execution })).await?;
            let status = text_of(&told, "status");
            ensure!(["RUNNING", "SUCCEEDED"].contains(&&*status), "{told}");
            ended &= status == "SUCCEEDED";
        }
        self.dynamo.requests();
        Ok(ended)
    }

    async fn call(&self, action: &str, body: &Value) -> Result<Value> {
        let call = Call { action: action.to_owned(), body: body.to_string().into_bytes(), invocation: None };
        let answer = self.api.service.answer(call).await;
        ensure!(answer.status == 200, "{action}: {}", answer.body);
        Ok(serde_json::from_str(&answer.body)?)
    }
}

impl Bill {
    fn of_one(self, executions: usize) -> Bill {
        let each = |sum: f64| sum / executions as f64;
        Bill {
            writes: each(self.writes),
            write_units: each(self.write_units),
            read_units: each(self.read_units),
            messages: each(self.messages),
            queue_requests: each(self.queue_requests),
            api_ms: each(self.api_ms),
            worker_ms: each(self.worker_ms),
            invocations: each(self.invocations),
            stored: each(self.stored),
            logged: each(self.logged),
        }
    }
}

/// A member of an answer; empty when it is not there, which no call takes.
fn text_of(answer: &Value, member: &str) -> String {
    answer.get(member).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn millis(since: Instant) -> f64 {
    since.elapsed().as_millis() as f64
}

/// The stored size of an item: its bytes, and per item and row of an index 100 more.
fn stored(request: &Request) -> f64 {
    const OVERHEAD: usize = 100;
    let Some(item) = request.body.get("Item").and_then(Value::as_object) else { return 0.0 };
    let size = |name: &String, value: &Value| name.len() + bytes(value);
    let mut stored = OVERHEAD + item.iter().map(|(name, value)| size(name, value)).sum::<usize>();
    for index in aws::layout::INDEXES {
        let held = [index.partition.0, index.sort.0, "pk", "sk"];
        if item.contains_key(index.partition.0) {
            let within = |name: &str| held.contains(&name) || index.holds.contains(&name);
            let row = item.iter().filter(|(name, _)| within(name)).map(|(name, value)| size(name, value));
            stored += OVERHEAD + row.sum::<usize>();
        }
    }
    stored as f64
}

/// As DynamoDB documents it: text as it is, a number two digits a byte and one more, binary before base64.
fn bytes(value: &Value) -> usize {
    let member = |kind: &str| value.get(kind).and_then(Value::as_str).map(str::len);
    let number = member("N").map(|digits| digits.div_ceil(2) + 1);
    member("S").or(number).or_else(|| member("B").map(|base64| base64 / 4 * 3)).unwrap_or(1)
}

/// Functions that all take the same time.
struct Answering(Duration);

#[async_trait]
impl Tasks for Answering {
    async fn call(&self, _: TaskCall) -> TaskAnswer {
        tokio::time::sleep(self.0).await;
        TaskAnswer::Succeeded { output: r#"{"accepted":true,"reference":"A-2024-000171"}"#.to_owned() }
    }

    async fn limit(&self, _: &TaskCall) -> Duration {
        Duration::from_secs(70)
    }
}

/// Counts the bytes of lines.
#[derive(Clone, Default)]
struct Logged(Arc<Mutex<usize>>);

impl Logged {
    fn take(&self) -> f64 {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)) as f64
    }
}

impl std::io::Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
