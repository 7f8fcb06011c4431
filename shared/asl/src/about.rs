//! The subject of a diagnostic, from which AWS's text is made.
//!
//! A diagnostic has a location, and AWS often locates at an object what is wrong with one of its fields. [`About`] says
//! which field that is, so that the text is never read to find out.

use std::fmt;

use crate::{QueryLanguage, StateType};

/// The subject of a diagnostic at its location. The text of the diagnostic is its `Display`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// The value itself, in this text.
    Value(String),
    /// The text of the definition, which is no JSON; `message` shows the text and the place as well.
    Syntax { problem: String, message: String },
    /// The name that the value stands behind, in this text.
    Name(String),
    /// The value, which has to be one of some words.
    OneOf(Vec<&'static str>),
    /// The value of `Type`, which has to be one of the state types.
    StateType,
    /// A field that the object cannot have, and the one that was meant, if it has a similar name.
    Unsupported { field: String, meant: Option<String> },
    /// An argument that an integration does not have: its key, the text, and the argument that was meant.
    UnknownArgument { key: String, message: String, meant: Option<String> },
    /// A field that belongs to the other query language than the one `set`.
    OtherLanguage { field: String, set: QueryLanguage },
    /// A field of the object, in this text.
    Field { name: String, message: String },
    /// Two fields of the object that do not go together, in this text.
    Fields { names: [&'static str; 2], message: &'static str },
    /// Fields that the object lacks.
    Missing(Vec<String>),
    /// What a service says of arguments, which may be about any value within them.
    Arguments(String),
    /// A field that an object of arguments lacks.
    MissingArgument(String),
    /// Fields of which the object has more than one.
    AtMostOne(Vec<String>),
    /// Fields of which the object has none.
    ExactlyOne(Vec<String>),
    /// Fields of which a condition has none or several.
    Condition(Vec<&'static str>),
    /// The name of a state that does not exist.
    Target(String),
    /// A state that no transition leads to; `explained` by an error in the transitions of its level.
    Unreachable { state: String, explained: bool },
}

/// The part of a definition that a diagnostic is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Subject<'a> {
    /// The value at the location.
    Value,
    /// The value at the location, or any value within.
    Within,
    /// The same as `Value`; one of these words would be right.
    Word(Vec<&'static str>),
    /// The name that the value stands behind.
    Name,
    /// A field of the object at the location that should not be there.
    Misplaced(&'a str),
    /// One or two fields of the object at the location whose values are wrong.
    Wrong(&'a str, Option<&'a str>),
    /// The value at the location, which names a state.
    Target,
    /// The state at the location, as the end of transitions.
    Unreachable,
}

impl About {
    /// A field that the object cannot have.
    pub(crate) fn unsupported(field: &str, meant: Option<&str>) -> About {
        About::Unsupported { field: field.to_owned(), meant: meant.map(str::to_owned) }
    }

    /// Whether the definition can be run nevertheless: nothing of it is lost, and it was accepted before the rule came.
    pub(crate) fn only_refuses(&self) -> bool {
        match self {
            About::Name(_)
            | About::Unsupported { .. }
            | About::UnknownArgument { .. }
            | About::MissingArgument(_)
            | About::Fields { .. } => true,
            About::Value(_)
            | About::Arguments(_)
            | About::Syntax { .. }
            | About::OneOf(_)
            | About::StateType
            | About::OtherLanguage { .. }
            | About::Field { .. }
            | About::Missing(_)
            | About::AtMostOne(_)
            | About::ExactlyOne(_)
            | About::Condition(_)
            | About::Target(_)
            | About::Unreachable { .. } => false,
        }
    }

    pub(crate) fn subject(&self) -> Subject<'_> {
        match self {
            About::Name(_) => Subject::Name,
            About::OneOf(words) => Subject::Word(words.clone()),
            About::StateType => Subject::Word(StateType::names()),
            About::Unsupported { field, .. }
            | About::UnknownArgument { key: field, .. }
            | About::OtherLanguage { field, .. } => Subject::Misplaced(field),
            About::Field { name, .. } => Subject::Wrong(name, None),
            About::Fields { names: [one, other], .. } => Subject::Wrong(one, Some(other)),
            About::Target(_) => Subject::Target,
            About::Unreachable { .. } => Subject::Unreachable,
            About::Arguments(_) => Subject::Within,
            About::Value(_)
            | About::Syntax { .. }
            | About::Missing(_)
            | About::MissingArgument(_)
            | About::AtMostOne(_)
            | About::ExactlyOne(_)
            | About::Condition(_) => Subject::Value,
        }
    }
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            About::Value(message)
            | About::Arguments(message)
            | About::Syntax { message, .. }
            | About::Name(message)
            | About::UnknownArgument { message, .. }
            | About::Field { message, .. } => f.write_str(message),
            About::Fields { message, .. } => f.write_str(message),
            About::OneOf(words) => write!(f, "Value should be one of the following: [{}]", words.join(", ")),
            About::StateType => {
                write!(f, "The field 'Type' should have one of these values: [{}]", StateType::names().join(", "))
            }
            About::Unsupported { field, .. } => write!(f, "Field '{field}' is not supported"),
            About::OtherLanguage { field, set } => {
                let (own, other) = match set {
                    QueryLanguage::JsonPath => ("JSONPath", "JSONata"),
                    QueryLanguage::Jsonata => ("JSONata", "JSONPath"),
                };
                write!(
                    f,
                    "The QueryLanguage is set to '{own}', but field '{field}' is only supported for the '{other}' QueryLanguage"
                )
            }
            About::Missing(fields) => write!(f, "These fields are required: [{}]", fields.join(", ")),
            About::MissingArgument(field) => write!(f, "The field '{field}' is required but was missing"),
            About::AtMostOne(fields) => {
                write!(f, "There should only be one of the following fields: [{}]", fields.join(", "))
            }
            // AWS: this wording for none, the other for several, as observed for Next/End and ItemProcessor/Iterator.
            About::ExactlyOne(fields) => {
                write!(f, "This object should have only one of the following fields: [{}]", fields.join(", "))
            }
            About::Condition(fields) => {
                write!(f, "The object must have only one of the following fields, [{}]", fields.join(", "))
            }
            // AWS: always 'Next', whichever field names the target.
            About::Target(name) => write!(f, "Missing 'Next' target: {name}"),
            About::Unreachable { state, .. } => write!(f, "State \"{state}\" is not reachable."),
        }
    }
}

impl From<String> for About {
    fn from(message: String) -> About {
        About::Value(message)
    }
}

impl From<&str> for About {
    fn from(message: &str) -> About {
        About::Value(message.to_owned())
    }
}
