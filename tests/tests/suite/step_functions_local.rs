//! What `stepwell serve` has of Step Functions Local: mocked service integrations and the scale of waits, over the wire.
//!
//! A case of mocks is a file of `mocks/`: a workflow, a test case that mocks some of its states, and what comes out of
//! it. All run on one server, whose configuration has every file's test case under the machine of the file's name.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};
use stepwell_tests::client::{CallError, Client, parsed, text, types};
use stepwell_tests::lambda_server::{Answer, Dialect, LambdaServer};
use stepwell_tests::server::Server;
use tempfile::TempDir;

const MOCKS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/mocks");
const PATIENCE: Duration = Duration::from_secs(30);
/// A workflow that a mock answers twice, with time to crash in between.
const TWICE: &str = r#"{ "StartAt": "Call", "States": {
    "Call": { "Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:Never", "Next": "Rest" },
    "Rest": { "Type": "Wait", "Seconds": 2, "Next": "Again" },
    "Again": { "Type": "Choice", "Default": "Call",
        "Choices": [{ "Variable": "$", "StringEquals": "second", "Next": "End" }] },
    "End": { "Type": "Succeed" } } }"#;

/// A server with a configuration of mocks, and functions that should stay alone.
struct World {
    directory: TempDir,
    functions: LambdaServer,
    server: Server,
}

impl World {
    async fn open(mocks: &Value) -> Result<World> {
        let (directory, functions) = (TempDir::new()?, LambdaServer::start(Dialect::Aws).await?);
        fs::write(directory.path().join("MockConfigFile.json"), mocks.to_string())?;
        functions.register("Real", |_, _| Answer::Returns(json!({ "real": true })));
        let server = serve(&directory, &functions, &[]).await?;
        Ok(World { directory, functions, server })
    }

    fn client(&self) -> &Client {
        self.server.client()
    }

    /// The same data after a crash, with another configuration or the same.
    async fn reopen(self, mocks: &Value) -> Result<World> {
        let World { directory, functions, server } = self;
        server.kill()?;
        fs::write(directory.path().join("MockConfigFile.json"), mocks.to_string())?;
        let server = serve(&directory, &functions, &[]).await?;
        Ok(World { directory, functions, server })
    }
}

async fn serve(directory: &TempDir, functions: &LambdaServer, more: &[&str]) -> Result<Server> {
    let mocks = directory.path().join("MockConfigFile.json");
    let mocks = mocks.to_str().context("a path that is no text")?;
    let url = functions.url();
    let flags = [&["--lambda-endpoint", &url, "--mock-config", mocks], more].concat();
    Server::start(&directory.path().join("data"), &flags).await
}

/// A configuration with one machine, `one`, whose test cases all mock the state `Call`.
fn configuration(cases: &[(&str, Value)]) -> Value {
    let tests = |(case, _): &(&str, Value)| ((*case).to_owned(), json!({ "Call": case }));
    let responses = |(case, response): &(&str, Value)| ((*case).to_owned(), response.clone());
    json!({
        "StateMachines": { "one": { "TestCases": cases.iter().map(tests).collect::<Map<_, _>>() } },
        "MockedResponses": cases.iter().map(responses).collect::<Map<_, _>>(),
    })
}

fn twice() -> Value {
    configuration(&[("Twice", json!({ "0": { "Return": "first" }, "1": { "Return": "second" } }))])
}

struct Case {
    name: String,
    content: Value,
}

fn cases() -> Result<Vec<Case>> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(MOCKS)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    paths.sort();
    ensure!(!paths.is_empty(), "no cases");
    paths.iter().map(|path| read_case(path).with_context(|| path.display().to_string())).collect()
}

fn read_case(path: &Path) -> Result<Case> {
    let name = path.file_stem().context("no name")?.to_string_lossy().into_owned();
    Ok(Case { name, content: serde_json::from_str(&fs::read_to_string(path)?)? })
}

/// One configuration for all cases; responses are named after their case, since files do not know each other.
fn configuration_of(cases: &[Case]) -> Value {
    let (mut machines, mut responses) = (Map::new(), Map::new());
    for Case { name, content } in cases {
        let short = machine_name(name);
        let named = |response: &Value| Value::from(format!("{short}/{}", response.as_str().unwrap_or_default()));
        let states = content["states"].as_object().into_iter().flatten();
        let states: Map<String, Value> = states.map(|(state, response)| (state.clone(), named(response))).collect();
        machines.insert(short.to_owned(), json!({ "TestCases": { "Mocked": states } }));
        for (response, answers) in content["responses"].as_object().into_iter().flatten() {
            responses.insert(format!("{short}/{response}"), answers.clone());
        }
    }
    json!({ "StateMachines": machines, "MockedResponses": responses })
}

/// Names of machines have 80 characters at most.
fn machine_name(case: &str) -> &str {
    case.get(..80).unwrap_or(case)
}

/// Runs a case: its description, and its history where there is one.
async fn run(client: &Client, Case { name, content }: &Case) -> Result<(Value, Option<Vec<Value>>)> {
    let kind = text(content, "type")?;
    let machine = client.create_as(machine_name(name), &kind, &content["definition"]).await?;
    let machine = format!("{machine}#Mocked");
    if kind == "EXPRESS" {
        let call = json!({ "stateMachineArn": machine, "input": content["input"].to_string() });
        return Ok((client.call("StartSyncExecution", &call).await?, None));
    }
    let execution = client.start(&machine, "run", &content["input"]).await?;
    let description = client.finished(&execution, PATIENCE).await?;
    Ok((description, Some(client.history(&execution).await?)))
}

fn compare(case: &Case, description: &Value, history: Option<&[Value]>) -> Result<()> {
    let expected = &case.content["expected"];
    ensure!(description["status"] == expected["status"], "{description:#}");
    if expected["status"] == "SUCCEEDED" {
        ensure!(parsed(&description["output"])? == expected["output"], "{description:#}");
    } else {
        // Names of responses carry the name of the case.
        let own = format!("{}/", machine_name(&case.name));
        let cause = description["cause"].as_str().map(|cause| Value::from(cause.replace(&own, "")));
        ensure!(description["error"] == expected["error"], "{description:#}");
        ensure!(cause.unwrap_or_default() == expected["cause"], "{description:#}");
    }
    if let (Some(expected), Some(history)) = (expected["types"].as_array(), history) {
        ensure!(types(history) == *expected, "{:#?}", types(history));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_case_of_mocks_comes_out_as_its_file_says() -> Result<()> {
    let cases = cases()?;
    let world = World::open(&configuration_of(&cases)).await?;
    for case in &cases {
        let (description, history) = run(world.client(), case).await.with_context(|| case.name.clone())?;
        compare(case, &description, history.as_deref()).with_context(|| case.name.clone())?;
    }
    let called: Vec<String> = world.functions.calls().into_iter().map(|call| call.function).collect();
    assert_eq!(called, ["Real"], "nothing that is mocked is called");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_case_goes_on_counting_after_a_crash() -> Result<()> {
    let world = World::open(&twice()).await?;
    let machine = world.client().create("one", &serde_json::from_str(TWICE)?).await?;
    let execution = world.client().start(&format!("{machine}#Twice"), "run", &json!({})).await?;
    until_it_rests(world.client(), &execution).await?;
    let world = world.reopen(&twice()).await?;
    let description = world.client().finished(&execution, PATIENCE).await?;
    assert_eq!(description["output"], r#""second""#, "{description:#}");
    assert_eq!(description["stateMachineArn"], machine);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_case_that_is_gone_after_a_restart_calls_nothing() -> Result<()> {
    let world = World::open(&twice()).await?;
    let machine = world.client().create("one", &serde_json::from_str(TWICE)?).await?;
    let execution = world.client().start(&format!("{machine}#Twice"), "run", &json!({})).await?;
    until_it_rests(world.client(), &execution).await?;
    let world = world.reopen(&configuration(&[])).await?;
    let description = world.client().finished(&execution, PATIENCE).await?;
    assert_eq!(description["error"], "States.Runtime", "{description:#}");
    let cause = "The mock configuration has no test case 'Twice' for the state machine 'one'.";
    assert_eq!(description["cause"], cause);
    assert!(world.functions.calls().is_empty());
    Ok(())
}

async fn until_it_rests(client: &Client, execution: &str) -> Result<()> {
    let limit = Instant::now() + PATIENCE;
    while types(&client.history(execution).await?).last() != Some(&"WaitStateEntered") {
        ensure!(Instant::now() < limit, "it does not get to its rest");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn starts_say_which_test_case_they_mean() -> Result<()> {
    let mocks = configuration(&[("A", json!({ "0": { "Return": 1 } })), ("B", json!({ "0": { "Return": 2 } }))]);
    let world = World::open(&mocks).await?;
    let client = world.client();
    let real = "arn:aws:lambda:us-east-1:123456789012:function:Real";
    let definition = json!({ "StartAt": "Call", "States": {
        "Call": { "Type": "Task", "Resource": real, "Next": "Rest" },
        "Rest": { "Type": "Wait", "Seconds": 3600, "End": true } } });
    let machine = client.create("one", &definition).await?;
    let other = client.create("other", &definition).await?;
    let first = client.start(&format!("{machine}#A"), "a", &json!({})).await?;
    assert_eq!(client.start(&format!("{machine}#A"), "a", &json!({})).await?, first, "the same start again");
    let refused = [
        (format!("{machine}#C"), "ValidationException", "no test case 'C' for the state machine 'one'"),
        (format!("{machine}#a"), "ValidationException", "no test case 'a' for the state machine 'one'"),
        (format!("{other}#A"), "ValidationException", "no test case 'A' for the state machine 'other'"),
        (format!("{machine}#B"), "ExecutionAlreadyExists", &*first),
        (machine.clone(), "ExecutionAlreadyExists", &*first),
    ];
    for (machine, kind, words) in refused {
        let call = json!({ "stateMachineArn": machine, "name": "a", "input": "{}" });
        let error = client.call("StartExecution", &call).await.err().with_context(|| machine.clone())?;
        assert_eq!(error.kind(), kind, "{machine}: {error}");
        assert!(error.to_string().contains(words), "{machine}: {error}");
    }
    assert!(world.functions.calls().is_empty());
    let unmocked = client.start(&format!("{machine}#"), "unmocked", &json!({})).await?;
    until_it_rests(client, &unmocked).await?;
    assert_eq!(world.functions.calls().len(), 1, "a bare # asks for no test case");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_mocks_a_test_case_is_a_machine_that_is_not_there() -> Result<()> {
    let directory = TempDir::new()?;
    let server = Server::start(&directory.path().join("data"), &[]).await?;
    let pass = json!({ "StartAt": "P", "States": { "P": { "Type": "Pass", "End": true } } });
    let machine = server.client().create("one", &pass).await?;
    let refused = server.client().call("StartExecution", &json!({ "stateMachineArn": format!("{machine}#A") })).await;
    assert_eq!(refused.as_ref().err().map(CallError::kind), Some("StateMachineDoesNotExist"), "{refused:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn scaled_waits_take_their_share_of_the_time() -> Result<()> {
    let directory = TempDir::new()?;
    let data = directory.path().join("data");
    let workflow = |wait: Value| {
        let mut wait = wait;
        wait["Type"] = json!("Wait");
        wait["End"] = json!(true);
        json!({ "StartAt": "W", "States": { "W": wait } })
    };
    let waits =
        [json!({ "Seconds": 3600 }), json!({ "SecondsPath": "$.s" }), json!({ "Timestamp": "2199-01-01T00:00:00Z" })];
    let server = Server::start(&data, &["--wait-time-scale", "0"]).await?;
    for (number, wait) in waits.into_iter().enumerate() {
        let machine = server.client().create(&format!("none-{number}"), &workflow(wait)).await?;
        let execution = server.client().start(&machine, "run", &json!({ "s": 86_400 })).await?;
        let history = finished_history(server.client(), &execution).await?;
        assert!(took(&history)? < 1.0, "{history:#?}");
    }
    server.stop().await?;

    let server = Server::start(&data, &["--wait-time-scale", "0.001"]).await?;
    let machine = server.client().create("thousandth", &workflow(json!({ "Seconds": 2000 }))).await?;
    let execution = server.client().start(&machine, "run", &json!({})).await?;
    server.stop().await?;
    // A running wait keeps its scale, whatever the flags of the next process.
    let server = Server::start(&data, &[]).await?;
    let history = finished_history(server.client(), &execution).await?;
    assert!((2.0..10.0).contains(&took(&history)?), "{history:#?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn scaled_retries_take_their_share_of_the_time() -> Result<()> {
    let directory = TempDir::new()?;
    let data = directory.path().join("data");
    let workflow = json!({ "StartAt": "P", "States": { "P": { "Type": "Parallel", "End": true,
        "Branches": [{ "StartAt": "F", "States": { "F": { "Type": "Fail", "Error": "Own" } } }],
        "Retry": [{ "ErrorEquals": ["Own"], "IntervalSeconds": 3000, "BackoffRate": 1, "MaxAttempts": 2 }] } } });
    let server = Server::start(&data, &["--retry-time-scale", "0.0001"]).await?;
    let machine = server.client().create("scaled", &workflow).await?;
    let execution = server.client().start(&machine, "run", &json!({})).await?;
    let history = finished_history(server.client(), &execution).await?;
    assert!((0.6..10.0).contains(&took(&history)?), "{history:#?}");
    let log = server.log_text();
    assert!(log.contains("--retry-time-scale 0.0001: Retriers wait"), "{log}");
    assert!(!log.contains("--wait-time-scale"), "{log}");
    Ok(())
}

async fn finished_history(client: &Client, execution: &str) -> Result<Vec<Value>> {
    client.finished(execution, PATIENCE).await?;
    client.history(execution).await
}

/// Seconds between the first and the last event.
fn took(history: &[Value]) -> Result<f64> {
    let at = |event: Option<&Value>| event.and_then(|event| event["timestamp"].as_f64()).context("no timestamp");
    Ok(at(history.last())? - at(history.first())?)
}
