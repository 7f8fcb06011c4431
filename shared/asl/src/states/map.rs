//! Map: the same states for every item of an array.

use crate::cursor::{Between, Node, Object, Roots};
use crate::definition::Reading;
use crate::diagnostics::Findings;
use crate::state::{Sheet, transition};
use crate::{Limit, Map, Percentage, QueryLanguage, Selection, distributed, fields, flow};

pub(crate) fn read<'v>(sheet: &Sheet<'v, '_>, reading: &mut Reading<'v>) -> Option<Map> {
    let object = &sheet.object;
    let findings = &mut reading.findings;
    object.exactly_one(&["ItemProcessor", "Iterator"], findings);
    let items_path = items_path(object, findings);
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
        items_path,
        item_selector,
        processor: processor?,
        max_concurrency: max_concurrency.unwrap_or(Limit::Literal(0)),
        tolerated_failure_count,
        tolerated_failure_percentage,
        transition: transition?,
    })
}

/// A number or where in the input it stands. AWS: such a path cannot start from the context object.
pub(crate) fn limit(
    object: &Object<'_, '_>,
    literal: &str,
    path: &str,
    most: Option<u64>,
    findings: &mut Findings,
) -> Option<Limit> {
    object.at_most_one(&[literal, path], findings);
    let number = object.integer(literal, Between(0, most), findings).map(Limit::Literal);
    let path = object.get(path).and_then(|node| node.reference_path(Roots::NotContext, findings)).map(Limit::Path);
    path.or(number)
}

fn percentage(object: &Object<'_, '_>, findings: &mut Findings) -> Option<Percentage> {
    const LITERAL: &str = "ToleratedFailurePercentage";
    const PATH: &str = "ToleratedFailurePercentagePath";
    object.at_most_one(&[LITERAL, PATH], findings);
    let number = object.number(LITERAL, Between(0.0, Some(100.0)), findings).map(Percentage::Literal);
    let path = object.get(PATH).and_then(|node| node.reference_path(Roots::NotContext, findings)).map(Percentage::Path);
    path.or(number)
}

fn items_path(object: &Object<'_, '_>, findings: &mut Findings) -> Selection {
    if object.language == QueryLanguage::Jsonata {
        return Selection::Everything;
    }
    match object.get("ItemsPath") {
        None => Selection::Everything,
        Some(node) if node.value.as_str() == Some("$") => Selection::Everything,
        // AWS: the only path of a Map that may start from the context object.
        Some(node) => node.reference_path(Roots::Any, findings).map_or(Selection::Everything, Selection::At),
    }
}

fn item_selector(object: &Object<'_, '_>, findings: &mut Findings) -> Option<expressions::Template> {
    if object.language == QueryLanguage::JsonPath {
        object.at_most_one(&["ItemSelector", "Parameters"], findings);
    }
    let node = object.get("ItemSelector").or_else(|| object.get("Parameters"))?;
    node.template(findings)
}

fn read_processor<'v>(node: Node<'v, '_>, reading: &mut Reading<'v>) -> Option<crate::Flow> {
    let processor = node.object(&mut reading.findings)?;
    processor.require(&["States", "StartAt"], &mut reading.findings);
    fields::check(&processor, &[fields::PROCESSOR], &mut reading.findings);
    processor.text("Comment", &mut reading.findings);
    flow::read(&processor, reading)
}
