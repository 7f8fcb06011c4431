//! What AWS says when an expression goes wrong.
//!
//! AWS frames the words of the reference implementation; the engine has its codes but words of its own. So texts come
//! from [`catalogue`], and only what belongs into their gaps is taken from the engine, as far as it tells. A value is
//! shown as JSON. Deliberately absent: the prefix naming the state, which the interpreter adds.

mod catalogue;
mod syntax;

use serde_json::Value;

use crate::EvaluationError;

pub(super) use syntax::{ends_in_a_pattern, escape, expected, syntax, unary, unexpected};

pub(super) const ASSIGNS_TO_NO_VARIABLE: &str = "The left side of := must be a variable name (start with $)";
pub(super) const EMPTY_PATTERN: &str = "Empty regular expressions are not allowed";

/// How an evaluation can fail.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Failure {
    /// It evaluates to nothing.
    Undefined,
    /// Its value is or holds a function.
    Unsupported,
    /// An error of the language: what the engine says, its code first.
    Thrown(String),
    /// It nests too deep or calls itself too often.
    TooDeep,
    /// It takes too long.
    TooLong,
    /// A value it makes is too large.
    TooLarge,
    /// The engine gave up.
    Internal,
}

/// The values a replay of a failed evaluation saw where it failed, for the gaps the engine leaves.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Witness {
    /// The function called last, and its arguments.
    pub call: Option<(String, Vec<Value>)>,
    /// The operands of the operator applied last, and its sign.
    pub operands: Option<(Value, &'static str, Value)>,
}

impl Failure {
    /// Sorts what the engine says into what AWS tells apart.
    pub fn of_engine(message: &str) -> Failure {
        match code(message) {
            Some("D1011" | "U1001") => Failure::TooDeep,
            Some("D1012" | "U1003") => Failure::TooLong,
            Some("D2014" | "D2015") => Failure::TooLarge,
            Some(_) => Failure::Thrown(message.to_owned()),
            None if message == TOO_LARGE => Failure::TooLarge,
            None if message == TOO_LONG => Failure::TooLong,
            None => Failure::Thrown(message.to_owned()),
        }
    }

    /// Whether a replay could tell more than the engine did.
    pub fn wants_witness(&self) -> bool {
        match self {
            Failure::Thrown(message) => code(message).is_some_and(catalogue::wants_witness),
            Failure::Undefined
            | Failure::Unsupported
            | Failure::TooDeep
            | Failure::TooLong
            | Failure::TooLarge
            | Failure::Internal => false,
        }
    }

    /// The error as history shows it, without the prefix that names the state.
    pub fn into_error(self, text: &str, field: &str, witness: &Witness) -> EvaluationError {
        let ending = match self {
            Failure::Undefined => "returned nothing (undefined).".to_owned(),
            Failure::Unsupported => "returned an unsupported result type.".to_owned(),
            Failure::Thrown(message) => {
                let words = code(&message).and_then(|code| catalogue::words(code, &message, witness));
                format!("threw an error during evaluation. {}", words.unwrap_or(message))
            }
            Failure::TooDeep => format!(
                "threw an error during evaluation: Stack overflow error: Check for non-terminating recursive function.  \
                 Consider rewriting as tail-recursive. Depth={} max={}",
                super::nodes::DEEPEST + 1,
                super::nodes::DEEPEST
            ),
            // AWS: unverified words.
            Failure::TooLong => {
                "threw an error during evaluation: Expression evaluation timeout: Check for infinite loop".to_owned()
            }
            Failure::TooLarge => format!("threw an error during evaluation: {TOO_LARGE}"),
            // AWS: an id of the incident follows.
            Failure::Internal => "threw an internal error during evaluation.".to_owned(),
        };
        EvaluationError::query(field, about(text, field, &ending))
    }
}

/// The error of a function of ours when a value is too large.
pub(super) const TOO_LARGE: &str = "Expression evaluation memory limit exceeded: Check for excessive memory usage";

/// The error of a function of ours when the time is over.
pub(super) const TOO_LONG: &str = "Expression evaluation timeout";

fn about(text: &str, field: &str, ending: &str) -> String {
    format!("The JSONata expression '{text}' specified for the field '{field}' {ending}")
}

/// The code that a message of the engine begins with.
fn code(message: &str) -> Option<&str> {
    let (code, _) = message.split_once(':')?;
    let mut letters = code.chars();
    let is_code = letters.next().is_some_and(|letter| letter.is_ascii_uppercase())
        && code.len() == 5
        && letters.all(|letter| letter.is_ascii_digit());
    is_code.then_some(code)
}
