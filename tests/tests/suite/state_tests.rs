//! TestState: requests and AWS's answers, one a line of `tests/state_tests.json`, against the real server.
//!
//! Members that are JSON within JSON on the wire (`definition`, `input`, `output`, …) stand there as JSON.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use stepwell_tests::client::CallError;
use stepwell_tests::lambda_server::{Answer, Dialect, LambdaServer};
use stepwell_tests::server::Server;
use tempfile::TempDir;

const CASES: &str = include_str!("../../state_tests.json");
const ROLE: &str = "arn:aws:iam::123456789012:role/any";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    request: Map<String, Value>,
    answer: Option<Value>,
    /// The name of the error and its message.
    error: Option<(String, String)>,
}

/// The request as clients send it.
fn on_the_wire(request: &Map<String, Value>) -> Value {
    let text = |value: &Value| Value::from(value.to_string());
    let mut sent = request.clone();
    for (name, value) in &mut sent {
        match name.as_str() {
            "definition" | "input" | "variables" | "context" => *value = text(value),
            "mock" => {
                if let Some(result) = value.get_mut("result") {
                    *result = text(result);
                }
            }
            _ => {}
        }
    }
    Value::Object(sent)
}

/// The answer with the texts of JSON read; the lists of a Map's items that are no JSON stay texts.
fn read(answer: Value) -> Value {
    let member = |(name, value): (String, Value)| {
        let is_json = !matches!(name.as_str(), "error" | "cause" | "status" | "nextState");
        let value = match (&name[..], value) {
            ("inspectionData", data) => read(data),
            (_, Value::String(text)) if is_json => serde_json::from_str(&text).unwrap_or(Value::String(text)),
            (_, other) => other,
        };
        (name, value)
    };
    match answer {
        Value::Object(members) => Value::Object(members.into_iter().map(member).collect()),
        other => other,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn states_are_tested_as_aws_tests_them() -> Result<()> {
    stepwell_tests::watchdog::watch();
    let directory = TempDir::new()?;
    let server = Server::start(&directory.path().join("data"), &[]).await?;
    let cases: Vec<Case> = serde_json::from_str(CASES)?;
    let mut wrong = BTreeMap::new();
    for Case { name, request, answer, error } in cases {
        let found = server.client().call("TestState", &on_the_wire(&request)).await;
        let (found, wanted) = match (found, answer, error) {
            (Ok(found), Some(answer), None) => (read(found), read(answer)),
            (Err(CallError::Refused { kind, message, .. }), None, Some((wanted, text))) => {
                let kind = kind.rsplit('#').next().unwrap_or_default().to_owned();
                (json!([kind, message]), json!([wanted, text]))
            }
            (found, answer, error) => (json!(format!("{found:?}")), json!([answer, error.map(|error| error.1)])),
        };
        if found != wanted {
            wrong.insert(name, format!("\n  found  {found}\n  wanted {wanted}\n"));
        }
    }
    ensure!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_without_a_mock_is_called_once_and_its_failure_is_not_retried() -> Result<()> {
    stepwell_tests::watchdog::watch();
    let functions = LambdaServer::start(Dialect::Aws).await?;
    functions.register("Double", |event, _| Answer::Returns(json!(event["n"].as_i64().map(|n| n * 2))));
    let directory = TempDir::new()?;
    let server = Server::start(&directory.path().join("data"), &["--lambda-endpoint", &functions.url()]).await?;
    let task = |function: &str| {
        let resource = format!("arn:aws:lambda:us-east-1:123456789012:function:{function}");
        let retry = json!([{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 3}]);
        json!({"Type": "Task", "Resource": resource, "Retry": retry, "End": true}).to_string()
    };
    let test = |function: &str| json!({"definition": task(function), "roleArn": ROLE, "input": "{\"n\":21}", "inspectionLevel": "DEBUG"});
    let doubled = read(server.client().call("TestState", &test("Double")).await?);
    let data = json!({"input": {"n": 21}, "afterInputPath": {"n": 21}, "afterParameters": {"n": 21}, "result": 42,
        "afterResultSelector": 42, "afterResultPath": 42});
    assert_eq!(doubled, json!({"output": 42, "inspectionData": data, "status": "SUCCEEDED"}));
    let missing = server.client().call("TestState", &test("None")).await?;
    assert_eq!((&missing["status"], missing.get("output")), (&json!("RETRIABLE"), None), "{missing}");
    let details = missing["inspectionData"].get("errorDetails").context("no details")?;
    assert_eq!(*details, json!({"retryIndex": 0, "retryBackoffIntervalSeconds": 3}));
    assert_eq!(functions.calls().iter().filter(|call| call.function.ends_with("Double")).count(), 1);
    let listed = server.client().call("ListStateMachines", &json!({})).await?;
    assert_eq!(listed["stateMachines"], json!([]), "nothing is stored");
    Ok(())
}
