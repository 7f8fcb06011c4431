//! Fail: ends with an error and a cause, both given or taken from the input.

use expressions::Expression;
use expressions::jsonata::Sees;

use crate::cursor::Node;
use crate::diagnostics::Findings;
use crate::fields::{Field, In};
use crate::hints::missing_path;
use crate::reading::{ParseContext, StateNode};
use crate::{Fail, QueryLanguage, Text};

pub(crate) const FIELDS: &[Field] =
    &[("Error", In::Both), ("Cause", In::Both), ("ErrorPath", In::JsonPath), ("CausePath", In::JsonPath)];

/// The intrinsic functions that answer a text, which are the ones `ErrorPath` and `CausePath` take.
const TEXT_FUNCTIONS: [&str; 7] = [
    "States.Format",
    "States.JsonToString",
    "States.ArrayGetItem",
    "States.Base64Encode",
    "States.Base64Decode",
    "States.Hash",
    "States.UUID",
];

pub(crate) fn read(state: &StateNode<'_, '_>, context: &mut ParseContext<'_>) -> Fail {
    let findings = &mut context.findings;
    Fail { error: text(state, "Error", "ErrorPath", findings), cause: text(state, "Cause", "CausePath", findings) }
}

fn text(state: &StateNode<'_, '_>, literal: &str, path: &str, findings: &mut Findings) -> Option<Text> {
    let object = &state.object;
    object.at_most_one(&[literal, path], findings);
    if let Some(node) = object.get(path).filter(|node| node.language == QueryLanguage::JsonPath) {
        return expression(node, findings).map(Text::From);
    }
    match object.get(literal)? {
        node if node.means_expression() => node.expression(Sees::Input, findings).map(Text::Jsonata),
        node => {
            missing_path(node, path, findings);
            node.text(findings).map(|text| Text::Literal(text.to_owned()))
        }
    }
}

fn expression(node: Node<'_, '_>, findings: &mut Findings) -> Option<Expression> {
    let text = node.text(findings)?;
    let help = match Expression::parse(text) {
        Ok(Expression::Intrinsic(_)) if !answers_text(text) => {
            format!("only these functions answer a text: {}", TEXT_FUNCTIONS.join(", "))
        }
        Ok(expression) => {
            findings.reads(node.at, expression.variables());
            return Some(expression);
        }
        Err(invalid) => invalid.message,
    };
    findings.schema_with_help(node.at, "Value must be a valid JSONPath.", Some(help));
    None
}

fn answers_text(call: &str) -> bool {
    let name = call.split('(').next().unwrap_or_default().trim();
    TEXT_FUNCTIONS.contains(&name)
}
