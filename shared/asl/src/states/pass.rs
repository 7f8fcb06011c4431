//! Pass: hands on its input, or a result that stands in the definition.

use crate::definition::Reading;
use crate::state::{Sheet, transition};
use crate::{Pass, hints};

pub(crate) fn read(sheet: &Sheet<'_, '_>, reading: &mut Reading<'_>) -> Option<Pass> {
    let result = sheet.object.get("Result").map(|node| {
        hints::static_result(node, &mut reading.findings);
        node.value.clone()
    });
    Some(Pass { result, transition: transition(sheet, reading)? })
}
