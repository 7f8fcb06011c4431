//! The memory of a worker while it drives a batch of ten executions: `cargo bench --workspace --bench memory`,
//! or with `-- DIR` by the binaries that are in DIR, as for `cold_start`. Figures, not assertions.
//!
//! The binaries of api and worker under a Runtime API, over DynamoDB in process that takes 5 ms an answer, with functions
//! that take a second. Executions are started through api, and their messages brought to worker ten at a time, five times.
//! Payloads do not compress. Everything is told over plain HTTP: what TLS takes is not in it.

#![allow(clippy::print_stdout, reason = "a benchmark is there to print")]
#![expect(clippy::indexing_slicing, reason = "an index into JSON does not panic; there are no others")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use aws::{clients, create};
use serde_json::{Value, json};
use stepwell_tests::dynamo::Dynamo;
use stepwell_tests::lambda_server::{Answer, Dialect, LambdaServer};
use stepwell_tests::runtime_api::{self, Function, TABLE};
use stepwell_tests::simulation::Chance;
use stepwell_tests::sqs::Sqs;

/// Messages of one invocation, as the template says.
const BATCH: usize = 10;
const BATCHES: usize = 5;
const STORE: Duration = Duration::from_millis(5);
const TASK: Duration = Duration::from_secs(1);
const FUNCTION: &str = "arn:aws:lambda:us-east-1:123456789012:function:work";
/// As large as a payload may be, but for what is around it.
const LARGE: usize = (256 << 10) - 1_000;
const SMALL: usize = 100;
/// Items of one Map: those of a batch are more than the 128 calls that a worker makes at a time.
const ITEMS: usize = 13;

/// The workflow of ten executions at a time.
struct Load {
    name: &'static str,
    definition: Value,
    /// Bytes of inputs and results.
    bytes: usize,
}

#[tokio::main]
async fn main() -> Result<()> {
    let loads = [
        Load { name: "4 tasks in a row, 100 bytes", definition: in_a_row(4), bytes: SMALL },
        Load { name: "4 tasks in a row, 255 KiB", definition: in_a_row(4), bytes: LARGE },
        Load { name: "Map of 13, 100 bytes", definition: at_a_time(), bytes: SMALL },
        Load { name: "Map of 13, 255 KiB", definition: at_a_time(), bytes: LARGE },
    ];
    println!(
        "{:<30} {:>10} {:>14} {:>14} {:>14} {:>12} {:>12}",
        "worker, resident MiB", "at start", "peak, batch 1", "peak, batch 5", "after it", "seconds", "CPU ms/batch"
    );
    for load in &loads {
        measure(load).await?;
    }
    Ok(())
}

async fn measure(load: &Load) -> Result<()> {
    let mut installation = Installation::new(load.bytes).await?;
    let machine = installation.machine(&load.definition).await?;
    let begun = installation.worker.memory()?.resident;
    let (mut peaks, mut seconds, cpu) = (Vec::new(), Vec::new(), installation.worker.cpu()?);
    for _ in 0..BATCHES {
        let batch = installation.batch(&machine).await?;
        installation.worker.forget_peak()?;
        let started = tokio::time::Instant::now();
        let answer = installation.worker.invoke(&batch).await?;
        seconds.push(started.elapsed().as_secs_f64());
        ensure!(answer == json!({ "batchItemFailures": [] }), "not everything is done: {answer}");
        peaks.push(installation.worker.memory()?.peak);
        installation.all_succeeded(&machine).await?;
    }
    let (first, last) = (peaks.first().copied().unwrap_or_default(), peaks.last().copied().unwrap_or_default());
    let after = installation.worker.memory()?.resident;
    let cpu = (installation.worker.cpu()? - cpu).as_secs_f64() * 1e3 / BATCHES as f64;
    let took = seconds.iter().sum::<f64>() / BATCHES as f64;
    println!("{:<30} {begun:>10.0} {first:>14.0} {last:>14.0} {after:>14.0} {took:>12.1} {cpu:>12.0}", load.name);
    Ok(())
}

fn in_a_row(tasks: usize) -> Value {
    let state = |place: usize| {
        let mut state = json!({ "Type": "Task", "Resource": FUNCTION, "TimeoutSeconds": 60 });
        let (key, value) =
            if place == tasks { ("End", json!(true)) } else { ("Next", json!(format!("{}", place + 1))) };
        if let Value::Object(members) = &mut state {
            members.insert(key.to_owned(), value);
        }
        (place.to_string(), state)
    };
    json!({ "StartAt": "1", "States": (1..=tasks).map(state).collect::<serde_json::Map<_, _>>() })
}

/// Every item's call has the execution's input, and its result as many bytes, of which nothing is kept.
fn at_a_time() -> Value {
    let task = json!({ "Type": "Task", "Resource": FUNCTION, "TimeoutSeconds": 60, "ResultSelector": { "done": true }, "End": true });
    json!({ "StartAt": "All", "States": { "All": {
        "Type": "Map", "ItemsPath": "$.items", "ItemSelector": { "text.$": "$.text" }, "End": true,
        "ItemProcessor": { "StartAt": "One", "States": { "One": task } },
    } } })
}

struct Installation {
    api: Function,
    worker: Function,
    sqs: Sqs,
    dynamo: Dynamo,
    bytes: usize,
    _functions: LambdaServer,
}

impl Installation {
    async fn new(bytes: usize) -> Result<Installation> {
        let (dynamo, sqs) = (Dynamo::new()?, Sqs::default());
        create::create_table(&clients::dynamodb(&dynamo.config()), TABLE).await?;
        dynamo.takes(STORE);
        let functions = LambdaServer::start(Dialect::Aws).await?;
        functions.register("work", move |_, _| Answer::After(TASK, Box::new(Answer::Returns(payload(bytes)))));
        let endpoint = functions.url();
        let more = [("LAMBDA_ENDPOINT", endpoint.as_str())];
        let api = Function::start(&runtime_api::program("api")?, &dynamo, &sqs, &more).await?;
        let worker = Function::start(&runtime_api::program("worker")?, &dynamo, &sqs, &more).await?;
        Ok(Installation { api, worker, sqs, dynamo, bytes, _functions: functions })
    }

    async fn machine(&mut self, definition: &Value) -> Result<String> {
        let role = "arn:aws:iam::123456789012:role/any";
        let made = json!({ "name": "machine", "roleArn": role, "definition": definition.to_string() });
        text(&self.call("CreateStateMachine", &made).await?, "stateMachineArn")
    }

    /// Starts executions; the event that brings their messages to a worker.
    async fn batch(&mut self, machine: &str) -> Result<Value> {
        for _ in 0..BATCH {
            let mut input = payload(self.bytes);
            input["items"] = (0..ITEMS).collect();
            let started = json!({ "stateMachineArn": machine, "input": input.to_string() });
            self.call("StartExecution", &started).await?;
        }
        // The emulators' memory of earlier batches is large.
        drop(self.dynamo.requests());
        let sent = self.sqs.requests().into_iter().map(|(_, body)| text(&body, "MessageBody"));
        let records = sent.enumerate().map(|(place, body)| {
            Ok(json!({ "messageId": place.to_string(), "receiptHandle": "any", "body": body?, "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:stepwell", "awsRegion": "us-east-1" }))
        });
        let records = records.collect::<Result<Vec<_>>>()?;
        ensure!(records.len() == BATCH, "{} messages", records.len());
        Ok(json!({ "Records": records }))
    }

    async fn all_succeeded(&mut self, machine: &str) -> Result<()> {
        let listed = self.call("ListExecutions", &json!({ "stateMachineArn": machine })).await?;
        for execution in listed["executions"].as_array().context("no list")? {
            if execution["status"] != "SUCCEEDED" {
                let of = json!({ "executionArn": execution["executionArn"] });
                let told = self.call("DescribeExecution", &of).await?;
                bail!("{}: {} {}", told["status"], told["error"], told["cause"]);
            }
        }
        self.sqs.requests();
        Ok(())
    }

    /// Calls an action through a Function URL's event.
    async fn call(&mut self, action: &str, members: &Value) -> Result<Value> {
        let event = json!({
            "version": "2.0", "rawPath": "/", "rawQueryString": "", "isBase64Encoded": false, "body": members.to_string(),
            "headers": {
                "content-type": "application/x-amz-json-1.0", "x-amz-target": format!("AWSStepFunctions.{action}")
            },
            "requestContext": { "timeEpoch": 0, "http": { "method": "POST", "path": "/" } }
        });
        let answer = self.api.invoke(&event).await?;
        let body = text(&answer, "body")?;
        ensure!(answer["statusCode"] == 200, "{action}: {body}");
        Ok(serde_json::from_str(&body)?)
    }
}

/// An object of about as many bytes, unlike all before.
fn payload(bytes: usize) -> Value {
    static MADE: AtomicU64 = AtomicU64::new(1);
    json!({ "text": Chance::new(MADE.fetch_add(1, Ordering::Relaxed)).text(bytes) })
}

fn text(value: &Value, name: &str) -> Result<String> {
    Ok(value.get(name).and_then(Value::as_str).with_context(|| format!("{value} has no {name}"))?.to_owned())
}
