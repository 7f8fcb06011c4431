//! AWS's words for an expression whose value is of a type that its field does not take.

use serde_json::Value;

use super::Jsonata;
use crate::{EvaluationError, json};

/// The error of an expression that had to answer an `expected` (`array`, `boolean`, `number`, `string`) and did not.
pub fn unexpected_type(expression: &Jsonata, field: &str, expected: &str, value: &Value) -> EvaluationError {
    let (text, was, shown) = (expression.text(), type_name(value), json::to_text(value));
    EvaluationError::query(
        field,
        format!(
            "The JSONata expression '{text}' specified for the field '{field}' returned an unexpected result type. \
             Expected '{expected}', but was '{was}' for value: {shown}"
        ),
    )
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
