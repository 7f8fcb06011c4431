//! `Retry`, and the `ErrorEquals` it shares with `Catch`.

use crate::about::About;
use crate::cursor::{Between, MOST_SECONDS, Node, Object};
use crate::diagnostics::Findings;
use crate::fields::{Field, In};
use crate::{Jitter, Retrier, fields};

const FIELDS: &[Field] = &[
    ("Comment", In::Both),
    ("ErrorEquals", In::Both),
    ("IntervalSeconds", In::Both),
    ("MaxAttempts", In::Both),
    ("BackoffRate", In::Both),
    ("MaxDelaySeconds", In::Both),
    ("JitterStrategy", In::Both),
];

/// 366 days.
const MOST_DELAY_SECONDS: u64 = 31_622_400;
const MOST_ATTEMPTS: u64 = 99_999_999;

const DEFAULT_INTERVAL_SECONDS: u64 = 1;
const DEFAULT_ATTEMPTS: u64 = 3;
const DEFAULT_BACKOFF_RATE: f64 = 2.0;

pub(crate) fn read(state: &Object<'_, '_>, findings: &mut Findings) -> Vec<Retrier> {
    let Some((list, items)) = entries(state, "Retry", findings) else { return Vec::new() };
    let last = items.len().saturating_sub(1);
    let each = items.iter().enumerate();
    each.filter_map(|(index, value)| retrier(list.item(index, value), index == last, findings)).collect()
}

/// The entries of `Retry` or `Catch`. AWS: an empty list is accepted.
pub(crate) fn entries<'v, 's>(
    state: &'s Object<'v, '_>,
    key: &'s str,
    findings: &mut Findings,
) -> Option<(Node<'v, 's>, &'v [serde_json::Value])> {
    let node = state.get(key)?;
    match node.value.as_array() {
        Some(items) if items.is_empty() => None,
        Some(_) | None => Some((node, node.list(findings)?)),
    }
}

/// Which errors an entry is for. `last` tells whether it is the last of its list, where `States.ALL` belongs.
pub(crate) fn error_equals(entry: &Object<'_, '_>, last: bool, findings: &mut Findings) -> Option<Vec<String>> {
    let node = entry.get("ErrorEquals")?;
    let names = node.list(findings)?;
    let alone = names.len() == 1;
    let mut all = Vec::new();
    for (index, value) in names.iter().enumerate() {
        let item = node.item(index, value);
        let name = item.text(findings)?;
        if name == "States.ALL" && !(alone && last) {
            findings.schema(item.at, "States.ALL must appear alone and at end of list");
        }
        all.push(name.to_owned());
    }
    Some(all)
}

fn retrier(node: Node<'_, '_>, last: bool, findings: &mut Findings) -> Option<Retrier> {
    let entry = node.object(findings)?;
    entry.require(&["ErrorEquals"], findings);
    fields::check(&entry, &[FIELDS], findings);
    let error_equals = error_equals(&entry, last, findings);
    // AWS: 0 is accepted, although the specification asks for a positive number.
    let interval = entry.integer("IntervalSeconds", Between(0, Some(MOST_SECONDS)), findings);
    let max_attempts = entry.integer("MaxAttempts", Between(0, Some(MOST_ATTEMPTS)), findings);
    let backoff_rate = entry.number("BackoffRate", Between(1.0, None), findings);
    let max_delay_seconds = entry.integer("MaxDelaySeconds", Between(1, Some(MOST_DELAY_SECONDS)), findings);
    let jitter = entry.get("JitterStrategy").and_then(|word| word.word(&["NONE", "FULL"], findings));
    entry.get("Comment").and_then(|comment| comment.text(findings));

    let interval_seconds = interval.unwrap_or(DEFAULT_INTERVAL_SECONDS);
    if max_delay_seconds.is_some_and(|most| most <= interval_seconds) {
        // AWS: unverified wording
        let message = "'MaxDelaySeconds' must be greater than 'IntervalSeconds'";
        findings.schema(entry.at, About::Fields { names: ["MaxDelaySeconds", "IntervalSeconds"], message });
    }
    Some(Retrier {
        error_equals: error_equals?,
        interval_seconds,
        max_attempts: max_attempts.unwrap_or(DEFAULT_ATTEMPTS),
        backoff_rate: backoff_rate.unwrap_or(DEFAULT_BACKOFF_RATE),
        max_delay_seconds,
        jitter: if jitter == Some("FULL") { Jitter::Full } else { Jitter::None },
    })
}
