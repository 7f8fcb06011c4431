//! Lambda's event source in a test's hands: brings what is on the queue to workers, who die where a test says so.
//!
//! A message that a worker took is given to others when SQS says so: not before the queue's time, unless the worker
//! changed it. Nobody deletes what a dead worker had.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use aws::{Delivery, Installation, clients};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use futures_util::stream::{FuturesUnordered, StreamExt};
use service::Role;
use service::ports::{TaskAnswer, TaskCall, Tasks};
use tokio::time::Instant;

use super::{Cloud, QUEUE};
use crate::dynamo::config;
use crate::simulation::{Gate, Plan};

/// The template's `VisibilityTimeout` and `BatchSize`.
const HIDDEN: Duration = Duration::from_secs(900);
const BATCH: usize = 10;
/// Virtual time after which messages have no end.
const PATIENCE: Duration = Duration::from_secs(4 * 3_600);

/// Between two looks at an empty queue.
const PAUSE: Duration = Duration::from_millis(100);

/// How messages are brought.
pub struct Bringing<'a> {
    pub first: Plan,
    pub beside: bool,
    pub awaited: &'a dyn Fn() -> bool,
}

/// What the first worker lived to see.
pub struct Life {
    /// Moments at which it could have died.
    pub points: u64,
    /// How many of them were over when it was brought a batch.
    pub brought: Vec<u64>,
}

/// A worker that may die, and the gate that all its calls go through.
#[derive(Clone)]
struct Mortal {
    installation: Arc<Installation>,
    gate: Arc<Gate>,
}

impl Cloud {
    /// Brings messages to workers until the queue is empty and nobody is awaited who would send one. One works at a time:
    /// the first as planned, and when it has died another one. With `beside`, one who lives is brought each batch as
    /// well.
    pub async fn bring(
        &self,
        tasks: &Arc<dyn Tasks>,
        Bringing { first, beside, awaited }: Bringing<'_>,
    ) -> Result<Life> {
        let beside = if beside { Some(self.begin(tasks, Plan::default()).await?) } else { None };
        let mut working = self.begin(tasks, first).await?;
        let (first, mut brought) = (working.gate.clone(), Vec::new());
        let (mut invocations, limit) = (FuturesUnordered::new(), Instant::now() + PATIENCE);
        loop {
            let visible = match self.sqs.next(QUEUE) {
                Some(visible) => visible,
                None if awaited() => Instant::now() + PAUSE,
                None => break,
            };
            ensure!(Instant::now() < limit, "messages have no end");
            if working.gate.is_down().is_some() {
                working = self.begin(tasks, Plan::default()).await?;
            }
            tokio::select! {
                biased;
                Some(()) = invocations.next() => {}
                () = self.sqs.asked() => {}
                () = tokio::time::sleep_until(visible) => {
                    let batch = self.sqs.receive(QUEUE, BATCH, HIDDEN);
                    let another = beside.clone().map(|beside| self.invoke(beside, batch.clone()));
                    if !batch.is_empty() {
                        brought.push(first.count(|counts| counts.points));
                        invocations.extend(another.into_iter().chain([self.invoke(working.clone(), batch)]));
                    }
                }
            }
        }
        Ok(Life { points: first.count(|counts| counts.points), brought })
    }

    /// A process that works. One that dies before it is ready is dead and never called.
    async fn begin(&self, tasks: &Arc<dyn Tasks>, plan: Plan) -> Result<Mortal> {
        let mut gate = Arc::new(Gate::new(plan));
        loop {
            let mortal = GatedTasks { tasks: tasks.clone(), gate: gate.clone() };
            let through = |client: SharedHttpConnector| config(Gated { client, gate: gate.clone() });
            let dynamodb = clients::dynamodb(&through(SharedHttpConnector::new(self.dynamo.clone())));
            let sqs = clients::sqs(&through(SharedHttpConnector::new(self.sqs.clone())));
            let joined = self.joined((dynamodb, sqs), Role::Shares, Arc::new(mortal));
            tokio::select! {
                biased;
                installation = joined => return Ok(Mortal { installation: Arc::new(installation?), gate }),
                _ = gate.death() => {}
            }
            gate = Arc::new(Gate::new(Plan::default()));
        }
    }

    /// Brings a batch to a worker, and deletes what is done.
    async fn invoke(&self, worker: Mortal, batch: Vec<Delivery>) {
        let undone = tokio::select! {
            biased;
            undone = worker.installation.work(&batch, self.until()) => undone,
            _ = worker.gate.death() => return,
        };
        for done in batch.iter().filter(|delivery| !undone.contains(&delivery.id)) {
            self.sqs.delete(&done.receipt);
        }
    }
}

/// What a process reaches of the world through its gate: nothing, once it is dead.
#[derive(Clone)]
struct Gated {
    client: SharedHttpConnector,
    gate: Arc<Gate>,
}

impl std::fmt::Debug for Gated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Gated")
    }
}

impl HttpConnector for Gated {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Gated { client, gate } = self.clone();
        HttpConnectorFuture::new(async move {
            gate.point().await;
            let answer = client.call(request).await;
            gate.point().await;
            answer
        })
    }
}

impl HttpClient for Gated {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

struct GatedTasks {
    tasks: Arc<dyn Tasks>,
    gate: Arc<Gate>,
}

#[async_trait::async_trait]
impl Tasks for GatedTasks {
    async fn call(&self, call: TaskCall) -> TaskAnswer {
        self.gate.point().await;
        let answer = self.tasks.call(call).await;
        self.gate.point().await;
        answer
    }

    async fn limit(&self, call: &TaskCall) -> Duration {
        self.tasks.limit(call).await
    }
}
