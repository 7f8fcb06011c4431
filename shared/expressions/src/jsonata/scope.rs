//! The data a JSONata expression may read: `$states` and the workflow's variables.

use std::cell::{Cell, RefCell};
use std::fmt;

use jsonata_core::value::JValue;
use serde_json::{Map, Value};

use super::convert;
use crate::{Chance, ContextObject, Fuel, Variables, json};

/// Everything an expression may look at. One is put together per evaluated state, and keeps what it converted.
#[derive(Debug)]
pub struct Scope<'a> {
    /// `$states.input`
    pub input: &'a Value,
    /// `$states.result`
    pub result: Option<&'a Value>,
    /// `$states.errorOutput`
    pub error_output: Option<&'a Value>,
    /// `$states.context`
    pub context: &'a ContextObject<'a>,
    /// `$name`
    pub variables: &'a Variables,
    /// Where `$random` and `$uuid` draw from.
    pub chance: &'a Chance,
    /// Counts the work.
    pub fuel: &'a Fuel,
    /// What `$now` and `$millis` tell, in milliseconds since 1970.
    pub now: i64,
    /// Starts out empty.
    pub converted: Converted,
}

/// Values in the engine's form, so that what several fields of a state look at is converted once.
#[derive(Default)]
pub struct Converted {
    // A state has a handful of these; the address of a value that the scope borrows is its identity.
    values: RefCell<Vec<(*const Value, JValue)>>,
    /// Whether any of them holds something that the engine must not compute with.
    pub(super) carried: Cell<bool>,
}

impl Scope<'_> {
    /// The value of a variable, or of a member of `$states`.
    pub(super) fn member(&self, name: &str) -> Option<&Value> {
        match name {
            "input" => Some(self.input),
            "result" => self.result,
            "errorOutput" => self.error_output,
            "context" => Some(self.context.value()),
            _ => None,
        }
    }

    /// `$states` as a document.
    pub(super) fn states(&self) -> Value {
        let mut states = Map::new();
        for name in MEMBERS {
            if let Some(value) = self.member(name) {
                states.insert(name.to_owned(), json::copy(value));
            }
        }
        Value::Object(states)
    }

    /// A value this scope shows, in the engine's form.
    pub(super) fn converted(&self, value: &Value) -> JValue {
        // Scalars are not worth looking up.
        if !value.is_array() && !value.is_object() {
            return convert::to_engine(value, &self.converted.carried);
        }
        let mut values = self.converted.values.borrow_mut();
        let address: *const Value = value;
        if let Some((_, known)) = values.iter().find(|(known, _)| *known == address) {
            return known.clone();
        }
        let converted = convert::to_engine(value, &self.converted.carried);
        values.push((address, converted.clone()));
        converted
    }
}

/// The members of `$states`.
pub(super) const MEMBERS: [&str; 4] = ["input", "result", "errorOutput", "context"];

impl fmt::Debug for Converted {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Converted").field(&self.values.borrow().len()).finish()
    }
}
