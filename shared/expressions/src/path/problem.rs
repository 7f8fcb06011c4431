//! Why a path could not be read, in the words of Jayway JsonPath 2.0.0.
//!
//! The places are written the way Jayway writes them, `$['a'][0]`. Deliberately absent: the frame AWS puts
//! around the text, which depends on the field the path stands in.

use std::fmt;

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
    NoProperty {
        property: String,
        place: String,
    },
    /// An index or a slice, with what follows it, applied to something that is not an array.
    NotAnArray {
        steps: String,
        found: String,
    },
    /// A filter, with what follows it, applied to something that is neither an array nor an object.
    Primitive {
        steps: String,
        found: String,
    },
    /// Several names before the end of the path.
    SeveralProperties {
        place: String,
    },
    /// An index applied to null or behind an index past the end.
    Null {
        place: String,
    },
    /// A filter compares a number with a text that is none.
    NotANumber(String),
    /// A filter matches with something that is not a regular expression.
    NotAPattern,
    VariableNotFound {
        name: String,
    },
    /// The path does not compile; only one that was stored before this was known comes here.
    Invalid {
        message: String,
    },
    /// More places than a payload can have: the path multiplies the document.
    TooMuch,
}

impl fmt::Display for PathError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PathError::NoResults { place } => write!(out, "No results for path: {place}"),
            PathError::MissingProperty { place } => write!(out, "Missing property in path {place}"),
            PathError::NoProperty { property, place } => {
                write!(out, "Property {property} not found in path {place}")
            }
            PathError::NotAnArray { steps, found } => {
                write!(out, "Filter: {steps} can only be applied to arrays. Current context is: {found}")
            }
            PathError::Primitive { steps, found } => {
                write!(out, "Filter: {steps} can not be applied to primitives. Current context is: {found}")
            }
            PathError::SeveralProperties { place } => {
                write!(out, "Multi properties can only be used as path leafs: {place}")
            }
            PathError::Null { place } => write!(out, "The path {place} is null"),
            // AWS: unverified: what Java's BigDecimal says.
            PathError::NotANumber(text) => match text.chars().next() {
                Some(first) => write!(
                    out,
                    "Character {first} is neither a decimal digit number, decimal point, nor \"e\" notation exponential \
                     mark."
                ),
                None => out.write_str("Index 0 out of bounds for length 0"),
            },
            // AWS: unverified: what Java says of the cast.
            PathError::NotAPattern => out.write_str("java.lang.String cannot be cast to java.util.regex.Pattern"),
            // AWS: unverified.
            PathError::VariableNotFound { name } => write!(out, "Variable not found: ${name}"),
            PathError::Invalid { message } => out.write_str(message),
            // AWS: unverified: Jayway has no such bound, the service must have one.
            PathError::TooMuch => out.write_str("The path selects too many values"),
        }
    }
}

impl std::error::Error for PathError {}

/// Steps as Jayway shows them.
pub(super) fn fragments(steps: &[Step]) -> String {
    let mut text = String::new();
    for step in steps {
        match step {
            Step::Property(name) => text.push_str(&properties(std::slice::from_ref(name))),
            Step::Properties(names) => text.push_str(&properties(names)),
            Step::Index(index) => text.push_str(&format!("[{index}]")),
            Step::FromEnd(distance) => text.push_str(&format!("[@.size(){distance}]")),
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

/// `['a', 'b']`
pub(super) fn properties(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
    format!("[{}]", quoted.join(", "))
}
