//! Workflow variables: their names, and the scope that may assign them.
//!
//! A scope is a level of states: the machine, a branch or an item processor. Reads are not checked here: see
//! `defined`.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use unicode_ident::{is_xid_continue, is_xid_start};

use crate::QueryLanguage;
use crate::about::About;
use crate::cursor::{Node, Object};
use crate::diagnostics::{Code, Findings};
use crate::levels;
use crate::place::Place;
use crate::reading::effective_language;

/// The longest name of a variable, in characters.
const LONGEST_NAME: usize = 80;

/// Reports names of an `Assign` that no variable can have.
pub(crate) fn check_names(assign: &Object<'_, '_>, findings: &mut Findings) {
    for key in assign.map.keys() {
        let name = name_of(key, assign.language);
        let at = assign.at.key(key);
        if name == "states" {
            let message = "Cannot assign to reserved variable '$states'.".to_owned();
            findings.error(Code::ReservedVariableName, Some(at), About::Name(message), None);
        } else if let Some(problem) = problem_of(name) {
            let message = format!("Invalid variable name '{name}': {problem}");
            let help = match name.strip_suffix(".$") {
                Some(name) => format!("JSONata has no .$ keys: write \"{name}\": \"{{% … %}}\""),
                None => "a name starts with a letter and has letters, digits and _; assign whole variables".to_owned(),
            };
            findings.error(Code::InvalidVariableName, Some(at), About::Name(message), Some(help));
        }
    }
}

/// The variable that a key of an `Assign` names.
pub(crate) fn name_of(key: &str, language: QueryLanguage) -> &str {
    match language {
        QueryLanguage::JsonPath => key.strip_suffix(".$").unwrap_or(key),
        QueryLanguage::Jsonata => key,
    }
}

/// AWS: names are Unicode identifiers (documented); the wording was measured.
fn problem_of(name: &str) -> Option<&'static str> {
    let mut letters = name.chars();
    let starts_well = letters.next().is_some_and(is_xid_start);
    if !starts_well || !letters.all(is_xid_continue) {
        return Some("the variable name contains invalid characters.");
    }
    // AWS: unverified wording
    (name.chars().count() > LONGEST_NAME).then_some("the variable name is longer than 80 characters.")
}

/// Reports variables of an inner scope that an outer one assigns too.
pub(crate) fn check_scopes(root: Node<'_, '_>, findings: &mut Findings) {
    check_scope(root, &Outer { names: &BTreeSet::new(), around: None }, findings);
}

/// The variables of the scopes around, innermost first. A chain on the stack, so that deep nesting copies no names.
struct Outer<'o> {
    names: &'o BTreeSet<&'o str>,
    around: Option<&'o Outer<'o>>,
}

impl Outer<'_> {
    fn has(&self, name: &str) -> bool {
        self.names.contains(name) || self.around.is_some_and(|around| around.has(name))
    }
}

/// Nesting is bounded by the JSON reader.
fn check_scope(level: Node<'_, '_>, outer: &Outer<'_>, findings: &mut Findings) {
    let mut own = BTreeSet::new();
    let at = level.at.key("States");
    for (name, state) in levels::states_of(level.value).into_iter().flatten() {
        each_assign(state, at.key(name), level.language, &mut |assigner, at, variable| {
            // AWS: a Catcher may assign what inner states assign as well (recorded), although the documentation
            // speaks of all assignments of a scope.
            if assigner == Assigner::State {
                own.insert(variable);
            }
            if outer.has(variable) {
                // AWS: that it is refused is documented. AWS: unverified code and wording
                let message = format!("The variable name '{variable}' was already defined in a parent scope.");
                let help = "Parallel and Map have variables of their own: choose another name".to_owned();
                findings.error(Code::DuplicateVariableName, Some(at), message, Some(help));
            }
        });
    }
    let outer = Outer { names: &own, around: Some(outer) };
    for (name, value) in levels::states_of(level.value).into_iter().flatten() {
        let state = Node { value, at: at.key(name), language: level.language };
        levels::each_level_within(state, &mut |inner| check_scope(inner, &outer, findings));
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Assigner {
    /// A state, or a rule of a Choice.
    State,
    Catcher,
}

/// Visits the variables a state assigns, with their places.
fn each_assign<'v>(
    state: &'v Value,
    at: Place<'_>,
    machine: QueryLanguage,
    visit: &mut dyn FnMut(Assigner, Place<'_>, &'v str),
) {
    let Some(fields) = state.as_object() else { return };
    let language = effective_language(fields, machine);
    let mut names = |assigner: Assigner, fields: Option<&'v Map<String, Value>>, at: Place<'_>| {
        let at = at.key("Assign");
        let assign = fields.and_then(|fields| fields.get("Assign")).and_then(Value::as_object);
        for key in assign.into_iter().flat_map(Map::keys) {
            visit(assigner, at.key(key), name_of(key, language));
        }
    };
    names(Assigner::State, Some(fields), at);
    for (list, assigner) in [("Choices", Assigner::State), ("Catch", Assigner::Catcher)] {
        let at = at.key(list);
        for (index, entry) in fields.get(list).and_then(Value::as_array).into_iter().flatten().enumerate() {
            names(assigner, entry.as_object(), at.index(index));
        }
    }
}
