//! Names that are used again after the retention, by many clients at once over several API processes.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use engine::Deployment;
use engine::ports::{Journal, TaskAnswer, TaskCall, Tasks};
use futures_util::future::join_all;
use serde_json::{Value, json};
use service::Call;
use stepwell_tests::cloud::{Cloud, create_machine, start};

const CLIENTS: usize = 6;
const NAMES: usize = 10;
/// A day longer than the retention, and short of the expiry of items.
const AWAY: Duration = Duration::from_secs(91 * 24 * 60 * 60);

struct Uncalled;

#[async_trait::async_trait]
impl Tasks for Uncalled {
    async fn call(&self, call: TaskCall) -> TaskAnswer {
        TaskAnswer::Failed { error: "NotExpected".to_owned(), cause: Some(call.state) }
    }

    async fn limit(&self, _call: &TaskCall) -> Duration {
        Duration::from_secs(1)
    }
}

#[tokio::test(start_paused = true)]
async fn of_six_clients_that_start_an_expired_name_one_begins_it_and_it_runs_once() -> Result<()> {
    let cloud = Cloud::new().await?;
    let mut apis = Vec::new();
    for _ in 0..CLIENTS {
        apis.push(cloud.process(Deployment::ApiOnly, Arc::new(Uncalled)).await?);
    }
    let first = &apis.first().context("no process")?.service;
    let definition = json!({ "StartAt": "Done", "States": { "Done": { "Type": "Succeed" } } });
    let machine = create_machine(first, "orders", "STANDARD", &definition).await?;
    for name in 0..NAMES {
        start(first, &machine, &name.to_string(), &json!({ "before": true })).await?;
    }
    tokio::time::sleep(AWAY).await;
    for name in 0..NAMES {
        let starts = apis.iter().enumerate().map(|(client, api)| {
            // Different delays of their requests: a client that is behind forgets what is not there any more.
            let input = json!({ "client": client }).to_string();
            let body = json!({ "stateMachineArn": machine, "name": name.to_string(), "input": input }).to_string();
            let call = Call { action: "StartExecution".to_owned(), body: body.into_bytes(), invocation: None };
            async move {
                tokio::time::sleep(Duration::from_millis(client as u64 / 2)).await;
                api.service.answer(call).await
            }
        });
        cloud.dynamo.takes(Duration::from_millis(1 + name as u64 % 3));
        let answers = join_all(starts).await;
        let begun: Vec<usize> =
            answers.iter().enumerate().filter(|(_, answer)| answer.status == 200).map(|(client, _)| client).collect();
        assert_eq!(begun.len(), 1, "name {name}: {answers:?}");
        let others = answers.iter().filter(|answer| answer.status != 200);
        assert!(others.into_iter().all(|answer| answer.body.contains("ExecutionAlreadyExists")), "{answers:?}");
        let arn = format!("{}:{name}", machine.replace(":stateMachine:", ":execution:"));
        let records = apis.first().context("no process")?.table.tail(&arn).await?;
        let head = records.first().context("it is gone")?;
        let inputs: Value = serde_json::from_slice(&head.body).context("an entry")?;
        let winner = json!({ "client": begun.first() });
        assert!(inputs["payloads"].as_array().is_some_and(|all| all.contains(&winner)), "{inputs}");
        assert!(records.last().is_some_and(|last| !last.open), "it has ended");
    }
    Ok(())
}
