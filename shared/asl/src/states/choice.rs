//! Choice: the first rule that holds says where to go, or else `Default`.

use expressions::jsonata::Sees;

use crate::choice_rules::test;
use crate::cursor::Node;
use crate::definition::Reading;
use crate::state::Sheet;
use crate::{Choice, Rule, data_flow};

pub(crate) fn read<'v>(sheet: &Sheet<'v, '_>, reading: &mut Reading<'v>) -> Option<Choice> {
    let object = &sheet.object;
    object.require(&["Choices"], &mut reading.findings);
    let default = match object.get("Default") {
        None => None,
        Some(node) => Some(node.text(&mut reading.findings).and_then(|name| reading.sibling(sheet.siblings, name))),
    };
    let node = object.get("Choices")?;
    let items = node.list(&mut reading.findings)?;
    let mut rules = Vec::with_capacity(items.len());
    for (index, value) in items.iter().enumerate() {
        rules.push(rule(sheet, node.item(index, value), reading));
    }
    let rules: Option<Vec<Rule>> = rules.into_iter().collect();
    let default = match default {
        None => None,
        Some(target) => Some(target?),
    };
    Some(Choice { rules: rules?, default })
}

fn rule<'v>(sheet: &Sheet<'v, '_>, node: Node<'v, '_>, reading: &mut Reading<'v>) -> Option<Rule> {
    let findings = &mut reading.findings;
    let object = node.object(findings)?;
    object.require(&["Next"], findings);
    let test = test(&object, findings);
    let assign = data_flow::assign(&object, Sees::Input, findings);
    let output = data_flow::output(&object, Sees::Input, findings);
    object.text("Comment", findings);
    let target = object.text("Next", findings)?;
    let next = reading.sibling(sheet.siblings, target)?;
    Some(Rule { test: test?, assign, output, next })
}
