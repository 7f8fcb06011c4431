//! Wait: until a time, or for some seconds.

use asl::{State, Wait, WaitUntil};
use expressions::Path;
use serde_json::Value;

use super::or_raise;
use crate::context::Extra;
use crate::run::{Outcome, Run};
use crate::{Phase, Raised, ThreadPath, Timestamp, Trouble};

/// The longest Wait, in seconds; the longest an execution lives.
const LONGEST: u64 = 99_999_999;

pub(crate) fn enter(run: &mut Run<'_>, path: &ThreadPath, state: &State, wait: &Wait) -> Outcome {
    let input = or_raise!(run.effective_input(path, state));
    let now = run.moment.now;
    let until = or_raise!(run.with_scope(path, state, input.value(), &Extra::default(), |scope| match &wait.until {
        WaitUntil::Seconds(seconds) => Ok(now.plus_seconds(*seconds)),
        WaitUntil::Timestamp(time) => Ok(Timestamp(ceiling_millis(*time))),
        WaitUntil::SecondsPath(at) => Ok(now.plus_seconds(seconds(at, at.read(scope).ok().as_deref())?)),
        WaitUntil::TimestampPath(at) => timestamp(at, at.read(scope).ok().as_deref()),
    }));
    if until <= now {
        return Outcome::Leave { result: input, then: wait.transition };
    }
    run.new_wait(path);
    Outcome::Wait(Phase::Waiting { until })
}

/// The time has come.
pub(crate) fn resume(run: &mut Run<'_>, path: &ThreadPath, state: &State, wait: &Wait) -> Outcome {
    let result = or_raise!(run.effective_input(path, state));
    Outcome::Leave { result, then: wait.transition }
}

fn seconds(at: &Path, value: Option<&Value>) -> Result<u64, Trouble> {
    let at = at.text();
    let Some(value) = value.filter(|value| !value.is_null()) else {
        return Err(Raised::runtime(format!("The SecondsPath parameter does not reference an input value: {at}")));
    };
    let Some(whole) = crate::numbers::integer(value) else {
        let shown = crate::numbers::shown(value);
        return Err(Raised::runtime(format!(
            "The SecondsPath parameter cannot be parsed as a long value: {at} == {shown}"
        )));
    };
    match u64::try_from(whole) {
        Ok(seconds) if seconds <= LONGEST => Ok(seconds),
        Ok(_) => Err(Raised::runtime("Wait state delay is too long.")),
        Err(_) => {
            Err(Raised::runtime(format!("The SecondsPath parameter references a negative value: {at} == {whole}")))
        }
    }
}

fn timestamp(at: &Path, value: Option<&Value>) -> Result<Timestamp, Trouble> {
    let at = at.text();
    let Some(value) = value else {
        return Err(Raised::runtime(format!("The TimestampPath parameter does not reference an input value: {at}")));
    };
    let time = value.as_str().and_then(expressions::time::parse_timestamp);
    let time = time.ok_or_else(|| {
        let shown = crate::numbers::shown(value);
        Raised::runtime(format!(
            "The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time format string: {at} == {shown}"
        ))
    })?;
    Ok(Timestamp(ceiling_millis(time)))
}

/// A Wait never ends early: what is finer than a millisecond is rounded up.
fn ceiling_millis(time: jiff::Timestamp) -> i64 {
    let millis = time.as_millisecond();
    let exact = i128::from(millis) * 1_000_000 == time.as_nanosecond();
    if exact || time.as_nanosecond() < i128::from(millis) * 1_000_000 { millis } else { millis.saturating_add(1) }
}
