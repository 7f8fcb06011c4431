//! The fields that select and shape a state's data: paths, templates and variables.

use expressions::{Path, ReferencePath, Template};
use serde_json::Value;

use crate::cursor::Object;
use crate::diagnostics::{Code, Findings};
use crate::fields::StateType;
use crate::{DataFlow, QueryLanguage, ResultPath, Selection};

/// The longest name of a variable, in characters.
const LONGEST_VARIABLE: usize = 80;

/// Reads what there is; whether a state of that type may have it was checked before.
pub(crate) fn read(object: &Object<'_, '_>, state_type: StateType, findings: &mut Findings) -> DataFlow {
    if object.language == QueryLanguage::Jsonata {
        assign(object, findings);
        return DataFlow::default();
    }
    DataFlow {
        input_path: selection(object, "InputPath", findings),
        // A Map's Parameters are its item selector.
        parameters: if state_type == StateType::Map { None } else { object.template("Parameters", findings) },
        result_selector: object.template("ResultSelector", findings),
        result_path: result_path(object, findings),
        assign: assign(object, findings),
        output_path: selection(object, "OutputPath", findings),
    }
}

/// `InputPath`, `OutputPath`: a path, or `null` for nothing at all.
pub(crate) fn selection(object: &Object<'_, '_>, key: &str, findings: &mut Findings) -> Selection {
    let Some(node) = object.get(key) else { return Selection::Everything };
    match node.value {
        Value::Null => Selection::Nothing,
        Value::String(text) if text == "$" => Selection::Everything,
        _ => match node.text(findings).map(Path::parse) {
            Some(Ok(path)) => Selection::At(path),
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
    if object.language == QueryLanguage::Jsonata || node.value.is_null() {
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
            findings.schema(node.at, format!("Value is not a Reference Path: {}", invalid.message));
            ResultPath::Replace
        }
    }
}

/// `Assign`, of a state, a Choice rule or a Catcher.
pub(crate) fn assign(object: &Object<'_, '_>, findings: &mut Findings) -> Option<Template> {
    let node = object.get("Assign")?;
    let variables = node.object(findings)?;
    for key in variables.map.keys() {
        let name = key.strip_suffix(".$").filter(|_| object.language == QueryLanguage::JsonPath).unwrap_or(key);
        if name == "states" {
            let message = "Cannot assign to reserved variable '$states'.".to_owned();
            findings.error(Code::ReservedVariableName, Some(variables.at.key(key)), message, None);
        } else if let Some(problem) = problem_of_name(name) {
            let message = format!("Invalid variable name '{name}': {problem}");
            let help = Some("a name starts with a letter and has letters, digits and _".to_owned());
            findings.error(Code::InvalidVariableName, Some(variables.at.key(key)), message, help);
        }
    }
    node.template(findings)
}

fn problem_of_name(name: &str) -> Option<&'static str> {
    let mut letters = name.chars();
    let starts_well = letters.next().is_some_and(|first| first.is_alphabetic() || first == '_');
    if !starts_well || !letters.all(|letter| letter.is_alphanumeric() || letter == '_') {
        return Some("the variable name contains invalid characters.");
    }
    // AWS: unverified wording
    (name.chars().count() > LONGEST_VARIABLE).then_some("the variable name is longer than 80 characters.")
}
