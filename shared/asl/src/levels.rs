//! The levels of states of a definition (machine, branches, item processors) as text, before they are read.

use serde_json::{Map, Value};

use crate::StateType;
use crate::cursor::Node;

/// The states of a level, if it has any.
pub(crate) fn states_of(level: &Value) -> Option<&Map<String, Value>> {
    level.get("States")?.as_object()
}

/// The type of a state, if it names one.
pub(crate) fn type_of(state: &Value) -> Option<StateType> {
    state.get("Type").and_then(Value::as_str).and_then(StateType::named)
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
    let state_type = type_of(state.value);
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
