//! One level of states: `StartAt` and `States`, of a machine, a branch or an item processor; and the names in it.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::about::About;
use crate::cursor::{Node, Object};
use crate::diagnostics::{Code, Findings};
use crate::levels::{each_level, each_level_within, states_of};
use crate::reading::ParseContext;
use crate::{Flow, state};

/// The longest name of a state, in characters.
const LONGEST_NAME: usize = 80;
const LONGEST_LABEL: usize = 40;

/// Reads the states of a level and where it starts. The fields beside them are its owner's to check.
pub(crate) fn read<'v>(object: &Object<'v, '_>, context: &mut ParseContext<'v>) -> Option<Flow> {
    let start = object.text("StartAt", &mut context.findings);
    let states = object.get("States")?;
    let siblings = states.object(&mut context.findings)?;
    if siblings.map.is_empty() {
        // AWS: unverified wording
        context.findings.schema_with_help(siblings.at, "Value cannot be empty", Some("add a state".to_owned()));
        return None;
    }
    for name in siblings.map.keys() {
        if let Some(node) = siblings.get(name) {
            state::read(name, node, siblings.map, context);
        }
    }
    Some(Flow { start_at: context.sibling(siblings.map, start?)? })
}

/// Gives all states their numbers, in document order, and tells which names occur more than once.
pub(crate) fn number_states<'v>(root: Node<'v, '_>, context: &mut ParseContext<'v>) -> Vec<&'v str> {
    let mut repeated = Vec::new();
    number_level(root, context, &mut repeated);
    repeated
}

fn number_level<'v>(level: Node<'v, '_>, context: &mut ParseContext<'v>, repeated: &mut Vec<&'v str>) {
    let at = level.at.key("States");
    for (name, value) in states_of(level.value).into_iter().flatten() {
        if !context.number(name) {
            repeated.push(name);
        }
        let state = Node { value, at: at.key(name), language: level.language };
        each_level_within(state, &mut |inner| number_level(inner, context, repeated));
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
                findings.error(Code::InvalidStateName, Some(at.key(name)), About::Name(message), None);
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
