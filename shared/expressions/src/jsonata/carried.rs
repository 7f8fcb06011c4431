//! What an expression may do with the texts and numbers that the engine cannot hold (see [`json`](crate::json)): hand
//! them on, and compare them.
//!
//! The engine gets them as carried texts, which are nothing to compute with. So when an evaluation is shown one, which is
//! rare, a copy of the expression is evaluated in which all that computes looks at its operands first.

use jsonata_core::ast::{AstNode, BinaryOp, UnaryOp};
use jsonata_core::evaluator::HostFnResult;
use jsonata_core::value::JValue;

use super::functions::{self, World, argument, thrown};
use super::guards::{IS_BUILTIN, own};
use super::nodes::for_each_child_mut;
use crate::json;

/// Passes on a value that holds nothing carried.
pub(super) const PLAIN: &str = ".plain";
/// The same for what is at hand, which a function takes for the argument it is not given.
pub(super) const AT_HAND: &str = ".at_hand";
/// A number beyond doubles as infinity; half of a surrogate pair is refused.
pub(super) const ORDERED: &str = ".ordered";
/// A number beyond doubles as infinity.
pub(super) const EQUATED: &str = ".equated";
/// Refuses.
pub(super) const REFUSED: &str = ".refused";

// AWS: unverified wording; Java computes with both.
const WORDS: &str = "The expression computes with an unpaired surrogate or with a number beyond the range of a double, which is not \
     supported";

/// Functions that hand on what they are given, or only ask whether or how much of it there is.
#[rustfmt::skip]
const CARRYING: &[&str] = &[
    "append", "assert", "boolean", "count", "distinct", "each", "exists", "filter", "keys", "lookup", "map", "merge",
    "not", "partition", "reduce", "reverse", "shuffle", "sift", "single", "spread", "zip",
];

/// Functions that take nothing that is at hand.
const INDEPENDENT: &[&str] = &["millis", "now", "random", "uuid"];

/// Puts the guards around all that computes. The recursion is as deep as the tree.
pub(super) fn guard(node: &mut AstNode) {
    match node {
        // The name on the left is no value.
        AstNode::Binary { op: BinaryOp::ColonEqual, rhs, .. } => return guard(rhs),
        AstNode::Sort { input, terms } => {
            guard(input);
            for (term, _) in terms {
                guard(term);
                wrap(ORDERED, term);
            }
            return;
        }
        _ => for_each_child_mut(node, &mut guard),
    }
    match node {
        AstNode::Function { name, .. } if computes(name) => call(node),
        // `a ~> $f` is `$f(a)`.
        AstNode::Binary { op: BinaryOp::ChainPipe, lhs, rhs } if called(rhs).is_some_and(computes) => wrap(PLAIN, lhs),
        AstNode::Binary { op, lhs, rhs } => {
            if let Some(guard) = guard_of(*op) {
                wrap(guard, lhs);
                wrap(guard, rhs);
            }
        }
        AstNode::Unary { op: UnaryOp::Negate, operand } => wrap(PLAIN, operand),
        // A function that is handed round.
        AstNode::Variable(name) if computes(name) => {
            let variable = AstNode::Variable(name.clone());
            *node = AstNode::Conditional {
                condition: Box::new(own(IS_BUILTIN, vec![variable.clone()])),
                then_branch: Box::new(own(REFUSED, Vec::new())),
                else_branch: Some(Box::new(variable)),
            };
        }
        _ => {}
    }
}

/// A call of a function that computes.
fn call(node: &mut AstNode) {
    let AstNode::Function { name, args, .. } = node else { return };
    if args.contains(&AstNode::Placeholder) {
        *node = own(REFUSED, Vec::new());
        return;
    }
    let guard = if name == "type" { EQUATED } else { PLAIN };
    args.iter_mut().for_each(|arg| wrap(guard, arg));
    if !INDEPENDENT.contains(&name.as_str()) {
        let call = std::mem::replace(node, AstNode::Null);
        *node = AstNode::Block(vec![own(AT_HAND, vec![AstNode::Variable(String::new())]), call]);
    }
}

/// What an operator's operands go through.
fn guard_of(op: BinaryOp) -> Option<&'static str> {
    match op {
        BinaryOp::Add
        | BinaryOp::Subtract
        | BinaryOp::Multiply
        | BinaryOp::Divide
        | BinaryOp::Modulo
        | BinaryOp::Concatenate
        | BinaryOp::Range => Some(PLAIN),
        BinaryOp::LessThan | BinaryOp::LessThanOrEqual | BinaryOp::GreaterThan | BinaryOp::GreaterThanOrEqual => {
            Some(ORDERED)
        }
        BinaryOp::Equal | BinaryOp::NotEqual | BinaryOp::In => Some(EQUATED),
        BinaryOp::ChainPipe
        | BinaryOp::And
        | BinaryOp::Or
        | BinaryOp::ColonEqual
        | BinaryOp::FocusBind
        | BinaryOp::IndexBind
        | BinaryOp::Coalesce
        | BinaryOp::Default => None,
    }
}

/// The function on the right of `~>`, guarded as it is.
fn called(node: &AstNode) -> Option<&str> {
    match node {
        AstNode::Function { name, .. } | AstNode::Variable(name) => Some(name),
        AstNode::Block(nodes) => nodes.last().and_then(called),
        AstNode::Conditional { else_branch: Some(branch), .. } => called(branch),
        _ => None,
    }
}

fn computes(name: &str) -> bool {
    functions::exists(name) && !CARRYING.contains(&name)
}

fn wrap(guard: &str, node: &mut AstNode) {
    let inner = std::mem::replace(node, AstNode::Null);
    *node = own(guard, vec![inner]);
}

pub(super) fn plain(_: &World, args: &[JValue]) -> HostFnResult {
    let value = argument(args, 0);
    let mut waiting = vec![value];
    while let Some(value) = waiting.pop() {
        match value {
            JValue::String(text) if json::is_marked(text) => return Err(thrown(WORDS)),
            JValue::Object(members) if members.keys().any(|key| json::is_marked(key)) => return Err(thrown(WORDS)),
            JValue::Array(items) => waiting.extend(items.iter()),
            JValue::Object(members) => waiting.extend(members.values()),
            _ => {}
        }
    }
    Ok(value.clone())
}

pub(super) fn at_hand(_: &World, args: &[JValue]) -> HostFnResult {
    match argument(args, 0) {
        JValue::String(text) if json::is_marked(text) => Err(thrown(WORDS)),
        value => Ok(value.clone()),
    }
}

pub(super) fn ordered(_: &World, args: &[JValue]) -> HostFnResult {
    match equal(argument(args, 0)) {
        JValue::String(text) if json::is_marked(&text) => Err(thrown(WORDS)),
        value => Ok(value),
    }
}

pub(super) fn equated(_: &World, args: &[JValue]) -> HostFnResult {
    Ok(equal(argument(args, 0)))
}

pub(super) fn refused(_: &World, _: &[JValue]) -> HostFnResult {
    Err(thrown(WORDS))
}

fn equal(value: &JValue) -> JValue {
    match value {
        JValue::String(text) => match json::number(text).and_then(|number| number.parse().ok()) {
            Some(number) => JValue::Number(number),
            None => value.clone(),
        },
        other => other.clone(),
    }
}
