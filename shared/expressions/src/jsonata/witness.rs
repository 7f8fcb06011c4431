//! The last call and operator of an evaluation that failed.
//!
//! The engine's errors do not always tell which function was called with what, or what was compared. Only when an
//! evaluation has failed with such an error is it repeated, with calls around arguments and operands that take note of
//! them. The last that are complete when it fails again are those it failed at.

use std::cell::RefCell;
use std::rc::Rc;

use jsonata_core::ast::{AstNode, BinaryOp, UnaryOp};
use jsonata_core::evaluator::{Evaluator, EvaluatorError};
use jsonata_core::value::JValue;
use serde_json::Value;

use super::convert;
use super::guards::own;
use super::messages::Witness;
use super::nodes::for_each_child_mut;

/// Takes note of `(place, index, value)` and answers the value.
const NOTED: &str = ".noted";

/// A place in the expression whose values are noted.
enum Place {
    Call { name: String, arguments: usize },
    Operator(&'static str),
}

/// The places of an expression.
pub(super) struct Places {
    places: Vec<Place>,
}

#[derive(Default)]
struct Notes {
    seen: Vec<Vec<JValue>>,
    last_call: Option<usize>,
    last_operator: Option<usize>,
}

impl Places {
    /// Marks an expression. The recursion is as deep as the tree.
    pub fn mark(root: &mut AstNode) -> Places {
        let mut marked = Places { places: Vec::new() };
        marked.visit(root);
        marked
    }

    fn visit(&mut self, node: &mut AstNode) {
        for_each_child_mut(node, &mut |child| self.visit(child));
        match node {
            AstNode::Function { name, args, is_builtin: true }
                if !name.starts_with('.') && !args.contains(&AstNode::Placeholder) =>
            {
                let id = self.add(Place::Call { name: name.clone(), arguments: args.len() });
                args.iter_mut().enumerate().for_each(|(index, arg)| note(arg, id, index));
                if args.is_empty() {
                    let mut announced = AstNode::Null;
                    note(&mut announced, id, 0);
                    let call = std::mem::replace(node, AstNode::Null);
                    *node = AstNode::Block(vec![announced, call]);
                }
            }
            AstNode::Binary { op, lhs, rhs } => {
                if let Some(sign) = sign(*op) {
                    let id = self.add(Place::Operator(sign));
                    note(lhs, id, 0);
                    note(rhs, id, 1);
                }
            }
            AstNode::Unary { op: UnaryOp::Negate, operand } => {
                let id = self.add(Place::Operator("-"));
                note(operand, id, 1);
            }
            AstNode::Transform { update, delete, .. } => {
                for clause in std::iter::once(update).chain(delete) {
                    let id = self.add(Place::Operator("|"));
                    note(clause, id, 1);
                }
            }
            _ => {}
        }
    }

    fn add(&mut self, place: Place) -> usize {
        self.places.push(place);
        self.places.len() - 1
    }

    /// Evaluates with open eyes.
    pub fn watch(self, evaluator: &mut Evaluator, run: impl FnOnce(&mut Evaluator)) -> Witness {
        let notes = Rc::new(RefCell::new(Notes::default()));
        notes.borrow_mut().seen.resize_with(self.places.len(), Vec::new);
        let (places, book) = (Rc::new(self.places), Rc::clone(&notes));
        let function = {
            let places = Rc::clone(&places);
            move |args: &[JValue]| Ok(take_note(&places, &mut book.borrow_mut(), args))
        };
        let registered: Result<(), EvaluatorError> = evaluator.register_fn_override(NOTED, function);
        if registered.is_err() {
            return Witness::default();
        }
        run(evaluator);
        let notes = notes.borrow();
        let values = |id: usize| notes.seen.get(id).map(Vec::as_slice).unwrap_or_default();
        let call = notes.last_call.and_then(|id| match places.get(id) {
            Some(Place::Call { name, .. }) => Some((name.clone(), values(id).iter().map(shown).collect())),
            _ => None,
        });
        let operands = notes.last_operator.and_then(|id| match (places.get(id), values(id)) {
            (Some(Place::Operator(sign)), [left, right]) => Some((shown(left), *sign, shown(right))),
            _ => None,
        });
        Witness { call, operands }
    }
}

fn note(node: &mut AstNode, id: usize, index: usize) {
    let inner = std::mem::replace(node, AstNode::Null);
    *node = own(NOTED, vec![AstNode::Number(id as f64), AstNode::Number(index as f64), inner]);
}

fn take_note(places: &[Place], notes: &mut Notes, args: &[JValue]) -> JValue {
    let number = |index: usize| args.get(index).and_then(JValue::as_f64).unwrap_or(0.0) as usize;
    let (id, index) = (number(0), number(1));
    let value = args.get(2).cloned().unwrap_or(JValue::Undefined);
    if let Some(seen) = notes.seen.get_mut(id) {
        seen.truncate(index);
        seen.resize(index, JValue::Undefined);
        seen.push(value.clone());
    }
    match places.get(id) {
        Some(Place::Call { arguments, .. }) if index + 1 >= *arguments => notes.last_call = Some(id),
        Some(Place::Operator(_)) if index == 1 => notes.last_operator = Some(id),
        _ => {}
    }
    value
}

fn shown(value: &JValue) -> Value {
    convert::to_json(value).unwrap_or(Value::Null)
}

fn sign(op: BinaryOp) -> Option<&'static str> {
    Some(match op {
        BinaryOp::Add => "+",
        BinaryOp::Subtract => "-",
        BinaryOp::Multiply => "*",
        BinaryOp::Divide => "/",
        BinaryOp::Modulo => "%",
        BinaryOp::LessThan => "<",
        BinaryOp::LessThanOrEqual => "<=",
        BinaryOp::GreaterThan => ">",
        BinaryOp::GreaterThanOrEqual => ">=",
        _ => return None,
    })
}
