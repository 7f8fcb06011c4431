//! Holds what became of an execution to the promises.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use engine::entry;
use engine::ports::{ExecutionStatus, Record};
use interpreter::{Answer, Closing, Detail, Event, Payload, Timestamp};

use super::functions::as_answer;
use super::installation::Installation;
use super::reference::{Ending, Tried};
use super::{CallMade, Reference, Scenario, problems_of_history};

/// The events of an execution beside its scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    AsItsScenarioSays,
    /// A client tries to stop it.
    MayBeStopped,
}

/// Holds a closed execution to the promises: it ended as it should, its history is sound, no attempt was started twice
/// or lost silently, what was acknowledged counts. Answers what the reference came to.
pub fn check(installation: &Installation, execution: &str, scenario: &Scenario, fate: Fate) -> Result<Reference> {
    let records = installation.disk.records(execution);
    ensure!(!records.is_empty(), "an acknowledged start was lost");
    let problems = problems_of_history(&installation.disk, execution);
    ensure!(problems.is_empty(), "{problems:#?}");
    let decided = installation.disk.decided(execution);
    let reference = Reference::of(installation.definition(&scenario.name)?, &records, &decided)
        .context("not what a run without faults comes to")?;
    check_commits(installation, &records)?;
    check_calls(installation, execution, &reference)?;
    check_lost(installation, execution, &reference)?;
    check_said(installation, execution, &reference)?;
    check_counted(installation, execution, &reference)?;
    check_refused(installation, execution, &reference)?;
    let last = records.last().context("no records")?;
    ensure!(last.due.is_none(), "something is due after the end");
    let status = last.listing.as_ref().context("the last record closes it, so it has a listing")?.status;
    let was_stopped = installation.outside.lock().stopped.iter().any(|stopped| stopped == execution);
    let aborted = |event: &Event<Payload>| matches!(event.detail, Detail::ExecutionAborted(_));
    let told = reference.events.iter().any(aborted);
    ensure!(!was_stopped || told, "an acknowledged stop was lost: {}", status.name());
    check_redrives(installation, execution, &reference)?;
    if status == ExecutionStatus::Aborted {
        ensure!(fate == Fate::MayBeStopped || scenario.stop.is_some(), "nobody stopped it");
        if fate == Fate::MayBeStopped {
            return Ok(reference);
        }
    }
    check_end(scenario, status, &reference)?;
    Ok(reference)
}

/// It was redriven as often as clients were told, and then.
fn check_redrives(installation: &Installation, execution: &str, reference: &Reference) -> Result<()> {
    let acknowledged = installation.outside.lock().redriven.get(execution).cloned().unwrap_or_default();
    let redriven = |event: &Event<Payload>| matches!(event.detail, Detail::ExecutionRedriven { .. });
    let told: Vec<Timestamp> = reference.events.iter().filter(|event| redriven(event)).map(|event| event.at).collect();
    ensure!(told == acknowledged, "it was redriven at {told:?}, and clients were told {acknowledged:?}");
    Ok(())
}

/// A commit that is full claims nothing more.
fn check_commits(installation: &Installation, records: &[Record]) -> Result<()> {
    for record in records {
        let mut bytes = 0;
        for event in entry::decode(record.sequence, &record.body)?.events {
            let claims = matches!(event.detail, Detail::TaskStarted(_) | Detail::LambdaFunctionStarted);
            let full = bytes >= installation.room.commit_bytes;
            ensure!(!claims || !full, "record {} goes on with {bytes} bytes: {event:?}", record.sequence);
            bytes += event.bytes();
        }
    }
    Ok(())
}

/// It ended as its scenario says.
fn check_end(scenario: &Scenario, status: ExecutionStatus, reference: &Reference) -> Result<()> {
    let Some(expected) = &scenario.expected else { return Ok(()) };
    ensure!(status.name() == expected.status, "{} instead of {}", status.name(), expected.status);
    match &reference.closing {
        Closing::Succeeded { output } => {
            ensure!(Some(output.value()) == expected.output.as_ref(), "output {output:?}");
        }
        Closing::Failed(failure) | Closing::Aborted(failure) | Closing::TimedOut(failure) => {
            ensure!(expected.error.is_none() || expected.error == failure.error, "{failure:?}");
        }
    }
    Ok(())
}

/// No attempt is called twice or without its claim: of one state with the same arguments there are no more calls than
/// claims. Arguments tell attempts apart but for a loop that comes by within a millisecond.
fn check_calls(installation: &Installation, execution: &str, reference: &Reference) -> Result<()> {
    let mut claims: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    for tried in reference.attempts.values().filter(|tried| tried.started) {
        *claims.entry((&tried.state, &tried.arguments)).or_default() += 1;
    }
    let outside = installation.outside.lock();
    for call in outside.calls.iter().filter(|call| call.execution == execution) {
        let left = claims.entry((&call.state, &call.arguments)).or_default();
        *left -= 1;
        ensure!(*left >= 0, "an attempt was started twice, or without its claim: {call:?}");
    }
    Ok(())
}

/// An attempt is told as lost only if its call was begun, or the process that claimed it died: a store that is slow or does not
/// answer fails nothing.
fn check_lost(installation: &Installation, execution: &str, reference: &Reference) -> Result<()> {
    let mut lost: BTreeMap<(&str, &str), Vec<&Tried>> = BTreeMap::new();
    for tried in reference.attempts.values().filter(|tried| tried.ended == Some(Ending::Lost)) {
        lost.entry((&tried.state, &tried.arguments)).or_default().push(tried);
    }
    for ((state, arguments), lost) in lost {
        let is_theirs =
            |call: &&CallMade| (&*call.execution, &*call.state, &*call.arguments) == (execution, state, arguments);
        let begun = installation.outside.lock().begun.iter().filter(is_theirs).count();
        if lost.len() > begun {
            let lives = lost.iter().find(|tried| tried.owner.as_ref().is_none_or(|owner| !installation.died(owner)));
            ensure!(lives.is_none(), "told as lost while whoever claimed it lived and had called nothing: {lives:?}");
        }
    }
    Ok(())
}

/// Every answer in the history was given: by the function, or by a client with the attempt's token.
fn check_said(installation: &Installation, execution: &str, reference: &Reference) -> Result<()> {
    let outside = installation.outside.lock();
    let mut said: BTreeMap<(&str, &str), Vec<Answer<Payload>>> = BTreeMap::new();
    for (call, answer) in outside.said.iter().filter(|(call, _)| call.execution == execution) {
        said.entry((&call.state, &call.arguments)).or_default().push(as_answer(answer.clone()));
    }
    for (attempt_id, tried) in &reference.attempts {
        let Some(Ending::Answered(answer)) = &tried.ended else { continue };
        let mut given =
            outside.given.iter().filter(|given| given.execution == execution && given.wait.attempt_id == *attempt_id);
        if given.any(|given| given.has(answer)) {
            continue;
        }
        let said = said.entry((&tried.state, &tried.arguments)).or_default();
        let place = said.iter().position(|said| said == answer);
        let place = place.with_context(|| format!("nobody said {answer:?} to {tried:?}"))?;
        said.swap_remove(place);
    }
    Ok(())
}

/// An acknowledged answer is what its attempt ended with, unless something cut the attempt short.
fn check_counted(installation: &Installation, execution: &str, reference: &Reference) -> Result<()> {
    for counted in installation.counted_answers(execution) {
        let tried =
            reference.attempts.get(&counted.wait.attempt_id).context("an answer to an attempt that never was")?;
        let right = tried.ended.as_ref().is_none_or(|ended| *ended == Ending::Answered(counted.answer.clone()));
        ensure!(right, "an acknowledged answer was lost: {counted:?}; the attempt ended otherwise: {tried:?}");
    }
    Ok(())
}

/// An answer was refused only when its attempt was settled: in the journal, or in its cell. The first write counts,
/// whatever the clocks say; so the same answer, whose acknowledgement had been lost, is refused rightly, and no client may
/// refuse because of what he is about to write.
fn check_refused(installation: &Installation, execution: &str, reference: &Reference) -> Result<()> {
    let decided = installation.disk.decided(execution);
    let outside = installation.outside.lock();
    for (refused, at) in outside.refused.iter().filter(|(refused, _)| refused.execution == execution) {
        let attempt_id = refused.wait.attempt_id;
        let tried = reference.attempts.get(&attempt_id).context("an answer to an attempt that never was")?;
        let settled = tried.settled_in.and_then(|sequence| installation.disk.written(execution, sequence));
        let beside = decided.iter().find(|one| one.attempt_id == attempt_id).map(|one| one.at);
        let right = settled.into_iter().chain(beside).any(|settled| settled < *at);
        ensure!(right, "an answer was refused while its attempt waited: {refused:?} at {at:?}, {tried:?}");
    }
    Ok(())
}
