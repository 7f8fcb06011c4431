//! Paths that need no engine: `$states.input.a.b` and `$name.a` are looked up before it starts.
//!
//! Such a path at the head of a longer one, or anywhere in an expression, becomes a variable that is bound to what is
//! found. That spares the conversion of everything beside it. It holds as long as the way leads through objects: where
//! it meets an array the language maps, and the expression is evaluated as it was written.

use jsonata_core::ast::{AstNode, PathStep};
use jsonata_core::value::JValue;
use serde_json::Value;

use super::free_variables::is_bare;
use super::{Scope, convert};

/// A variable the engine is given in place of a path. Its name is `.` and its index, which no text can spell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub root: String,
    pub fields: Vec<String>,
    /// The one field that is looked at next, if that is known.
    pub next: Option<String>,
}

/// The end of a path.
#[derive(Debug, PartialEq)]
pub(super) enum Way<'v> {
    To(&'v Value),
    Nowhere,
    /// It meets an array.
    ThroughArray,
}

impl Slot {
    /// The path that these steps begin with, if there is one, and how many steps it takes.
    pub fn of(steps: &[PathStep]) -> Option<(Slot, usize)> {
        let (first, rest) = steps.split_first()?;
        let AstNode::Variable(root) = &first.node else { return None };
        if !is_bare(first) || steps.iter().any(|step| step.is_tuple) {
            return None;
        }
        let mut fields = Vec::new();
        let mut next = None;
        for step in rest {
            let AstNode::Name(field) = &step.node else { break };
            if !is_bare(step) {
                next = Some(field.clone());
                break;
            }
            fields.push(field.clone());
        }
        // `$states` itself is no document.
        if root == "states" && fields.is_empty() {
            return None;
        }
        let length = fields.len() + 1;
        Some((Slot { root: root.clone(), fields, next }, length))
    }

    pub fn name(index: usize) -> String {
        format!(".{index}")
    }

    pub fn find<'s>(&self, scope: &'s Scope<'_>) -> Way<'s> {
        let (start, fields) = if self.root == "states" {
            match self.fields.split_first() {
                Some((member, fields)) => (scope.member(member), fields),
                None => return Way::Nowhere,
            }
        } else {
            (scope.variables.get(&self.root), self.fields.as_slice())
        };
        let Some(mut value) = start else { return Way::Nowhere };
        for field in fields {
            match value {
                Value::Object(object) => match object.get(field) {
                    Some(below) => value = below,
                    None => return Way::Nowhere,
                },
                Value::Array(_) => return Way::ThroughArray,
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return Way::Nowhere,
            }
        }
        Way::To(value)
    }

    /// The value the engine gets; `None` where it has to find the way itself.
    pub fn value(&self, scope: &Scope<'_>) -> Option<JValue> {
        match (self.find(scope), &self.next) {
            (Way::ThroughArray, _) => None,
            (Way::Nowhere, _) => Some(JValue::Undefined),
            (Way::To(Value::Object(object)), Some(next)) => {
                let below = object.get(next).map(|below| (next.clone(), scope.converted(below)));
                Some(convert::object_of(below.into_iter()))
            }
            (Way::To(value), _) => Some(scope.converted(value)),
        }
    }
}
