//! Map, inline: one thread per item, some at a time; its result is the list of theirs, in the order of the items.

mod reader_data;
mod tested;

use asl::{Items, Map, QueryLanguage, Selection, State, ValueSource};
use expressions::{Path, Scope};
use serde_json::Value;

use self::tested::Shape;
use super::or_raise;
use crate::data::read;
use crate::evaluation::{Evaluation, EvaluationInputs, Item, TypeMismatch};
use crate::failure::{EvaluationFailure, Raised};
use crate::run::{Outcome, Run};
use crate::{Detail, Iteration, Iterations, Payload, Phase, ThreadPath, numbers};

pub(crate) fn enter(run: &mut Run<'_>, path: &ThreadPath, state: &State, map: &Map) -> Outcome {
    if run.probe.is_some() {
        return tested::enter(run, path, state, map);
    }
    let input = or_raise!(run.effective_input(path, state));
    let (items, limit) = or_raise!(run.evaluate(path, EvaluationInputs::of(input.value()), |look| {
        check_fields(map)?;
        let items = items(look, state, map, &input, Shape::Array)?;
        Ok((items, limit(look, &map.max_concurrency, "MaxConcurrency")?))
    }));
    let total = items.value().as_array().map_or(0, |items| u32::try_from(items.len()).unwrap_or(u32::MAX));
    run.emit_on(path, Detail::MapStateStarted { length: u64::from(total) });
    or_raise!(run.evaluate(path, EvaluationInputs::of(input.value()), |look| check_tolerance(look, map)));
    if total == 0 {
        return leave(run, path, state, map);
    }
    let at_once = at_once(run, limit);
    let iterations = Iterations { input, items, total, next: 0, done: 0, held: 0, at_once };
    run.change(path, |frame| frame.phase = Phase::Map(iterations));
    let started = run.last_event(path);
    start_iterations(run, path, state, map, started)
}

/// An iteration ended; `last` is its last event.
pub(crate) fn iteration_done(
    run: &mut Run<'_>,
    path: &ThreadPath,
    state: &State,
    map: &Map,
    index: u32,
    last: u64,
) -> Outcome {
    let done = run.emit(last, Detail::MapIterationSucceeded(Iteration { name: state.name.to_string(), index }));
    let mut all_done = false;
    run.change(path, |frame| {
        frame.last_event = done;
        if let Phase::Map(iterations) = &mut frame.phase {
            iterations.done += 1;
            all_done = iterations.done >= iterations.total;
        }
    });
    if all_done {
        return leave(run, path, state, map);
    }
    // AWS: the next iteration follows the last state event of the one whose place it takes.
    start_iterations(run, path, state, map, last)
}

/// A redrive goes on with the Map: iterations that were never reached are started where there is room for them.
// AWS: unverified what their first events follow.
pub(crate) fn go_on(run: &mut Run<'_>, path: &ThreadPath, state: &State, map: &Map) -> Outcome {
    let previous = run.last_event(path);
    start_iterations(run, path, state, map, previous)
}

/// AWS: MapStateSucceeded and MapStateExited both follow the iteration that ended last.
fn leave(run: &mut Run<'_>, path: &ThreadPath, state: &State, map: &Map) -> Outcome {
    run.emit(run.last_event(path), Detail::MapStateSucceeded);
    run.join(path, state, map.transition)
}

/// Starts as many iterations as may run now.
fn start_iterations(run: &mut Run<'_>, path: &ThreadPath, state: &State, map: &Map, previous: u64) -> Outcome {
    let Some(Phase::Map(mut iterations)) = run.snapshot.frame(path).map(|frame| frame.phase.clone()) else {
        return Outcome::Done;
    };
    if iterations.at_once == 0 {
        // From an entry of before it was kept.
        let document = iterations.input.clone();
        let limit = or_raise!(run.evaluate(path, EvaluationInputs::of(document.value()), |look| {
            limit(look, &map.max_concurrency, "MaxConcurrency")
        }));
        iterations.at_once = at_once(run, limit);
    }
    while iterations.next < iterations.total && iterations.next - iterations.done < iterations.at_once {
        let index = iterations.next;
        let input = match item_input(run, path, map, &iterations, index) {
            Ok(input) => input,
            Err(raised) => {
                // Those that are started by now count, should a redrive go on.
                run.change(path, |frame| frame.phase = Phase::Map(iterations));
                return Outcome::Raise(raised);
            }
        };
        let iteration = Iteration { name: state.name.to_string(), index };
        let started = run.emit(previous, Detail::MapIterationStarted(iteration));
        let thread = run.new_thread(path, map.processor.start_at, input, started);
        run.spawn(path.child(index), thread);
        iterations.next += 1;
    }
    Outcome::Wait(Phase::Map(iterations))
}

/// How many iterations run at a time when the definition asks for that many.
fn at_once(run: &Run<'_>, asked: u64) -> u32 {
    let most = run.snapshot.execution.limits.inline_concurrency.max(1);
    if asked == 0 { most } else { u32::try_from(asked).map_or(most, |asked| asked.min(most)) }
}

/// AWS: the definition is accepted, the execution fails (from public reports).
fn check_fields(map: &Map) -> Result<(), EvaluationFailure> {
    const CAUSE: &str = "The ItemReader, ItemBatcher and ResultWriter fields are not supported for INLINE maps";
    let is_inline = !map.distribution.is_distributed;
    if is_inline && map.has_distributed_fields { Err(EvaluationFailure::runtime(CAUSE)) } else { Ok(()) }
}

fn items(
    look: &Evaluation<'_>,
    state: &State,
    map: &Map,
    input: &Payload,
    shape: Shape,
) -> Result<Payload, EvaluationFailure> {
    let fits = |found: &Value| found.is_array() || (found.is_object() && shape == Shape::ArrayOrObject);
    match &map.items {
        Items::Path(_) if state.query_language == QueryLanguage::Jsonata => {
            if fits(input.value()) {
                Ok(input.clone())
            } else {
                Err(not_iterable(input))
            }
        }
        Items::Path(selection) => items_at(look, selection, input, fits),
        Items::Jsonata(template) => {
            let items = look.payload(template, "Items")?;
            match template.expression() {
                _ if fits(items.value()) => Ok(items),
                Some(expression) => {
                    Err(expressions::jsonata::unexpected_type(expression, "Items", "array", items.value()).into())
                }
                None => Err(not_iterable(&items)),
            }
        }
    }
}

/// AWS: no field is to blame, not even where `Items` is missing.
fn not_iterable(items: &Payload) -> EvaluationFailure {
    EvaluationFailure::query(format!(
        "Map state input must be an array but was: {}",
        expressions::json::to_text(items.value())
    ))
}

fn items_at(
    look: &Evaluation<'_>,
    selection: &Selection,
    input: &Payload,
    fits: impl Fn(&Value) -> bool,
) -> Result<Payload, EvaluationFailure> {
    let (items, text) = match selection {
        Selection::At(at) => (Payload::from_value(at.follow(look.paths())?.into_owned()), at.text()),
        Selection::Nothing => (Payload::from_value(Value::Object(serde_json::Map::new())), "$"),
        Selection::Everything => (input.clone(), "$"),
    };
    if fits(items.value()) {
        return Ok(items);
    }
    // AWS: no state is named (captured in 2026).
    Err(EvaluationFailure::bare_runtime(format!("Reference path \"{text}\" must point to array.")))
}

fn item_input(
    run: &Run<'_>,
    path: &ThreadPath,
    map: &Map,
    iterations: &Iterations<Payload>,
    index: u32,
) -> Result<Payload, Raised> {
    run.usable(path)?;
    let item = iterations.items.value().get(index as usize).unwrap_or(&Value::Null);
    match &map.item_selector {
        None => Ok(Payload::from_value(item.clone())),
        Some(selector) => {
            let inputs = EvaluationInputs {
                item: Some(Item::at(index, item)),
                ..EvaluationInputs::of(iterations.input.value())
            };
            run.evaluate(path, inputs, |look| look.render(selector, "ItemSelector"))
        }
    }
}

/// AWS reads the tolerances after MapStateStarted. An inline Map tolerates nothing, but refuses what makes no sense.
fn check_tolerance(look: &Evaluation<'_>, map: &Map) -> Result<Tolerance, EvaluationFailure> {
    let count = map.tolerated_failure_count.as_ref();
    Ok(Tolerance {
        count: count.map(|count| limit(look, count, "ToleratedFailureCount")).transpose()?,
        percentage: map.tolerated_failure_percentage.as_ref().map(|share| percentage(look, share)).transpose()?,
    })
}

/// How many failed iterations a distributed Map tolerates, where its definition says so.
#[derive(Debug, Clone, Copy)]
struct Tolerance {
    count: Option<u64>,
    /// Of 100.
    percentage: Option<f64>,
}

fn limit(look: &Evaluation<'_>, source: &ValueSource<u64>, field: &str) -> Result<u64, EvaluationFailure> {
    let negative = || format!("{field} cannot be negative.");
    let read = |at: &Path, scope: &Scope<'_>| {
        let value = read(at, scope)?;
        let number = numbers::integer(&value).ok_or_else(|| refers_to(field, &value, "integer", at.text()))?;
        u64::try_from(number).map_err(|_| EvaluationFailure::runtime(negative()))
    };
    // AWS: unverified for JSONata.
    let take =
        |value: &Value| u64::try_from(numbers::whole(value, field)?).map_err(|_| TypeMismatch::Value(negative()));
    look.resolve(source, field, read, take)
}

fn percentage(look: &Evaluation<'_>, source: &ValueSource<f64>) -> Result<f64, EvaluationFailure> {
    const FIELD: &str = "ToleratedFailurePercentage";
    const BOUNDS: &str = "ToleratedFailurePercentage must be between 0 and 100.";
    let sensible = |share: &f64| (0.0..=100.0).contains(share);
    let read = |at: &Path, scope: &Scope<'_>| {
        let value = read(at, scope)?;
        let share = numbers::float(&value).ok_or_else(|| refers_to(FIELD, &value, "float", at.text()))?;
        Some(share).filter(sensible).ok_or_else(|| EvaluationFailure::runtime(BOUNDS))
    };
    // AWS: unverified for JSONata.
    let take = |value: &Value| {
        Some(numbers::decimal(value)?).filter(sensible).ok_or_else(|| TypeMismatch::Value(BOUNDS.to_owned()))
    };
    look.resolve(source, FIELD, read, take)
}

fn refers_to(field: &str, value: &Value, kind: &str, path: &str) -> EvaluationFailure {
    // AWS: any value stands in quotes, once (recorded for a text and an object).
    let value = numbers::shown(value);
    EvaluationFailure::runtime(format!(
        "The {field}Path field refers to value \"{value}\" which is not a valid {kind}: {path}"
    ))
}
