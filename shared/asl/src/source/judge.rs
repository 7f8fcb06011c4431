//! The findings that hold for a definition with placeholders.
//!
//! A value that a placeholder hides cannot be judged. A finding is about the value at its place, or about fields of it
//! ([`Subject`]); if one of those is hidden, the finding is not made. Two kinds of finding look further: a target may be a state
//! whose name is hidden, and a state may be reached from where a transition is hidden. And where one of a few words is
//! hidden, such as a `Mode`, a finding has to be true with each of them.

use expressions::json;
use serde_json::Value;

use super::placeholder;
use super::spot::{Spot, Step};
use super::{Source, explained, misplaced};
use crate::about::Subject;
use crate::{Diagnostic, MachineType, SdkServices, parse_with};

/// The parts of a state that tell what it leads on to.
const LEADING: [&str; 5] = ["Type", "Next", "Default", "Choices", "Catch"];

/// The longest list of words is that of the types of a state.
const MOST_WORDS: usize = 8;

/// The findings of a definition that are true whatever its placeholders hide, without those that others explain.
pub(super) fn findings(source: &Source, machine_type: MachineType, sdk: &'static dyn SdkServices) -> Vec<Diagnostic> {
    let all = parse_with(source.json(), machine_type, sdk).diagnostics;
    let mut findings = Vec::new();
    match misplaced::correct(source.json()) {
        None => findings.extend(whatever_is_hidden(source, source.json(), all, (machine_type, sdk))),
        Some(corrected) => {
            for mut one in all {
                let is_new = findings.iter().all(|other: &Diagnostic| other.location != one.location);
                if is_new && corrected.explains(&one) {
                    one.help = Some(misplaced::HELP.to_owned());
                    findings.push(one);
                }
            }
            let rest = parse_with(&corrected.text, machine_type, sdk).diagnostics;
            findings.extend(whatever_is_hidden(source, &corrected.text, rest, (machine_type, sdk)));
        }
    }
    explained::without(findings)
}

/// Of all findings of a text, those that are true whatever the placeholders of the source hide.
fn whatever_is_hidden(
    source: &Source,
    text: &str,
    all: Vec<Diagnostic>,
    (machine_type, sdk): (MachineType, &'static dyn SdkServices),
) -> Vec<Diagnostic> {
    if source.placeholders.open.is_empty() {
        return all;
    }
    let (hidden, mut findings): (Vec<_>, Vec<_>) = all.into_iter().partition(|one| is_hidden(source, one));
    let words = |one: &Diagnostic| match one.about.subject() {
        Subject::Word(words) => Some(words),
        Subject::Value
        | Subject::Within
        | Subject::Name
        | Subject::Misplaced(_)
        | Subject::Wrong(..)
        | Subject::Target
        | Subject::Unreachable => None,
    };
    let hidden: Vec<_> = hidden.iter().filter_map(|one| Some((one.location.as_deref()?, words(one)?))).collect();
    for which in 0..hidden.iter().map(|(_, words)| words.len()).max().unwrap_or(0).min(MOST_WORDS) {
        let Some(text) = with_words(source, text, &hidden, which) else { break };
        let also = parse_with(&text, machine_type, sdk).diagnostics;
        findings.retain(|one| also.iter().any(|other| is_the_same(one, other)));
    }
    findings
}

fn is_the_same(one: &Diagnostic, other: &Diagnostic) -> bool {
    (one.code, &one.location, &one.about) == (other.code, &other.location, &other.about)
}

/// The definition with one word of each list in its place.
fn with_words(source: &Source, text: &str, hidden: &[(&str, Vec<&'static str>)], which: usize) -> Option<String> {
    let mut definition = json::parse_definition(text).ok()?;
    for (location, words) in hidden {
        let (trail, rest) = source.trail(location);
        let mut steps = trail.iter().filter_map(|(step, _)| *step);
        let value = steps.try_fold(&mut definition, |value, step| match step {
            Step::Key(key) => value.get_mut(key),
            Step::Index(index) => value.get_mut(index),
        });
        if let (Some(value), Some(word), "") = (value, words.get(which % words.len().max(1)), rest) {
            *value = Value::String((*word).to_owned());
        }
    }
    Some(json::to_text(&definition))
}

/// Whether a finding rests on something that a placeholder hides.
fn is_hidden(source: &Source, finding: &Diagnostic) -> bool {
    let Some(location) = finding.location.as_deref().filter(|location| location.starts_with('/')) else { return false };
    let (trail, rest) = source.trail(location);
    let Some((step, spot)) = trail.last() else { return false };
    match finding.about.subject() {
        Subject::Target | Subject::Unreachable => spot.is_open || hides_transition(&trail),
        Subject::Name if rest.is_empty() => step.is_some_and(is_open_name),
        Subject::Misplaced(name) => spot.child(name).map_or(spot.is_open, |(step, _)| is_open_name(step)),
        Subject::Wrong(one, other) => {
            let mut fields = [Some(one), other].into_iter().flatten().filter_map(|name| spot.child(name));
            spot.is_open || fields.any(|(_, field)| field.is_open)
        }
        Subject::Within => holds_open(spot),
        Subject::Name | Subject::Value | Subject::Word(_) => spot.is_open,
    }
}

/// A placeholder, or a container that holds one at any depth.
fn holds_open(spot: &Spot) -> bool {
    let mut waiting = vec![spot];
    while let Some(spot) = waiting.pop() {
        if spot.is_open {
            return true;
        }
        waiting.extend(spot.children.iter().map(|(_, child)| child));
    }
    false
}

fn is_open_name(step: &Step) -> bool {
    matches!(step, Step::Key(name) if placeholder::holds(name))
}

/// The place of a target, or of a state that is not reached.
fn hides_transition(trail: &[(Option<&Step>, &Spot)]) -> bool {
    let has_states = |(_, spot): &&(Option<&Step>, &Spot)| spot.child("States").is_some();
    let around = trail.split_last().map_or(trail, |(_, around)| around);
    let Some((_, level)) = around.iter().rev().find(has_states) else { return false };
    let Some((_, states)) = level.child("States") else { return false };
    if trail.last().is_some_and(|(_, spot)| !spot.is_container) {
        return states.children.iter().any(|(name, _)| is_open_name(name));
    }
    trail.last().and_then(|(step, _)| *step).is_some_and(is_open_name)
        || level.child("StartAt").is_some_and(|(_, start)| start.is_open)
        || states.children.iter().any(|(_, state)| {
            state.is_open || LEADING.iter().filter_map(|name| state.child(name)).any(|(_, part)| is_open_within(part))
        })
}

/// A hidden target, or a list with a hidden entry or an entry with a hidden target.
fn is_open_within(part: &Spot) -> bool {
    let leads_to = |entry: &Spot| entry.is_open || entry.child("Next").is_some_and(|(_, next)| next.is_open);
    part.is_open || part.children.iter().any(|(_, entry)| leads_to(entry))
}
