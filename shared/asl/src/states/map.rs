//! Map: the same states for every item of an array.

use expressions::jsonata::Sees;

use serde_json::Value;

use crate::cursor::{Between, Node, Object, Roots};
use crate::definition::Reading;
use crate::diagnostics::Findings;
use crate::state::{Sheet, transition};
use crate::{Items, Map, QueryLanguage, Selection, Template, ValueSource, distributed, fields, flow};

pub(crate) fn read<'v>(sheet: &Sheet<'v, '_>, reading: &mut Reading<'v>) -> Option<Map> {
    let object = &sheet.object;
    let findings = &mut reading.findings;
    object.exactly_one(&["ItemProcessor", "Iterator"], findings);
    let items = items(object, findings);
    let item_selector = item_selector(object, findings);
    let max_concurrency = limit(object, "MaxConcurrency", "MaxConcurrencyPath", None, findings);
    let tolerated_failure_count = limit(object, "ToleratedFailureCount", "ToleratedFailureCountPath", None, findings);
    let tolerated_failure_percentage = percentage(object, findings);
    object.text("Label", findings);
    distributed::check(object, reading);
    let transition = transition(sheet, reading);
    let processor = object.get("ItemProcessor").or_else(|| object.get("Iterator"))?;
    let processor = read_processor(processor, reading);
    Some(Map {
        items: items?,
        item_selector,
        processor: processor?,
        has_distributed_fields: distributed::has_fields(object),
        max_concurrency: max_concurrency.unwrap_or(ValueSource::Literal(0)),
        tolerated_failure_count,
        tolerated_failure_percentage,
        transition: transition?,
    })
}

/// A number or where it comes from. AWS: such a path cannot start from the context object.
pub(crate) fn limit(
    object: &Object<'_, '_>,
    literal: &str,
    path: &str,
    most: Option<u64>,
    findings: &mut Findings,
) -> Option<ValueSource<u64>> {
    object.at_most_one(&[literal, path], findings);
    object.given_integer(literal, (path, Roots::NotContext), Between(0, most), findings)
}

fn percentage(object: &Object<'_, '_>, findings: &mut Findings) -> Option<ValueSource<f64>> {
    const LITERAL: &str = "ToleratedFailurePercentage";
    const PATH: &str = "ToleratedFailurePercentagePath";
    object.at_most_one(&[LITERAL, PATH], findings);
    object.given_number(LITERAL, (PATH, Roots::NotContext), Between(0.0, Some(100.0)), findings)
}

/// What is iterated, of the fields that say so.
fn items(object: &Object<'_, '_>, findings: &mut Findings) -> Option<Items> {
    match object.language {
        QueryLanguage::JsonPath => Some(Items::Path(match object.get("ItemsPath") {
            None => Selection::Everything,
            Some(node) if node.value.as_str() == Some("$") => Selection::Everything,
            // AWS: the only path of a Map that may start from the context object.
            Some(node) => Selection::At(node.reference_path(Roots::Any, findings)?),
        })),
        QueryLanguage::Jsonata => match object.get("Items") {
            None => Some(Items::Path(Selection::Everything)),
            Some(node) => match node.value {
                // AWS: an object is accepted here; an inline Map fails on it when it runs (recorded).
                Value::Array(_) | Value::Object(_) => node.payload(Sees::Input, findings).map(Items::Jsonata),
                _ if node.means_expression() => node.payload(Sees::Input, findings).map(Items::Jsonata),
                _ => node.wrong_type("[ARRAY]", findings),
            },
        },
    }
}

fn item_selector(object: &Object<'_, '_>, findings: &mut Findings) -> Option<Template> {
    let node = match object.language {
        QueryLanguage::JsonPath => {
            object.at_most_one(&["ItemSelector", "Parameters"], findings);
            object.get("ItemSelector").or_else(|| object.get("Parameters"))
        }
        QueryLanguage::Jsonata => object.get("ItemSelector"),
    };
    node?.template(Sees::Input, findings)
}

fn read_processor<'v>(node: Node<'v, '_>, reading: &mut Reading<'v>) -> Option<crate::Flow> {
    let processor = node.object(&mut reading.findings)?;
    processor.require(&["States", "StartAt"], &mut reading.findings);
    fields::check(&processor, &[fields::PROCESSOR], &mut reading.findings);
    processor.text("Comment", &mut reading.findings);
    flow::read(&processor, reading)
}
