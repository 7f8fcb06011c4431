//! Wait: until a time, or for some seconds.

use asl::{MOST_SECONDS, State, Wait, WaitUntil};
use expressions::Path;
use serde_json::Value;

use super::or_raise;
use crate::evaluation::{Evaluation, EvaluationInputs, TypeMismatch};
use crate::failure::EvaluationFailure;
use crate::run::{Outcome, Run};
use crate::{Phase, ThreadPath, Timestamp, numbers};

const TOO_LONG: &str = "Wait state delay is too long.";

pub(crate) fn enter(run: &mut Run<'_>, path: &ThreadPath, state: &State, wait: &Wait) -> Outcome {
    let input = or_raise!(run.effective_input(path, state));
    let now = run.moment.now;
    let until =
        or_raise!(run.evaluate(path, EvaluationInputs::of(input.value()), |look| until(look, &wait.until, now)));
    let until = scaled(now, until, run.snapshot.execution.limits.wait_millionths);
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

/// The end of a wait of which only a share is waited for, rounded up.
fn scaled(now: Timestamp, until: Timestamp, millionths: u64) -> Timestamp {
    let delay = i128::from(until.0) - i128::from(now.0);
    let share = (delay * i128::from(millionths) + 999_999).div_euclid(1_000_000);
    now.plus_millis(i64::try_from(share).unwrap_or(i64::MAX))
}

fn until(look: &Evaluation<'_>, until: &WaitUntil, now: Timestamp) -> Result<Timestamp, EvaluationFailure> {
    match until {
        WaitUntil::Seconds(source) => {
            let read = |at: &Path, scope: &expressions::Scope<'_>| seconds_at(at, at.read(scope).ok().as_deref());
            look.resolve(source, "Seconds", read, seconds_from).map(|seconds| now.plus_seconds(seconds))
        }
        WaitUntil::Timestamp(source) => {
            let read = |at: &Path, scope: &expressions::Scope<'_>| timestamp_at(at, at.read(scope).ok().as_deref());
            // A Wait never ends early: the end is rounded up to the millisecond.
            look.resolve(source, "Timestamp", read, timestamp_from).map(|time| Timestamp(time.ceiling_milliseconds()))
        }
    }
}

fn seconds_at(at: &Path, value: Option<&Value>) -> Result<u64, EvaluationFailure> {
    let at = at.text();
    let Some(value) = value.filter(|value| !value.is_null()) else {
        return Err(EvaluationFailure::runtime(format!(
            "The SecondsPath parameter does not reference an input value: {at}"
        )));
    };
    let Some(whole) = numbers::integer(value) else {
        let shown = numbers::shown(value);
        return Err(EvaluationFailure::runtime(format!(
            "The SecondsPath parameter cannot be parsed as a long value: {at} == {shown}"
        )));
    };
    match u64::try_from(whole) {
        Ok(seconds) if seconds <= MOST_SECONDS => Ok(seconds),
        Ok(_) => Err(EvaluationFailure::runtime(TOO_LONG)),
        Err(_) => Err(EvaluationFailure::runtime(format!(
            "The SecondsPath parameter references a negative value: {at} == {whole}"
        ))),
    }
}

fn seconds_from(value: &Value) -> Result<u64, TypeMismatch> {
    match u64::try_from(numbers::whole(value, "Seconds")?) {
        Ok(seconds) if seconds <= MOST_SECONDS => Ok(seconds),
        Ok(_) => Err(TypeMismatch::Value(TOO_LONG.to_owned())),
        // AWS: unverified wording.
        Err(_) => {
            Err(TypeMismatch::Value(format!("The Seconds field has a negative value: {}", numbers::shown(value))))
        }
    }
}

fn timestamp_at(at: &Path, value: Option<&Value>) -> Result<expressions::time::Instant, EvaluationFailure> {
    let at = at.text();
    let Some(value) = value else {
        return Err(EvaluationFailure::runtime(format!(
            "The TimestampPath parameter does not reference an input value: {at}"
        )));
    };
    let time = expressions::json::string(value).and_then(expressions::time::parse_timestamp);
    time.ok_or_else(|| {
        let shown = numbers::shown(value);
        EvaluationFailure::runtime(format!(
            "The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time format string: {at} == {shown}"
        ))
    })
}

fn timestamp_from(value: &Value) -> Result<expressions::time::Instant, TypeMismatch> {
    let Some(text) = expressions::json::string(value) else { return Err(TypeMismatch::Type("string")) };
    expressions::time::parse_timestamp(text).ok_or_else(|| {
        TypeMismatch::Value(format!(
            "The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time format string: {text}"
        ))
    })
}
