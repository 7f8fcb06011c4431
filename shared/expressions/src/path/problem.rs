//! Why a path could not be read, in Jayway's words.
//!
//! The places are written the way Jayway writes them, `$['a'][0]`. Deliberately absent: the frame AWS puts
//! around the text, which depends on the field the path stands in.

use std::fmt;

use serde_json::Value;

use super::Step;

/// Why a path could not be read. Its text is Jayway's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathError {
    /// Nothing at the end of the path.
    NoResults {
        place: String,
    },
    /// Nothing at a step before the end.
    MissingProperty {
        place: String,
    },
    /// A name applied to something that is not an object.
    NotAnObject {
        property: String,
        place: String,
        class: &'static str,
    },
    /// An index applied to something that is not an array.
    NotAnArray {
        index: i64,
        found: String,
    },
    /// An index applied where an earlier index was past the end.
    Null {
        place: String,
    },
    VariableNotFound {
        name: String,
    },
    /// A function that has nothing to work on.
    Function {
        message: &'static str,
    },
    /// More places than a payload can have: the path multiplies the document.
    TooMuch,
}

impl fmt::Display for PathError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PathError::NoResults { place } => write!(out, "No results for path: {place}"),
            PathError::MissingProperty { place } => write!(out, "Missing property in path {place}"),
            // AWS: unverified: the class names follow from the provider its behaviour for indices implies.
            PathError::NotAnObject { property, place, class } => write!(
                out,
                "Expected to find an object with property ['{property}'] in path {place} but found '{class}'. This is \
                 not a json object according to the JsonProvider: \
                 'com.jayway.jsonpath.spi.json.JacksonJsonNodeJsonProvider'."
            ),
            PathError::NotAnArray { index, found } => {
                write!(out, "Filter: [{index}] can only be applied to arrays. Current context is: {found}")
            }
            PathError::Null { place } => write!(out, "The path {place} is null"),
            // AWS: unverified.
            PathError::VariableNotFound { name } => write!(out, "Variable not found: ${name}"),
            PathError::Function { message } => out.write_str(message),
            // AWS: unverified: Jayway has no such bound, the service must have one.
            PathError::TooMuch => out.write_str("The path selects too many values"),
        }
    }
}

impl std::error::Error for PathError {}

/// The place the first steps of a path lead to.
pub(super) fn place(steps: &[Step]) -> String {
    let mut text = String::from("$");
    for step in steps {
        match step {
            Step::Property(name) => text.push_str(&format!("['{name}']")),
            Step::Properties(names) => text.push_str(&format!("['{}']", names.join("','"))),
            Step::Index(index) => text.push_str(&format!("[{index}]")),
            Step::Indices(indices) => {
                let all: Vec<String> = indices.iter().map(i64::to_string).collect();
                text.push_str(&format!("[{}]", all.join(",")));
            }
            Step::Slice { from, to } => {
                let bound = |bound: &Option<i64>| bound.map(|b| b.to_string()).unwrap_or_default();
                text.push_str(&format!("[{}:{}]", bound(from), bound(to)));
            }
            Step::Wildcard => text.push_str("[*]"),
            Step::Filter(_) => text.push_str("[?]"),
            Step::Scan => text.push_str(".."),
        }
    }
    text
}

/// The class of a value in AWS's Java front end.
pub(super) fn class(value: &Value) -> &'static str {
    match value {
        Value::Null => "com.fasterxml.jackson.databind.node.NullNode",
        Value::Bool(_) => "com.fasterxml.jackson.databind.node.BooleanNode",
        Value::String(_) => "com.fasterxml.jackson.databind.node.TextNode",
        Value::Array(_) => "com.fasterxml.jackson.databind.node.ArrayNode",
        Value::Object(_) => "com.fasterxml.jackson.databind.node.ObjectNode",
        Value::Number(number) => match number.as_i64() {
            Some(whole) if i32::try_from(whole).is_ok() => "com.fasterxml.jackson.databind.node.IntNode",
            Some(_) => "com.fasterxml.jackson.databind.node.LongNode",
            None if number.is_u64() => "com.fasterxml.jackson.databind.node.BigIntegerNode",
            None => "com.fasterxml.jackson.databind.node.DoubleNode",
        },
    }
}
