//! Map, in a test of it: the items, what the selector and the batcher make of them, and a mock in the place of all
//! iterations. It is also the one way a distributed Map runs so far.

use asl::{ItemBatcher, Map, State, ValueSource};
use expressions::json;
use serde_json::Value;

use super::{Tolerance, check_fields, check_tolerance, items, limit, or_raise, reader_data};
use crate::evaluation::{Evaluation, EvaluationInputs, Item};
use crate::failure::{EvaluationFailure, Raised};
use crate::run::{Outcome, Run};
use crate::{Failure, Mock, Payload, ThreadPath};

const THRESHOLD: &str = "States.ExceedToleratedFailureThreshold";
/// The bytes of one iteration's input, where a batcher does not say less.
const MOST_BATCH_BYTES: u64 = 262_144;

/// The items of the Map, and the names they have where they are the members of an object.
pub(super) struct Items {
    pub values: Vec<Value>,
    pub keys: Option<Vec<String>>,
    pub source: Option<String>,
}

pub(super) fn enter(run: &mut Run<'_>, path: &ThreadPath, state: &State, map: &Map) -> Outcome {
    let input = or_raise!(run.effective_input(path, state));
    let read = run.probe.as_ref().and_then(|probe| probe.test().items_read.clone());
    let evaluated = run.evaluate(path, EvaluationInputs::of(input.value()), |look| {
        check_fields(map)?;
        let items = found_items(look, state, map, &input, read.as_deref())?;
        let most = limit(look, &map.max_concurrency, "MaxConcurrency")?;
        Ok((items, most, check_tolerance(look, map)?))
    });
    let (items, most, tolerance) = or_raise!(evaluated);
    note_items(run, path, state, map, &items);
    run.note(path, |seen| {
        seen.max_concurrency = Some(most);
        (seen.tolerated_failure_count, seen.tolerated_failure_percentage) = (tolerance.count, tolerance.percentage);
    });
    let inputs = or_raise!(selected(run, path, map, &input, &items));
    if map.item_selector.is_some() {
        run.note(path, |seen| seen.after_item_selector = Some(java_list(&inputs)));
    }
    let iterations = match &map.distribution.batcher {
        None => inputs.len(),
        Some(batcher) => or_raise!(batched(run, path, batcher, &input, &inputs)),
    };
    mocked(run, map, iterations as u64, tolerance)
}

/// The mock in the place of the iterations.
fn mocked(run: &mut Run<'_>, map: &Map, iterations: u64, tolerance: Tolerance) -> Outcome {
    let Some((mock, failed)) =
        run.probe.as_ref().map(|probe| (probe.test().mock.clone(), probe.test().failed_iterations))
    else {
        return Outcome::Done;
    };
    let failed = failed.unwrap_or(0);
    if failed > iterations {
        return run
            .refuse_test("Map iteration failure count must be less than or equal to the number of Map iterations");
    }
    let result = match mock {
        Some(Mock::Error(failure)) => return Outcome::Raise(Raised::by_name(failure)),
        Some(Mock::Result(result)) => result,
        None => return run.refuse_test("TestState does not support a Map state without a mock."),
    };
    let length = result.value().as_array().map(|results| results.len() as u64);
    if length.is_some_and(|length| length != iterations) && !map.distribution.has_writer {
        return run.refuse_test("Input array does not equal the mocked result array's size");
    }
    if is_exceeded(tolerance, failed, iterations) {
        let cause = "The specified tolerated failure threshold was exceeded";
        return Outcome::Raise(Raised::by_name(Failure::new(THRESHOLD, cause)));
    }
    Outcome::Leave { result, then: map.transition }
}

/// AWS: without a tolerance in the definition any number of failures passes, unlike in an execution (recorded).
fn is_exceeded(tolerance: Tolerance, failed: u64, iterations: u64) -> bool {
    let share = failed as f64 * 100.0 / iterations.max(1) as f64;
    tolerance.count.is_some_and(|most| failed > most) || tolerance.percentage.is_some_and(|most| share > most)
}

fn found_items(
    look: &Evaluation<'_>,
    state: &State,
    map: &Map,
    input: &Payload,
    read: Option<&str>,
) -> Result<Items, EvaluationFailure> {
    let Some(reader) = &map.distribution.reader else {
        let found = items(look, state, map, input, Shape::of(map))?;
        let source = map.distribution.is_distributed.then(|| "STATE_DATA".to_owned());
        return Ok(Items::of(found.value().clone(), source));
    };
    let object = reader.arguments.as_ref().map(|template| look.render(template, "ItemReader")).transpose()?;
    let source = object.as_ref().and_then(|object| {
        let part = |name| object.value().get(name).and_then(Value::as_str);
        Some(format!("s3://{}/{}", part("Bucket")?, part("Key")?))
    });
    let most = reader.max_items.as_ref().map(|most| limit(look, most, "MaxItems")).transpose()?;
    let found = reader_data::read(reader, read.unwrap_or_default())
        .map_err(|problem| EvaluationFailure::new("States.ItemReaderFailed", problem))?;
    let mut items = Items::of(found, source);
    if let Some(most) = most.filter(|most| *most > 0).and_then(|most| usize::try_from(most).ok()) {
        items.values.truncate(most);
    }
    Ok(items)
}

/// What a Map takes for its items.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Array,
    /// AWS: a distributed Map iterates the members of an object, too (documented).
    ArrayOrObject,
}

impl Shape {
    fn of(map: &Map) -> Shape {
        if map.distribution.is_distributed { Shape::ArrayOrObject } else { Shape::Array }
    }
}

impl Items {
    fn of(found: Value, source: Option<String>) -> Items {
        match found {
            Value::Array(values) => Items { values, keys: None, source },
            Value::Object(members) => {
                let (keys, values) = members.into_iter().unzip();
                Items { values, keys: Some(keys), source }
            }
            other => Items { values: vec![other], keys: None, source },
        }
    }

    fn at(&self, index: usize) -> Option<Item<'_>> {
        let key = self.keys.as_ref().and_then(|keys| keys.get(index)).map(String::as_str);
        let index32 = u32::try_from(index).unwrap_or(u32::MAX);
        Some(Item { key, source: self.source.as_deref(), ..Item::at(index32, self.values.get(index)?) })
    }
}

/// AWS: what an ItemReader read shows behind its pointer, where it has one; nothing shows in JSONata.
fn note_items(run: &Run<'_>, path: &ThreadPath, state: &State, map: &Map, items: &Items) {
    let texts: Vec<String> = items.values.iter().map(json::to_text).collect();
    let shown = java_list(&texts);
    run.note(path, |seen| match (&map.distribution.reader, state.query_language) {
        (Some(reader), _) if reader.items_pointer.is_some() => seen.after_items_pointer = Some(shown),
        (Some(_), _) | (None, asl::QueryLanguage::Jsonata) => {}
        (None, asl::QueryLanguage::JsonPath) => seen.after_items_path = Some(shown),
    });
}

/// The inputs of the iterations, before they are batched.
fn selected(
    run: &Run<'_>,
    path: &ThreadPath,
    map: &Map,
    input: &Payload,
    items: &Items,
) -> Result<Vec<String>, Raised> {
    let each = (0..items.values.len()).filter_map(|index| items.at(index));
    each.map(|item| match (&map.item_selector, item.key) {
        (None, None) => Ok(json::to_text(item.value)),
        // AWS: unverified.
        (None, Some(key)) => Ok(json::to_text(&serde_json::json!({ "Key": key, "Value": item.value }))),
        (Some(selector), _) => {
            let inputs = EvaluationInputs { item: Some(item), ..EvaluationInputs::of(input.value()) };
            let rendered = run.evaluate(path, inputs, |look| look.render(selector, "ItemSelector"))?;
            Ok(rendered.text().to_owned())
        }
    })
    .collect()
}

/// Cuts the inputs into batches and answers how many.
fn batched(
    run: &Run<'_>,
    path: &ThreadPath,
    batcher: &ItemBatcher,
    input: &Payload,
    inputs: &[String],
) -> Result<usize, Raised> {
    let (most, most_bytes, common) = run.evaluate(path, EvaluationInputs::of(input.value()), |look| {
        let number = |source: Option<&ValueSource<u64>>, field: &str| {
            source.map(|source| limit(look, source, field)).transpose()
        };
        let most = number(batcher.max_items.as_ref(), "MaxItemsPerBatch")?;
        let bytes = number(batcher.max_bytes.as_ref(), "MaxInputBytesPerBatch")?;
        let common = batcher.input.as_ref().map(|template| look.render(template, "ItemBatcher/BatchInput"));
        Ok((most, bytes, common.transpose()?))
    })?;
    let most = most.filter(|most| *most > 0).and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
    let most_bytes =
        usize::try_from(most_bytes.filter(|most| *most > 0).unwrap_or(MOST_BATCH_BYTES)).unwrap_or(usize::MAX);
    let head = common.map(|common| format!("\"BatchInput\":{},", common.text())).unwrap_or_default();
    let empty = head.len() + "{\"Items\":[]}".len();
    let mut batches: Vec<Vec<&String>> = Vec::new();
    let mut bytes = 0;
    for text in inputs {
        let longer = bytes + text.len() + 1;
        match batches.last_mut() {
            Some(batch) if batch.len() < most && longer <= most_bytes => {
                batch.push(text);
                bytes = longer;
            }
            Some(_) | None => {
                batches.push(vec![text]);
                bytes = empty + text.len();
            }
        }
    }
    // AWS: the items of a batch show as texts of JSON within JSON.
    let shown = batches.iter().map(|batch| format!("{{{head}\"Items\":{}}}", json::to_text(&serde_json::json!(batch))));
    let shown = java_list(&shown.collect::<Vec<String>>());
    run.note(path, |seen| seen.after_item_batcher = Some(shown));
    Ok(batches.len())
}

/// A list as Java prints it.
fn java_list(texts: &[String]) -> String {
    format!("[{}]", texts.join(", "))
}
