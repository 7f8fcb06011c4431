//! `Catch`: where a state hands on to when it failed.

use expressions::jsonata::Sees;

use crate::cursor::Node;
use crate::definition::Reading;
use crate::state::Sheet;
use crate::{Catcher, data_flow, fields, retry};

pub(crate) fn read<'v>(sheet: &Sheet<'v, '_>, reading: &mut Reading<'v>) -> Vec<Catcher> {
    let Some((list, items)) = retry::entries(&sheet.object, "Catch", &mut reading.findings) else {
        return Vec::new();
    };
    let last = items.len().saturating_sub(1);
    let each = items.iter().enumerate();
    each.filter_map(|(index, value)| catcher(sheet, list.item(index, value), index == last, reading)).collect()
}

fn catcher<'v>(sheet: &Sheet<'v, '_>, node: Node<'v, '_>, last: bool, reading: &mut Reading<'v>) -> Option<Catcher> {
    let findings = &mut reading.findings;
    let entry = node.object(findings)?;
    entry.require(&["ErrorEquals", "Next"], findings);
    fields::check(&entry, &[fields::CATCHER], findings);
    let error_equals = retry::error_equals(&entry, last, findings);
    let result_path = data_flow::result_path(&entry, findings);
    let assign = data_flow::assign(&entry, Sees::ErrorOutput, findings);
    let output = data_flow::output(&entry, Sees::ErrorOutput, findings);
    entry.text("Comment", findings);
    let target = entry.text("Next", findings)?;
    let next = reading.sibling(sheet.siblings, target)?;
    Some(Catcher { error_equals: error_equals?, result_path, assign, output, next })
}
