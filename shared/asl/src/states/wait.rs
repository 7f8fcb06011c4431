//! Wait: for a number of seconds or until a time, both given or taken from the input.

use expressions::jsonata::Sees;
use expressions::time::{Instant, parse_timestamp};

use crate::cursor::{Between, MOST_SECONDS, Object, Roots};
use crate::diagnostics::Findings;
use crate::fields::{Field, In};
use crate::hints::misplaced_jsonata;
use crate::reading::{ParseContext, StateNode, transition};
use crate::{QueryLanguage, ValueSource, Wait, WaitUntil};

pub(crate) const FIELDS: &[Field] =
    &[("Seconds", In::Both), ("Timestamp", In::Both), ("SecondsPath", In::JsonPath), ("TimestampPath", In::JsonPath)];

/// In the order in which AWS lists them.
const ONE_OF: [&str; 4] = ["SecondsPath", "Seconds", "TimestampPath", "Timestamp"];

pub(crate) fn read(state: &StateNode<'_, '_>, context: &mut ParseContext<'_>) -> Option<Wait> {
    let one = state.object.exactly_one(&ONE_OF, &mut context.findings);
    let until = until(&state.object, &mut context.findings);
    let transition = transition(state, context)?;
    let until = context.or_stand_in(until.filter(|_| one), || WaitUntil::Seconds(ValueSource::Literal(0)));
    Some(Wait { until: until?, transition })
}

fn until(object: &Object<'_, '_>, findings: &mut Findings) -> Option<WaitUntil> {
    let most = Between(0, Some(MOST_SECONDS));
    let seconds = object.integer_source("Seconds", ("SecondsPath", Roots::Any), most, findings);
    let timestamp = timestamp(object, findings);
    seconds.map(WaitUntil::Seconds).or(timestamp.map(WaitUntil::Timestamp))
}

fn timestamp(object: &Object<'_, '_>, findings: &mut Findings) -> Option<ValueSource<Instant>> {
    if let Some(node) = object.get("TimestampPath").filter(|node| node.language == QueryLanguage::JsonPath) {
        return node.reference_path(Roots::Any, findings).map(ValueSource::Path);
    }
    let node = object.get("Timestamp")?;
    if node.means_expression() {
        return node.expression(Sees::Input, findings).map(ValueSource::Jsonata);
    }
    let time = parse_timestamp(node.text(findings)?);
    if time.is_none() {
        let help = misplaced_jsonata(node).or_else(|| Some("write it like 2030-01-31T12:00:00Z".to_owned()));
        findings.schema_with_help(node.at, "String does not match RFC3339 timestamp", help);
    }
    time.map(ValueSource::Literal)
}
