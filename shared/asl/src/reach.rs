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
use crate::hints::{ask, similar};
use crate::levels::{self, type_of};
use crate::place::Place;

/// Reports in the order in which AWS does: dangling targets, no end, states that cannot be reached.
pub(crate) fn check(root: Node<'_, '_>, findings: &mut Findings) {
    let mut dangling = Vec::new();
    levels::each_level(root, &mut |level| dangling.push(check_targets(level, findings)));
    // AWS: only the outermost level has to have an end, and without one nothing is said about reachability.
    if levels::states_of(root.value).is_some_and(never_ends) {
        let help = Some("give a state \"End\": true, or add a Succeed or Fail state".to_owned());
        findings.error(Code::MissingEndState, None, "Workflow has no terminal state", help);
        return;
    }
    let mut dangling = dangling.into_iter();
    levels::each_level(root, &mut |level| check_reachable(level, &dangling.next().unwrap_or_default(), findings));
}

/// The same for the levels inside the states of the outermost one, which is a single state whose targets are not there.
pub(crate) fn check_inside(root: Node<'_, '_>, findings: &mut Findings) {
    let at = root.at.key("States");
    for (name, state) in levels::states_of(root.value).into_iter().flatten() {
        let state = Node { value: state, at: at.key(name), language: root.language };
        levels::each_level_within(state, &mut |inner| {
            levels::each_level(inner, &mut |level| {
                let dangling = check_targets(level, findings);
                check_reachable(level, &dangling, findings);
            });
        });
    }
}

/// The names that the states of a level may hand on to.
pub(crate) fn targets<'v>(level: Node<'v, '_>) -> Vec<&'v str> {
    let mut targets = Vec::new();
    for state in levels::states_of(level.value).into_iter().flatten().map(|(_, state)| state) {
        each_target(state, Place::ROOT, &mut |_, target| targets.push(target));
    }
    targets
}

/// The targets of a level that do not exist, each with the state that was meant, if one has a similar name.
type Dangling<'v> = BTreeMap<&'v str, Option<&'v str>>;

fn check_targets<'v>(level: Node<'v, '_>, findings: &mut Findings) -> Dangling<'v> {
    let mut dangling = Dangling::new();
    let Some(states) = levels::states_of(level.value).filter(|states| !states.is_empty()) else { return dangling };
    let mut check = |from: Option<&str>, at: Place<'_>, target: &'v str| {
        if !states.contains_key(target) {
            // A state that hands on to itself is rarely meant, and never ends.
            let others = states.keys().map(String::as_str).filter(|name| Some(*name) != from);
            let meant = similar(target, others, findings);
            findings.error(Code::MissingTransitionTarget, Some(at), About::Target(target.to_owned()), meant.map(ask));
            dangling.insert(target, meant);
        }
    };
    if let Some(start) = level.value.get("StartAt").and_then(Value::as_str) {
        check(None, level.at.key("StartAt"), start);
    }
    let at = level.at.key("States");
    for (name, state) in states {
        each_target(state, at.key(name), &mut |at, target| check(Some(name), at, target));
    }
    dangling
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

fn check_reachable(level: Node<'_, '_>, dangling: &Dangling<'_>, findings: &mut Findings) {
    let Some(states) = levels::states_of(level.value) else { return };
    let Some(start) = level.value.get("StartAt").and_then(Value::as_str) else { return };
    let reached = reached(states, start, Some);
    // Where an error hides a transition, any state may be meant.
    let is_hidden = |state: &Value| match type_of(state) {
        None => true,
        Some(state_type) => state_type.moves_on() && state.get("Next").is_none() && state.get("End").is_none(),
    };
    let explains_all =
        dangling.values().any(Option::is_none) || reached.iter().any(|name| states.get(*name).is_some_and(is_hidden));
    let meant = self::reached(states, start, |name| dangling.get(name).copied().unwrap_or(Some(name)));
    let at = level.at.key("States");
    for name in states.keys().filter(|name| !reached.contains(name.as_str())) {
        let explained = explains_all || meant.contains(name.as_str());
        let about = About::Unreachable { state: name.clone(), explained };
        findings.error(Code::MissingTransitionTarget, Some(at.key(name)), about, None);
    }
}

/// The states that are reached from the first, where `resolve` says which state a name stands for.
fn reached<'v>(
    states: &'v Map<String, Value>,
    start: &'v str,
    resolve: impl Fn(&'v str) -> Option<&'v str>,
) -> BTreeSet<&'v str> {
    let mut reached = BTreeSet::new();
    let mut pending: Vec<&str> = resolve(start).into_iter().collect();
    while let Some(name) = pending.pop() {
        if reached.insert(name)
            && let Some(state) = states.get(name)
        {
            each_target(state, Place::ROOT, &mut |_, target| pending.extend(resolve(target)));
        }
    }
    reached
}
