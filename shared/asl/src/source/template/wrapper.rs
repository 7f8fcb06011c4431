//! A file around one definition: the answer of DescribeStateMachine, the input of CreateStateMachine, `{"definition": …}`.

use serde_json::Value;

use super::{DEFINITIONS, Machine};
use crate::source::spot::Spot;

/// The state machine in it; nothing if the document has no such field, or fields of a definition beside it.
pub(super) fn machine<'v>(document: &'v Value, spot: &'v Spot) -> Option<Machine<'v>> {
    let fields = document.as_object().filter(|fields| !fields.contains_key("StartAt"))?;
    let key = DEFINITIONS.into_iter().find(|key| fields.get(*key).is_some_and(is_definition))?;
    let name = fields.get("name").and_then(Value::as_str).unwrap_or(key);
    let (_, at) = spot.child(key)?;
    let at = at.key.clone().unwrap_or_else(|| at.value.clone());
    Some(Machine { name: name.to_owned(), at, properties: Some((fields, spot)), is_planned: false })
}

fn is_definition(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.contains_key("States") || fields.contains_key("StartAt"),
        Value::String(text) => text.trim_start().starts_with('{') && text.contains("States"),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => false,
    }
}
