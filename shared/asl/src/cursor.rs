//! Reads the fields of one object of a definition and reports the wrong ones.
//!
//! Every accessor answers `None` both for a field that is absent and for one that is wrong; in the second case it has
//! reported a finding, and a definition with a finding never becomes a machine. So callers may put any default in place.

use std::fmt;

use expressions::jsonata::Sees;
use expressions::{Invalid, Path, Root, TemplateFinding};
use serde_json::{Map, Value};

use crate::about::About;
use crate::diagnostics::Findings;
use crate::hints::{did_you_mean, misplaced_jsonata, missing_dollars};
use crate::place::Place;
use crate::{QueryLanguage, Template};

/// A value and where it stands.
#[derive(Clone, Copy)]
pub(crate) struct Node<'v, 'p> {
    pub value: &'v Value,
    pub at: Place<'p>,
    pub language: QueryLanguage,
}

/// An object and where it stands.
#[derive(Clone, Copy)]
pub(crate) struct Object<'v, 'p> {
    pub map: &'v Map<String, Value>,
    pub at: Place<'p>,
    /// The language of the state around it: in JSONata, numbers may be expressions.
    pub language: QueryLanguage,
}

/// The roots that a reference path may start from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Roots {
    Any,
    NotContext,
}

/// A range of numbers that a field takes, both ends included.
#[derive(Clone, Copy)]
pub(crate) struct Between<T>(pub T, pub Option<T>);

/// The longest wait and the longest timeout, in seconds.
pub const MOST_SECONDS: u64 = 99_999_999;

impl<'v, 'p> Node<'v, 'p> {
    pub fn object(self, findings: &mut Findings) -> Option<Object<'v, 'p>> {
        match self.value {
            Value::Object(map) => Some(Object { map, at: self.at, language: self.language }),
            _ => self.wrong_type("[OBJECT]", findings),
        }
    }

    pub fn text(self, findings: &mut Findings) -> Option<&'v str> {
        match self.value {
            Value::String(text) => Some(text),
            _ => self.wrong_type("[STRING]", findings),
        }
    }

    /// A list that is not empty.
    pub fn list(self, findings: &mut Findings) -> Option<&'v [Value]> {
        match self.value {
            Value::Array(items) if items.is_empty() => {
                findings.schema(self.at, "Value cannot be empty");
                None
            }
            Value::Array(items) => Some(items),
            _ => self.wrong_type("[ARRAY]", findings),
        }
    }

    pub fn item<'s>(&'s self, index: usize, value: &'v Value) -> Node<'v, 's> {
        Node { value, at: self.at.index(index), language: self.language }
    }

    /// One of the words of an enumeration.
    pub fn word(self, words: &[&'static str], findings: &mut Findings) -> Option<&'static str> {
        let text = self.text(findings)?;
        let found = words.iter().find(|word| **word == text);
        if found.is_none() {
            let help = did_you_mean(text, words.iter().copied(), findings);
            findings.schema_with_help(self.at, About::OneOf(words.to_vec()), help);
        }
        found.copied()
    }

    pub fn reference_path(self, roots: Roots, findings: &mut Findings) -> Option<Path> {
        let text = self.text(findings)?;
        let refuse = |reason: &str, findings: &mut Findings| {
            let separator = if reason.is_empty() { "" } else { ": " };
            findings.schema(self.at, format!("Value is not a Reference Path{separator}{reason}"));
            None
        };
        if !text.starts_with('$') {
            return refuse("Reference path didn't start with '$'", findings);
        }
        match Path::parse(text) {
            Err(invalid) => refuse(reason_against(text, &invalid), findings),
            Ok(path) if !path.is_reference() => refuse("", findings),
            Ok(path) if roots == Roots::NotContext && *path.root() == Root::Context => refuse("", findings),
            Ok(path) => {
                findings.reads(self.at, path.variable());
                Some(path)
            }
        }
    }

    /// A payload with expressions of the state's language in it.
    pub fn template(self, sees: Sees, findings: &mut Findings) -> Option<Template> {
        match self.language {
            QueryLanguage::JsonPath => self.paths(findings).map(Template::JsonPath),
            QueryLanguage::Jsonata => self.payload(sees, findings).map(Template::Jsonata),
        }
    }

    /// A payload template, with `.$` keys.
    pub fn paths(self, findings: &mut Findings) -> Option<expressions::Template> {
        missing_dollars(self, findings);
        match expressions::Template::compile(self.value) {
            Ok(template) => {
                findings.reads(self.at, template.variables());
                Some(template)
            }
            Err(wrong) => {
                for one in wrong {
                    // AWS: located at the object that has the field (observed at the template's top).
                    let steps = self.at.pointed(&one.pointer, self.value);
                    let TemplateFinding { pointer: _, field, message, reason } = one;
                    let about = match field {
                        Some(name) => About::Field { name, message },
                        None => About::Value(message),
                    };
                    findings.schema_with_help(self.at.written(&steps), about, reason);
                }
                None
            }
        }
    }

    pub fn wrong_type<T>(self, expected: &str, findings: &mut Findings) -> Option<T> {
        // AWS: [STRING] and Integer are observed; the other names follow the first. AWS: unverified
        let help = misplaced_jsonata(self);
        findings.schema_with_help(self.at, format!("Expected value of type {expected}"), help);
        None
    }
}

impl<'v, 'p> Object<'v, 'p> {
    pub fn get<'s>(&'s self, key: &'s str) -> Option<Node<'v, 's>> {
        let value = self.map.get(key)?;
        Some(Node { value, at: self.at.key(key), language: self.language })
    }

    pub fn has(&self, key: &str) -> bool {
        self.map.contains_key(key)
    }

    pub fn text(&self, key: &str, findings: &mut Findings) -> Option<&'v str> {
        self.get(key)?.text(findings)
    }

    pub fn integer(&self, key: &str, range: Between<u64>, findings: &mut Findings) -> Option<u64> {
        let node = self.get(key)?;
        let Some(number) = node.value.as_number() else { return node.wrong_type("Integer", findings) };
        match number.as_u64() {
            Some(value) => in_range(value, range, node.at, findings),
            None if number.as_f64().is_some_and(|value| value < 0.0) => below(&range.0, node.at, findings),
            None => node.wrong_type("Integer", findings),
        }
    }

    pub fn number(&self, key: &str, range: Between<f64>, findings: &mut Findings) -> Option<f64> {
        let node = self.get(key)?;
        match node.value.as_f64() {
            Some(value) => in_range(value, range, node.at, findings),
            None => node.wrong_type("Float", findings),
        }
    }

    /// Reports the fields that are missing, all in one finding as AWS does.
    pub fn require(&self, keys: &[&str], findings: &mut Findings) -> bool {
        let missing: Vec<&str> = keys.iter().copied().filter(|key| !self.has(key)).collect();
        if !missing.is_empty() {
            findings.schema(self.at, About::Missing(owned(&missing)));
        }
        missing.is_empty()
    }

    /// Reports if more than one of the fields is there.
    pub fn at_most_one(&self, keys: &[&str], findings: &mut Findings) -> bool {
        let present = keys.iter().filter(|key| self.has(key)).count();
        if present > 1 {
            findings.schema(self.at, About::AtMostOne(owned(keys)));
        }
        present <= 1
    }

    /// Reports if not exactly one of the fields is there.
    pub fn exactly_one(&self, keys: &[&str], findings: &mut Findings) -> bool {
        if !keys.iter().any(|key| self.has(key)) {
            findings.schema(self.at, About::ExactlyOne(owned(keys)));
            return false;
        }
        self.at_most_one(keys, findings)
    }
}

/// Why a text is no reference path, where it is no path at all.
pub(crate) fn reason_against<'i>(text: &str, invalid: &'i Invalid) -> &'i str {
    let steps = |letter: char| letter.is_ascii_digit() || "'\"*?-:(".contains(letter);
    let begins_no_step = text.match_indices('[').any(|(at, _)| {
        let next = text.get(at + 1..).and_then(|rest| rest.trim_start().chars().next());
        next.is_some_and(|next| !steps(next))
    });
    // AWS: reported in public for `$.a[$$.Execution.Id]S`; the second bracket in it is AWS's own.
    if begins_no_step { "'[' must be followed by ' or '['" } else { &invalid.message }
}

fn owned(keys: &[&str]) -> Vec<String> {
    keys.iter().map(|key| (*key).to_owned()).collect()
}

fn in_range<T: PartialOrd + fmt::Debug>(
    value: T,
    range: Between<T>,
    at: Place<'_>,
    findings: &mut Findings,
) -> Option<T> {
    if value < range.0 {
        return below(&range.0, at, findings);
    }
    match range.1 {
        Some(most) if value > most => {
            findings.schema(at, format!("Maximum value is {most:?}"));
            None
        }
        _ => Some(value),
    }
}

/// `{:?}` because AWS writes the ends of a range of floats with a decimal: `Minimum value is 0.0`.
fn below<L: fmt::Debug, T>(least: &L, at: Place<'_>, findings: &mut Findings) -> Option<T> {
    findings.schema(at, format!("Minimum value is {least:?}"));
    None
}
