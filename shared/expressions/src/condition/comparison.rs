//! The 39 operators of a Choice rule.
//!
//! An operator is what it compares, how, and with what: a literal checked when compiled, or a path read when
//! evaluated.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::Value;

use super::pattern;
use crate::error::{EvaluationError, Invalid};
use crate::json;
use crate::number::Numeric;
use crate::path::{Path, Root};
use crate::scope::Scope;
use crate::time::parse_timestamp;

/// One operator of a Choice rule with its operand.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    test: Test,
    operand: Operand,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Test {
    Compare(Type, Order),
    StringMatches,
    Is(Nature),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    String,
    Numeric,
    Boolean,
    Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Equals,
    LessThan,
    GreaterThan,
    LessThanEquals,
    GreaterThanEquals,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nature {
    Null,
    Present,
    Numeric,
    String,
    Boolean,
    Timestamp,
}

#[derive(Clone, Debug, PartialEq)]
enum Operand {
    Literal(Value),
    Path(Path),
}

impl Comparison {
    /// The names of all operators.
    pub const OPERATORS: [&str; 39] = [
        "BooleanEquals",
        "BooleanEqualsPath",
        "IsBoolean",
        "IsNull",
        "IsNumeric",
        "IsPresent",
        "IsString",
        "IsTimestamp",
        "NumericEquals",
        "NumericEqualsPath",
        "NumericGreaterThan",
        "NumericGreaterThanPath",
        "NumericGreaterThanEquals",
        "NumericGreaterThanEqualsPath",
        "NumericLessThan",
        "NumericLessThanPath",
        "NumericLessThanEquals",
        "NumericLessThanEqualsPath",
        "StringEquals",
        "StringEqualsPath",
        "StringGreaterThan",
        "StringGreaterThanPath",
        "StringGreaterThanEquals",
        "StringGreaterThanEqualsPath",
        "StringLessThan",
        "StringLessThanPath",
        "StringLessThanEquals",
        "StringLessThanEqualsPath",
        "StringMatches",
        "TimestampEquals",
        "TimestampEqualsPath",
        "TimestampGreaterThan",
        "TimestampGreaterThanPath",
        "TimestampGreaterThanEquals",
        "TimestampGreaterThanEqualsPath",
        "TimestampLessThan",
        "TimestampLessThanPath",
        "TimestampLessThanEquals",
        "TimestampLessThanEqualsPath",
    ];

    pub fn is_operator(name: &str) -> bool {
        Self::OPERATORS.contains(&name)
    }

    /// Compiles an operator and checks the type of its operand.
    pub fn parse(operator: &str, operand: &Value) -> Result<Comparison, Invalid> {
        let (name, by_path) = match operator.strip_suffix("Path") {
            Some(name) => (name, true),
            None => (operator, false),
        };
        let test = match Test::parse(name) {
            Some(test) if !by_path || matches!(test, Test::Compare(..)) => test,
            _ => return Err(Invalid::new(format!("'{operator}' is not an operator"))),
        };
        let operand = if by_path { path_operand(operand)? } else { test.literal_operand(operand)? };
        Ok(Comparison { test, operand })
    }

    /// The path of the operand, where the operator takes one.
    pub fn operand_path(&self) -> Option<&Path> {
        match &self.operand {
            Operand::Path(path) => Some(path),
            Operand::Literal(_) => None,
        }
    }

    pub(super) fn holds(&self, variable: &Path, scope: &Scope) -> Result<bool, EvaluationError> {
        scope.fuel.check()?;
        if self.test == Test::Is(Nature::Present) {
            return Ok(self.operand == Operand::Literal(Value::Bool(variable.is_present(scope))));
        }
        // AWS: unverified that IsNull, like IsPresent, may be asked about a document that is null.
        let left = if self.test == Test::Is(Nature::Null) { found(variable, scope)? } else { read(variable, scope)? };
        let right = match &self.operand {
            Operand::Literal(value) => Cow::Borrowed(value),
            Operand::Path(path) => read(path, scope)?,
        };
        scope.fuel.spend(COMPARISON_COST + texts_cost(&left, &right));
        Ok(match self.test {
            Test::Compare(of, order) => of.compare(&left, &right).is_some_and(|found| order.allows(found)),
            Test::StringMatches => match (json::string(&left), json::string(&right)) {
                (Some(text), Some(pattern)) => pattern::matches(text, pattern)?,
                _ => false,
            },
            Test::Is(nature) => *right == Value::Bool(nature.is_of(&left)),
        })
    }
}

/// What a comparison of two short values costs; see [`crate::Fuel`].
const COMPARISON_COST: u64 = 100;

/// What it costs to go through two texts: about a byte in a nanosecond.
fn texts_cost(left: &Value, right: &Value) -> u64 {
    match (left, right) {
        (Value::String(left), Value::String(right)) => left.len().saturating_add(right.len()) as u64,
        _ => 0,
    }
}

/// The value at a path of a document that is not null.
fn read<'v>(path: &Path, scope: &'v Scope<'v>) -> Result<Cow<'v, Value>, EvaluationError> {
    if *path.root() == Root::Input && scope.input.is_null() {
        return Err(EvaluationError::null_input());
    }
    found(path, scope)
}

fn found<'v>(path: &Path, scope: &'v Scope<'v>) -> Result<Cow<'v, Value>, EvaluationError> {
    // AWS: this text for a path that leads nowhere is known from reports; it is the same for the operand's path.
    path.read_present(scope).ok_or_else(|| {
        EvaluationError::runtime(format!(
            "Invalid path '{}': The choice state's condition path references an invalid value.",
            path.text()
        ))
    })
}

fn path_operand(operand: &Value) -> Result<Operand, Invalid> {
    let text = operand.as_str().ok_or_else(|| expected("STRING"))?;
    Path::parse(text).map(Operand::Path)
}

fn expected(kind: &str) -> Invalid {
    Invalid::new(format!("Expected value of type [{kind}]"))
}

impl Test {
    fn parse(name: &str) -> Option<Test> {
        Some(match name {
            "StringMatches" => Test::StringMatches,
            "IsNull" => Test::Is(Nature::Null),
            "IsPresent" => Test::Is(Nature::Present),
            "IsNumeric" => Test::Is(Nature::Numeric),
            "IsString" => Test::Is(Nature::String),
            "IsBoolean" => Test::Is(Nature::Boolean),
            "IsTimestamp" => Test::Is(Nature::Timestamp),
            "BooleanEquals" => Test::Compare(Type::Boolean, Order::Equals),
            _ => {
                let types = [("String", Type::String), ("Numeric", Type::Numeric), ("Timestamp", Type::Timestamp)];
                let (of, order) = types.into_iter().find_map(|(prefix, of)| Some((of, name.strip_prefix(prefix)?)))?;
                Test::Compare(of, Order::parse(order)?)
            }
        })
    }

    fn literal_operand(self, operand: &Value) -> Result<Operand, Invalid> {
        match (self, operand) {
            (Test::Compare(Type::Timestamp, _), Value::String(text)) if parse_timestamp(text).is_none() => {
                return Err(Invalid::new("String does not match RFC3339 timestamp"));
            }
            (Test::Compare(Type::Numeric, _), operand) if json::is_number(operand) => {}
            (Test::Compare(Type::String | Type::Timestamp, _) | Test::StringMatches, operand)
                if json::string(operand).is_some() => {}
            (Test::Compare(Type::Boolean, _) | Test::Is(_), Value::Bool(_)) => {}
            (Test::Compare(Type::String | Type::Timestamp, _) | Test::StringMatches, _) => {
                return Err(expected("STRING"));
            }
            (Test::Compare(Type::Numeric, _), _) => return Err(expected("NUMBER")),
            (Test::Compare(Type::Boolean, _) | Test::Is(_), _) => return Err(expected("BOOLEAN")),
        }
        Ok(Operand::Literal(operand.clone()))
    }
}

impl Type {
    /// How two values of this type compare; nothing if one is of another type.
    fn compare(self, left: &Value, right: &Value) -> Option<Ordering> {
        match self {
            // AWS: strings compare code unit by code unit, as Java's.
            Type::String => Some(json::compare_texts(json::string(left)?, json::string(right)?)),
            Type::Numeric => Numeric::of(left)?.compare(Numeric::of(right)?),
            Type::Boolean => Some(left.as_bool()?.cmp(&right.as_bool()?)),
            Type::Timestamp => Some(parse_timestamp(left.as_str()?)?.cmp(&parse_timestamp(right.as_str()?)?)),
        }
    }
}

impl Order {
    fn parse(name: &str) -> Option<Order> {
        Some(match name {
            "Equals" => Order::Equals,
            "LessThan" => Order::LessThan,
            "GreaterThan" => Order::GreaterThan,
            "LessThanEquals" => Order::LessThanEquals,
            "GreaterThanEquals" => Order::GreaterThanEquals,
            _ => return None,
        })
    }

    fn allows(self, found: Ordering) -> bool {
        match self {
            Order::Equals => found.is_eq(),
            Order::LessThan => found.is_lt(),
            Order::GreaterThan => found.is_gt(),
            Order::LessThanEquals => found.is_le(),
            Order::GreaterThanEquals => found.is_ge(),
        }
    }
}

impl Nature {
    fn is_of(self, value: &Value) -> bool {
        match self {
            Nature::Null => value.is_null(),
            Nature::Present => true,
            Nature::Numeric => json::is_number(value),
            Nature::String => json::string(value).is_some(),
            Nature::Boolean => value.is_boolean(),
            Nature::Timestamp => value.as_str().is_some_and(|text| parse_timestamp(text).is_some()),
        }
    }
}
