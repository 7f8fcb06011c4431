//! Bounds of an expression that the engine does not know.
//!
//! The engine bounds the time, the depth and the length of a sequence. It does not bound a text that is doubled again
//! and again, or a structure whose parts are shared so often that writing it down takes forever. AWS lets one value have
//! [`convert::MOST_BYTES`](super::convert::MOST_BYTES); so before an expression is evaluated, calls are put around
//! whatever can grow: [`HELD`] weighs a value that is kept, the others look at the arguments of the functions that make
//! much out of little. All pass on what they are given. Small expressions without repetition are left alone.

mod amplifying;

use jsonata_core::ast::{AstNode, BinaryOp, PathStep, Stage};

use self::amplifying::{amplifying, arity, wrapper};
use super::functions;
use super::nodes::{any, for_each_child, for_each_child_mut};

/// Weighs a value.
pub(super) const HELD: &str = ".held";
/// Looks at how long the text is that is searched.
pub(super) const SEARCHED: &str = ".searched";
/// Looks at how wide something is to be written.
pub(super) const WIDTH: &str = ".width";
/// Looks at a picture.
pub(super) const PICTURE: &str = ".picture";
/// Looks at a moment that is to be written as a date.
pub(super) const MOMENT: &str = ".moment";
/// Looks at how far a time zone is away.
pub(super) const ZONE: &str = ".zone";
/// Looks at what is to be joined, and with what.
pub(super) const JOINED: &str = ".joined";
/// Looks at what is put in place of what is found.
pub(super) const REPLACEMENT: &str = ".replacement";
/// Stops an expression whose processor time is used up. Stands where something repeats that repeats something itself: what
/// repeats nothing is short.
pub(super) const PACED: &str = ".paced";
/// Whether a value is a function of the language.
pub(super) const IS_BUILTIN: &str = ".is_builtin";

/// So many things that grow may stand in an expression that repeats nothing before they are looked at.
const FEW: usize = 16;
/// So many members may an array be written with before it is looked at.
const MANY_MEMBERS: usize = 64;

/// Functions that can make much out of little: looked at wherever they are called.
const AMPLIFYING: &[&str] = &["formatNumber", "fromMillis", "join", "match", "pad", "replace", "split"];

/// Functions whose value is small, whatever they are given.
#[rustfmt::skip]
const REDUCING: &[&str] = &[
    "abs", "assert", "average", "boolean", "ceil", "contains", "count", "error", "exists", "floor", "formatBase",
    "formatInteger", "formatNumber", "fromMillis", "hash", "length", "max", "millis", "min", "not", "now", "number",
    "parseInteger", "power", "random", "round", "sqrt", "sum", "toMillis", "type", "uuid",
];

/// Functions that call what they are given for each member, and hand nothing on from one call to the next.
const EACH: &[&str] = &["each", "filter", "map", "sift", "single", "sort"];

/// Whether an expression does anything repeatedly: only then can time pass that is worth to be measured.
pub(super) fn repeats(root: &AstNode) -> bool {
    let mut waiting = vec![root];
    while let Some(node) = waiting.pop() {
        let repeats = match node {
            AstNode::Lambda { .. }
            | AstNode::Call { .. }
            | AstNode::Transform { .. }
            | AstNode::Descendant
            | AstNode::Sort { .. }
            | AstNode::ObjectTransform { .. }
            | AstNode::Binary { op: BinaryOp::Range | BinaryOp::ChainPipe, .. } => true,
            AstNode::Path { steps } => steps.iter().enumerate().any(|(index, step)| does_work(index, step)),
            AstNode::Function { name, args, .. } => {
                EACH.contains(&name.as_str()) || name == "reduce" || args.contains(&AstNode::Placeholder)
            }
            _ => false,
        };
        if repeats {
            return true;
        }
        for_each_child(node, &mut |child| waiting.push(child));
    }
    false
}

fn does_work(index: usize, step: &PathStep) -> bool {
    let names = matches!(step.node, AstNode::Name(_) | AstNode::Wildcard);
    let picks = |stage: &Stage| matches!(stage, Stage::Filter(predicate) if !matches!(**predicate, AstNode::Number(_)));
    (index > 0 && !names) || step.is_tuple || step.stages.iter().any(picks)
}

/// Puts guards around all that needs them. The recursion is as deep as the tree.
pub(super) fn put(root: &mut AstNode) {
    let mut growing = 0;
    count_growing(root, &mut growing);
    let names = bound_names(root);
    let weigh = repeats(root) || growing > FEW || !names.is_empty();
    // The value of the whole is weighed when it is converted.
    Guards { weigh, names }.inner(root, Value::Dropped);
}

fn count_growing(node: &AstNode, growing: &mut usize) {
    *growing += usize::from(grows(node));
    for_each_child(node, &mut |child| count_growing(child, growing));
}

/// Every name that an expression binds anywhere.
fn bound_names(root: &AstNode) -> Vec<String> {
    let mut names = Vec::new();
    let mut waiting = vec![root];
    while let Some(node) = waiting.pop() {
        match node {
            AstNode::Lambda { params, .. } => names.extend(params.iter().cloned()),
            AstNode::Binary { op: BinaryOp::ColonEqual, lhs, .. } => {
                if let AstNode::Variable(name) = &**lhs {
                    names.push(name.clone());
                }
            }
            _ => {}
        }
        for_each_child(node, &mut |child| waiting.push(child));
    }
    names
}

/// Whether the size of a node's value depends on more than what is written.
fn grows(node: &AstNode) -> bool {
    match node {
        AstNode::Binary { op: BinaryOp::Range, .. } => true,
        AstNode::Binary { op: BinaryOp::Concatenate, lhs, rhs } => !is_literal(lhs) && !is_literal(rhs),
        AstNode::Binary { op: BinaryOp::ChainPipe, .. } | AstNode::Call { .. } => true,
        AstNode::Function { name, .. } => !REDUCING.contains(&name.as_str()) && !name.starts_with('.'),
        AstNode::Path { steps } => matches!(steps.first().map(|step| &step.node), Some(AstNode::Variable(_))),
        AstNode::Sort { .. } | AstNode::ObjectTransform { .. } => true,
        AstNode::Array(items) => items.len() > MANY_MEMBERS,
        _ => false,
    }
}

fn is_literal(node: &AstNode) -> bool {
    matches!(node, AstNode::String(_) | AstNode::Number(_) | AstNode::Boolean(_) | AstNode::Null)
}

/// The fate of a node's value.
#[derive(Clone, Copy, PartialEq)]
enum Value {
    /// It is part of something that is kept.
    Kept,
    /// It is gone before the next one is made.
    Dropped,
}

struct Guards {
    /// Whether values are weighed at all.
    weigh: bool,
    names: Vec<String>,
}

impl Guards {
    fn node(&mut self, node: &mut AstNode, value: Value) {
        let grows = grows(node);
        self.inner(node, value);
        if grows && value == Value::Kept {
            self.hold(node);
        }
    }

    /// The nodes below, and what is special about this one.
    fn inner(&mut self, node: &mut AstNode, value: Value) {
        match node {
            AstNode::Binary { op: BinaryOp::ColonEqual, rhs, .. } => self.assigned(rhs),
            AstNode::Binary { op: BinaryOp::Concatenate, lhs, rhs } => {
                self.written(lhs);
                self.written(rhs);
            }
            AstNode::Binary { op: BinaryOp::ChainPipe, .. } => self.chain(node),
            AstNode::Binary { .. } | AstNode::Unary { .. } => {
                for_each_child_mut(node, &mut |child| self.node(child, Value::Dropped));
            }
            AstNode::Conditional { condition, then_branch, else_branch } => {
                self.node(condition, Value::Dropped);
                self.node(then_branch, value);
                else_branch.iter_mut().for_each(|branch| self.node(branch, value));
            }
            AstNode::Lambda { body, .. } => {
                let length = self.length(body);
                self.inner(body, Value::Dropped);
                self.hold_tail(body);
                self.pace(body, length);
            }
            AstNode::Block(nodes) => {
                if let Some((last, before)) = nodes.split_last_mut() {
                    before.iter_mut().for_each(|node| self.node(node, Value::Dropped));
                    self.node(last, value);
                }
            }
            AstNode::Function { .. } => self.call(node),
            AstNode::Call { procedure, args } => {
                self.inner(procedure, Value::Kept);
                args.iter_mut().for_each(|arg| self.assigned(arg));
            }
            AstNode::Path { steps } => steps.iter_mut().for_each(|step| self.step(step)),
            AstNode::Sort { input, terms } => {
                self.inner(input, value);
                for (term, _) in terms {
                    let length = self.length(term);
                    self.node(term, Value::Dropped);
                    self.pace(term, length);
                }
            }
            AstNode::Variable(name) if AMPLIFYING.contains(&name.as_str()) || functions::find(name).is_some() => {
                let name = std::mem::take(name);
                *node = self.by_value(&name);
            }
            _ => for_each_child_mut(node, &mut |child| self.node(child, Value::Kept)),
        }
    }

    /// How something that is done again and again may take long each time.
    fn length(&self, node: &AstNode) -> Length {
        if self.calls_own(node) {
            Length::CallsOwn
        } else if repeats(node) {
            Length::Repeats
        } else {
            Length::Short
        }
    }

    /// Whether it calls a function that the expression binds: perhaps the one it is in.
    fn calls_own(&self, node: &AstNode) -> bool {
        let calls = |node: &AstNode| match node {
            AstNode::Function { name, .. } => self.names.contains(name),
            AstNode::Call { .. } => true,
            _ => false,
        };
        any(node, calls)
    }

    /// Looks at the time before something that is done again and again, if it may take long. AWS counts how deep functions call
    /// themselves, so this must not stand on the way to such a call.
    fn pace(&self, node: &mut AstNode, length: Length) {
        match (length, node) {
            (Length::Short, _) => {}
            (_, AstNode::Block(nodes)) => nodes.insert(0, own(PACED, Vec::new())),
            (_, AstNode::Conditional { condition, .. }) => look_before(condition),
            (Length::Repeats, other) => *other = AstNode::Block(vec![own(PACED, Vec::new()), taken(other)]),
            (Length::CallsOwn, AstNode::Binary { lhs, rhs, .. }) => {
                let sides = [lhs, rhs].into_iter().find(|side| !self.calls_own(side));
                sides.into_iter().for_each(|side| look_before(side));
            }
            (Length::CallsOwn, AstNode::Function { args, .. } | AstNode::Call { args, .. }) if !args.is_empty() => {
                let first = args.first_mut().filter(|arg| !is_fixed(arg) && !self.calls_own(arg));
                first.into_iter().for_each(look_before);
            }
            // It calls itself with nothing, which never ends.
            (Length::CallsOwn, other @ (AstNode::Function { .. } | AstNode::Call { .. })) => {
                *other = AstNode::Block(vec![own(PACED, Vec::new()), taken(other)]);
            }
            (Length::CallsOwn, _) => {}
        }
    }

    /// The same for a step of a path, whose kind decides what becomes of its value: it stays of that kind.
    fn pace_step(&self, node: &mut AstNode, length: Length) {
        match (length, node) {
            (Length::Short, _) => {}
            (_, AstNode::Function { args, .. }) => {
                args.first_mut().filter(|arg| !is_fixed(arg)).into_iter().for_each(look_before);
            }
            (_, block @ AstNode::Block(_)) => self.pace(block, length),
            (_, AstNode::FunctionApplication(inner)) => self.pace_step(inner, length),
            (_, _) => {}
        }
    }

    fn step(&mut self, step: &mut PathStep) {
        let length = self.length(&step.node);
        self.inner(&mut step.node, Value::Kept);
        self.pace_step(&mut step.node, length);
        for stage in &mut step.stages {
            match stage {
                Stage::Filter(predicate) => {
                    let length = self.length(predicate);
                    self.node(predicate, Value::Dropped);
                    self.pace(predicate, length);
                }
                Stage::KeepArray | Stage::Index(_) => {}
            }
        }
    }

    /// The value of a name, or a function of the expression: it may come round again.
    fn assigned(&mut self, node: &mut AstNode) {
        let fixed = is_literal(node)
            || matches!(node, AstNode::Lambda { .. } | AstNode::Variable(_) | AstNode::Placeholder)
            || matches!(node, AstNode::Binary { op, .. } if is_scalar(*op));
        self.inner(node, Value::Dropped);
        if !fixed {
            self.hold(node);
        }
    }

    /// A value that is turned into text: a structure that is made for this is weighed before.
    fn written(&mut self, node: &mut AstNode) {
        let made = matches!(node, AstNode::Array(_) | AstNode::Object(_));
        self.node(node, Value::Dropped);
        if made {
            self.hold(node);
        }
    }

    fn call(&mut self, node: &mut AstNode) {
        let AstNode::Function { name, args, .. } = node else { return };
        if name == "now" && !args.is_empty() && !self.names.contains(name) {
            // The engine would look at its own clock.
            "fromMillis".clone_into(name);
            args.insert(0, own("millis", Vec::new()));
        }
        let name = name.clone();
        if EACH.contains(&name.as_str()) {
            for arg in args.iter_mut() {
                match arg {
                    AstNode::Lambda { body, .. } => {
                        let length = self.length(body);
                        self.inner(body, Value::Kept);
                        self.pace(body, length);
                    }
                    other => self.inner(other, Value::Kept),
                }
            }
        } else if name == "encodeUrl" && args.is_empty() {
            // Without an argument it takes what is at hand, which a function of ours is not told.
            args.push(AstNode::Variable(String::new()));
        } else if name == "string" {
            args.iter_mut().for_each(|arg| self.written(arg));
        } else if functions::exists(&name) && !self.names.contains(&name) {
            let value = if REDUCING.contains(&name.as_str()) { Value::Dropped } else { Value::Kept };
            args.iter_mut().for_each(|arg| self.node(arg, value));
        } else {
            args.iter_mut().for_each(|arg| self.assigned(arg));
        }
        if AMPLIFYING.contains(&name.as_str()) {
            *node = amplifying(&name, std::mem::take(args));
        }
    }

    /// `a ~> $f(b)` is `$f(a, b)`.
    fn chain(&mut self, node: &mut AstNode) {
        let AstNode::Binary { lhs, rhs, .. } = node else { return };
        match &mut **rhs {
            AstNode::Function { name, args, is_builtin: true }
                if AMPLIFYING.contains(&name.as_str()) && !args.contains(&AstNode::Placeholder) =>
            {
                args.insert(0, std::mem::replace(&mut **lhs, AstNode::Null));
                let called = std::mem::replace(&mut **rhs, AstNode::Null);
                *node = called;
                self.call(node);
            }
            _ => {
                self.inner(lhs, Value::Kept);
                self.inner(rhs, Value::Kept);
            }
        }
    }

    /// A function that is handed round: the language's own is called with guards, whatever else has its name is itself.
    fn by_value(&self, name: &str) -> AstNode {
        let variable = AstNode::Variable(name.to_owned());
        AstNode::Conditional {
            condition: Box::new(own(IS_BUILTIN, vec![variable.clone()])),
            then_branch: Box::new(wrapper(name, arity(name))),
            else_branch: Some(Box::new(variable)),
        }
    }

    fn hold(&self, node: &mut AstNode) {
        if self.weigh {
            let inner = std::mem::replace(node, AstNode::Null);
            *node = own(HELD, vec![inner]);
        }
    }

    /// The result of a function, where that is not another call of the expression's own: those must stay in tail
    /// position, and have their arguments weighed.
    fn hold_tail(&self, node: &mut AstNode) {
        match node {
            AstNode::Conditional { then_branch, else_branch, .. } => {
                self.hold_tail(then_branch);
                else_branch.iter_mut().for_each(|branch| self.hold_tail(branch));
            }
            AstNode::Block(nodes) => nodes.iter_mut().last().into_iter().for_each(|last| self.hold_tail(last)),
            AstNode::Call { .. } | AstNode::Lambda { .. } | AstNode::Variable(_) => {}
            AstNode::Function { name, .. } if !functions::exists(name) || self.names.contains(name) => {}
            AstNode::Binary { op, .. } if is_scalar(*op) => {}
            other if is_literal(other) => {}
            other => self.hold(other),
        }
    }
}

/// How long something takes.
#[derive(Clone, Copy, PartialEq)]
enum Length {
    Short,
    /// It does something again and again.
    Repeats,
    /// It calls functions of the expression's own.
    CallsOwn,
}

fn taken(node: &mut AstNode) -> AstNode {
    std::mem::replace(node, AstNode::Null)
}

/// Looks at the time once the value of a node is there.
fn look_before(node: &mut AstNode) {
    *node = own(PACED, vec![taken(node)]);
}

/// Whether an argument is no value that can be passed on by a function of ours.
fn is_fixed(arg: &AstNode) -> bool {
    matches!(arg, AstNode::Lambda { .. } | AstNode::Placeholder | AstNode::Regex { .. } | AstNode::Variable(_))
}

/// Whether an operator makes a number or a truth of whatever it is given.
fn is_scalar(op: BinaryOp) -> bool {
    !matches!(
        op,
        BinaryOp::Concatenate
            | BinaryOp::Range
            | BinaryOp::ColonEqual
            | BinaryOp::FocusBind
            | BinaryOp::IndexBind
            | BinaryOp::Coalesce
            | BinaryOp::Default
            | BinaryOp::ChainPipe
    )
}

/// A call of a function of ours.
pub(super) fn own(name: &str, args: Vec<AstNode>) -> AstNode {
    AstNode::Function { name: name.to_owned(), args, is_builtin: true }
}
