//! Wait: for a number of seconds or until a time, both given or taken from the input.

use expressions::time::parse_timestamp;

use crate::cursor::{Between, MOST_SECONDS, Object, Roots};
use crate::definition::Reading;
use crate::diagnostics::Findings;
use crate::state::{Sheet, transition};
use crate::{Wait, WaitUntil};

/// In the order in which AWS lists them.
const FIELDS: [&str; 4] = ["SecondsPath", "Seconds", "TimestampPath", "Timestamp"];

pub(crate) fn read(sheet: &Sheet<'_, '_>, reading: &mut Reading<'_>) -> Option<Wait> {
    let one = sheet.object.exactly_one(&FIELDS, &mut reading.findings);
    let until = until(&sheet.object, &mut reading.findings);
    let transition = transition(sheet, reading)?;
    Some(Wait { until: until.filter(|_| one)?, transition })
}

fn until(object: &Object<'_, '_>, findings: &mut Findings) -> Option<WaitUntil> {
    let seconds = object.integer("Seconds", Between(0, Some(MOST_SECONDS)), findings).map(WaitUntil::Seconds);
    let seconds_path = path(object, "SecondsPath", findings).map(WaitUntil::SecondsPath);
    let timestamp = timestamp(object, findings);
    let timestamp_path = path(object, "TimestampPath", findings).map(WaitUntil::TimestampPath);
    seconds.or(seconds_path).or(timestamp).or(timestamp_path)
}

fn path(object: &Object<'_, '_>, key: &str, findings: &mut Findings) -> Option<expressions::Path> {
    object.get(key)?.reference_path(Roots::Any, findings)
}

fn timestamp(object: &Object<'_, '_>, findings: &mut Findings) -> Option<WaitUntil> {
    let node = object.get("Timestamp")?;
    if node.is_expression() {
        return None;
    }
    let time = parse_timestamp(node.text(findings)?);
    if time.is_none() {
        let help = Some("write it like 2030-01-31T12:00:00Z".to_owned());
        findings.schema_with_help(node.at, "String does not match RFC3339 timestamp", help);
    }
    time.map(WaitUntil::Timestamp)
}
