//! A call and its evaluation: arguments first, then the function.
//!
//! Here is also what every function needs to look at its arguments; the functions themselves are in the
//! neighbouring files by what they work on.

use serde_json::Value;

use super::{arrays, format, math, text};
use crate::error::EvaluationError;
use crate::expression;
use crate::json;
use crate::path::Path;
use crate::scope::Scope;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Call {
    pub(super) text: String,
    pub(super) function: Function,
    pub(super) arguments: Vec<Argument>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Argument {
    /// A number, boolean or null.
    Literal(Value),
    /// A string with its escapes resolved, and as written between the quotes, where `\{` is no placeholder.
    Text {
        value: Value,
        written: String,
    },
    Path(Path),
    Call(Call),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Array,
    ArrayContains,
    ArrayGetItem,
    ArrayLength,
    ArrayPartition,
    ArrayRange,
    ArrayUnique,
    Base64Decode,
    Base64Encode,
    Format,
    Hash,
    JsonMerge,
    JsonToString,
    MathAdd,
    MathRandom,
    StringSplit,
    StringToJson,
    Uuid,
}

/// The failure of a function; the call puts its own text around it.
pub(super) type Failure = String;

impl Call {
    /// Recursion is as deep as calls are nested, which the parser bounds.
    pub(super) fn evaluate(&self, scope: &Scope) -> Result<Value, EvaluationError> {
        scope.fuel.check()?;
        let mut values = Vec::with_capacity(self.arguments.len());
        let mut room = json::MOST_WEIGHT;
        for argument in &self.arguments {
            let value = match argument {
                Argument::Literal(value) | Argument::Text { value, .. } => value.clone(),
                Argument::Path(path) => self.read(path, scope)?,
                Argument::Call(call) => call.evaluate(scope)?,
            };
            let weight = json::weight(&value, room);
            scope.fuel.spend_for(weight, json::COPY_COST + self.function.cost());
            room = room
                .checked_sub(weight)
                .ok_or_else(|| EvaluationError::intrinsic(self.framed("The arguments are too long")))?;
            values.push(value);
        }
        self.apply(&values, scope).map_err(|failure| EvaluationError {
            in_test: Some(Box::new(("States.Runtime", self.framed_in_test()))),
            ..EvaluationError::intrinsic(self.framed(&failure))
        })
    }

    // AWS: observed in TestState for the length of a number; unverified for other functions and failures.
    fn framed_in_test(&self) -> String {
        let name = self.text.split('(').next().unwrap_or_default().trim();
        format!(
            "There was an error while evaluating the intrinsic function: {}. Invalid arguments in {name}",
            self.text
        )
    }

    pub(super) fn collect_variables<'c>(&'c self, names: &mut Vec<&'c str>) {
        for argument in &self.arguments {
            match argument {
                Argument::Literal(_) | Argument::Text { .. } => {}
                Argument::Path(path) => names.extend(path.variable()),
                Argument::Call(call) => call.collect_variables(names),
            }
        }
    }

    fn read(&self, path: &Path, scope: &Scope) -> Result<Value, EvaluationError> {
        match expression::read(path, scope)? {
            Ok(value) => Ok(value),
            // AWS: the text is known from reports, the error name with it is not verified.
            Err(_) => Err(EvaluationError::runtime(self.framed(&format!(
                "The JsonPath argument for the field '{}' could not be found in the input '{}'",
                path.text(),
                expression::looked_through(path, scope)
            )))),
        }
    }

    fn framed(&self, failure: &str) -> String {
        format!("The function '{}' had the following error: {failure}", self.text)
    }

    fn apply(&self, values: &[Value], scope: &Scope) -> Result<Value, Failure> {
        match self.function {
            Function::Array => Ok(Value::Array(values.to_vec())),
            Function::ArrayContains => arrays::contains(values),
            Function::ArrayGetItem => arrays::get_item(values),
            Function::ArrayLength => arrays::length(values),
            Function::ArrayPartition => arrays::partition(values),
            Function::ArrayRange => arrays::range(values),
            Function::ArrayUnique => arrays::unique(values),
            Function::Base64Decode => text::decode(values),
            Function::Base64Encode => text::encode(values),
            Function::Format => match self.arguments.first() {
                Some(Argument::Text { written, .. }) => format::format(written, values),
                _ => format::format(string(values, 0)?, values),
            },
            Function::Hash => text::hash(values),
            Function::JsonMerge => text::merge(values),
            Function::JsonToString => text::print(values),
            Function::MathAdd => math::add(values),
            Function::MathRandom => math::random(values, scope.chance),
            Function::StringSplit => text::split(values),
            Function::StringToJson => text::parse(values),
            Function::Uuid => Ok(Value::String(scope.chance.uuid())),
        }
    }
}

impl Function {
    /// What it costs for each unit of weight of its arguments, measured over lists of numbers, the dearest of all; see
    /// [`crate::Fuel`].
    fn cost(self) -> u64 {
        match self {
            Function::ArrayUnique => 60,
            Function::StringSplit => 40,
            Function::StringToJson => 20,
            Function::Base64Decode | Function::Base64Encode | Function::Hash => 10,
            Function::JsonToString | Function::Format => 8,
            Function::ArrayContains | Function::ArrayPartition | Function::Array | Function::JsonMerge => 5,
            Function::ArrayGetItem
            | Function::ArrayLength
            | Function::ArrayRange
            | Function::MathAdd
            | Function::MathRandom
            | Function::Uuid => 1,
        }
    }

    /// The function of this name, and how many arguments it takes at least and at most.
    pub(super) fn named(name: &str) -> Option<(Function, usize, usize)> {
        Some(match name {
            "Array" => (Function::Array, 0, usize::MAX),
            "ArrayContains" => (Function::ArrayContains, 2, 2),
            "ArrayGetItem" => (Function::ArrayGetItem, 2, 2),
            "ArrayLength" => (Function::ArrayLength, 1, 1),
            "ArrayPartition" => (Function::ArrayPartition, 2, 2),
            "ArrayRange" => (Function::ArrayRange, 3, 3),
            "ArrayUnique" => (Function::ArrayUnique, 1, 1),
            "Base64Decode" => (Function::Base64Decode, 1, 1),
            "Base64Encode" => (Function::Base64Encode, 1, 1),
            "Format" => (Function::Format, 1, usize::MAX),
            "Hash" => (Function::Hash, 2, 2),
            "JsonMerge" => (Function::JsonMerge, 3, 3),
            "JsonToString" => (Function::JsonToString, 1, 1),
            "MathAdd" => (Function::MathAdd, 2, 2),
            "MathRandom" => (Function::MathRandom, 2, 3),
            "StringSplit" => (Function::StringSplit, 2, 2),
            "StringToJson" => (Function::StringToJson, 1, 1),
            "UUID" => (Function::Uuid, 0, 0),
            _ => return None,
        })
    }
}

// The functions below look at one argument. AWS: unverified: all wordings of wrong types.

pub(super) fn string(values: &[Value], index: usize) -> Result<&str, Failure> {
    let text = values.get(index).and_then(json::string).ok_or_else(|| wrong(values, index, "string"))?;
    if json::is_marked(text) { Err(UNPAIRED.to_owned()) } else { Ok(text) }
}

// AWS: unverified wording; Java computes with them.
const UNPAIRED: &str = "A text holds an unpaired surrogate, which cannot be computed with";

/// Refuses what holds half of a surrogate pair anywhere; numbers print as they came.
pub(super) fn computable(value: &Value) -> Result<(), Failure> {
    let mut waiting = vec![value];
    while let Some(value) = waiting.pop() {
        let texts = |text: &String| json::is_marked(text) && json::number(text).is_none();
        match value {
            Value::String(text) if texts(text) => return Err(UNPAIRED.to_owned()),
            Value::Object(members) if members.keys().any(texts) => return Err(UNPAIRED.to_owned()),
            Value::Array(items) => waiting.extend(items),
            Value::Object(members) => waiting.extend(members.values()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    Ok(())
}

pub(super) fn array(values: &[Value], index: usize) -> Result<&[Value], Failure> {
    values.get(index).and_then(Value::as_array).map(Vec::as_slice).ok_or_else(|| wrong(values, index, "array"))
}

pub(super) fn integer(values: &[Value], index: usize) -> Result<i64, Failure> {
    values.get(index).and_then(crate::number::rounded).ok_or_else(|| match values.get(index) {
        Some(value) if json::is_number(value) => {
            format!("Invalid argument {}: {} is out of range", index + 1, json::to_text(value))
        }
        _ => wrong(values, index, "number"),
    })
}

pub(super) fn wrong(values: &[Value], index: usize, wanted: &str) -> Failure {
    let found = match values.get(index) {
        None => "nothing",
        Some(Value::Null) => "null",
        Some(Value::Bool(_)) => "boolean",
        Some(value) if json::is_number(value) => "number",
        Some(Value::Number(_) | Value::String(_)) => "string",
        Some(Value::Array(_)) => "array",
        Some(Value::Object(_)) => "object",
    };
    format!("Invalid argument {}: expected type '{wanted}', but was '{found}'", index + 1)
}
