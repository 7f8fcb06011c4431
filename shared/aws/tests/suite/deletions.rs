//! Machines in deletion: what a call on one costs while many of its executions are kept.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use engine::Deployment;
use engine::ports::{Clock, Documents, Listing, Record, TaskAnswer, TaskCall, Tasks};
use futures_util::future::try_join_all;
use serde_json::json;
use stepwell_tests::cloud::{Cloud, Process, call, create_machine, start};
use stepwell_tests::contracts::{close, write};

/// More rows of a list than one step of the search reads.
const KEPT: usize = 12_000;

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

/// Executions of a machine that ended, as if they had begun a day ago.
async fn ended(api: &Process, machine: &str, now: i64) -> Result<()> {
    let of = |record: Record| {
        let listing = record.listing.clone().map(|listing| Listing { machine: machine.to_owned(), ..listing });
        Record { listing, ..record }
    };
    for batch in (0..KEPT).collect::<Vec<_>>().chunks(200) {
        // Only the rows of their ends count for the search.
        let written = batch.iter().map(|number| {
            let name = number.to_string();
            let began = now + i64::try_from(*number).unwrap_or_default();
            let only = Record { sequence: 0, ..close(&name, 0, began, began) };
            write(&api.table, of(only))
        });
        try_join_all(written).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_call_on_a_machine_in_deletion_does_not_go_through_all_its_executions() -> Result<()> {
    let cloud = Cloud::new().await?;
    let api = cloud.process(Deployment::ApiOnly, Arc::new(Uncalled)).await?;
    let definition = json!({ "StartAt": "Rest", "States": { "Rest": { "Type": "Wait", "Seconds": 60, "End": true } } });
    let machine = create_machine(&api.service, "orders", "STANDARD", &definition).await?;
    let running = start(&api.service, &machine, "running", &json!({})).await?;
    ended(&api, &machine, cloud.clock.now().plus_millis(1_000).0).await?;
    let described = json!({ "stateMachineArn": machine });
    cloud.dynamo.requests();
    call(&api.service, "DeleteStateMachine", described.clone()).await?;
    let mut most = cloud.dynamo.requests().len();
    let mut calls = 0;
    while calls < 20 {
        let told = call(&api.service, "DescribeStateMachine", described.clone()).await?;
        assert_eq!(told["status"], "DELETING");
        most = most.max(cloud.dynamo.requests().len());
        calls += 1;
    }
    assert!(most <= 70, "{most} requests for one call");
    let told = call(&api.service, "DescribeStateMachine", described.clone()).await?;
    assert_eq!(told["status"], "DELETING", "one runs");
    let known = cloud.dynamo.requests().len();
    assert!(known <= 4, "{known} requests while it is known which one runs");
    call(&api.service, "StopExecution", json!({ "executionArn": running })).await?;
    let mut left = 0;
    while call(&api.service, "DescribeStateMachine", described.clone()).await.is_ok() {
        left += 1;
        assert!(left < 10, "it is never gone");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_scheduler_removes_a_machine_whose_last_execution_has_ended() -> Result<()> {
    let cloud = Cloud::new().await?;
    let api = cloud.process(Deployment::ApiOnly, Arc::new(Uncalled)).await?;
    let scheduler = cloud.process(Deployment::SharedWorker, Arc::new(Uncalled)).await?;
    let definition = json!({ "StartAt": "Rest", "States": { "Rest": { "Type": "Wait", "Seconds": 60, "End": true } } });
    let machine = create_machine(&api.service, "orders", "STANDARD", &definition).await?;
    let running = start(&api.service, &machine, "running", &json!({})).await?;
    call(&api.service, "DeleteStateMachine", json!({ "stateMachineArn": machine })).await?;
    let sweep = || async { scheduler.service.sweep_deleting().await.map_err(|error| anyhow::anyhow!("{error:?}")) };
    sweep().await?;
    assert!(api.table.get(&machine).await?.is_some(), "one runs");
    call(&api.service, "StopExecution", json!({ "executionArn": running })).await?;
    sweep().await?;
    assert!(api.table.get(&machine).await?.is_some(), "an hour is not over");
    tokio::time::sleep(Duration::from_secs(60 * 60)).await;
    sweep().await?;
    assert_eq!(api.table.get(&machine).await?, None);
    Ok(())
}
