//! Runs the engine: what it is shown, what it may call, and how far it may go.
//!
//! The engine recurses, panics on some input, and holds values that cannot leave their thread; all of that stays within
//! one call of [`Program::run`].

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use jsonata_core::ast::AstNode;
use jsonata_core::evaluator::{Context, Evaluator, EvaluatorOptions};
use jsonata_core::value::JValue;
use serde_json::Value;

use super::free_variables::{self, Read};
use super::functions::{self, Own, World};
use super::messages::{Failure, Witness};
use super::nodes::{self, for_each_child};
use super::scope::MEMBERS;
use super::slots::{Slot, Way};
use super::witness::Places;
use super::{Scope, carried, convert, guards};
use crate::{Fuel, json};

/// How much processor time one evaluation may take, in nanoseconds: how long that is depends on what else runs.
// AWS: a few seconds, of an engine about ten times as slow.
const LONGEST: u64 = 2_000_000_000;
/// How long it may take at all, in milliseconds. The engine knows no processor time, and what it does between two looks at
/// that ([`guards::PACED`]) is short.
const LONGEST_MILLISECONDS: u64 = 30_000;
/// The most bytes of what an expression looks at, where it repeats nothing and its time is not worth to be measured.
const SMALL: usize = 4_096;
/// How deep evaluation may nest, where functions can call themselves. The engine does not count leaves.
// AWS: 100; a function that calls itself 31 times and adds to what it answers is accepted, 32 times is not.
const DEEPEST: usize = nodes::DEEPEST - 1;
/// How deep it may nest where it cannot be deeper than what is written; the engine takes up to two levels for one.
const DEEPEST_WRITTEN: usize = 3 * nodes::DEEPEST;
/// The longest sequence.
// AWS: [1..873782] is accepted, one more is not.
const LONGEST_SEQUENCE: usize = convert::MOST_BYTES / 8;

/// An expression made ready to be evaluated.
pub(super) struct Program {
    form: Form,
    reads: Vec<Read>,
}

enum Form {
    /// The same every time.
    Constant(Value),
    /// It only looks something up, unless it meets an array on the way.
    Path(Slot, Tree),
    Tree(Tree),
    /// It nests deeper than AWS evaluates.
    TooDeep,
}

struct Tree {
    /// As it was written, with guards.
    written: AstNode,
    /// With variables in the place of paths.
    slotted: AstNode,
    slots: Vec<Slot>,
    /// The variables it reads besides those.
    slotted_reads: Vec<Read>,
    own: Vec<Own>,
    /// Whether it takes time that is worth to be measured.
    repeats: bool,
    /// Whether it has functions of its own.
    has_functions: bool,
}

impl Program {
    pub fn new(written: AstNode) -> Program {
        if nodes::depth(&written) > nodes::DEEPEST {
            return Program { form: Form::TooDeep, reads: Vec::new() };
        }
        let reads = free_variables::reads(&written);
        let form = match constant(&written) {
            Some(value) => Form::Constant(value),
            None => {
                let path = lookup(&written);
                let tree = Tree::new(written);
                match path {
                    Some(path) => Form::Path(path, tree),
                    None => Form::Tree(tree),
                }
            }
        };
        Program { form, reads }
    }

    pub fn reads(&self) -> &[Read] {
        &self.reads
    }

    pub fn run(&self, scope: &Scope<'_>) -> Result<Value, Failure> {
        match &self.form {
            Form::Constant(value) => Ok(value.clone()),
            Form::TooDeep => Err(Failure::TooDeep),
            Form::Tree(tree) => tree.run(scope, &self.reads),
            Form::Path(path, tree) => match path.find(scope) {
                Way::To(value) => Ok(json::copy(value)),
                // Without such a variable it may be the name of a function.
                Way::Nowhere if path.fields.is_empty() && functions::exists(&path.root) => tree.run(scope, &self.reads),
                Way::Nowhere => Err(Failure::Undefined),
                Way::ThroughArray => tree.run(scope, &self.reads),
            },
        }
    }

    /// Evaluates again to see what a failure was about.
    pub fn witness(&self, scope: &Scope<'_>) -> Witness {
        match &self.form {
            Form::Tree(tree) | Form::Path(_, tree) => tree.witness(scope, &self.reads),
            Form::Constant(_) | Form::TooDeep => Witness::default(),
        }
    }
}

fn constant(node: &AstNode) -> Option<Value> {
    match node {
        AstNode::Null => Some(Value::Null),
        AstNode::Boolean(truth) => Some(Value::Bool(*truth)),
        AstNode::String(text) => Some(Value::from(text.as_str())),
        AstNode::Number(number) => Some(convert::number_to_json(*number)),
        _ => None,
    }
}

/// The path that is all there is to an expression.
fn lookup(node: &AstNode) -> Option<Slot> {
    match node {
        AstNode::Variable(name) if name != "states" => {
            Some(Slot { root: name.clone(), fields: Vec::new(), next: None })
        }
        AstNode::Path { steps } => Slot::of(steps).filter(|(_, length)| *length == steps.len()).map(|(slot, _)| slot),
        _ => None,
    }
}

impl Tree {
    fn new(mut written: AstNode) -> Tree {
        let repeats = guards::repeats(&written);
        let has_functions = nodes::any(&written, |node| matches!(node, AstNode::Lambda { .. }));
        guards::put(&mut written);
        let own = own_functions(&written);
        let mut slotted = written.clone();
        let slots = free_variables::fill_slots(&mut slotted);
        let slotted_reads = free_variables::reads(&slotted);
        Tree { written, slotted, slots, slotted_reads, own, repeats, has_functions }
    }

    fn run(&self, scope: &Scope<'_>, reads: &[Read]) -> Result<Value, Failure> {
        let caught = catch_unwind(AssertUnwindSafe(|| {
            let slots: Option<Vec<JValue>> = self.slots.iter().map(|slot| slot.value(scope)).collect();
            let (node, reads) = match slots {
                Some(_) => (&self.slotted, self.slotted_reads.as_slice()),
                None => (&self.written, reads),
            };
            let known =
                slots.as_ref().is_some_and(|slots| slots.iter().all(|slot| convert::bytes(slot, SMALL) <= SMALL));
            let mut evaluator = self.evaluator(scope, reads, slots)?;
            let evaluate = |evaluator: &mut Evaluator| self.evaluate(node, scope, evaluator);
            if self.repeats || !known {
                scope.fuel.measure(|| evaluate(&mut evaluator))
            } else {
                scope.fuel.spend(Fuel::EVALUATION);
                evaluate(&mut evaluator)
            }
        }));
        caught.unwrap_or(Err(Failure::Internal))
    }

    fn evaluate(&self, node: &AstNode, scope: &Scope<'_>, evaluator: &mut Evaluator) -> Result<Value, Failure> {
        let value = if scope.converted.carried.get() {
            let mut guarded = node.clone();
            carried::guard(&mut guarded);
            register(&own_functions(&guarded), scope, evaluator)?;
            evaluator.evaluate(&guarded, &JValue::Undefined)
        } else {
            evaluator.evaluate(node, &JValue::Undefined)
        };
        match value {
            Ok(value) => convert::to_json(&value),
            Err(error) => Err(Failure::of_engine(error.message())),
        }
    }

    fn witness(&self, scope: &Scope<'_>, reads: &[Read]) -> Witness {
        let mut node = self.written.clone();
        let places = Places::mark(&mut node);
        let caught = catch_unwind(AssertUnwindSafe(|| {
            let mut evaluator = self.evaluator(scope, reads, None).ok()?;
            Some(places.watch(&mut evaluator, |evaluator| {
                // It fails as it did before; what it saw is all that is wanted.
                let _ = evaluator.evaluate(&node, &JValue::Undefined);
            }))
        }));
        caught.ok().flatten().unwrap_or_default()
    }

    /// An evaluator that sees what the expression reads; `slots` are the values of its paths, if all were found.
    fn evaluator(&self, scope: &Scope<'_>, reads: &[Read], slots: Option<Vec<JValue>>) -> Result<Evaluator, Failure> {
        let mut context = Context::new();
        for (index, value) in slots.into_iter().flatten().enumerate() {
            context.bind(Slot::name(index), value);
        }
        show(&mut context, scope, reads);
        let options = EvaluatorOptions {
            timeout_ms: self.repeats.then_some(LONGEST_MILLISECONDS),
            cancel: None,
            max_stack_depth: Some(if self.has_functions { DEEPEST } else { DEEPEST_WRITTEN }),
            max_sequence_length: Some(LONGEST_SEQUENCE),
        };
        let mut evaluator = Evaluator::with_options(context, options);
        register(&self.own, scope, &mut evaluator)?;
        Ok(evaluator)
    }
}

fn register(own: &[Own], scope: &Scope<'_>, evaluator: &mut Evaluator) -> Result<(), Failure> {
    if own.is_empty() {
        return Ok(());
    }
    let chance = own.iter().any(|own| own.draws()).then(|| scope.chance.fork());
    let processor_time = scope.fuel.processor_time();
    let until = processor_time().saturating_add(LONGEST.min(scope.fuel.left()));
    let world = Rc::new(World { now: scope.now, chance, held: Cell::new(0), processor_time, until });
    own.iter().try_for_each(|own| own.register(evaluator, &world).map_err(|_| Failure::Internal))
}

/// Binds the variables an expression reads.
fn show(context: &mut Context, scope: &Scope<'_>, reads: &[Read]) {
    for read in reads.iter().filter(|read| read.name != "states") {
        if let Some(value) = scope.variables.get(&read.name) {
            context.bind(read.name.clone(), scope.converted(value));
        } else if read.name == "eval" {
            // AWS has no such function; a name that is bound to nothing hides the engine's.
            context.bind(read.name.clone(), JValue::Undefined);
        }
    }
    let states: Vec<&Read> = reads.iter().filter(|read| read.name == "states").collect();
    if states.iter().any(|read| read.fields.is_empty()) {
        context.bind("states".to_owned(), convert::to_engine(&scope.states(), &scope.converted.carried));
    } else if !states.is_empty() {
        let seen = MEMBERS.into_iter().filter_map(|name| {
            let through: Vec<&Read> =
                states.iter().copied().filter(|read| read.fields.first().is_some_and(|field| field == name)).collect();
            let value = scope.member(name).filter(|_| !through.is_empty())?;
            let whole = through.iter().any(|read| read.fields.len() == 1);
            Some((
                name.to_owned(),
                if whole {
                    scope.converted(value)
                } else {
                    convert::seen(value, &through, 1, &scope.converted.carried)
                },
            ))
        });
        context.bind("states".to_owned(), convert::object_of(seen));
    }
}

/// The functions of ours an expression may call.
fn own_functions(root: &AstNode) -> Vec<Own> {
    let mut found: Vec<Own> = Vec::new();
    let mut waiting = vec![root];
    while let Some(node) = waiting.pop() {
        if let AstNode::Function { name, .. } | AstNode::Variable(name) = node
            && !found.iter().any(|own| own.is_called(name))
        {
            found.extend(functions::find(name));
        }
        for_each_child(node, &mut |child| waiting.push(child));
    }
    found
}
