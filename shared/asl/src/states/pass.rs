//! Pass: hands on its input, or a result that stands in the definition.

use crate::fields::{Field, In};
use crate::reading::{ParseContext, StateNode, transition};
use crate::{Pass, hints};

pub(crate) const FIELDS: &[Field] =
    &[("Result", In::JsonPath), ("Parameters", In::JsonPath), ("ResultPath", In::JsonPath)];

pub(crate) fn read(state: &StateNode<'_, '_>, context: &mut ParseContext<'_>) -> Option<Pass> {
    let result = state.object.get("Result").map(|node| {
        hints::static_result(node, &mut context.findings);
        node.value.clone()
    });
    Some(Pass { result, transition: transition(state, context)? })
}
