//! Where a result goes in a document: `ResultPath`.
//!
//! Same parser as paths, but names and indices only and always into the input. Missing objects on the way are
//! made, missing array elements are not. Deliberately absent: `null` as a ResultPath, which is the state's affair.

use std::cell::Cell;

use serde_json::{Map, Value};

use crate::error::{EvaluationError, Invalid};
use crate::json;
use crate::path::{Path, Root, Step};

/// The error of a path that cannot be followed step by step.
// AWS: the specification and the documentation say States.ResultPathMatchFailure; executions fail with this name and the
// cause given here (many public reports, for ResultPath and ItemsPath alike).
pub(crate) const CONFLICT: &str = "States.ReferencePathConflict";

/// A compiled reference path into the input.
#[derive(Clone, Debug, PartialEq)]
pub struct ReferencePath {
    path: Path,
}

impl ReferencePath {
    pub fn parse(text: &str) -> Result<ReferencePath, Invalid> {
        let path = Path::parse(text)?;
        if *path.root() != Root::Input || !path.is_reference() {
            return Err(Invalid::new(format!("'{text}' is not a reference path")));
        }
        Ok(ReferencePath { path })
    }

    pub fn text(&self) -> &str {
        self.path.text()
    }

    /// The document with the result at this place.
    ///
    /// Fails with `States.ReferencePathConflict` where the document has something else than an object or array on
    /// the way, or an array is too short; the document is not changed then.
    pub fn write(&self, mut document: Value, result: Value) -> Result<Value, EvaluationError> {
        let steps = self.path.steps();
        if let Some(at) = conflict(&document, steps) {
            return Err(EvaluationError {
                error: CONFLICT,
                cause: unable_to_apply(steps, at, &document),
                location: None,
                // AWS: recorded of TestState for a document that is a number.
                in_test: Some(Box::new((
                    CONFLICT,
                    format!("Unable to apply ReferencePath {} to input {}", self.text(), json::to_text(&document)),
                ))),
            });
        }
        if steps.len() + json::depth(&result) > json::DEEPEST {
            return Err(EvaluationError::too_deep(json::DEEPEST + 1));
        }
        let result = Cell::new(result);
        if let Some(place) = place(&mut document, steps) {
            *place = result.take();
        }
        Ok(document)
    }
}

/// The first step that meets something else than an object, an array that is long enough, or nothing at all.
fn conflict(document: &Value, steps: &[Step]) -> Option<usize> {
    let mut here = Some(document);
    for (at, step) in steps.iter().enumerate() {
        here = match (step, here) {
            (Step::Property(_), None) => None,
            (Step::Property(name), Some(Value::Object(object))) => object.get(name),
            (Step::Index(index), Some(Value::Array(items))) => {
                match usize::try_from(*index).ok().and_then(|index| items.get(index)) {
                    Some(item) => Some(item),
                    None => return Some(at),
                }
            }
            _ => return Some(at),
        };
    }
    None
}

/// AWS's words for a step that a document has no place for; they show the whole document.
// AWS: `Unable to apply step "objects" to input {...}` (from reports). How an index is shown there is not known.
pub(crate) fn unable_to_apply(steps: &[Step], at: usize, document: &Value) -> String {
    let step = match steps.get(at) {
        Some(Step::Property(name)) => name.clone(),
        Some(Step::Index(index)) => format!("[{index}]"),
        _ => String::new(),
    };
    format!("Unable to apply step \"{step}\" to input {}", json::to_text(document))
}

/// The place to write to, with the objects on the way made; nothing where the steps do not fit.
fn place<'d>(document: &'d mut Value, steps: &[Step]) -> Option<&'d mut Value> {
    let mut here = document;
    for step in steps {
        here = match (step, here) {
            (Step::Property(name), Value::Object(object)) => {
                object.entry(name.as_str()).or_insert_with(|| Value::Object(Map::new()))
            }
            (Step::Index(index), Value::Array(items)) => items.get_mut(usize::try_from(*index).ok()?)?,
            _ => return None,
        };
    }
    Some(here)
}
