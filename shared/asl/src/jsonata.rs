//! JSONata in a definition: `{% … %}` alone and in payloads, and AWS's words for a wrong one.
//!
//! The meaning of an expression is the expression crate's; its places are found here.

use expressions::jsonata::{Finding, Jsonata, Refused, Sees, Template};
use serde_json::Value;

use crate::cursor::{Between, Node, Object, Roots};
use crate::diagnostics::{Code, Findings};
use crate::place::Place;
use crate::{QueryLanguage, ValueSource, hints};

// AWS: measured for a text that starts with the braces and does not end with them; the documentation says the same of
// the other way round, and of blanks outside.
const UNPAIRED: &str = "JSONata string must start with {% and end with %}";

impl Node<'_, '_> {
    /// Whether what stands here is meant as a JSONata expression, even if one of the braces is missing.
    pub fn means_expression(&self) -> bool {
        self.language == QueryLanguage::Jsonata && self.value.as_str().is_some_and(means_expression)
    }

    /// The expression that stands here, where [`means_expression`](Self::means_expression) said that one is meant.
    pub fn expression(self, sees: Sees, findings: &mut Findings) -> Option<Jsonata> {
        let text = self.value.as_str()?;
        if !Jsonata::is_expression(text) {
            return self.unpaired(findings);
        }
        match Jsonata::parse(text, sees) {
            Ok(expression) => {
                findings.reads(self.at, expression.variables());
                Some(expression)
            }
            Err(all) => {
                let here = |refused| Finding { pointer: String::new(), refused };
                all.into_iter().for_each(|refused| self.refuse(here(refused), findings));
                None
            }
        }
    }

    /// JSON with expressions at any depth.
    pub fn payload(self, sees: Sees, findings: &mut Findings) -> Option<Template> {
        let paired = check_braces(self.value, self.at, findings);
        match Template::compile(self.value, sees) {
            Ok(template) => {
                findings.reads(self.at, template.variables());
                paired.then_some(template)
            }
            Err(wrong) => {
                wrong.into_iter().for_each(|one| self.refuse(one, findings));
                None
            }
        }
    }

    /// Reports a text that has to be an expression and is none.
    pub fn unpaired<T>(self, findings: &mut Findings) -> Option<T> {
        findings.schema_with_help(self.at, UNPAIRED, Some(help_with_braces()));
        None
    }

    fn refuse(&self, finding: Finding, findings: &mut Findings) {
        let steps = self.at.pointed(&finding.pointer, self.value);
        let help = hints::instead_of_expression(&finding.refused);
        let (code, message) = match finding.refused {
            Refused::Invalid(message) => (Code::InvalidJsonataExpression, message),
            Refused::Unsupported(unseen) => (Code::UnsupportedJsonataExpression, unseen.to_string()),
        };
        findings.error(code, Some(self.at.written(&steps)), message, help);
    }
}

impl Object<'_, '_> {
    /// A whole number, where it stands in the input (`path`), or in JSONata an expression for it.
    pub fn integer_source(
        &self,
        literal: &str,
        path: (&str, Roots),
        range: Between<u64>,
        findings: &mut Findings,
    ) -> Option<ValueSource<u64>> {
        self.source(literal, path, findings, |findings| self.integer(literal, range, findings))
    }

    /// The same for a number that may have decimals.
    pub fn number_source(
        &self,
        literal: &str,
        path: (&str, Roots),
        range: Between<f64>,
        findings: &mut Findings,
    ) -> Option<ValueSource<f64>> {
        self.source(literal, path, findings, |findings| self.number(literal, range, findings))
    }

    fn source<T>(
        &self,
        literal: &str,
        (path, roots): (&str, Roots),
        findings: &mut Findings,
        read: impl FnOnce(&mut Findings) -> Option<T>,
    ) -> Option<ValueSource<T>> {
        match self.language {
            QueryLanguage::JsonPath => {
                let number = read(findings).map(ValueSource::Literal);
                let path = self.get(path).and_then(|node| node.reference_path(roots, findings)).map(ValueSource::Path);
                path.or(number)
            }
            QueryLanguage::Jsonata => match self.get(literal)? {
                node if node.means_expression() => node.expression(Sees::Input, findings).map(ValueSource::Jsonata),
                _ => read(findings).map(ValueSource::Literal),
            },
        }
    }
}

fn means_expression(text: &str) -> bool {
    text.starts_with("{%") || text.ends_with("%}")
}

/// Reports texts that have only one of the braces; false if there are any. Nesting is bounded by the JSON reader.
fn check_braces(value: &Value, at: Place<'_>, findings: &mut Findings) -> bool {
    match value {
        Value::String(text) if means_expression(text) && !Jsonata::is_expression(text) => {
            findings.schema_with_help(at, UNPAIRED, Some(help_with_braces()));
            false
        }
        Value::Array(items) => items
            .iter()
            .enumerate()
            .fold(true, |paired, (index, item)| check_braces(item, at.index(index), findings) && paired),
        Value::Object(map) => {
            map.iter().fold(true, |paired, (key, item)| check_braces(item, at.key(key), findings) && paired)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

fn help_with_braces() -> String {
    "an expression is the whole text, without blanks around the braces: \"{% $states.input %}\"".to_owned()
}
