//! The data an expression may read while it is evaluated.
//!
//! A scope borrows everything: one is put together per evaluated field and costs nothing. The context object is
//! built at the first look because most expressions never read `$$`.

use std::cell::OnceCell;
use std::fmt;

use serde_json::{Map, Value};

use crate::chance::Chance;
use crate::fuel::Fuel;

/// The variables an expression can see, by name without `$`.
pub type Variables = Map<String, Value>;

/// Everything an expression may look at.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// `$`
    pub input: &'a Value,
    /// `$$`
    pub context: &'a ContextObject<'a>,
    /// `$name`
    pub variables: &'a Variables,
    /// Where `States.UUID` and `States.MathRandom` draw from.
    pub chance: &'a Chance,
    /// Counts the work.
    pub fuel: &'a Fuel,
}

/// The context object `$$`, built when something first looks at it and kept from then on.
pub struct ContextObject<'a> {
    build: Box<dyn Fn() -> Value + 'a>,
    value: OnceCell<Value>,
}

impl<'a> ContextObject<'a> {
    pub fn new(build: impl Fn() -> Value + 'a) -> Self {
        ContextObject { build: Box::new(build), value: OnceCell::new() }
    }

    pub fn value(&self) -> &Value {
        self.value.get_or_init(|| (self.build)())
    }
}

impl fmt::Debug for ContextObject<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("ContextObject").field(&self.value.get()).finish()
    }
}
