//! Holds what became of an execution to the promises.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use interpreter::{Closing, Detail};
use service::entry;
use service::ports::ExecutionStatus;

use super::installation::Installation;
use super::{Reference, Scenario, events, problems_of_history};

/// What may happen to an execution besides what its scenario says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    AsItsScenarioSays,
    /// Somebody tries to stop it.
    MayBeStopped,
}

/// Holds a closed execution to the promises: it ended as it should, its history is sound, no attempt was started twice
/// or lost silently, what was acknowledged counts.
pub fn check(installation: &Installation, execution: &str, scenario: &Scenario, fate: Fate) -> Result<()> {
    let problems = problems_of_history(&installation.disk, execution);
    ensure!(problems.is_empty(), "{problems:#?}");
    Reference::of(installation.definition(&scenario.name)?, &installation.disk.records(execution))
        .context("not what a run without faults comes to")?;
    check_calls(installation, execution)?;
    let last = installation.disk.records(execution).pop().context("no records")?;
    ensure!(last.due.is_none(), "something is due after the end");
    let status = last.listing.context("the last record closes it, so it has a listing")?.status;
    let was_stopped = installation.outside.lock().stopped.iter().any(|stopped| stopped == execution);
    ensure!(!was_stopped || status == ExecutionStatus::Aborted, "an acknowledged stop was lost: {}", status.name());
    if status == ExecutionStatus::Aborted && fate == Fate::MayBeStopped {
        return Ok(());
    }
    ensure!(status.name() == scenario.expected.status, "{} instead of {}", status.name(), scenario.expected.status);
    if matches!(status, ExecutionStatus::Succeeded | ExecutionStatus::Failed) {
        check_answers(installation, execution)?;
    }
    let closed = entry::decode(last.sequence, &last.body)?.closed;
    match closed.context("the last record closes it")?.0 {
        Closing::Succeeded { output } => {
            ensure!(Some(output.value()) == scenario.expected.output.as_ref(), "output {output:?}");
        }
        Closing::Failed(failure) | Closing::Aborted(failure) | Closing::TimedOut(failure) => {
            let expected = &scenario.expected.error;
            ensure!(expected.is_none() || *expected == failure.error, "{failure:?}");
        }
    }
    Ok(())
}

/// No attempt is started twice or without its claim, none is lost silently.
fn check_calls(installation: &Installation, execution: &str) -> Result<()> {
    let mut calls = installation.calls(execution);
    let made = calls.len();
    calls.sort();
    calls.dedup();
    ensure!(calls.len() == made, "an attempt was started twice: {:#?}", installation.calls(execution));
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for event in events(&installation.disk, execution)? {
        match &event.detail {
            Detail::LambdaFunctionStarted | Detail::TaskStarted(_) => *kinds.entry("started").or_default() += 1,
            Detail::LambdaFunctionSucceeded { .. } | Detail::TaskSucceeded { .. } => {
                *kinds.entry("answered").or_default() += 1;
            }
            Detail::LambdaFunctionFailed(failure) | Detail::TaskFailed { failure, .. } => {
                let lost = failure.cause.as_ref().is_some_and(|cause| cause.contains("was lost"));
                let named = failure.error.as_deref() == Some("Lambda.SdkClientException");
                ensure!(lost == named, "{failure:?}");
                *kinds.entry(if lost { "lost" } else { "answered" }).or_default() += 1;
            }
            _ => {}
        }
    }
    let count = |kind| kinds.get(kind).copied().unwrap_or(0);
    let (started, answered) = (count("started"), count("answered"));
    ensure!(answered <= made && made <= started, "{made} calls, {started} started, {answered} answered");
    Ok(())
}

/// Every acknowledged answer counts, once.
fn check_answers(installation: &Installation, execution: &str) -> Result<()> {
    let mut said = Vec::new();
    for event in events(&installation.disk, execution)? {
        match event.detail {
            Detail::TaskSucceeded { output, .. } => said.push(output.text().to_owned()),
            Detail::TaskFailed { failure, .. } => said.extend(failure.error),
            _ => {}
        }
    }
    for answer in installation.counted_answers(execution) {
        let place = said.iter().position(|one| *one == answer);
        let place = place.with_context(|| format!("an acknowledged answer was lost: {answer}"))?;
        said.swap_remove(place);
    }
    Ok(())
}
