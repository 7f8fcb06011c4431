//! Parallel: several levels of states with the same input.

use crate::fields::{Field, In};
use crate::reading::{ParseContext, StateNode, transition};
use crate::{Flow, Parallel, fields, flow};

pub(crate) const FIELDS: &[Field] = &[("Branches", In::Both), ("Arguments", In::Jsonata)];
const BRANCH: &[Field] = &[("Comment", In::Both), ("StartAt", In::Both), ("States", In::Both)];

pub(crate) fn read<'v>(state: &StateNode<'v, '_>, context: &mut ParseContext<'v>) -> Option<Parallel> {
    let object = &state.object;
    object.require(&["Branches"], &mut context.findings);
    let transition = transition(state, context);
    let node = object.get("Branches")?;
    let items = node.list(&mut context.findings)?;
    let mut branches = Vec::with_capacity(items.len());
    for (index, value) in items.iter().enumerate() {
        let item = node.item(index, value);
        branches.push(item.object(&mut context.findings).and_then(|branch| {
            branch.require(&["States", "StartAt"], &mut context.findings);
            fields::check(&branch, &[BRANCH], &mut context.findings);
            branch.text("Comment", &mut context.findings);
            flow::read(&branch, context)
        }));
    }
    let branches: Option<Vec<Flow>> = branches.into_iter().collect();
    Some(Parallel { branches: branches?, transition: transition? })
}
