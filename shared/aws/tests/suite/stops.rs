//! StopExecution of an execution whose worker commits without a pause.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use engine::Deployment;
use engine::ports::{Journal, TaskAnswer, TaskCall, Tasks};
use engine::worker::Worker;
use serde_json::json;
use stepwell_tests::cloud::{Cloud, call, create_machine, start};
use tokio::time::Instant;

/// A function that returns at once.
struct Quick;

#[async_trait::async_trait]
impl Tasks for Quick {
    async fn call(&self, _call: TaskCall) -> TaskAnswer {
        TaskAnswer::Succeeded { output: "{}".to_owned() }
    }

    async fn limit(&self, _call: &TaskCall) -> Duration {
        Duration::from_secs(1)
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_gets_through_to_a_worker_that_wins_every_race() -> Result<()> {
    let cloud = Cloud::new().await?;
    let api = cloud.process(Deployment::ApiOnly, Arc::new(Quick)).await?;
    let worker = Worker::new(cloud.process(Deployment::SharedWorker, Arc::new(Quick)).await?.engine.clone());
    let work = json!({ "Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f",
        "ResultPath": null, "Next": "Again" });
    let ends = json!({ "Variable": "$.enough", "IsPresent": true, "Next": "End" });
    let again = json!({ "Type": "Choice", "Choices": [ends], "Default": "Work" });
    let states = json!({ "Work": work, "Again": again, "End": { "Type": "Succeed" } });
    let definition = json!({ "StartAt": "Work", "States": states });
    let machine = create_machine(&api.service, "busy", "STANDARD", &definition).await?;
    let execution = start(&api.service, &machine, "one", &json!({})).await?;
    cloud.dynamo.takes(Duration::from_millis(5));
    let driven = async { cloud.deliver_all(&worker, 1).await };
    let stopped = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        cloud.dynamo.requests();
        let begun = Instant::now();
        let stop = json!({ "executionArn": execution, "error": "Enough", "cause": "an operator" });
        let stopped = call(&api.service, "StopExecution", stop).await;
        anyhow::Ok((stopped, begun.elapsed()))
    };
    let (driven, stopped) = tokio::join!(driven, stopped);
    driven?;
    let (stopped, took) = stopped?;
    let told = call(&api.service, "DescribeExecution", json!({ "executionArn": execution })).await?;
    assert_eq!((told["status"].as_str(), told["error"].as_str()), (Some("ABORTED"), Some("Enough")), "{stopped:?}");
    assert_eq!(stopped?["stopDate"], told["stopDate"]);
    assert!(took < Duration::from_secs(4), "{took:?}");
    let (_, cells) = api.table.load(&execution).await?;
    assert_eq!(cells, [], "the wish is gone with its end");
    Ok(())
}
