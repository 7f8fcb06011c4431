//! Choice rules in JSONPath: what has to hold for a rule to match.
//!
//! The definition's parser builds the tree; this module gives its meaning and the 39 operators.
//! Deliberately absent: `Next`, `Assign` and the order of rules.

mod comparison;
mod pattern;

pub use comparison::Comparison;

use crate::error::EvaluationError;
use crate::path::Path;
use crate::scope::Scope;

/// The condition of a Choice rule.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Not(Box<Condition>),
    Test { variable: Path, comparison: Comparison },
}

impl Condition {
    /// Whether it holds. Stops at the first part that decides, so a path after that may be missing.
    ///
    /// A path that leads nowhere is `States.Runtime` except under `IsPresent`; a value of another type than the
    /// operator's is simply not equal to anything.
    pub fn holds(&self, scope: &Scope) -> Result<bool, EvaluationError> {
        match self {
            Condition::And(conditions) => {
                for condition in conditions {
                    if !condition.holds(scope)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Condition::Or(conditions) => {
                for condition in conditions {
                    if condition.holds(scope)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Condition::Not(condition) => condition.holds(scope).map(|holds| !holds),
            Condition::Test { variable, comparison } => comparison.holds(variable, scope),
        }
    }

    /// The names of the variables it reads, in the order they appear, repeated as they are.
    pub fn variables(&self) -> Vec<&str> {
        let mut names = Vec::new();
        let mut waiting = vec![self];
        while let Some(condition) = waiting.pop() {
            match condition {
                Condition::And(conditions) | Condition::Or(conditions) => waiting.extend(conditions.iter().rev()),
                Condition::Not(condition) => waiting.push(condition),
                Condition::Test { variable, comparison } => {
                    let paths = [Some(variable), comparison.operand_path()];
                    names.extend(paths.into_iter().flatten().filter_map(Path::variable));
                }
            }
        }
        names
    }
}
