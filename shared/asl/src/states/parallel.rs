//! Parallel: several levels of states with the same input.

use crate::definition::Reading;
use crate::state::{Sheet, transition};
use crate::{Flow, Parallel, fields, flow};

pub(crate) fn read<'v>(sheet: &Sheet<'v, '_>, reading: &mut Reading<'v>) -> Option<Parallel> {
    let object = &sheet.object;
    object.require(&["Branches"], &mut reading.findings);
    let transition = transition(sheet, reading);
    let node = object.get("Branches")?;
    let items = node.list(&mut reading.findings)?;
    let mut branches = Vec::with_capacity(items.len());
    for (index, value) in items.iter().enumerate() {
        let item = node.item(index, value);
        branches.push(item.object(&mut reading.findings).and_then(|branch| {
            branch.require(&["States", "StartAt"], &mut reading.findings);
            fields::check(&branch, &[fields::BRANCH], &mut reading.findings);
            branch.text("Comment", &mut reading.findings);
            flow::read(&branch, reading)
        }));
    }
    let branches: Option<Vec<Flow>> = branches.into_iter().collect();
    Some(Parallel { branches: branches?, transition: transition? })
}
