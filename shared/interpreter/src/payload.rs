//! JSON on its way through a workflow.

use std::fmt;
use std::sync::{Arc, OnceLock};

use expressions::json::JsonError;
use serde_json::Value;

/// A JSON value as its text, parsed at the first look; cheap to clone.
///
/// The text is what counts: what a state passes on unchanged keeps its spacing, as on AWS, and is written once. The parsed
/// value weighs many times its text, so what is kept from one step to the next is [`unparsed`](Payload::unparsed).
#[derive(Clone)]
pub struct Payload {
    written: Arc<Written>,
    value: Arc<OnceLock<Value>>,
}

struct Written {
    text: Box<str>,
    home: OnceLock<Address>,
}

/// The longest text whose parsed value may be kept from one step to the next.
const PARSED_KEPT: usize = 256;

/// Where in the execution's journal a payload lies: it need not be written again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    pub sequence: u64,
    pub slot: u32,
}

impl Payload {
    /// A text that is known to be JSON: from the journal, or checked by the caller.
    pub fn from_json_text(text: impl Into<Box<str>>) -> Payload {
        Payload::new(text.into(), OnceLock::new())
    }

    pub fn from_value(value: Value) -> Payload {
        let text = expressions::json::to_text(&value);
        Payload::new(text.into(), OnceLock::from(value))
    }

    /// `[a,b,…]` of the given elements, without looking into them.
    pub fn array<'a>(elements: impl Iterator<Item = &'a Payload>) -> Payload {
        let mut text = String::from("[");
        for element in elements {
            if text.len() > 1 {
                text.push(',');
            }
            text.push_str(element.text());
        }
        text.push(']');
        Payload::from_json_text(text)
    }

    fn new(text: Box<str>, value: OnceLock<Value>) -> Payload {
        Payload { written: Arc::new(Written { text, home: OnceLock::new() }), value: Arc::new(value) }
    }

    pub fn text(&self) -> &str {
        &self.written.text
    }

    /// The parsed value, or why there is none: the text came from outside and was not looked at.
    pub fn parsed(&self) -> Result<&Value, JsonError> {
        if let Some(value) = self.value.get() {
            return Ok(value);
        }
        let value = expressions::json::parse(&self.written.text)?;
        Ok(self.value.get_or_init(|| value))
    }

    /// The same text, without the value that was parsed from it unless that is small.
    pub fn unparsed(&self) -> Payload {
        if self.bytes() <= PARSED_KEPT || self.value.get().is_none() {
            return self.clone();
        }
        Payload { written: self.written.clone(), value: Arc::default() }
    }

    /// The same text, whose value will be parsed for this one alone.
    pub(crate) fn another(&self) -> Payload {
        Payload { written: self.written.clone(), value: Arc::default() }
    }

    /// Tells texts in memory apart.
    pub(crate) fn identity(&self) -> usize {
        Arc::as_ptr(&self.written).addr()
    }

    /// The parsed value. `null` when the text is no JSON; a text from outside goes through [`Payload::parsed`] before
    /// anything reads it.
    pub fn value(&self) -> &Value {
        self.parsed().unwrap_or(&Value::Null)
    }

    /// Its size in UTF-8 bytes, which is what limits are about.
    pub fn bytes(&self) -> usize {
        self.written.text.len()
    }

    /// How deeply arrays and objects nest.
    pub fn depth(&self) -> usize {
        let (mut depth, mut deepest, mut in_string, mut escaped) = (0usize, 0usize, false, false);
        for byte in self.written.text.bytes() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if in_string => escaped = true,
                b'"' => in_string = !in_string,
                b'[' | b'{' if !in_string => {
                    depth += 1;
                    deepest = deepest.max(depth);
                }
                b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        deepest
    }

    /// Where it was written, once an entry that carries it is durable.
    pub fn home(&self) -> Option<Address> {
        self.written.home.get().copied()
    }

    /// Sets its address. The first one stays.
    pub fn settle(&self, address: Address) {
        let _first_one_stays = self.written.home.set(address);
    }

    /// The same object in memory, and so the same text.
    pub fn is(&self, other: &Payload) -> bool {
        Arc::ptr_eq(&self.written, &other.written)
    }
}

/// Texts are compared, not meanings.
impl PartialEq for Payload {
    fn eq(&self, other: &Payload) -> bool {
        self.is(other) || self.text() == other.text()
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}
