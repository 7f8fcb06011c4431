//! An installation as Lambda functions make it, on AWS in process: the real adapters over an emulated DynamoDB, virtual
//! time, and messages that a test delivers as it likes.
//!
//! Time is tokio's, so tests begin with `start_paused = true`. A test is the queue: it takes what was sent
//! ([`Cloud::sent`]), and delivers it late, twice, in another order or not at all. Or it leaves that to the queue in
//! process, an event source ([`Cloud::bring`]) and a schedule ([`Cloud::tick`]), and says where workers and clocks die.

mod crashable;
mod schedule;
mod source;

use std::io::{self, Write};
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use aws::{Environment, Installation, MetricLines, clients, create, message};
use engine::Deployment;
use engine::ports::{Clock, Tasks};
use engine::worker::{Message, Worker};
use interpreter::Timestamp;
use serde_json::{Value, json};
use service::{Call, Service};
use tokio::time::Instant;

use crate::dynamo::{Dynamo, Request};
use crate::simulation::{BEGIN, VirtualClock};
use crate::sqs::Sqs;

pub use schedule::Ticking;
pub use source::{Bringing, Life};

pub const TABLE: &str = "stepwell";
pub const QUEUE: &str = "https://queue.invalid/work";
pub const DEAD_LETTERS: &str = "https://queue.invalid/work-dead";
/// The time of a worker's invocation.
const TERM_MS: i64 = 890_000;

/// The state that outlives processes.
pub struct Cloud {
    pub dynamo: Dynamo,
    pub sqs: Sqs,
    pub clock: Arc<VirtualClock>,
    pub lines: Lines,
    dynamodb: aws_sdk_dynamodb::Client,
}

/// The standard output of functions.
#[derive(Debug, Clone, Default)]
pub struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    /// The lines since the last call of this, each of which is JSON.
    pub fn take(&self) -> Result<Vec<Value>> {
        let bytes = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| Ok(serde_json::from_slice(line)?)).collect()
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A process of an installation: its engine, as functions have it, and the API on it.
pub struct Process {
    installation: Installation,
    pub service: Arc<Service>,
}

impl Process {
    pub fn new(installation: Installation) -> Process {
        Process { service: Service::new(installation.engine.clone()), installation }
    }
}

impl Deref for Process {
    type Target = Installation;

    fn deref(&self) -> &Installation {
        &self.installation
    }
}

/// A message on its way.
#[derive(Debug, Clone)]
pub struct Sent {
    pub message: Message,
    pub visible: Instant,
}

impl Cloud {
    pub async fn new() -> Result<Cloud> {
        Cloud::at(BEGIN).await
    }

    /// One whose clock shows `now`.
    pub async fn at(now: Timestamp) -> Result<Cloud> {
        let dynamo = Dynamo::new()?;
        let dynamodb = clients::dynamodb(&dynamo.config());
        create::create_table(&dynamodb, TABLE).await?;
        Ok(Cloud {
            dynamo,
            sqs: Sqs::default(),
            clock: Arc::new(VirtualClock::new(now, 1)),
            lines: Lines::default(),
            dynamodb,
        })
    }

    /// A new process in this deployment.
    pub async fn process(&self, deployment: Deployment, tasks: Arc<dyn Tasks>) -> Result<Process> {
        self.process_beside(&self.sqs, deployment, tasks).await
    }

    /// The same with another SQS: what it sends arrives there.
    pub async fn process_beside(&self, sqs: &Sqs, deployment: Deployment, tasks: Arc<dyn Tasks>) -> Result<Process> {
        self.joined((self.dynamodb.clone(), clients::sqs(&sqs.config())), deployment, tasks).await
    }

    async fn joined(
        &self,
        clients: (aws_sdk_dynamodb::Client, aws_sdk_sqs::Client),
        deployment: Deployment,
        tasks: Arc<dyn Tasks>,
    ) -> Result<Process> {
        let environment = Environment {
            table: TABLE.to_owned(),
            queue: QUEUE.to_owned(),
            dead_letters: Some(DEAD_LETTERS.to_owned()),
            partition: "aws".to_owned(),
            region: "us-east-1".to_owned(),
            account: "123456789012".to_owned(),
            retention_days: 90,
            activity_poll: Duration::from_secs(20),
        };
        let metrics = Arc::new(MetricLines::to(self.lines.clone()));
        Ok(Process::new(environment.joined(clients, self.clock.clone(), deployment, tasks, metrics).await?))
    }

    /// The messages sent to the work queue since the last call of this.
    pub fn sent(&self) -> Result<Vec<Sent>> {
        let mut sent = Vec::new();
        for (operation, body) in self.sqs.requests() {
            let entries = match operation.as_str() {
                "SendMessage" => vec![body],
                "SendMessageBatch" => body.get("Entries").and_then(Value::as_array).cloned().unwrap_or_default(),
                _ => Vec::new(),
            };
            for entry in entries {
                let delay = entry.get("DelaySeconds").and_then(Value::as_u64).unwrap_or(0);
                let body = entry.get("MessageBody").and_then(Value::as_str).context("a message without a body")?;
                let visible = Instant::now() + Duration::from_secs(delay);
                sent.push(Sent { message: message::read(body)?, visible });
            }
        }
        Ok(sent)
    }

    /// When an invocation that begins now has to end.
    pub fn until(&self) -> Timestamp {
        self.clock.now().plus_millis(TERM_MS)
    }

    /// Delivers what is sent, each message `copies` times and alone, until nothing is on its way any more.
    pub async fn deliver_all(&self, worker: &Worker, copies: usize) -> Result<()> {
        let mut waiting = self.sent()?;
        for _ in 0..10_000 {
            waiting.sort_by_key(|sent| sent.visible);
            if waiting.is_empty() {
                return Ok(());
            }
            let next = waiting.remove(0);
            tokio::time::sleep_until(next.visible).await;
            for _ in 0..copies {
                let undone = worker.handle(vec![next.message.clone()], self.until()).await;
                ensure!(undone.is_empty(), "{undone:?}");
            }
            waiting.extend(self.sent()?);
        }
        anyhow::bail!("messages have no end")
    }

    /// Changes one attribute of an item behind everybody's back; a body is a plain one from then on.
    pub fn spoil(&self, partition: &str, sort: &str, attribute: &str, value: Value) -> Result<()> {
        let plain = attribute == "body";
        let mut names = json!({ "#spoilt": attribute });
        if let (true, Value::Object(names)) = (plain, &mut names) {
            names.insert("#packed".to_owned(), "packed".into());
        }
        let body = json!({
            "TableName": TABLE,
            "Key": { "pk": { "S": partition }, "sk": { "S": sort } },
            "UpdateExpression": if plain { "SET #spoilt = :value REMOVE #packed" } else { "SET #spoilt = :value" },
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": { ":value": value },
        });
        self.dynamo.arrives_again(&Request { operation: "UpdateItem".to_owned(), body, units: 0.0 })?;
        Ok(())
    }
}

/// Calls an action, and has its answer; an error when that is one.
pub async fn call(service: &Arc<Service>, action: &str, body: Value) -> Result<Value> {
    let call = Call { action: action.to_owned(), body: body.to_string().into_bytes(), invocation: None };
    let answer = service.answer(call).await;
    ensure!(answer.status == 200, "{action}: {} {}", answer.status, answer.body);
    Ok(serde_json::from_str(&answer.body)?)
}

/// Creates a state machine; its ARN.
pub async fn create_machine(service: &Arc<Service>, name: &str, kind: &str, definition: &Value) -> Result<String> {
    let body = json!({
        "name": name, "type": kind, "definition": definition.to_string(),
        "roleArn": "arn:aws:iam::123456789012:role/any",
    });
    text(&call(service, "CreateStateMachine", body).await?, "stateMachineArn")
}

/// Starts an execution; its ARN.
pub async fn start(service: &Arc<Service>, machine: &str, name: &str, input: &Value) -> Result<String> {
    let body = json!({ "stateMachineArn": machine, "name": name, "input": input.to_string() });
    text(&call(service, "StartExecution", body).await?, "executionArn")
}

/// A text member of an answer.
pub fn text(answer: &Value, name: &str) -> Result<String> {
    let text = answer.get(name).and_then(Value::as_str).with_context(|| format!("{answer} has no {name}"))?;
    Ok(text.to_owned())
}
