//! Reading what the disk holds of an execution, and checking that it is sound.

use std::collections::{BTreeMap, BTreeSet};

use engine::entry::{self, Assembly, Entry, Unreadable};
use interpreter::{Detail, Event, Payload, Snapshot, Wait};

use super::Disk;

/// Every event of an execution, in the order of its entries.
pub fn events(disk: &Disk, execution: &str) -> Result<Vec<Event<Payload>>, Unreadable> {
    Ok(entries(disk, execution)?.into_iter().flat_map(|(_, entry)| entry.events).collect())
}

fn entries(disk: &Disk, execution: &str) -> Result<Vec<(u64, Entry)>, Unreadable> {
    let records = disk.records(execution);
    records.iter().map(|record| Ok((record.sequence, entry::decode(record.sequence, &record.body)?))).collect()
}

fn snapshot(disk: &Disk, execution: &str) -> Result<Snapshot, Unreadable> {
    Assembly::of(entries(disk, execution)?)?.finish().map(|(_, snapshot)| snapshot)
}

/// The wait of the open attempt that has these arguments.
pub(super) fn wait_of(disk: &Disk, execution: &str, arguments: &str) -> Option<Wait> {
    let snapshot = snapshot(disk, execution).ok()?;
    let claimed: Vec<Wait> = snapshot.claimed().map(|(wait, _)| wait).collect();
    claimed
        .into_iter()
        .find(|wait| snapshot.attempt(wait).is_some_and(|(_, attempt)| attempt.arguments.text() == arguments))
}

/// The faults in the history of a closed execution; empty when it is sound.
pub fn problems_of_history(disk: &Disk, execution: &str) -> Vec<String> {
    let mut problems = Vec::new();
    for (place, record) in (0u64..).zip(disk.records(execution)) {
        if record.sequence != place {
            problems.push(format!("record {place} has sequence {}", record.sequence));
        }
    }
    match events(disk, execution) {
        Ok(events) => problems.extend(problems_of_events(&events)),
        Err(unreadable) => problems.push(unreadable.to_string()),
    }
    problems
}

/// Ids without gaps, links that point back, time that does not run backwards, attempts that end once.
fn problems_of_events(events: &[Event<Payload>]) -> Vec<String> {
    let mut problems = Vec::new();
    let by_id: BTreeMap<u64, &Event<Payload>> = events.iter().map(|event| (event.id, event)).collect();
    let mut ended: BTreeSet<u64> = BTreeSet::new();
    let mut at = None;
    for (id, event) in (1u64..).zip(events) {
        if event.id != id {
            problems.push(format!("event {} stands at place {id}", event.id));
        }
        if event.previous >= event.id {
            problems.push(format!("event {id} follows {}", event.previous));
        }
        // A machine's timeout is recorded at its time, however late it is noticed.
        if at > Some(event.at) && !matches!(event.detail, Detail::ExecutionTimedOut(_)) {
            problems.push(format!("event {id} is earlier than the one before it"));
        }
        at = at.max(Some(event.at));
        let Some(expected) = predecessors(&event.detail) else { continue };
        let previous = by_id.get(&event.previous).map(|previous| name(&previous.detail));
        if !previous.is_some_and(|previous| expected.contains(&previous)) {
            problems.push(format!("event {id} ({}) follows {previous:?}", name(&event.detail)));
        }
        if !ended.insert(event.previous) {
            problems.push(format!("event {} was answered twice", event.previous));
        }
    }
    let reopens = |event: &Event<Payload>| matches!(event.detail, Detail::ExecutionRedriven { .. });
    for (event, next) in events.iter().zip(events.iter().skip(1)) {
        if closes(&event.detail) != reopens(next) {
            problems.push(format!("event {} ends the execution, and what follows is no redrive of it", event.id));
        }
    }
    if !events.last().is_some_and(|event| closes(&event.detail)) {
        problems.push("the history does not end with an event that closes it".to_owned());
    }
    problems.extend(done_again(events));
    problems
}

/// What was done for a state after it had succeeded: its events lead back to the one of its Entered event, and none comes
/// after that of its exit.
fn done_again(events: &[Event<Payload>]) -> Vec<String> {
    let (mut of, mut left, mut problems) = (BTreeMap::new(), BTreeSet::new(), Vec::new());
    for event in events {
        let before = of.get(&event.previous).copied();
        let entered = match &event.detail {
            Detail::StateEntered { .. } => Some(event.id),
            detail if name(detail) != "another" => before,
            // Between the attempts of a state and its exit.
            Detail::EvaluationFailed { .. } | Detail::StateExited { .. } => before,
            _ => None,
        };
        let Some(entered) = entered else { continue };
        if left.contains(&entered) {
            problems.push(format!("event {} is of a state that had been left: that of event {entered}", event.id));
        }
        match &event.detail {
            Detail::StateExited { .. } => _ = left.insert(entered),
            _ => _ = of.insert(event.id, entered),
        }
    }
    problems
}

/// The predecessor that an event about an attempt needs; `None` for other events.
fn predecessors(detail: &Detail<Payload>) -> Option<&'static [&'static str]> {
    Some(match name(detail) {
        "LambdaFunctionStarted" => &["LambdaFunctionScheduled"],
        "LambdaFunctionEnded" => &["LambdaFunctionStarted"],
        "TaskStarted" => &["TaskScheduled"],
        "TaskSubmitted" => &["TaskStarted"],
        "TaskEnded" => &["TaskStarted", "TaskSubmitted"],
        _ => return None,
    })
}

/// Names of the events that make up attempts.
fn name(detail: &Detail<Payload>) -> &'static str {
    match detail {
        Detail::LambdaFunctionScheduled { .. } => "LambdaFunctionScheduled",
        Detail::LambdaFunctionStarted => "LambdaFunctionStarted",
        Detail::LambdaFunctionSucceeded { .. }
        | Detail::LambdaFunctionFailed(_)
        | Detail::LambdaFunctionTimedOut(_) => "LambdaFunctionEnded",
        Detail::TaskScheduled { .. } => "TaskScheduled",
        Detail::TaskStarted(_) => "TaskStarted",
        Detail::TaskSubmitted { .. } => "TaskSubmitted",
        Detail::TaskSucceeded { .. } | Detail::TaskFailed { .. } | Detail::TaskTimedOut { .. } => "TaskEnded",
        _ => "another",
    }
}

fn closes(detail: &Detail<Payload>) -> bool {
    matches!(
        detail,
        Detail::ExecutionSucceeded { .. }
            | Detail::ExecutionFailed(_)
            | Detail::ExecutionAborted(_)
            | Detail::ExecutionTimedOut(_)
    )
}
