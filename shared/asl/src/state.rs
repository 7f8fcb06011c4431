//! What all states have in common: their type, their language, what goes in and out, and where they hand on to.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::cursor::{Node, Object};
use crate::definition::Reading;
use crate::diagnostics::Findings;
use crate::fields::{self, StateType};
use crate::hints::did_you_mean;
use crate::states::{choice, fail, map, parallel, pass, task, wait};
use crate::{Kind, QueryLanguage, State, Transition, catch, data_flow, retry};

/// A state that is being read: its fields and the states it may hand on to.
#[derive(Clone, Copy)]
pub(crate) struct Sheet<'v, 'p> {
    pub object: Object<'v, 'p>,
    pub siblings: &'v Map<String, Value>,
}

/// Reads a state and keeps it, if nothing is wrong with it.
pub(crate) fn read<'v>(name: &str, node: Node<'v, '_>, siblings: &'v Map<String, Value>, reading: &mut Reading<'v>) {
    let Some(object) = node.object(&mut reading.findings) else { return };
    let language = effective_language(object.map, reading.language);
    let object = Object { language, ..object };
    let Some(state_type) = read_type(&object, &mut reading.findings) else { return };
    check_fields(&object, state_type, reading);
    let sheet = Sheet { object, siblings };

    let kind = read_kind(state_type, &sheet, reading);
    let data = data_flow::read(&object, state_type, &mut reading.findings);
    let retry = retry::read(&object, &mut reading.findings);
    let catch = catch::read(&sheet, reading);
    let comment = object.text("Comment", &mut reading.findings).map(str::to_owned);
    if let (Some(kind), Some(id)) = (kind, reading.id(name)) {
        let name = Arc::from(name);
        reading.keep(State { id, name, comment, query_language: language, data, retry, catch, kind });
    }
}

/// `Next` or `End`, exactly one of which has to be there.
pub(crate) fn transition(sheet: &Sheet<'_, '_>, reading: &mut Reading<'_>) -> Option<Transition> {
    let object = &sheet.object;
    let next = object.get("Next");
    let end = match object.get("End") {
        None => false,
        Some(node) => match node.value {
            Value::Bool(end) => *end,
            _ => return node.wrong_type("[BOOLEAN]", &mut reading.findings),
        },
    };
    match (next, end) {
        (Some(_), true) => {
            object.at_most_one(&["Next", "End"], &mut reading.findings);
            None
        }
        (Some(next), false) => {
            let target = next.text(&mut reading.findings)?;
            reading.sibling(sheet.siblings, target).map(Transition::Next)
        }
        (None, true) => Some(Transition::End),
        (None, false) => {
            let message = "This object should have only one of the following fields: [Next, End]";
            let help = "name the next state, or say \"End\": true".to_owned();
            reading.findings.schema_with_help(object.at, message, Some(help));
            None
        }
    }
}

fn read_type(object: &Object<'_, '_>, findings: &mut Findings) -> Option<StateType> {
    if !object.require(&["Type"], findings) {
        return None;
    }
    let node = object.get("Type")?;
    let name = node.text(findings)?;
    let found = StateType::named(name);
    if found.is_none() {
        let names: Vec<&str> = StateType::names().collect();
        let message = format!("The field 'Type' should have one of these values: [{}]", names.join(", "));
        let help = did_you_mean(name, names.into_iter(), findings);
        findings.schema_with_help(node.at, message, help);
    }
    found
}

// AWS: what is absent is inherited from the machine, not from the Map or Parallel around; what is there and is not
// exactly `JSONPath` is JSONata, even where the value is reported as wrong.
pub(crate) fn effective_language(state: &Map<String, Value>, machine: QueryLanguage) -> QueryLanguage {
    match state.get("QueryLanguage") {
        None => machine,
        Some(Value::String(text)) if text == "JSONPath" => QueryLanguage::JsonPath,
        Some(_) => QueryLanguage::Jsonata,
    }
}

fn check_fields(object: &Object<'_, '_>, state_type: StateType, reading: &mut Reading<'_>) {
    let findings = &mut reading.findings;
    let tables = state_type.fields();
    if reading.language == QueryLanguage::Jsonata && object.language == QueryLanguage::JsonPath {
        // AWS: then fields of the other language are not reported on top.
        let message = "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine";
        findings.schema(object.at, message);
    } else {
        fields::check_languages(object, tables, findings);
    }
    fields::check_names(object, tables, findings);
    if let Some(node) = object.get("QueryLanguage") {
        node.word(&["JSONPath", "JSONata"], findings);
    }
}

fn read_kind<'v>(state_type: StateType, sheet: &Sheet<'v, '_>, reading: &mut Reading<'v>) -> Option<Kind> {
    match state_type {
        StateType::Task => task::read(sheet, reading).map(Kind::Task),
        StateType::Parallel => parallel::read(sheet, reading).map(Kind::Parallel),
        StateType::Map => map::read(sheet, reading).map(Kind::Map),
        StateType::Pass => pass::read(sheet, reading).map(Kind::Pass),
        StateType::Wait => wait::read(sheet, reading).map(Kind::Wait),
        StateType::Choice => choice::read(sheet, reading).map(Kind::Choice),
        StateType::Succeed => Some(Kind::Succeed),
        StateType::Fail => Some(Kind::Fail(fail::read(sheet, reading))),
    }
}
