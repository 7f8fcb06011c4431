//! The variables an expression reads, and through them what it has to be shown.
//!
//! A name is free where nothing around it binds it: no parameter, no `:=` in a block before it, no `@$name` or
//! `#$name` of the path it stands in. A function is a variable to the language, and a variable may have the name of a
//! function (`$count` often has): where a name is called or handed to a call, the function is taken to be meant.

use jsonata_core::ast::{AstNode, BinaryOp, PathStep, Stage};

use super::functions;
use super::nodes::for_each_child_mut;
use super::slots::Slot;

/// One free variable where it is read, with the names of the fields that are read right after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Read {
    pub name: String,
    pub fields: Vec<String>,
    /// Whether the function of this name seems to be meant.
    pub is_function: bool,
}

/// All free variables in the order they are written, repeated as they are.
pub(super) fn reads(root: &AstNode) -> Vec<Read> {
    let mut search = Search { bound: Vec::new(), reads: Vec::new(), slots: None };
    search.visit(&mut root.clone());
    search.reads
}

/// Puts variables in the place of paths that can be looked up beforehand.
pub(super) fn fill_slots(root: &mut AstNode) -> Vec<Slot> {
    let mut search = Search { bound: Vec::new(), reads: Vec::new(), slots: Some(Vec::new()) };
    search.visit(root);
    search.slots.unwrap_or_default()
}

/// One walk for both: finding the free variables finds their places. The recursion is as deep as the tree.
struct Search {
    bound: Vec<String>,
    reads: Vec<Read>,
    slots: Option<Vec<Slot>>,
}

impl Search {
    fn visit(&mut self, node: &mut AstNode) {
        match node {
            AstNode::Variable(name) => {
                let name = name.clone();
                self.read(&name, &[]);
            }
            AstNode::Path { .. } => self.inside(|search| search.path(node)),
            AstNode::Function { name, args, is_builtin } => {
                if *is_builtin {
                    self.mention(name, functions::exists(name));
                }
                args.iter_mut().for_each(|arg| self.handed(arg));
            }
            AstNode::Binary { op: BinaryOp::ChainPipe, lhs, rhs } => {
                self.handed(lhs);
                self.handed(rhs);
            }
            AstNode::Lambda { params, body, .. } => self.inside(|search| {
                search.bound.extend(params.iter().cloned());
                search.visit(body);
            }),
            AstNode::Block(nodes) => self.inside(|search| nodes.iter_mut().for_each(|node| search.visit(node))),
            AstNode::Binary { op: BinaryOp::ColonEqual, lhs, rhs } => self.assign(lhs, rhs),
            // The grouping and ordering around the steps see the variables that the steps bind.
            AstNode::ObjectTransform { .. } | AstNode::Sort { .. } => self.inside(|search| {
                for_each_child_mut(node, &mut |child| match child {
                    AstNode::Path { .. } => search.path(child),
                    other => search.visit(other),
                });
            }),
            _ => for_each_child_mut(node, &mut |child| self.visit(child)),
        }
    }

    /// A function may call itself by the name it is given; anything else is read before the name means it.
    fn assign(&mut self, lhs: &AstNode, rhs: &mut AstNode) {
        let AstNode::Variable(name) = lhs else { return };
        if matches!(rhs, AstNode::Lambda { .. }) {
            self.bound.push(name.clone());
            self.visit(rhs);
        } else {
            self.visit(rhs);
            self.bound.push(name.clone());
        }
    }

    fn path(&mut self, node: &mut AstNode) {
        let AstNode::Path { steps } = node else { return };
        self.steps(steps);
        let Some((slot, length)) = Slot::of(steps).filter(|(slot, _)| !self.is_bound(&slot.root)) else { return };
        let Some(slots) = &mut self.slots else { return };
        let variable = AstNode::Variable(Slot::name(slots.len()));
        slots.push(slot);
        if length == steps.len() {
            *node = variable;
        } else {
            steps.splice(..length, [PathStep::new(variable)]);
        }
    }

    fn steps(&mut self, steps: &mut [PathStep]) {
        if let Some((first, rest)) = steps.split_first_mut() {
            match &first.node {
                AstNode::Variable(name) if is_bare(first) => {
                    let name = name.clone();
                    self.read(&name, rest);
                    self.bind(first);
                }
                _ => self.step(first),
            }
            rest.iter_mut().for_each(|step| self.step(step));
        }
    }

    fn step(&mut self, step: &mut PathStep) {
        self.visit(&mut step.node);
        self.bind(step);
    }

    fn bind(&mut self, step: &mut PathStep) {
        self.bound.extend(step.focus.iter().chain(&step.index_var).cloned());
        for stage in &mut step.stages {
            match stage {
                Stage::Filter(predicate) => self.visit(predicate),
                Stage::Index(name) => self.bound.push(name.clone()),
                Stage::KeepArray => {}
            }
        }
    }

    /// An argument of a call may be a function.
    fn handed(&mut self, node: &mut AstNode) {
        match node {
            AstNode::Variable(name) => self.mention(name, functions::exists(name)),
            other => self.visit(other),
        }
    }

    fn mention(&mut self, name: &str, is_function: bool) {
        if !self.is_bound(name) {
            self.reads.push(Read { name: name.to_owned(), fields: Vec::new(), is_function });
        }
    }

    fn is_bound(&self, name: &str) -> bool {
        // Names of our own begin with a dot.
        name.is_empty() || name.starts_with('.') || self.bound.iter().any(|bound| bound == name)
    }

    fn read(&mut self, name: &str, rest: &[PathStep]) {
        if self.is_bound(name) {
            return;
        }
        let mut fields = Vec::new();
        for step in rest {
            let AstNode::Name(field) = &step.node else { break };
            fields.push(field.clone());
            if !is_bare(step) {
                break;
            }
        }
        // A path that keeps hold of what it came through (for `%`) needs all of it.
        if rest.iter().any(|step| step.is_tuple) {
            fields.clear();
        }
        self.reads.push(Read { name: name.to_owned(), fields, is_function: false });
    }

    fn inside(&mut self, look: impl FnOnce(&mut Self)) {
        let length = self.bound.len();
        look(self);
        self.bound.truncate(length);
    }
}

/// Whether a step does nothing but name something.
pub(super) fn is_bare(step: &PathStep) -> bool {
    step.stages.is_empty() && step.focus.is_none() && step.index_var.is_none() && step.ancestor_label.is_none()
}
