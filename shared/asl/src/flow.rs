//! One level of states: `StartAt` and `States`, of a machine, a branch or an item processor; and how levels nest.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::cursor::{Node, Object};
use crate::definition::Reading;
use crate::diagnostics::{Code, Findings};
use crate::fields::StateType;
use crate::hints::did_you_mean;
use crate::{Flow, state};

/// The longest name of a state, in characters.
const LONGEST_NAME: usize = 80;
const LONGEST_LABEL: usize = 40;

/// Reads the states of a level and where it starts. Which fields the object may have is its owner's business.
pub(crate) fn read<'v>(object: &Object<'v, '_>, reading: &mut Reading<'v>) -> Option<Flow> {
    let start = object.text("StartAt", &mut reading.findings);
    let states = object.get("States")?;
    let siblings = states.object(&mut reading.findings)?;
    if siblings.map.is_empty() {
        // AWS: unverified wording
        reading.findings.schema_with_help(siblings.at, "Value cannot be empty", Some("add a state".to_owned()));
        return None;
    }
    for name in siblings.map.keys() {
        if let Some(node) = siblings.get(name) {
            state::read(name, node, siblings.map, reading);
        }
    }
    Some(Flow { start_at: reading.sibling(siblings.map, start?)? })
}

/// The states of a level, if that is what it has.
pub(crate) fn states_of(level: &Value) -> Option<&Map<String, Value>> {
    level.get("States")?.as_object()
}

/// Visits all levels of states, each before those within it. Nesting is bounded by the JSON reader.
pub(crate) fn each_level<'v>(level: Node<'v, '_>, visit: &mut dyn FnMut(Node<'v, '_>)) {
    visit(level);
    let at = level.at.key("States");
    for (name, state) in states_of(level.value).into_iter().flatten() {
        each_level_within(Node { value: state, at: at.key(name), language: level.language }, &mut |inner| {
            each_level(inner, visit);
        });
    }
}

/// Visits the levels directly within a state.
pub(crate) fn each_level_within<'v>(state: Node<'v, '_>, visit: &mut dyn FnMut(Node<'v, '_>)) {
    let Some(map) = state.value.as_object() else { return };
    let state_type = map.get("Type").and_then(Value::as_str).and_then(StateType::named);
    for (key, value) in map {
        let node = Node { value, at: state.at.key(key), language: state.language };
        match (state_type, key.as_str()) {
            (Some(StateType::Parallel), "Branches") => {
                let branches = value.as_array().into_iter().flatten().enumerate();
                branches.for_each(|(index, branch)| visit(node.item(index, branch)));
            }
            (Some(StateType::Map), "ItemProcessor" | "Iterator") => visit(node),
            _ => {}
        }
    }
}

/// Gives all states their numbers, in document order, and tells which names occur more than once.
pub(crate) fn number_states<'v>(root: Node<'v, '_>, reading: &mut Reading<'v>) -> Vec<&'v str> {
    let mut repeated = Vec::new();
    number_level(root, reading, &mut repeated);
    repeated
}

fn number_level<'v>(level: Node<'v, '_>, reading: &mut Reading<'v>, repeated: &mut Vec<&'v str>) {
    let at = level.at.key("States");
    for (name, value) in states_of(level.value).into_iter().flatten() {
        if !reading.number(name) {
            repeated.push(name);
        }
        let state = Node { value, at: at.key(name), language: level.language };
        each_level_within(state, &mut |inner| number_level(inner, reading, repeated));
    }
}

/// Reports names that are too long or not unique in the whole definition.
pub(crate) fn check_names(repeated: &[&str], root: Node<'_, '_>, findings: &mut Findings) {
    let repeated: BTreeSet<&str> = repeated.iter().copied().collect();
    let mut seen = BTreeSet::new();
    each_level(root, &mut |level| {
        let at = level.at.key("States");
        for name in states_of(level.value).into_iter().flatten().map(|(name, _)| name) {
            if name.chars().count() > LONGEST_NAME {
                let message = format!(
                    "Invalid State name: State '{name}' exceeds the {LONGEST_NAME}-character limit allowed by the service"
                );
                findings.error(Code::InvalidStateName, Some(at.key(name)), message, None);
            }
            if repeated.contains(name.as_str()) && !seen.insert(name) {
                let help = Some("names are unique in the whole definition, across all nestings".to_owned());
                let message = format!("Duplicate State name: {name}");
                findings.error(Code::DuplicateStateName, Some(at.key(name)), message, help);
            }
        }
    });
}

/// Reports labels of Maps that are too long or not unique.
pub(crate) fn check_labels(root: Node<'_, '_>, findings: &mut Findings) {
    let mut seen = BTreeSet::new();
    each_level(root, &mut |level| {
        let at = level.at.key("States");
        for (name, state) in states_of(level.value).into_iter().flatten() {
            let Some(label) = state.get("Label").and_then(Value::as_str) else { continue };
            let state_at = at.key(name);
            let label_at = state_at.key("Label");
            if label.chars().count() > LONGEST_LABEL {
                let message = format!(
                    "Invalid Label name: Label '{label}' exceeds the {LONGEST_LABEL}-character limit allowed by the service"
                );
                findings.error(Code::InvalidLabelName, Some(label_at), message, None);
            }
            if !seen.insert(label) {
                let message = format!("Duplicate Label name: {label}");
                findings.error(Code::DuplicateLabelName, Some(label_at), message, None);
            }
        }
    });
}

/// The name of a sibling that was meant, for a name nobody has.
pub(crate) fn meant(name: &str, siblings: &Map<String, Value>, findings: &mut Findings) -> Option<String> {
    did_you_mean(name, siblings.keys().map(String::as_str), findings)
}
