//! One state: its type, its language, and the parts that all types share.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::about::About;
use crate::cursor::{Node, Object};
use crate::diagnostics::Findings;
use crate::fields::{self, ERRORS, FLOW_OF_DATA, Field, STATE, TRANSITION, WORK};
use crate::hints::did_you_mean;
use crate::reading::{ParseContext, Purpose, StateNode, effective_language};
use crate::states::{choice, fail, map, parallel, pass, task, wait};
use crate::{Kind, QueryLanguage, State, StateType, catch, data_flow, retry};

/// The tables that together say which fields a state of this type may have.
pub(crate) fn tables(state_type: StateType) -> &'static [&'static [Field]] {
    match state_type {
        StateType::Task => &[STATE, FLOW_OF_DATA, TRANSITION, ERRORS, WORK, task::FIELDS],
        StateType::Wait => &[STATE, FLOW_OF_DATA, TRANSITION, wait::FIELDS],
        StateType::Pass => &[STATE, FLOW_OF_DATA, TRANSITION, pass::FIELDS],
        StateType::Succeed => &[STATE, FLOW_OF_DATA],
        StateType::Fail => &[STATE, fail::FIELDS],
        StateType::Choice => &[STATE, FLOW_OF_DATA, choice::FIELDS],
        StateType::Parallel => &[STATE, FLOW_OF_DATA, TRANSITION, ERRORS, WORK, parallel::FIELDS],
        StateType::Map => &[STATE, FLOW_OF_DATA, TRANSITION, ERRORS, WORK, map::FIELDS],
    }
}

/// Reads a state and keeps it.
pub(crate) fn read<'v>(
    name: &str,
    node: Node<'v, '_>,
    siblings: &'v Map<String, Value>,
    context: &mut ParseContext<'v>,
) {
    match context.purpose {
        Purpose::Creation | Purpose::Test => read_parts(name, node, siblings, context),
        Purpose::Execution => {
            // A loss makes its own state unusable and no other: neither those around it nor its siblings.
            let others = std::mem::take(&mut context.findings);
            read_parts(name, node, siblings, context);
            context.findings = others;
        }
    }
}

fn read_parts<'v>(name: &str, node: Node<'v, '_>, siblings: &'v Map<String, Value>, context: &mut ParseContext<'v>) {
    let Some(object) = node.object(&mut context.findings) else { return };
    let language = effective_language(object.map, context.language);
    let object = Object { language, ..object };
    let Some(state_type) = read_type(&object, &mut context.findings) else { return };
    let id = context.id(name);
    let around = std::mem::replace(&mut context.findings.state, id);
    check_fields(&object, state_type, context);
    let state = StateNode { object, siblings };

    let kind = read_kind(state_type, &state, context);
    let data = data_flow::read(&object, state_type, &mut context.findings);
    let retry = retry::read(&object, &mut context.findings);
    let catch = catch::read(&state, context);
    let comment = object.text("Comment", &mut context.findings).map(str::to_owned);
    context.findings.state = around;
    if let (Some(kind), Some(id)) = (kind, id) {
        let name = Arc::from(name);
        let unusable = match context.purpose {
            Purpose::Creation | Purpose::Test => None,
            Purpose::Execution => context.findings.first_loss().map(Arc::from),
        };
        context.keep(State { id, name, comment, query_language: language, unusable, data, retry, catch, kind });
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
        let help = did_you_mean(name, StateType::names().into_iter(), findings);
        findings.schema_with_help(node.at, About::StateType, help);
    }
    found
}

fn check_fields(object: &Object<'_, '_>, state_type: StateType, context: &mut ParseContext<'_>) {
    let findings = &mut context.findings;
    let tables = tables(state_type);
    if context.language == QueryLanguage::Jsonata && object.language == QueryLanguage::JsonPath {
        // AWS: then fields of the other language are not reported on top.
        let message = "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine";
        findings.schema(object.at, About::Field { name: "QueryLanguage".to_owned(), message: message.to_owned() });
    } else {
        fields::check_languages(object, tables, findings);
    }
    fields::check_names(object, tables, findings);
    if let Some(node) = object.get("QueryLanguage") {
        node.word(&["JSONPath", "JSONata"], findings);
    }
}

fn read_kind<'v>(state_type: StateType, state: &StateNode<'v, '_>, context: &mut ParseContext<'v>) -> Option<Kind> {
    match state_type {
        StateType::Task => task::read(state, context).map(Kind::Task),
        StateType::Parallel => parallel::read(state, context).map(Kind::Parallel),
        StateType::Map => map::read(state, context).map(Kind::Map),
        StateType::Pass => pass::read(state, context).map(Kind::Pass),
        StateType::Wait => wait::read(state, context).map(Kind::Wait),
        StateType::Choice => choice::read(state, context).map(Kind::Choice),
        StateType::Succeed => Some(Kind::Succeed),
        StateType::Fail => Some(Kind::Fail(fail::read(state, context))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fields::In;
    use crate::{MachineType, parse};

    /// The findings about a machine of one state that has this field as well.
    fn found(state_type: StateType, language: In, field: &str, value: Option<&Value>) -> Vec<String> {
        let mut state = json!({"Type": state_type.name()});
        state["QueryLanguage"] = json!(if language == In::Jsonata { "JSONata" } else { "JSONPath" });
        if let Some(value) = value {
            state[field] = value.clone();
        }
        let definition = json!({"StartAt": "S", "States": {"S": state}}).to_string();
        parse(&definition, MachineType::Standard).diagnostics.iter().map(|one| one.wire_text()).collect()
    }

    /// A field that stands in a table and that no code reads takes any value.
    #[test]
    fn every_field_of_a_table_is_read() {
        let wrong = [json!(["", {"x.$": 5}]), json!("{% ( %}"), json!("$..["), json!(-1), json!({})];
        for state_type in StateType::ALL {
            for (field, language) in tables(*state_type).iter().copied().flatten() {
                // Any value is right for a Result.
                if *field != "Result" {
                    let without = found(*state_type, *language, field, None);
                    let finds = |value: &&Value| {
                        let with = found(*state_type, *language, field, Some(value));
                        with.iter().any(|one| !without.contains(one))
                    };
                    assert!(wrong.iter().find(finds).is_some(), "no code reads the field {field} of a {state_type:?}");
                }
            }
        }
    }
}
