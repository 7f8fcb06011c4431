//! Map: the same states for every item of an array.

use expressions::jsonata::Sees;

use serde_json::Value;

use crate::cursor::{Between, Node, Object, Roots};
use crate::diagnostics::Findings;
use crate::fields::{Field, In};
use crate::reading::{ParseContext, StateNode, limit, transition};
use crate::{Items, Map, QueryLanguage, Selection, Template, ValueSource, distributed, fields, flow};

pub(crate) const FIELDS: &[Field] = &[
    ("ItemProcessor", In::Both),
    ("Iterator", In::Both),
    ("ItemsPath", In::JsonPath),
    ("Items", In::Jsonata),
    ("ItemSelector", In::Both),
    ("ItemReader", In::Both),
    ("ItemBatcher", In::Both),
    ("ResultWriter", In::Both),
    ("MaxConcurrency", In::Both),
    ("MaxConcurrencyPath", In::JsonPath),
    ("ToleratedFailurePercentage", In::Both),
    ("ToleratedFailurePercentagePath", In::JsonPath),
    ("ToleratedFailureCount", In::Both),
    ("ToleratedFailureCountPath", In::JsonPath),
    ("Label", In::Both),
];
const PROCESSOR: &[Field] =
    &[("Comment", In::Both), ("StartAt", In::Both), ("States", In::Both), ("ProcessorConfig", In::Both)];

pub(crate) fn read<'v>(state: &StateNode<'v, '_>, context: &mut ParseContext<'v>) -> Option<Map> {
    let object = &state.object;
    let findings = &mut context.findings;
    object.exactly_one(&["ItemProcessor", "Iterator"], findings);
    let items = items(object, findings);
    let item_selector = item_selector(object, findings);
    let max_concurrency = limit(object, "MaxConcurrency", "MaxConcurrencyPath", None, findings);
    let tolerated_failure_count = limit(object, "ToleratedFailureCount", "ToleratedFailureCountPath", None, findings);
    let tolerated_failure_percentage = percentage(object, findings);
    object.text("Label", findings);
    let distribution = distributed::read(object, context);
    let transition = transition(state, context);
    let processor = object.get("ItemProcessor").or_else(|| object.get("Iterator"))?;
    let processor = read_processor(processor, context);
    let items = context.or_stand_in(items, || Items::Path(Selection::Nothing));
    Some(Map {
        items: items?,
        item_selector,
        processor: processor?,
        has_distributed_fields: distributed::has_fields(object),
        distribution: Box::new(distribution),
        max_concurrency: max_concurrency.unwrap_or(ValueSource::Literal(0)),
        tolerated_failure_count,
        tolerated_failure_percentage,
        transition: transition?,
    })
}

fn percentage(object: &Object<'_, '_>, findings: &mut Findings) -> Option<ValueSource<f64>> {
    const LITERAL: &str = "ToleratedFailurePercentage";
    const PATH: &str = "ToleratedFailurePercentagePath";
    object.at_most_one(&[LITERAL, PATH], findings);
    object.number_source(LITERAL, (PATH, Roots::NotContext), Between(0.0, Some(100.0)), findings)
}

/// The items: `ItemsPath` or `Items`.
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

fn read_processor<'v>(node: Node<'v, '_>, context: &mut ParseContext<'v>) -> Option<crate::Flow> {
    let processor = node.object(&mut context.findings)?;
    processor.require(&["States", "StartAt"], &mut context.findings);
    fields::check(&processor, &[PROCESSOR], &mut context.findings);
    processor.text("Comment", &mut context.findings);
    flow::read(&processor, context)
}
