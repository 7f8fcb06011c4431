//! Choice: the first rule that holds says where to go, or else `Default`.

use expressions::jsonata::Sees;

use crate::choice_rules::test;
use crate::cursor::Node;
use crate::fields::{Field, In};
use crate::reading::{ParseContext, StateNode};
use crate::{Choice, Rule, Test, data_flow};

pub(crate) const FIELDS: &[Field] = &[("Assign", In::Both), ("Choices", In::Both), ("Default", In::Both)];

pub(crate) fn read<'v>(state: &StateNode<'v, '_>, context: &mut ParseContext<'v>) -> Option<Choice> {
    let object = &state.object;
    object.require(&["Choices"], &mut context.findings);
    let default = match object.get("Default") {
        None => None,
        Some(node) => Some(node.text(&mut context.findings).and_then(|name| context.sibling(state.siblings, name))),
    };
    let node = object.get("Choices")?;
    let items = node.list(&mut context.findings)?;
    let mut rules = Vec::with_capacity(items.len());
    for (index, value) in items.iter().enumerate() {
        rules.push(rule(state, node.item(index, value), context));
    }
    let rules: Option<Vec<Rule>> = rules.into_iter().collect();
    let default = match default {
        None => None,
        Some(target) => Some(target?),
    };
    Some(Choice { rules: rules?, default })
}

fn rule<'v>(state: &StateNode<'v, '_>, node: Node<'v, '_>, context: &mut ParseContext<'v>) -> Option<Rule> {
    let findings = &mut context.findings;
    let object = node.object(findings)?;
    object.require(&["Next"], findings);
    let test = test(&object, findings);
    let assign = data_flow::assign(&object, Sees::Input, findings);
    let output = data_flow::output(&object, Sees::Input, findings);
    object.text("Comment", findings);
    let target = object.text("Next", findings)?;
    let next = context.sibling(state.siblings, target)?;
    let test = context.or_stand_in(test, || Test::Always(false));
    Some(Rule { test: test?, assign, output, next })
}
