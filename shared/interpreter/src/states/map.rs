//! Map, inline: one thread per item, some at a time; its result is the list of theirs, in the order of the items.

use asl::{Limit, Map, Percentage, Selection, State};
use expressions::Scope;
use serde_json::Value;

use super::or_raise;
use crate::context::Extra;
use crate::data::read;
use crate::run::{Outcome, Run};
use crate::{Detail, Iteration, Iterations, Payload, Phase, Raised, ThreadPath, Trouble, numbers};

pub(crate) fn enter(run: &mut Run<'_>, path: &ThreadPath, state: &State, map: &Map) -> Outcome {
    let input = or_raise!(run.effective_input(path, state));
    let items = or_raise!(items(run, path, state, map, &input));
    or_raise!(concurrency(run, path, state, map, &input));
    let total = items.value().as_array().map_or(0, |items| u32::try_from(items.len()).unwrap_or(u32::MAX));
    run.emit_on(path, Detail::MapStateStarted { length: u64::from(total) });
    or_raise!(check_tolerance(run, path, state, map, &input));
    if total == 0 {
        return leave(run, path, map);
    }
    run.change(path, |frame| frame.phase = Phase::Map(Iterations { input, items, total, next: 0, done: 0, held: 0 }));
    let started = run.chain(path);
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
        frame.chain = done;
        if let Phase::Map(iterations) = &mut frame.phase {
            iterations.done += 1;
            all_done = iterations.done >= iterations.total;
        }
    });
    if all_done {
        return leave(run, path, map);
    }
    // AWS: the next iteration follows the last state event of the one whose place it takes.
    start_iterations(run, path, state, map, last)
}

/// AWS: MapStateSucceeded and MapStateExited both follow the iteration that ended last.
fn leave(run: &mut Run<'_>, path: &ThreadPath, map: &Map) -> Outcome {
    run.emit(run.chain(path), Detail::MapStateSucceeded);
    Outcome::Leave { result: run.join(path), then: map.transition }
}

/// Starts as many iterations as may run now.
fn start_iterations(run: &mut Run<'_>, path: &ThreadPath, state: &State, map: &Map, previous: u64) -> Outcome {
    let Some(Phase::Map(mut iterations)) = run.snapshot.frame(path).map(|frame| frame.phase.clone()) else {
        return Outcome::Done;
    };
    let limit = or_raise!(concurrency(run, path, state, map, &iterations.input));
    while iterations.next < iterations.total && iterations.next - iterations.done < limit {
        let index = iterations.next;
        let input = or_raise!(item_input(run, path, state, map, &iterations, index));
        let iteration = Iteration { name: state.name.to_string(), index };
        let started = run.emit(previous, Detail::MapIterationStarted(iteration));
        let thread = run.new_thread(path, map.processor.start_at, input, started);
        run.spawn(path.child(index), thread);
        iterations.next += 1;
    }
    Outcome::Wait(Phase::Map(iterations))
}

fn items(run: &Run<'_>, path: &ThreadPath, state: &State, map: &Map, input: &Payload) -> Result<Payload, Raised> {
    run.with_scope(path, state, input.value(), &Extra::default(), |scope| {
        let (items, text) = match &map.items_path {
            Selection::At(at) => (Payload::from_value(at.follow(scope)?.into_owned()), at.text()),
            Selection::Nothing => (Payload::from_value(Value::Object(serde_json::Map::new())), "$"),
            Selection::Everything => (input.clone(), "$"),
        };
        if items.value().is_array() {
            return Ok(items);
        }
        Err(Raised::runtime(format!("Reference path \"{text}\" must point to array.")))
    })
}

fn item_input(
    run: &Run<'_>,
    path: &ThreadPath,
    state: &State,
    map: &Map,
    iterations: &Iterations<Payload>,
    index: u32,
) -> Result<Payload, Raised> {
    let item = iterations.items.value().get(index as usize).unwrap_or(&Value::Null);
    match &map.item_selector {
        None => Ok(Payload::from_value(item.clone())),
        Some(selector) => {
            let extra = Extra { item: Some((index, item)), ..Extra::default() };
            run.render(path, state, selector, iterations.input.value(), &extra)
        }
    }
}

/// How many iterations may run at a time.
fn concurrency(run: &Run<'_>, path: &ThreadPath, state: &State, map: &Map, input: &Payload) -> Result<u32, Raised> {
    let asked = run.with_scope(path, state, input.value(), &Extra::default(), |scope| {
        limit(scope, &map.max_concurrency, "MaxConcurrencyPath")
    })?;
    let most = run.snapshot.execution.limits.inline_concurrency;
    Ok(if asked == 0 { most } else { u32::try_from(asked).map_or(most, |asked| asked.min(most)) })
}

/// AWS reads the tolerances after MapStateStarted. An inline Map tolerates nothing, but refuses what makes no sense.
fn check_tolerance(run: &Run<'_>, path: &ThreadPath, state: &State, map: &Map, input: &Payload) -> Result<(), Raised> {
    run.with_scope(path, state, input.value(), &Extra::default(), |scope| {
        if let Some(count) = &map.tolerated_failure_count {
            limit(scope, count, "ToleratedFailureCountPath")?;
        }
        match &map.tolerated_failure_percentage {
            None => Ok(()),
            Some(share) if (0.0..=100.0).contains(&percentage(scope, share)?) => Ok(()),
            Some(_) => Err(Raised::runtime("ToleratedFailurePercentage must be between 0 and 100.")),
        }
    })
}

fn limit(scope: &Scope<'_>, limit: &Limit, field: &str) -> Result<u64, Trouble> {
    match limit {
        Limit::Literal(number) => Ok(*number),
        Limit::Path(at) => {
            let value = read(at, scope)?;
            let number = numbers::integer(&value).ok_or_else(|| refers_to(field, &value, "integer", at.text()))?;
            let plain = field.trim_end_matches("Path");
            u64::try_from(number).map_err(|_| Raised::runtime(format!("{plain} cannot be negative.")))
        }
    }
}

fn percentage(scope: &Scope<'_>, share: &Percentage) -> Result<f64, Trouble> {
    match share {
        Percentage::Literal(number) => Ok(*number),
        Percentage::Path(at) => {
            let value = read(at, scope)?;
            numbers::float(&value)
                .ok_or_else(|| refers_to("ToleratedFailurePercentagePath", &value, "float", at.text()))
        }
    }
}

fn refers_to(field: &str, value: &Value, kind: &str, path: &str) -> Trouble {
    let value = expressions::json::to_text(value);
    Raised::runtime(format!("The {field} field refers to value {value} which is not a valid {kind}: {path}"))
}
