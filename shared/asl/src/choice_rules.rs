//! The rules of a Choice state: one condition each, of comparisons under And, Or and Not.

use expressions::jsonata::Sees;
use expressions::{Comparison, Condition};

use serde_json::Value;

use crate::about::About;
use crate::cursor::{Node, Object, Roots};
use crate::diagnostics::Findings;
use crate::fields::{In, is_of};
use crate::hints::{ask, missing_path, similar};
use crate::{QueryLanguage, Test};

/// The fields one of which makes an object a condition.
const SELECTORS: [&str; 5] = ["And", "Or", "Not", "Variable", "Condition"];

/// The fields that may stand beside a condition.
const BESIDE: [&str; 4] = ["Comment", "Next", "Assign", "Output"];

/// Where a condition stands: only the outermost one carries the transition.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    Rule,
    Nested,
}

/// When a rule holds.
pub(crate) fn test(rule: &Object<'_, '_>, findings: &mut Findings) -> Option<Test> {
    match rule.language {
        QueryLanguage::JsonPath => condition(rule, Depth::Rule, findings).map(Test::Compare),
        QueryLanguage::Jsonata => {
            condition(rule, Depth::Rule, findings);
            let node = rule.get("Condition")?;
            match node.value {
                // AWS: true and false are taken as well (observed).
                Value::Bool(always) => Some(Test::Always(*always)),
                _ if node.means_expression() => node.expression(Sees::Input, findings).map(Test::Jsonata),
                // AWS: unverified wording
                Value::String(_) => node.unpaired(findings),
                _ => node.wrong_type("[STRING]", findings),
            }
        }
    }
}

/// Reads a condition. Nesting is bounded by the JSON reader.
fn condition(object: &Object<'_, '_>, depth: Depth, findings: &mut Findings) -> Option<Condition> {
    check_fields(object, depth, findings);
    let present: Vec<&str> = SELECTORS.iter().copied().filter(|key| object.has(key)).collect();
    let [selector] = present.as_slice() else {
        findings.schema(object.at, About::Condition(SELECTORS.to_vec()));
        return None;
    };
    let node = object.get(selector)?;
    match *selector {
        "And" => conditions(node, findings).map(Condition::And),
        "Or" => conditions(node, findings).map(Condition::Or),
        "Not" => {
            let inner = node.object(findings)?;
            condition(&inner, Depth::Nested, findings).map(|inner| Condition::Not(Box::new(inner)))
        }
        "Variable" => comparison(object, node, findings),
        // JSONata's Condition; in JSONPath it has been reported as a field of the other language.
        _ => None,
    }
}

fn conditions(node: Node<'_, '_>, findings: &mut Findings) -> Option<Vec<Condition>> {
    let items = node.list(findings)?;
    let mut all = Some(Vec::with_capacity(items.len()));
    for (index, value) in items.iter().enumerate() {
        let item = node.item(index, value);
        let inner = item.object(findings).and_then(|object| condition(&object, Depth::Nested, findings));
        all = all.zip(inner).map(|(mut all, inner)| {
            all.push(inner);
            all
        });
    }
    all
}

fn comparison(object: &Object<'_, '_>, variable: Node<'_, '_>, findings: &mut Findings) -> Option<Condition> {
    let operators: Vec<&str> =
        object.map.keys().map(String::as_str).filter(|key| Comparison::is_operator(key)).collect();
    let variable =
        if object.language == QueryLanguage::JsonPath { variable.reference_path(Roots::Any, findings) } else { None };
    let [operator] = operators.as_slice() else {
        report_operators(object, &operators, findings);
        return None;
    };
    let operand = object.get(operator)?;
    if operator.ends_with("Path") {
        operand.reference_path(Roots::Any, findings)?;
    }
    let twin = format!("{operator}Path");
    if Comparison::is_operator(&twin) {
        missing_path(operand, &twin, findings);
    }
    match Comparison::parse(operator, operand.value) {
        Ok(comparison) => Some(Condition::Test { variable: variable?, comparison }),
        Err(invalid) => {
            findings.schema(operand.at, invalid.message);
            None
        }
    }
}

/// None or several where there should be one.
fn report_operators(object: &Object<'_, '_>, operators: &[&str], findings: &mut Findings) {
    let misspelt = object.map.keys().any(|key| !SELECTORS.contains(&key.as_str()) && !BESIDE.contains(&key.as_str()));
    if !operators.is_empty() {
        object.at_most_one(operators, findings);
    } else if !misspelt {
        // AWS: unverified wording
        let about = About::ExactlyOne(Comparison::OPERATORS.iter().map(|one| (*one).to_owned()).collect());
        let help = "add a comparison, such as \"IsPresent\": true".to_owned();
        findings.schema_with_help(object.at, about, Some(help));
    }
}

/// The language of a field that a condition may have.
fn language_of(key: &str, depth: Depth) -> Option<In> {
    match key {
        "Comment" => Some(In::Both),
        "Next" | "Assign" if depth == Depth::Rule => Some(In::Both),
        "Output" if depth == Depth::Rule => Some(In::Jsonata),
        "Condition" => Some(In::Jsonata),
        "And" | "Or" | "Not" | "Variable" => Some(In::JsonPath),
        operator if Comparison::is_operator(operator) => Some(In::JsonPath),
        _ => None,
    }
}

fn check_fields(object: &Object<'_, '_>, depth: Depth, findings: &mut Findings) {
    for key in object.map.keys() {
        match language_of(key, depth) {
            None => report_unsupported(object, key, depth, findings),
            Some(language) if !is_of(language, object.language) => {
                let about = About::OtherLanguage { field: key.clone(), set: object.language };
                let help = match (object.language, key.as_str()) {
                    (QueryLanguage::Jsonata, _) => {
                        Some("write Condition with an expression that answers true or false".to_owned())
                    }
                    (QueryLanguage::JsonPath, "Condition") => {
                        Some("write Variable and a comparison, or set QueryLanguage to JSONata".to_owned())
                    }
                    (QueryLanguage::JsonPath, _) => None,
                };
                findings.schema_with_help(object.at, about, help);
            }
            Some(_) => {}
        }
    }
}

fn report_unsupported(object: &Object<'_, '_>, key: &str, depth: Depth, findings: &mut Findings) {
    if key == "Next" {
        let help = "only the outermost rule says where to go".to_owned();
        return findings.schema_with_help(object.at, About::unsupported(key, None), Some(help));
    }
    let known = Comparison::OPERATORS.iter().copied().chain(SELECTORS).chain(BESIDE);
    let fits = |known: &&str| {
        language_of(known, depth).is_some_and(|language| is_of(language, object.language)) && !object.has(known)
    };
    let meant = similar(key, known.filter(fits), findings);
    findings.schema_with_help(object.at, About::unsupported(key, meant), meant.map(ask));
}
