//! Transitions: targets that do not exist, machines that cannot end, states that no transition leads to.
//!
//! Looks at the text of a definition and not at the states read from it, so that it has its say about definitions that
//! are wrong in other ways as well.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::StateType;
use crate::about::About;
use crate::cursor::Node;
use crate::diagnostics::{Code, Findings};
use crate::hints::did_you_mean;
use crate::levels::{self, type_of};
use crate::place::Place;

/// Reports in the order in which AWS does: dangling targets, no end, states that cannot be reached.
pub(crate) fn check(root: Node<'_, '_>, findings: &mut Findings) {
    levels::each_level(root, &mut |level| check_targets(level, findings));
    // AWS: only the outermost level has to have an end, and without one nothing is said about reachability.
    if levels::states_of(root.value).is_some_and(never_ends) {
        let help = Some("give a state \"End\": true, or add a Succeed or Fail state".to_owned());
        findings.error(Code::MissingEndState, None, "Workflow has no terminal state", help);
        return;
    }
    levels::each_level(root, &mut |level| check_reachable(level, findings));
}

fn check_targets(level: Node<'_, '_>, findings: &mut Findings) {
    let Some(states) = levels::states_of(level.value).filter(|states| !states.is_empty()) else { return };
    let mut check = |at: Place<'_>, target: &str| {
        if !states.contains_key(target) {
            let help = did_you_mean(target, states.keys().map(String::as_str), findings);
            findings.error(Code::MissingTransitionTarget, Some(at), About::Target(target.to_owned()), help);
        }
    };
    if let Some(start) = level.value.get("StartAt").and_then(Value::as_str) {
        check(level.at.key("StartAt"), start);
    }
    let at = level.at.key("States");
    for (name, state) in states {
        each_target(state, at.key(name), &mut check);
    }
}

/// Visits the names of the states a state may hand on to.
fn each_target<'v>(state: &'v Value, at: Place<'_>, visit: &mut dyn FnMut(Place<'_>, &'v str)) {
    let Some(state_type) = type_of(state) else { return };
    if state_type.moves_on() {
        visit_text(state, at, "Next", visit);
    }
    if state_type == StateType::Choice {
        visit_list(state, at, "Choices", visit);
        visit_text(state, at, "Default", visit);
    }
    if state_type.has_result() {
        visit_list(state, at, "Catch", visit);
    }
}

fn visit_text<'v>(object: &'v Value, at: Place<'_>, key: &str, visit: &mut dyn FnMut(Place<'_>, &'v str)) {
    if let Some(target) = object.get(key).and_then(Value::as_str) {
        visit(at.key(key), target);
    }
}

fn visit_list<'v>(object: &'v Value, at: Place<'_>, key: &str, visit: &mut dyn FnMut(Place<'_>, &'v str)) {
    let at = at.key(key);
    for (index, item) in object.get(key).and_then(Value::as_array).into_iter().flatten().enumerate() {
        visit_text(item, at.index(index), "Next", visit);
    }
}

/// Whether all states hand on. One that is too broken to tell counts as an end.
fn never_ends(states: &Map<String, Value>) -> bool {
    !states.is_empty()
        && states.values().all(|state| match type_of(state) {
            Some(StateType::Choice) => {
                state.get("Choices").and_then(Value::as_array).is_some_and(|rules| !rules.is_empty())
            }
            Some(state_type) if state_type.moves_on() => {
                state.get("Next").is_some_and(Value::is_string)
                    && state.get("End").and_then(Value::as_bool) != Some(true)
            }
            Some(_) | None => false,
        })
}

fn check_reachable(level: Node<'_, '_>, findings: &mut Findings) {
    let Some(states) = levels::states_of(level.value) else { return };
    let Some(start) = level.value.get("StartAt").and_then(Value::as_str) else { return };
    let mut targets: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, state) in states {
        let found = targets.entry(name).or_default();
        each_target(state, Place::ROOT, &mut |_, target| found.push(target));
    }
    let mut reached = BTreeSet::new();
    let mut pending = vec![start];
    while let Some(name) = pending.pop() {
        if reached.insert(name) {
            pending.extend(targets.get(name).into_iter().flatten());
        }
    }
    let at = level.at.key("States");
    for name in states.keys().filter(|name| !reached.contains(name.as_str())) {
        findings.error(Code::MissingTransitionTarget, Some(at.key(name)), About::Unreachable(name.clone()), None);
    }
}
