//! `Catch`: where a state hands on to when it failed.

use expressions::jsonata::Sees;

use crate::cursor::Node;
use crate::fields::{Field, In};
use crate::reading::{ParseContext, StateNode};
use crate::{Catcher, data_flow, fields, retry};

const FIELDS: &[Field] = &[
    ("Comment", In::Both),
    ("ErrorEquals", In::Both),
    ("Next", In::Both),
    ("Assign", In::Both),
    ("ResultPath", In::JsonPath),
    ("Output", In::Jsonata),
];

pub(crate) fn read<'v>(state: &StateNode<'v, '_>, context: &mut ParseContext<'v>) -> Vec<Catcher> {
    let Some((list, items)) = retry::entries(&state.object, "Catch", &mut context.findings) else {
        return Vec::new();
    };
    let last = items.len().saturating_sub(1);
    let each = items.iter().enumerate();
    each.filter_map(|(index, value)| catcher(state, list.item(index, value), index == last, context)).collect()
}

fn catcher<'v>(
    state: &StateNode<'v, '_>,
    node: Node<'v, '_>,
    last: bool,
    context: &mut ParseContext<'v>,
) -> Option<Catcher> {
    let findings = &mut context.findings;
    let entry = node.object(findings)?;
    entry.require(&["ErrorEquals", "Next"], findings);
    fields::check(&entry, &[FIELDS], findings);
    let error_equals = retry::error_equals(&entry, last, findings);
    let result_path = data_flow::result_path(&entry, findings);
    let assign = data_flow::assign(&entry, Sees::ErrorOutput, findings);
    let output = data_flow::output(&entry, Sees::ErrorOutput, findings);
    entry.text("Comment", findings);
    let target = entry.text("Next", findings)?;
    let next = context.sibling(state.siblings, target)?;
    Some(Catcher { error_equals: error_equals?, result_path, assign, output, next })
}
