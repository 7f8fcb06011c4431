//! Workflows as people write them, against the real server, their tasks served over the real Lambda Invoke protocol.
//!
//! The definitions are `workflows/*.json`. The checks are on what a user sees: the end, the data, the calls the
//! functions got, and the history where it carries the point.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use stepwell_tests::client::{Client, parsed, text, types};
use stepwell_tests::lambda_server::{Answer, Call, Dialect, LambdaServer};
use stepwell_tests::server::Server;
use tempfile::TempDir;

const WORKFLOWS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/workflows");
const PATIENCE: Duration = Duration::from_secs(30);

/// A server and the functions it calls.
struct World {
    server: Server,
    functions: LambdaServer,
    runs: AtomicU64,
    _directory: TempDir,
}

impl World {
    async fn open() -> Result<Self> {
        Self::speaking(Dialect::Aws).await
    }

    async fn speaking(dialect: Dialect) -> Result<Self> {
        let functions = LambdaServer::start(dialect).await?;
        let directory = TempDir::new()?;
        let flags = ["--lambda-endpoint", &functions.url()];
        let server = Server::start(&directory.path().join("data"), &flags).await?;
        Ok(Self { server, functions, runs: AtomicU64::new(0), _directory: directory })
    }

    fn client(&self) -> &Client {
        self.server.client()
    }

    /// Starts a workflow of the folder; its machine is made when it is not there yet.
    async fn start(&self, workflow: &str, input: &Value) -> Result<String> {
        let definition = definition(workflow)?;
        let machine = self.client().create(workflow, &definition).await?;
        let name = format!("run-{}", self.runs.fetch_add(1, Ordering::Relaxed));
        self.client().start(&machine, &name, input).await
    }

    /// Runs a workflow to its end: its description and history.
    async fn run(&self, workflow: &str, input: &Value) -> Result<(Value, Vec<Value>)> {
        let execution = self.start(workflow, input).await?;
        let description = self.client().finished(&execution, PATIENCE).await?;
        Ok((description, self.client().history(&execution).await?))
    }

    fn calls_of(&self, function: &str) -> Vec<Call> {
        self.functions.calls().into_iter().filter(|call| call.function.ends_with(function)).collect()
    }
}

fn definition(workflow: &str) -> Result<Value> {
    let path = Path::new(WORKFLOWS).join(workflow).with_extension("json");
    Ok(serde_json::from_str(&fs::read_to_string(&path).with_context(|| path.display().to_string())?)?)
}

/// The output of an execution that succeeded.
fn output(description: &Value) -> Result<Value> {
    ensure!(description["status"] == "SUCCEEDED", "{description:#}");
    parsed(&description["output"])
}

/// A function that adds a member to the object it gets.
fn adds(member: &'static str, value: Value) -> impl Fn(&Value) -> Answer {
    move |event| {
        let mut event = event.clone();
        event[member] = value.clone();
        Answer::Returns(event)
    }
}

/// A function that answers by the number of the call: the first is 1.
fn counting(answer: impl Fn(u64) -> Answer) -> impl Fn() -> Answer {
    let calls = Arc::new(AtomicU64::new(0));
    move || answer(calls.fetch_add(1, Ordering::SeqCst) + 1)
}

fn throttled() -> Answer {
    Answer::Refuses { status: 429, code: "TooManyRequestsException".to_owned(), message: "Rate Exceeded.".to_owned() }
}

async fn an_order_goes_through(dialect: Dialect) -> Result<()> {
    let world = World::speaking(dialect).await?;
    for (name, member) in [("ValidateOrder", "valid"), ("ProcessPayment", "paid"), ("FulfillOrder", "shipped")] {
        let add = adds(member, json!(true));
        world.functions.register(name, move |event, _| add(event));
    }
    let (description, history) = world.run("order_pipeline", &json!({"order": 7})).await?;
    assert_eq!(output(&description)?, json!({"order": 7, "valid": true, "paid": true, "shipped": true}));
    let task = ["TaskStateEntered", "LambdaFunctionScheduled", "LambdaFunctionStarted", "LambdaFunctionSucceeded"];
    let mut expected = vec!["ExecutionStarted"];
    for _ in 0..3 {
        expected.extend(task);
        expected.push("TaskStateExited");
    }
    expected.push("ExecutionSucceeded");
    assert_eq!(types(&history), expected);
    let order: Vec<_> = world.functions.calls().into_iter().map(|call| call.function).collect();
    assert_eq!(order, ["ValidateOrder", "ProcessPayment", "FulfillOrder"], "the bare names, each once");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_validated_paid_and_fulfilled() -> Result<()> {
    an_order_goes_through(Dialect::Aws).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_order_goes_through_cargo_lambda_watch() -> Result<()> {
    an_order_goes_through(Dialect::CargoLambda).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_function_fails_the_order_and_nothing_after_it_runs() -> Result<()> {
    for dialect in [Dialect::Aws, Dialect::CargoLambda] {
        let world = World::speaking(dialect).await?;
        world.functions.register("ValidateOrder", |event, _| Answer::Returns(event.clone()));
        world.functions.register("ProcessPayment", |_, _| Answer::raises("CardDeclined", "no funds"));
        let (description, history) = world.run("order_pipeline", &json!({})).await?;
        assert_eq!(description["status"], "FAILED", "{dialect:?}");
        assert_eq!(description["error"], "CardDeclined", "{dialect:?}");
        let cause = json!({"errorType": "CardDeclined", "errorMessage": "no funds"});
        assert_eq!(parsed(&description["cause"])?, cause, "{dialect:?}");
        assert_eq!(types(&history).last(), Some(&"ExecutionFailed"));
        assert!(world.calls_of("FulfillOrder").is_empty());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_routed_by_total_then_priority_then_default() -> Result<()> {
    let world = World::open().await?;
    let cases = [
        (json!({"total": 1000.01, "priority": "rush"}), "approve"),
        (json!({"total": 1000, "priority": "rush"}), "expedite"),
        (json!({"total": 5, "priority": "normal"}), "handle"),
    ];
    for (input, expected) in cases {
        let (description, _) = world.run("routing_by_total_and_priority", &input).await?;
        assert_eq!(output(&description)?, expected, "{input}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn three_checks_run_at_once_and_join_in_their_order() -> Result<()> {
    let world = World::open().await?;
    for name in ["CheckStock", "CheckCredit", "CheckAddress"] {
        world.functions.register(name, move |_, _| Answer::Returns(json!(name)));
    }
    let (description, history) = world.run("three_checks_at_once", &json!({"order": 1})).await?;
    assert_eq!(output(&description)?, json!(["CheckStock", "CheckCredit", "CheckAddress"]));
    let types = types(&history);
    let last_scheduled = types.iter().rposition(|kind| *kind == "LambdaFunctionScheduled");
    let first_succeeded = types.iter().position(|kind| *kind == "LambdaFunctionSucceeded");
    assert!(last_scheduled < first_succeeded, "no branch waits for another: {types:?}");
    assert_eq!(types.iter().filter(|kind| **kind == "ParallelStateSucceeded").count(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_item_is_processed_and_the_results_join_the_input() -> Result<()> {
    let world = World::open().await?;
    world.functions.register("ProcessItem", |item, _| Answer::Returns(json!(item.as_i64().map(|number| number * 10))));
    let items: Vec<i64> = (0..25).collect();
    let (description, history) = world.run("every_item_processed", &json!({"items": items, "kept": "yes"})).await?;
    let expected: Vec<i64> = items.iter().map(|number| number * 10).collect();
    assert_eq!(output(&description)?, json!({"items": items, "kept": "yes", "processedItems": expected}));
    let (mut running, mut most) = (0, 0);
    for kind in types(&history) {
        match kind {
            "MapIterationStarted" => running += 1,
            "MapIterationSucceeded" => running -= 1,
            _ => {}
        }
        most = most.max(running);
    }
    assert_eq!((running, most), (0, 10), "MaxConcurrency is used and kept");
    assert_eq!(world.calls_of("ProcessItem").len(), 25);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_in_jsonata_is_priced_and_packed() -> Result<()> {
    let world = World::open().await?;
    world.functions.register("PriceItems", |event, _| {
        let skus = event["skus"].as_array().cloned().unwrap_or_default();
        Answer::Returns(skus.iter().map(|sku| json!(if sku == "book" { 12.5 } else { 40.0 })).collect())
    });
    world.functions.register("Pack", |event, _| Answer::Returns(event["sku"].clone()));
    let items = |count: u32| json!([{"sku": "book", "count": count}, {"sku": "lamp", "count": 1}]);
    let cases =
        [(json!({"order": 7, "items": items(2)}), json!(69.9)), (json!({"order": 8, "items": items(10)}), json!(165))];
    for (input, total) in cases {
        let (description, history) = world.run("an_order_in_jsonata", &input).await?;
        let expected = json!({"order": input["order"], "boxes": ["box-0:book", "box-1:lamp"], "total": total});
        assert_eq!(output(&description)?, expected);
        let exited = history.iter().find(|event| event["type"] == "TaskStateExited").context("no task ended")?;
        let assigned = &exited["stateExitedEventDetails"]["assignedVariables"];
        assert_eq!(*assigned, json!({"prices": "[12.5,40.0]", "order": input["order"].to_string()}), "JSON texts");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_call_is_made_again_after_two_seconds() -> Result<()> {
    let world = World::open().await?;
    let call = counting(|number| if number == 1 { throttled() } else { Answer::Returns(json!("fine")) });
    world.functions.register("CallPartner", move |_, _| call());
    let begin = Instant::now();
    let (description, history) = world.run("a_partner_call_with_retriers_and_catchers", &json!({})).await?;
    assert_eq!(output(&description)?, "fine");
    assert!(begin.elapsed() >= Duration::from_secs(2), "{:?}", begin.elapsed());
    assert_eq!(
        types(&history),
        [
            "ExecutionStarted",
            "TaskStateEntered",
            "LambdaFunctionScheduled",
            "LambdaFunctionStarted",
            "LambdaFunctionFailed",
            "LambdaFunctionScheduled",
            "LambdaFunctionStarted",
            "LambdaFunctionSucceeded",
            "TaskStateExited",
            "SucceedStateEntered",
            "SucceedStateExited",
            "ExecutionSucceeded"
        ]
    );
    assert_eq!(history[4]["lambdaFunctionFailedEventDetails"]["error"], "Lambda.TooManyRequestsException");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn retriers_give_up_after_their_attempts_and_the_last_error_is_caught() -> Result<()> {
    let world = World::open().await?;
    world.functions.register("CallPartner", |_, _| throttled());
    let (description, history) = world.run("the_same_with_short_intervals", &json!({"order": 1})).await?;
    let output = output(&description)?;
    assert_eq!(output["order"], 1, "ResultPath keeps the input");
    assert_eq!(output["error"]["Error"], "Lambda.TooManyRequestsException");
    assert_eq!(world.calls_of("CallPartner").len(), 3, "one call and two retries");
    assert!(history.iter().any(|event| event["stateEnteredEventDetails"]["name"] == "HandleAnything"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_without_answer_times_out_is_retried_and_caught() -> Result<()> {
    let world = World::open().await?;
    world.functions.register("CallPartner", |_, _| Answer::Hangs);
    let (description, history) = world.run("the_same_with_short_intervals", &json!({})).await?;
    assert_eq!(output(&description)?["error"]["Error"], "States.Timeout");
    let timed_out = types(&history).into_iter().filter(|kind| *kind == "LambdaFunctionTimedOut").count();
    assert_eq!(timed_out, 2, "one call and one retry");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_with_its_own_catcher_is_not_retried() -> Result<()> {
    let world = World::open().await?;
    world.functions.register("CallPartner", |_, _| Answer::raises("CustomError", "as agreed"));
    let workflow = "a_partner_call_with_retriers_and_catchers";
    let (description, history) = world.run(workflow, &json!({"order": 1})).await?;
    let output = output(&description)?;
    assert_eq!(output["Error"], "CustomError", "no ResultPath: the error is the whole input");
    assert_eq!(parsed(&output["Cause"])?, json!({"errorType": "CustomError", "errorMessage": "as agreed"}));
    assert!(history.iter().any(|event| event["stateEnteredEventDetails"]["name"] == "HandleCustomError"));
    assert_eq!(world.calls_of("CallPartner").len(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_waits_for_its_token() -> Result<()> {
    let world = World::open().await?;
    world.functions.register("NotifyApprover", |_, _| Answer::Returns(Value::Null));
    let execution = world.start("approval_by_token", &json!({"order": 7})).await?;
    let token = token_given_to(&world, "NotifyApprover").await?;
    let client = world.client();
    client.call("SendTaskHeartbeat", &json!({"taskToken": token})).await?;
    assert_eq!(client.describe(&execution).await?["status"], "RUNNING");
    client.call("SendTaskSuccess", &json!({"taskToken": token, "output": r#"{"by": "Ann"}"#})).await?;
    let description = client.finished(&execution, PATIENCE).await?;
    assert_eq!(output(&description)?, json!({"order": 7, "approval": {"by": "Ann"}}));
    let history = client.history(&execution).await?;
    let scheduled = history.iter().find(|event| event["type"] == "TaskScheduled").context("not scheduled")?;
    assert_eq!(scheduled["taskScheduledEventDetails"]["timeoutInSeconds"], 300);
    assert_eq!(scheduled["taskScheduledEventDetails"]["heartbeatInSeconds"], 60);
    assert!(types(&history).contains(&"TaskSubmitted"));
    Ok(())
}

/// The token in the first call of a function, once there was one.
async fn token_given_to(world: &World, function: &str) -> Result<String> {
    let limit = Instant::now() + PATIENCE;
    loop {
        if let Some(call) = world.calls_of(function).first() {
            return text(&serde_json::from_slice(&call.body)?, "token");
        }
        ensure!(Instant::now() < limit, "{function} is not called");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
