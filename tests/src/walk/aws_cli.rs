//! The unmodified aws CLI: every command README promises, and what a user sees of an error.

#![expect(clippy::indexing_slicing, reason = "an index into JSON does not panic; any other that does fails the test")]

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::Walk;
use crate::client::{parsed, text};

const ROLE: &str = "arn:aws:iam::123456789012:role/any";
const PATIENCE: Duration = Duration::from_secs(20);

impl Walk {
    /// `aws stepfunctions` with these arguments; what it prints, read as JSON.
    fn aws(&self, arguments: &[&str]) -> Result<Value> {
        let output = self.run(arguments)?;
        ensure!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        if output.stdout.trim_ascii().is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&output.stdout).with_context(|| format!("{arguments:?}"))
    }

    /// The CLI's message when the service refuses.
    fn refusal(&self, arguments: &[&str]) -> Result<String> {
        let output = self.run(arguments)?;
        ensure!(!output.status.success(), "{arguments:?} succeeded");
        Ok(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }

    fn run(&self, arguments: &[&str]) -> Result<std::process::Output> {
        let mut command = self.clients.aws(&self.endpoint);
        command.args(["stepfunctions", "--output", "json"]).args(arguments);
        Ok(tokio::task::block_in_place(|| command.output())?)
    }

    fn create(&self, name: &str, definition: &Value) -> Result<String> {
        let definition = definition.to_string();
        let made =
            self.aws(&["create-state-machine", "--name", name, "--role-arn", ROLE, "--definition", &definition])?;
        ensure!(made["creationDate"].is_string() || made["creationDate"].is_number(), "{made}");
        text(&made, "stateMachineArn")
    }

    fn start(&self, machine: &str, name: &str, input: &str) -> Result<String> {
        let started =
            self.aws(&["start-execution", "--state-machine-arn", machine, "--name", name, "--input", input])?;
        text(&started, "executionArn")
    }

    async fn finished(&self, execution: &str) -> Result<()> {
        self.client.finished(execution, PATIENCE).await.map(drop)
    }
}

fn passes() -> Value {
    json!({"StartAt": "Greet", "States": {"Greet": {"Type": "Pass", "Result": {"hello": "world"}, "End": true}}})
}

fn waits() -> Value {
    json!({"StartAt": "Sleep", "States": {"Sleep": {"Type": "Wait", "Seconds": 3600, "End": true}}})
}

fn charges(walk: &Walk) -> Value {
    let function = format!("arn:aws:lambda:us-east-1:{}:function:Charge", walk.account);
    json!({"StartAt": "Pay", "States": {"Pay": {"Type": "Task", "Resource": function, "End": true}}})
}

pub async fn state_machines_are_created_updated_listed_described_and_deleted(terminal: &Walk) -> Result<()> {
    let arn = terminal.create("greeter", &passes())?;
    assert_eq!(arn, format!("arn:aws:states:us-east-1:{}:stateMachine:greeter", terminal.account));

    let described = terminal.aws(&["describe-state-machine", "--state-machine-arn", &arn])?;
    assert_eq!(described["name"], "greeter");
    assert_eq!(described["status"], "ACTIVE");
    assert_eq!(described["type"], "STANDARD");
    assert_eq!(described["roleArn"], ROLE);
    assert_eq!(described["definition"], passes().to_string());

    let new = waits().to_string();
    let updated = terminal.aws(&["update-state-machine", "--state-machine-arn", &arn, "--definition", &new])?;
    assert!(updated["updateDate"].is_string() || updated["updateDate"].is_number(), "{updated}");
    let described = terminal.aws(&["describe-state-machine", "--state-machine-arn", &arn])?;
    assert_eq!(described["definition"], new);

    terminal.create("another", &passes())?;
    let names = terminal.aws(&["list-state-machines", "--query", "stateMachines[].name"])?;
    assert_eq!(names, json!(["another", "greeter"]));
    let first = terminal.aws(&["list-state-machines", "--max-items", "1", "--page-size", "1"])?;
    assert_eq!(first["stateMachines"][0]["name"], "another");
    let token = text(&first, "NextToken")?;
    let second = terminal.aws(&["list-state-machines", "--starting-token", &token])?;
    assert_eq!(second["stateMachines"][0]["name"], "greeter");

    assert_eq!(terminal.aws(&["delete-state-machine", "--state-machine-arn", &arn])?, Value::Null);
    assert_eq!(
        terminal.refusal(&["describe-state-machine", "--state-machine-arn", &arn])?,
        format!(
            "An error occurred (StateMachineDoesNotExist) when calling the DescribeStateMachine operation: \
             State Machine Does Not Exist: '{arn}'"
        )
    );
    Ok(())
}

pub async fn versions_are_published_and_an_alias_routes_to_them(terminal: &Walk) -> Result<()> {
    let arn = terminal.create("released", &passes())?;
    let versions = ["list-state-machine-versions", "--state-machine-arn", &arn];
    assert_eq!(terminal.aws(&versions)?, json!({"stateMachineVersions": []}));
    let publish = ["publish-state-machine-version", "--state-machine-arn", &arn, "--description", "the first"];
    let version = text(&terminal.aws(&publish)?, "stateMachineVersionArn")?;
    assert_eq!(version, format!("{arn}:1"));
    assert_eq!(terminal.aws(&versions)?["stateMachineVersions"][0]["stateMachineVersionArn"], *version);

    let route = format!("stateMachineVersionArn={version},weight=100");
    let create = ["create-state-machine-alias", "--name", "live", "--routing-configuration", &route];
    let alias = text(&terminal.aws(&create)?, "stateMachineAliasArn")?;
    let described = terminal.aws(&["describe-state-machine-alias", "--state-machine-alias-arn", &alias])?;
    assert_eq!(described["routingConfiguration"], json!([{"stateMachineVersionArn": version, "weight": 100}]));
    let updated =
        ["update-state-machine-alias", "--state-machine-alias-arn", &alias, "--description", "what customers see"];
    assert!(!terminal.aws(&updated)?["updateDate"].is_null());

    let execution = terminal.start(&alias, "routed", "{}")?;
    terminal.finished(&execution).await?;
    let described = terminal.aws(&["describe-execution", "--execution-arn", &execution])?;
    assert_eq!(described["stateMachineVersionArn"], *version);
    assert_eq!(described["stateMachineAliasArn"], *alias);
    let query = ["list-executions", "--state-machine-arn", &alias, "--query", "executions[].executionArn"];
    assert_eq!(terminal.aws(&query)?, json!([execution]));

    let delete = ["delete-state-machine-version", "--state-machine-version-arn", &version];
    assert_eq!(
        terminal.refusal(&delete)?,
        "An error occurred (ConflictException) when calling the DeleteStateMachineVersion operation: Version to be deleted \
         must not be referenced by an alias. Current list of aliases referencing this version: [live]"
    );
    terminal.aws(&["delete-state-machine-alias", "--state-machine-alias-arn", &alias])?;
    let aliases = ["list-state-machine-aliases", "--state-machine-arn", &arn];
    assert_eq!(terminal.aws(&aliases)?, json!({"stateMachineAliases": []}));
    assert_eq!(terminal.aws(&delete)?, Value::Null);
    assert_eq!(terminal.aws(&versions)?, json!({"stateMachineVersions": []}));
    Ok(())
}

pub async fn executions_are_started_described_listed_and_stopped(terminal: &Walk) -> Result<()> {
    let greeter = terminal.create("greeter", &passes())?;
    let done = terminal.start(&greeter, "first", r#"{"name": "you"}"#)?;
    assert_eq!(done, format!("arn:aws:states:us-east-1:{}:execution:greeter:first", terminal.account));
    terminal.finished(&done).await?;
    let described = terminal.aws(&["describe-execution", "--execution-arn", &done])?;
    assert_eq!(described["status"], "SUCCEEDED");
    assert_eq!(described["input"], r#"{"name": "you"}"#);
    assert_eq!(parsed(&described["output"])?, json!({"hello": "world"}));

    let unnamed = terminal.aws(&["start-execution", "--state-machine-arn", &greeter])?;
    let name = text(&unnamed, "executionArn")?.rsplit(':').next().map(str::len);
    assert_eq!(name, Some("01234567-89ab-cdef-0123-456789abcdef".len()));

    let sleeper = terminal.create("sleeper", &waits())?;
    let open = terminal.start(&sleeper, "long", "{}")?;
    let list =
        |status: &str| terminal.aws(&["list-executions", "--state-machine-arn", &sleeper, "--status-filter", status]);
    assert_eq!(list("RUNNING")?["executions"][0]["executionArn"], open);
    let stopped =
        terminal.aws(&["stop-execution", "--execution-arn", &open, "--error", "Enough", "--cause", "not needed"])?;
    assert!(stopped["stopDate"].is_string() || stopped["stopDate"].is_number(), "{stopped}");
    assert_eq!(list("RUNNING")?["executions"], json!([]));
    assert_eq!(list("ABORTED")?["executions"][0]["name"], "long");
    let described = terminal.aws(&["describe-execution", "--execution-arn", &open])?;
    assert_eq!([&described["error"], &described["cause"]], ["Enough", "not needed"]);

    let again = ["start-execution", "--state-machine-arn", &greeter, "--name", "first", "--input", "{}"];
    let refusal = terminal.refusal(&again)?;
    assert!(
        refusal.starts_with("An error occurred (ExecutionAlreadyExists) when calling the StartExecution"),
        "{refusal}"
    );
    Ok(())
}

pub async fn a_failed_tasks_events_are_found_by_query(terminal: &Walk) -> Result<()> {
    let machine = terminal.create("charger", &charges(terminal))?;
    let execution = terminal.start(&machine, "declined", "{}")?;
    terminal.finished(&execution).await?;
    let history = ["get-execution-history", "--execution-arn", &execution];

    let query = "events[?type==`LambdaFunctionFailed` || type==`ExecutionFailed`]";
    let failures = terminal.aws(&[&history[..], &["--query", query]].concat())?;
    assert_eq!(failures[0]["lambdaFunctionFailedEventDetails"]["error"], "CardDeclined");
    assert_eq!(failures[1]["executionFailedEventDetails"]["error"], "CardDeclined");
    assert_eq!(
        parsed(&failures[1]["executionFailedEventDetails"]["cause"])?,
        json!({"errorType": "CardDeclined", "errorMessage": "no funds"})
    );

    let query = "events[?type==`TaskFailed` || type==`ExecutionFailed`].type";
    assert_eq!(terminal.aws(&[&history[..], &["--query", query]].concat())?, json!(["ExecutionFailed"]));

    let backwards = terminal.aws(&[&history[..], &["--reverse-order", "--max-items", "1"]].concat())?;
    assert_eq!(backwards["events"][0]["type"], "ExecutionFailed");
    let bare = terminal.aws(&[&history[..], &["--no-include-execution-data"]].concat())?;
    assert_eq!(bare["events"][0]["executionStartedEventDetails"].get("input"), None);
    Ok(())
}

pub async fn task_failed_events_of_an_invoke_are_found_by_query(terminal: &Walk) -> Result<()> {
    let task = json!({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": true,
        "Parameters": {"FunctionName": "Charge", "Payload.$": "$"}});
    let machine = terminal.create("invoker", &json!({"StartAt": "Pay", "States": {"Pay": task}}))?;
    let execution = terminal.start(&machine, "declined", "{}")?;
    terminal.finished(&execution).await?;
    let query = "events[?type==`TaskFailed` || type==`ExecutionFailed`]";
    let failures = terminal.aws(&["get-execution-history", "--execution-arn", &execution, "--query", query])?;
    assert_eq!(failures[0]["type"], "TaskFailed");
    assert_eq!(failures[0]["taskFailedEventDetails"]["resourceType"], "lambda");
    assert_eq!(failures[0]["taskFailedEventDetails"]["error"], "CardDeclined");
    assert_eq!(failures[1]["type"], "ExecutionFailed");
    assert_eq!(failures.as_array().map(Vec::len), Some(2));
    Ok(())
}

pub async fn express_executions_answer_synchronously(terminal: &Walk) -> Result<()> {
    let definition = passes().to_string();
    let arguments = [
        "create-state-machine",
        "--name",
        "quick",
        "--type",
        "EXPRESS",
        "--role-arn",
        ROLE,
        "--definition",
        &definition,
    ];
    let machine = text(&terminal.aws(&arguments)?, "stateMachineArn")?;
    let answer = terminal.aws(&["start-sync-execution", "--state-machine-arn", &machine, "--input", "{\"a\": 1}"])?;
    assert_eq!(answer["status"], "SUCCEEDED");
    assert_eq!(parsed(&answer["output"])?, json!({"hello": "world"}));
    assert!(answer["executionArn"].as_str().is_some_and(|arn| arn.contains(":express:quick:")), "{answer}");
    assert!(answer["billingDetails"]["billedDurationInMilliseconds"].is_u64(), "{answer}");
    Ok(())
}

pub async fn definitions_are_validated(terminal: &Walk) -> Result<()> {
    let validate = |definition: &Value| {
        terminal.aws(&["validate-state-machine-definition", "--definition", &definition.to_string()])
    };
    let good = validate(&passes())?;
    assert_eq!(good["result"], "OK");
    assert_eq!(good["diagnostics"], json!([]));
    let bad = validate(&json!({"StartAt": "Nowhere", "States": {"Here": {"Type": "Succeed"}}}))?;
    assert_eq!(bad["result"], "FAIL");
    assert_eq!(bad["diagnostics"][0]["severity"], "ERROR");
    assert!(bad["diagnostics"][0]["code"].is_string(), "{bad}");
    Ok(())
}

pub async fn states_are_tested_on_their_own(terminal: &Walk) -> Result<()> {
    let choice = json!({"Type": "Choice", "Default": "No Match", "Choices": [
        {"Variable": "$.number", "NumericEquals": 2, "Next": "Equals 2"}]});
    let choice = choice.to_string();
    let tested =
        terminal.aws(&["test-state", "--definition", &choice, "--role-arn", ROLE, "--input", "{\"number\": 2}"])?;
    assert_eq!(tested, json!({"output": "{\"number\": 2}", "nextState": "Equals 2", "status": "SUCCEEDED"}));

    let resource = "arn:aws:states:::lambda:invoke";
    let retry = json!([{"ErrorEquals": ["Lambda.ServiceException"], "IntervalSeconds": 2, "BackoffRate": 2}]);
    let task =
        json!({"Type": "Task", "Resource": resource, "Parameters": {"FunctionName": "f"}, "Retry": retry, "End": true});
    let mock = r#"{"errorOutput": {"error": "Lambda.ServiceException", "cause": "Service error"}}"#;
    let counted = r#"{"retrierRetryCount": 1}"#;
    let (task, level) = (task.to_string(), ["--inspection-level", "DEBUG"]);
    let arguments = ["test-state", "--definition", &task, "--mock", mock, "--state-configuration", counted];
    let tested = terminal.aws(&[&arguments[..], &level[..]].concat())?;
    assert_eq!(tested["status"], "RETRIABLE");
    let details = json!({"retryIndex": 0, "retryBackoffIntervalSeconds": 4});
    assert_eq!(tested["inspectionData"]["errorDetails"], details);
    Ok(())
}
