//! The fields that select and shape a state's data: paths, templates and variables.

use expressions::jsonata::{self, Sees};
use expressions::{Path, ReferencePath};
use serde_json::Value;

use crate::cursor::{Object, reason_against};
use crate::diagnostics::Findings;
use crate::{DataFlow, QueryLanguage, ResultPath, Selection, StateType, Template, variables};

/// Reads what there is; whether a state of that type may have it was checked before.
pub(crate) fn read(object: &Object<'_, '_>, state_type: StateType, findings: &mut Findings) -> DataFlow {
    let sees = if state_type.has_result() { Sees::Result } else { Sees::Input };
    match object.language {
        QueryLanguage::JsonPath => DataFlow {
            input_path: selection(object, "InputPath", findings),
            // A Map's Parameters are its item selector.
            arguments: match state_type {
                StateType::Map => None,
                _ => object.get("Parameters").and_then(|node| node.template(Sees::Input, findings)),
            },
            result_selector: object.get("ResultSelector").and_then(|node| node.paths(findings)),
            result_path: result_path(object, findings),
            assign: assign(object, sees, findings),
            output_path: selection(object, "OutputPath", findings),
            output: None,
        },
        QueryLanguage::Jsonata => DataFlow {
            arguments: object.get("Arguments").and_then(|node| node.template(Sees::Input, findings)),
            assign: assign(object, sees, findings),
            output: output(object, sees, findings),
            ..DataFlow::default()
        },
    }
}

/// `Output`, of a state, a Choice rule or a Catcher.
pub(crate) fn output(object: &Object<'_, '_>, sees: Sees, findings: &mut Findings) -> Option<jsonata::Template> {
    match object.language {
        QueryLanguage::JsonPath => None,
        QueryLanguage::Jsonata => object.get("Output")?.payload(sees, findings),
    }
}

/// `InputPath`, `OutputPath`: a path, or `null` for nothing at all.
pub(crate) fn selection(object: &Object<'_, '_>, key: &str, findings: &mut Findings) -> Selection {
    let Some(node) = object.get(key) else { return Selection::Everything };
    match node.value {
        Value::Null => Selection::Nothing,
        Value::String(text) if text == "$" => Selection::Everything,
        _ => match node.text(findings).map(Path::parse) {
            Some(Ok(path)) => {
                findings.reads(node.at, path.variable());
                Selection::At(path)
            }
            Some(Err(invalid)) => {
                let help = Some(invalid.message);
                findings.schema_with_help(node.at, "Value must be a valid JSONPath.", help);
                Selection::Everything
            }
            None => Selection::Everything,
        },
    }
}

/// `ResultPath`, of a state or a Catcher.
pub(crate) fn result_path(object: &Object<'_, '_>, findings: &mut Findings) -> ResultPath {
    let Some(node) = object.get("ResultPath") else { return ResultPath::Replace };
    if object.language == QueryLanguage::Jsonata {
        return ResultPath::Replace;
    }
    if node.value.is_null() {
        return ResultPath::Discard;
    }
    let Some(text) = node.text(findings) else { return ResultPath::Replace };
    if text == "$" {
        return ResultPath::Replace;
    }
    if !text.starts_with('$') {
        findings.schema(node.at, "Value is not a Reference Path: Reference path didn't start with '$'");
        return ResultPath::Replace;
    }
    match ReferencePath::parse(text) {
        Ok(path) => ResultPath::At(path),
        Err(invalid) => {
            let reason = reason_against(text, &invalid);
            findings.schema(node.at, format!("Value is not a Reference Path: {reason}"));
            ResultPath::Replace
        }
    }
}

/// `Assign`, of a state, a Choice rule or a Catcher.
pub(crate) fn assign(object: &Object<'_, '_>, sees: Sees, findings: &mut Findings) -> Option<Template> {
    let node = object.get("Assign")?;
    let variables = node.object(findings)?;
    variables::check_names(&variables, findings);
    node.template(sees, findings)
}
