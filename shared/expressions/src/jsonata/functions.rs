//! The functions of AWS's JSONata: those of version 2.0.6 without `$eval`, and six of its own.
//!
//! The engine has most of them. Ours are those that AWS added or means differently, those that tell the time or draw
//! chance, and the guards. An evaluator is given only what an expression calls.

mod checks;
mod lists;
mod moments;
mod parse;
mod texts;

use std::cell::Cell;
use std::rc::Rc;

use jsonata_core::evaluator::{Evaluator, EvaluatorError, HostFnResult};
use jsonata_core::value::JValue;

use super::{carried, guards, messages};
use crate::Chance;

/// Every function, in order.
#[rustfmt::skip]
const NAMES: &[&str] = &[
    "abs", "append", "assert", "average", "base64decode", "base64encode", "boolean", "ceil", "contains", "count",
    "decodeUrl", "decodeUrlComponent", "distinct", "each", "encodeUrl", "encodeUrlComponent", "error", "exists",
    "filter", "floor", "formatBase", "formatInteger", "formatNumber", "fromMillis", "hash", "join", "keys", "length",
    "lookup", "lowercase", "map", "match", "max", "merge", "millis", "min", "not", "now", "number", "pad", "parse",
    "parseInteger", "partition", "power", "random", "range", "reduce", "replace", "reverse", "round", "shuffle",
    "sift", "single", "sort", "split", "spread", "sqrt", "string", "substring", "substringAfter", "substringBefore",
    "sum", "toMillis", "trim", "type", "uppercase", "uuid", "zip",
];

/// Whether there is a function of this name, unless something hides it.
pub(super) fn exists(name: &str) -> bool {
    NAMES.binary_search(&name).is_ok()
}

/// The world a function of ours can reach.
pub(super) struct World {
    /// Milliseconds since 1970.
    pub now: i64,
    /// Present where an expression draws.
    pub chance: Option<Chance>,
    /// The bytes of all values weighed so far.
    pub held: Cell<usize>,
    /// The processor time of this thread, and when the evaluation has to be over by it, in nanoseconds.
    pub processor_time: fn() -> u64,
    pub until: u64,
}

type Function = fn(&World, &[JValue]) -> HostFnResult;

/// A function of ours by its name.
#[derive(Clone, Copy)]
pub(super) struct Own {
    name: &'static str,
    /// How many arguments it takes.
    pub arity: usize,
    draws: bool,
    function: Function,
}

const OWN: &[Own] = &[
    own(carried::AT_HAND, 1, carried::at_hand),
    own(carried::EQUATED, 1, carried::equated),
    own(carried::ORDERED, 1, carried::ordered),
    own(carried::PLAIN, 1, carried::plain),
    own(carried::REFUSED, 0, carried::refused),
    own(guards::HELD, 1, checks::held),
    own(guards::IS_BUILTIN, 1, checks::is_builtin),
    own(guards::JOINED, 2, checks::joined),
    own(guards::PACED, 1, checks::paced),
    own(guards::PICTURE, 1, checks::picture),
    own(guards::MOMENT, 1, checks::moment),
    own(guards::ZONE, 1, checks::zone),
    own(guards::REPLACEMENT, 4, checks::replacement),
    own(guards::SEARCHED, 1, checks::searched),
    own(guards::WIDTH, 3, checks::width),
    own("encodeUrl", 1, texts::encode_url),
    own("hash", 2, texts::hash),
    own("millis", 0, moments::millis),
    own("now", 0, moments::now),
    own("parse", 1, parse::parse),
    own("partition", 2, lists::partition),
    drawing("random", 1, texts::random),
    own("range", 3, lists::range),
    drawing("shuffle", 1, lists::shuffle),
    drawing("uuid", 0, texts::uuid),
];

const fn own(name: &'static str, arity: usize, function: Function) -> Own {
    Own { name, arity, draws: false, function }
}

const fn drawing(name: &'static str, arity: usize, function: Function) -> Own {
    Own { name, arity, draws: true, function }
}

/// The function of ours of this name.
pub(super) fn find(name: &str) -> Option<Own> {
    OWN.iter().find(|own| own.name == name).copied()
}

impl Own {
    pub fn is_called(self, name: &str) -> bool {
        self.name == name
    }

    pub fn draws(self) -> bool {
        self.draws
    }

    pub fn register(self, evaluator: &mut Evaluator, world: &Rc<World>) -> Result<(), EvaluatorError> {
        let world = Rc::clone(world);
        let function = move |args: &[JValue]| {
            // An argument behind the last one a function takes is refused, unless it is nothing.
            match args.get(self.arity..).and_then(|rest| rest.iter().position(|arg| !arg.is_undefined())) {
                Some(surplus) if !self.name.starts_with('.') => Err(mismatch(self.name, self.arity + surplus + 1)),
                _ => (self.function)(&world, args),
            }
        };
        evaluator.register_fn_override(self.name, function)
    }
}

/// An argument, or nothing.
pub(super) fn argument(args: &[JValue], index: usize) -> &JValue {
    args.get(index).unwrap_or(&JValue::Undefined)
}

pub(super) fn thrown(message: impl Into<String>) -> EvaluatorError {
    EvaluatorError::EvaluationError(message.into())
}

fn too_large() -> EvaluatorError {
    thrown(messages::TOO_LARGE)
}

/// The argument with this number, from 1, is of a type the function does not take.
fn mismatch(function: &str, number: usize) -> EvaluatorError {
    thrown(format!("T0410: Argument {number} of function \"{function}\" does not match function signature"))
}

/// A number as the whole number next to zero.
// AWS: -1.7 is -1, 2.9 is 2.
fn whole(args: &[JValue], index: usize, function: &str) -> Result<i64, EvaluatorError> {
    match argument(args, index) {
        JValue::Number(number) => Ok(*number as i64),
        _ => Err(mismatch(function, index + 1)),
    }
}
