//! The installation's keys: made once, and replaced while somebody waits for an answer.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use engine::Deployment;
use engine::ports::{TaskAnswer, TaskCall, Tasks};
use engine::tokens::Keys;
use engine::worker::Worker;
use serde_json::{Value, json};
use stepwell_tests::cloud::Process;
use stepwell_tests::cloud::{Cloud, call, create_machine, start};

/// A function that keeps the tokens it is given.
#[derive(Default)]
struct Tokens(Mutex<Vec<String>>);

#[async_trait]
impl Tasks for Tokens {
    async fn call(&self, call: TaskCall) -> TaskAnswer {
        let arguments: Value = serde_json::from_str(&call.arguments).unwrap_or_default();
        let token = arguments["Payload"].as_str().unwrap_or_default().to_owned();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(token);
        TaskAnswer::Succeeded { output: "{}".to_owned() }
    }

    async fn limit(&self, _call: &TaskCall) -> Duration {
        Duration::from_secs(1)
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_key_is_made_once() -> Result<()> {
    let cloud = Cloud::new().await?;
    let table = cloud.process(Deployment::ApiOnly, Arc::new(Tokens::default())).await?.table.clone();
    let first = table.keys([1; 32]).await?;
    ensure!(table.keys([2; 32]).await? == first && first != Keys::one([1; 32]), "a process made one before");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_key_is_replaced_while_callbacks_are_open() -> Result<()> {
    let world = World::new().await?;
    let before = world.process(Deployment::ApiOnly).await?;
    let old = world.token("old").await?;
    let first = world.asks(json!({ "command": "keys" })).await?;
    // First everybody learns the new one, …
    let both = world.asks(json!({ "command": "add-key" })).await?;
    ensure!(first.len() == 1 && both.len() == 2 && both[0] == first[0], "{first:?} {both:?}");
    let learnt = world.process(Deployment::ApiOnly).await?;
    // … then everybody seals with it, …
    let led = world.asks(json!({ "command": { "use-key": both[1] } })).await?;
    ensure!(led == [both[1].clone(), both[0].clone()], "{led:?}");
    let new = world.token("new").await?;
    let leading = world.process(Deployment::ApiOnly).await?;
    // … and then nobody knows the old one.
    let last = world.asks(json!({ "command": { "drop-key": both[0] } })).await?;
    ensure!(last == [both[1].clone()], "{last:?}");
    let after = world.process(Deployment::ApiOnly).await?;
    for (who, api, opens) in [
        ("before", before, [true, false]),
        ("learnt", learnt, [true, true]),
        ("leading", leading, [true, true]),
        ("after", after, [false, true]),
    ] {
        let opened = [opens_with(&api, &old).await?, opens_with(&api, &new).await?];
        ensure!(opened == opens, "{who}: {opened:?}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_order_that_makes_no_sense_changes_nothing() -> Result<()> {
    let world = World::new().await?;
    let first = world.asks(json!({ "command": "keys" })).await?;
    for order in [json!("make coffee"), json!({ "use-key": "00000000" }), json!({ "drop-key": first[0] }), json!(null)]
    {
        let answer = world.answer(json!({ "command": order })).await?;
        ensure!(answer["refused"].is_string(), "{order}: {answer}");
    }
    ensure!(world.asks(json!({ "command": "keys" })).await? == first);
    Ok(())
}

struct World {
    cloud: Cloud,
    tokens: Arc<Tokens>,
    machine: String,
}

impl World {
    async fn new() -> Result<World> {
        let (cloud, tokens) = (Cloud::new().await?, Arc::new(Tokens::default()));
        let waits = json!({
            "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", "End": true,
            "Parameters": { "FunctionName": "work", "Payload.$": "$$.Task.Token" },
        });
        let definition = json!({ "StartAt": "Waits", "States": { "Waits": waits } });
        let api = cloud.process(Deployment::ApiOnly, tokens.clone()).await?;
        let machine = create_machine(&api.service, "rotated", "STANDARD", &definition).await?;
        Ok(World { cloud, tokens, machine })
    }

    /// A process that begins now.
    async fn process(&self, deployment: Deployment) -> Result<Process> {
        self.cloud.process(deployment, self.tokens.clone()).await
    }

    async fn answer(&self, event: Value) -> Result<Value> {
        Ok(self.process(Deployment::SharedWorker).await?.handle_event(&event, None, self.cloud.until()).await?)
    }

    /// The names of the keys after an operator's order.
    async fn asks(&self, event: Value) -> Result<Vec<String>> {
        let answer = self.answer(event).await?;
        let names = answer["keys"].as_array().into_iter().flatten();
        Ok(names.filter_map(|name| name.as_str().map(str::to_owned)).collect())
    }

    /// The token that a function gets from processes that begin now.
    async fn token(&self, execution: &str) -> Result<String> {
        start(&self.process(Deployment::ApiOnly).await?.service, &self.machine, execution, &json!({})).await?;
        self.cloud.deliver_all(&Worker::new(self.process(Deployment::SharedWorker).await?.engine.clone()), 1).await?;
        self.tokens.0.lock().unwrap_or_else(PoisonError::into_inner).pop().context("no token")
    }
}

/// Whether an API takes a token.
async fn opens_with(api: &Process, token: &str) -> Result<bool> {
    match call(&api.service, "SendTaskHeartbeat", json!({ "taskToken": token })).await {
        Ok(_) => Ok(true),
        Err(refused) if refused.to_string().contains("InvalidToken") => Ok(false),
        Err(error) => Err(error),
    }
}
