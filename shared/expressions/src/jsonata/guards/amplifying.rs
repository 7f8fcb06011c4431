//! Guards around the arguments of functions that make much out of little.

use jsonata_core::ast::{AstNode, BinaryOp};

use super::{JOINED, MOMENT, PICTURE, REPLACEMENT, SEARCHED, WIDTH, ZONE, is_literal, own};
use crate::jsonata::functions;

/// How many arguments a function is handed by those that call it for each member.
pub(super) fn arity(name: &str) -> usize {
    match name {
        "join" => 2,
        "replace" => 4,
        name => functions::find(name).map_or(3, |own| own.arity),
    }
}

/// A call of one of the functions that make much out of little, its arguments looked at.
pub(super) fn amplifying(name: &str, mut args: Vec<AstNode>) -> AstNode {
    if args.contains(&AstNode::Placeholder) {
        // Not all arguments are there yet: what is called with them later looks at them.
        let procedure = Box::new(wrapper(name, args.len()));
        return AstNode::Call { procedure, args };
    }
    match name {
        "match" | "split" => args.iter_mut().take(1).for_each(|arg| look_at(arg, SEARCHED)),
        "pad" => {
            if args.len() == 1 {
                // Without its first argument it takes what is at hand.
                args.insert(0, AstNode::Variable(String::new()));
            }
            if args.len() > 1 {
                return bind_first(name, args, 1, WIDTH);
            }
        }
        "formatNumber" => args.iter_mut().for_each(|arg| look_at(arg, PICTURE)),
        "fromMillis" => {
            if args.is_empty() {
                // Without its first argument it takes what is at hand.
                args.push(AstNode::Variable(String::new()));
            }
            args.iter_mut().zip([MOMENT, PICTURE, ZONE]).for_each(|(arg, guard)| look_at(arg, guard));
        }
        "join" => return bind_first(name, args, 0, JOINED),
        "replace" => {
            if args.len() == 2 {
                // Without its first argument it takes what is at hand.
                args.insert(0, AstNode::Variable(String::new()));
            }
            return bind_first(name, args, 2, REPLACEMENT);
        }
        _ => {}
    }
    AstNode::Function { name: name.to_owned(), args, is_builtin: true }
}

/// A function that does what the one of this name does, its arguments looked at.
pub(super) fn wrapper(name: &str, arity: usize) -> AstNode {
    let params: Vec<String> = (0..arity).map(|index| format!(".arg{index}")).collect();
    let args = params.iter().map(|param| AstNode::Variable(param.clone())).collect();
    AstNode::Lambda { params, body: Box::new(amplifying(name, args)), signature: None, thunk: false }
}

fn look_at(arg: &mut AstNode, guard: &str) {
    let inner = std::mem::replace(arg, AstNode::Null);
    *arg = own(guard, vec![inner]);
}

/// `( .a0 := a; .a1 := b; $f(.a0, guard(.a1, .a0)) )`: one argument is looked at together with the others, none is
/// evaluated twice.
fn bind_first(name: &str, mut args: Vec<AstNode>, guarded: usize, guard: &str) -> AstNode {
    let plain = |(index, arg): (usize, &AstNode)| index == guarded || is_literal(arg);
    if guarded == 0 && args.iter().enumerate().all(plain) {
        // The guard passes on what it is given, so literals may be written twice.
        let rest: Vec<AstNode> = args.iter().skip(1).cloned().collect();
        if let Some(first) = args.first_mut() {
            let mut looked_at = vec![std::mem::replace(first, AstNode::Null)];
            looked_at.extend(rest);
            *first = own(guard, looked_at);
        }
        return AstNode::Function { name: name.to_owned(), args, is_builtin: true };
    }
    let variables: Vec<AstNode> = (0..args.len()).map(|index| AstNode::Variable(format!(".a{index}"))).collect();
    let mut nodes: Vec<AstNode> = variables
        .iter()
        .zip(args)
        .map(|(variable, arg)| AstNode::Binary {
            op: BinaryOp::ColonEqual,
            lhs: Box::new(variable.clone()),
            rhs: Box::new(arg),
        })
        .collect();
    let mut handed = variables.clone();
    if let Some(arg) = handed.get_mut(guarded) {
        let others =
            variables.iter().enumerate().filter(|(index, _)| *index != guarded).map(|(_, other)| other.clone());
        *arg = own(guard, std::iter::once(arg.clone()).chain(others).collect());
    }
    nodes.push(AstNode::Function { name: name.to_owned(), args: handed, is_builtin: true });
    AstNode::Block(nodes)
}
