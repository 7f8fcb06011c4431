//! Asks the API about what has ended: every action that tells of an execution tells the same.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use interpreter::{Closing, Failure};
use serde_json::{Value, json};
use service::{Call, Service};

use super::{Disk, Reference};

/// Entries of a page of a list and of a history: few, so that there are several.
const LISTED: usize = 2;
const EVENTS: usize = 17;

/// Makes `definition` a state machine of that name, as its author would.
pub async fn create(service: &Arc<Service>, name: &str, definition: &Value) -> Result<()> {
    let role = "arn:aws:iam::123456789012:role/simulated";
    let body = json!({ "name": name, "definition": definition.to_string(), "roleArn": role });
    ask(service, "CreateStateMachine", &body).await.map(|_| ())
}

/// Holds what the API says of a closed execution to what the reference came to.
pub async fn describe(service: &Arc<Service>, disk: &Disk, execution: &str, reference: &Reference) -> Result<()> {
    let told = ask(service, "DescribeExecution", &json!({ "executionArn": execution })).await?;
    let listing = disk.records(execution).first().and_then(|first| first.listing.clone());
    let listing = listing.context("the first record has no listing")?;
    let text = |member: &str| told.get(member).and_then(Value::as_str);
    let failed = |status: &'static str, failure: &Failure| (status, None, failure.clone());
    let (status, output, failure) = match &reference.closing {
        Closing::Succeeded { output } => ("SUCCEEDED", Some(output.text().to_owned()), Failure::default()),
        Closing::Failed(failure) => failed("FAILED", failure),
        Closing::Aborted(failure) => failed("ABORTED", failure),
        Closing::TimedOut(failure) => failed("TIMED_OUT", failure),
    };
    ensure!(text("status") == Some(status), "it is described as {told}, not as {status}");
    let same_output = super::redacted::alike(&text("output").map(str::to_owned), &output);
    ensure!(same_output, "it is described with the output of {told}, not {output:?}");
    // AWS: an execution that timed out has no error there.
    if status != "TIMED_OUT" {
        let said = Failure { error: text("error").map(str::to_owned), cause: text("cause").map(str::to_owned) };
        ensure!(super::redacted::alike(&said, &failure), "it is described with {said:?}, not {failure:?}");
    }
    let millis = |member: &str| told.get(member).and_then(Value::as_f64).map(|at| (at * 1000.0).round());
    ensure!(millis("startDate") == Some(exactly(listing.started.0)), "it started at another time: {told}");
    ensure!(millis("stopDate") == Some(exactly(reference.closed_at.0)), "it stopped at another time: {told}");
    list(service, &listing.machine, execution, status).await?;
    history(service, execution, reference).await
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds fit 53 bits")]
fn exactly(millis: i64) -> f64 {
    millis as f64
}

/// It is in the list of its machine, once and with its status, and in that of its status alone.
async fn list(service: &Arc<Service>, machine: &str, execution: &str, status: &str) -> Result<()> {
    let every = json!({ "stateMachineArn": machine, "maxResults": LISTED });
    let listed = pages(service, "ListExecutions", "executions", every).await?;
    let of_it = |one: &&Value| one.get("executionArn").and_then(Value::as_str) == Some(execution);
    let found: Vec<&Value> = listed.iter().filter(of_it).collect();
    ensure!(found.len() == 1, "it is listed {} times", found.len());
    let told = found.first().and_then(|one| one.get("status")).and_then(Value::as_str);
    ensure!(told == Some(status), "it is listed as {told:?}, not as {status}");
    for (filter, times) in [(status, 1), ("RUNNING", 0)] {
        let some = json!({ "stateMachineArn": machine, "statusFilter": filter, "maxResults": LISTED });
        let listed = pages(service, "ListExecutions", "executions", some).await?;
        ensure!(listed.iter().filter(of_it).count() == times, "it is not listed {times} times as {filter}");
    }
    Ok(())
}

/// The history is the reference's, read from either end.
async fn history(service: &Arc<Service>, execution: &str, reference: &Reference) -> Result<()> {
    let ask = |reverse: bool| json!({ "executionArn": execution, "reverseOrder": reverse, "maxResults": EVENTS });
    let forwards = pages(service, "GetExecutionHistory", "events", ask(false)).await?;
    let mut backwards = pages(service, "GetExecutionHistory", "events", ask(true)).await?;
    backwards.reverse();
    ensure!(forwards == backwards, "backwards the history is another");
    ensure!(forwards.len() == reference.events.len(), "{} events are told", forwards.len());
    for (told, event) in forwards.iter().zip(&reference.events) {
        let number = |member: &str| told.get(member).and_then(Value::as_u64);
        let same = number("id") == Some(event.id) && number("previousEventId") == Some(event.previous);
        let at = told.get("timestamp").and_then(Value::as_f64).map(|at| (at * 1000.0).round());
        ensure!(same && at == Some(exactly(event.at.0)), "event {} is told as {told}", event.id);
    }
    Ok(())
}

/// Every item of an action that answers in pages.
pub async fn pages(service: &Arc<Service>, action: &str, items: &str, mut body: Value) -> Result<Vec<Value>> {
    let mut found = Vec::new();
    loop {
        let mut page = ask(service, action, &body).await?;
        if let Some(Value::Array(some)) = page.get_mut(items).map(Value::take) {
            found.extend(some);
        }
        match (page.get_mut("nextToken").map(Value::take), &mut body) {
            (Some(next), Value::Object(members)) => _ = members.insert("nextToken".into(), next),
            _ => return Ok(found),
        }
    }
}

async fn ask(service: &Arc<Service>, action: &str, body: &Value) -> Result<Value> {
    let call = Call { action: action.to_owned(), body: body.to_string().into_bytes(), invocation: None };
    let answer = service.answer(call).await;
    ensure!(answer.status == 200, "{action}: {}", answer.body);
    Ok(serde_json::from_str(&answer.body)?)
}
