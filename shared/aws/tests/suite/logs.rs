//! What functions log: as JSON, with the execution, the state and the request, and without payloads.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use async_trait::async_trait;
use engine::Deployment;
use engine::ports::{TaskAnswer, TaskCall, Tasks};
use engine::worker::Worker;
use serde_json::{Value, json};
use stepwell_tests::cloud::{Cloud, Lines, create_machine, start};
use tracing::Instrument;

const SECRET: &str = "what is in payloads";

/// A target whose caller has something to log.
struct Talkative;

#[async_trait]
impl Tasks for Talkative {
    async fn call(&self, call: TaskCall) -> TaskAnswer {
        tracing::warn!("said by who calls");
        TaskAnswer::Failed { error: "Refused".to_owned(), cause: Some(call.arguments) }
    }

    async fn limit(&self, _call: &TaskCall) -> Duration {
        Duration::from_secs(60)
    }
}

#[tokio::test(start_paused = true)]
async fn a_line_says_which_execution_state_and_request_it_is_about_and_nothing_of_payloads() -> Result<()> {
    let lines = Lines::default();
    let to = lines.clone();
    let subscriber = tracing_subscriber::fmt().json().with_max_level(tracing::Level::DEBUG);
    let subscriber = subscriber.with_writer(move || to.clone()).finish();
    let _logged = tracing::subscriber::set_default(subscriber);
    let cloud = Cloud::new().await?;
    let api = cloud.process(Deployment::ApiOnly, Arc::new(Talkative)).await?;
    let worker = cloud.process(Deployment::SharedWorker, Arc::new(Talkative)).await?;
    let work = json!({ "Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f", "End": true });
    let definition = json!({ "StartAt": "Work", "States": { "Work": work } });
    let machine = create_machine(&api.service, "logged", "STANDARD", &definition).await?;
    let execution = start(&api.service, &machine, "one", &json!(SECRET)).await?;
    // As the runtime of functions has it.
    let request = tracing::info_span!("Lambda runtime invoke", requestId = "request-1");
    cloud.deliver_all(&Worker::new(worker.engine.clone()), 1).instrument(request).await?;
    let lines: Vec<Value> = lines.take()?;
    let ours =
        |text: &str| lines.iter().find(|line| line["fields"]["message"] == text).cloned().context(text.to_owned());
    for text in ["said by who calls", "task call returned"] {
        let line = ours(text)?;
        let spans = line["spans"].as_array().cloned().unwrap_or_default();
        let said = |name: &str| spans.iter().rev().find_map(|span| span[name].as_str().map(str::to_owned));
        assert_eq!(said("execution"), Some(execution.clone()), "{line}");
        assert_eq!(said("state").as_deref(), Some("Work"), "{line}");
        assert_eq!(said("requestId").as_deref(), Some("request-1"), "{line}");
    }
    assert_eq!(ours("task call returned")?["fields"]["outcome"], "Refused");
    for line in lines.iter().filter(|line| line["target"].as_str().is_some_and(|target| !target.starts_with("aws_"))) {
        assert!(!line.to_string().contains(SECRET), "{line}");
    }
    Ok(())
}
