//! Walking the engine's syntax trees: the one place that knows which nodes stand below which.
//!
//! Trees come from untrusted text, and the engine's parser allows a thousand levels; what walks them by recursion is
//! only let at trees that [`depth`], which does not recurse, found to be of the depth AWS evaluates.

use jsonata_core::ast::{AstNode, BinaryOp, PathStep, Stage};

/// The deepest nesting AWS evaluates.
pub(super) const DEEPEST: usize = 100;

/// Writes the walk over the children of a node, once for looking and once for changing.
macro_rules! for_each_child {
    ($(#[$about:meta])* $name:ident, $in_step:ident, $iter:ident $(, $mutable:tt)?) => {
        $(#[$about])*
        pub(super) fn $name<'a>(
            node: &'a $($mutable)? AstNode,
            look: &mut dyn FnMut(&'a $($mutable)? AstNode),
        ) {
            match node {
                AstNode::String(_)
                | AstNode::Name(_)
                | AstNode::Number(_)
                | AstNode::Boolean(_)
                | AstNode::Null
                | AstNode::Undefined
                | AstNode::Placeholder
                | AstNode::Regex { .. }
                | AstNode::Variable(_)
                | AstNode::ParentVariable(_)
                | AstNode::Wildcard
                | AstNode::Descendant
                | AstNode::Parent(_) => {}
                AstNode::Path { steps } => steps.$iter().for_each(|step| $in_step(step, look)),
                AstNode::Binary { lhs, rhs, .. } => {
                    look(lhs);
                    look(rhs);
                }
                AstNode::Unary { operand: inner, .. }
                | AstNode::FunctionApplication(inner)
                | AstNode::Lambda { body: inner, .. } => look(inner),
                AstNode::Function { args: nodes, .. }
                | AstNode::Array(nodes)
                | AstNode::ArrayGroup(nodes)
                | AstNode::Block(nodes) => nodes.$iter().for_each(look),
                AstNode::Call { procedure, args } => {
                    look(procedure);
                    args.$iter().for_each(look);
                }
                AstNode::Object(pairs) => {
                    for (key, value) in pairs {
                        look(key);
                        look(value);
                    }
                }
                AstNode::ObjectTransform { input, pattern } => {
                    look(input);
                    for (key, value) in pattern {
                        look(key);
                        look(value);
                    }
                }
                AstNode::Conditional { condition, then_branch, else_branch } => {
                    look(condition);
                    look(then_branch);
                    else_branch.$iter().for_each(|branch| look(branch));
                }
                AstNode::Sort { input, terms } => {
                    look(input);
                    terms.$iter().for_each(|(term, _)| look(term));
                }
                AstNode::Transform { location, update, delete } => {
                    look(location);
                    look(update);
                    delete.$iter().for_each(|delete| look(delete));
                }
            }
        }

        fn $in_step<'a>(step: &'a $($mutable)? PathStep, look: &mut dyn FnMut(&'a $($mutable)? AstNode)) {
            look(&$($mutable)? step.node);
            for stage in &$($mutable)? step.stages {
                match stage {
                    Stage::Filter(predicate) => look(predicate),
                    Stage::KeepArray | Stage::Index(_) => {}
                }
            }
        }
    };
}

for_each_child! {
    /// Calls `look` with every node directly below `node`, in the order they are written.
    for_each_child, for_each_in_step, iter
}

for_each_child! {
    /// The same for changing them.
    for_each_child_mut, for_each_in_step_mut, iter_mut, mut
}

/// How many levels of evaluation a tree needs, functions it calls apart: a literal is 1.
pub(super) fn depth(root: &AstNode) -> usize {
    let mut deepest = 0;
    let mut waiting = vec![(root, 1)];
    while let Some((node, depth)) = waiting.pop() {
        deepest = deepest.max(depth);
        // The body of a function runs where it is called from, not inside of where it is written.
        let below = if matches!(node, AstNode::Lambda { .. }) { depth } else { depth + 1 };
        for_each_child(node, &mut |child| waiting.push((child, below)));
    }
    deepest
}

/// Whether any node of a tree is of a kind.
pub(super) fn any(root: &AstNode, is: impl Fn(&AstNode) -> bool) -> bool {
    let mut waiting = vec![root];
    while let Some(node) = waiting.pop() {
        if is(node) {
            return true;
        }
        for_each_child(node, &mut |child| waiting.push(child));
    }
    false
}

/// The name of a variable the engine writes in one of three ways; `$` is the empty name, `$$` is `$`.
pub(super) fn variable(node: &AstNode) -> Option<&str> {
    match node {
        AstNode::Variable(name) => Some(name),
        AstNode::ParentVariable(name) if name.is_empty() => Some("$"),
        AstNode::ParentVariable(name) => Some(name),
        _ => None,
    }
}

/// Whether an operator came to JSONata after the version AWS speaks (2.0.6).
pub(super) fn is_later(op: BinaryOp) -> bool {
    matches!(op, BinaryOp::Coalesce | BinaryOp::Default)
}
