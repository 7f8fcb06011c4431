//! The cost of a workflow at the store and the queue, counted through the deliver loop.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use stepwell_tests::simulation::{Ended, Expected, Plan, Process, Reply, Says, Scenario, World};

const FUNCTION: &str = "arn:aws:lambda:us-east-1:123456789012:function:work";

/// Runs a definition to its end and says what that took.
fn cost(definition: Value, input: Value) -> Result<Process> {
    let reply = Reply::after(100, Says::Echoes);
    let names = ["Work".to_owned()].into_iter().chain((0..64).map(|number| format!("Work{number}")));
    let scenario = Scenario {
        name: "costs".into(),
        definition,
        input,
        functions: names.map(|name| (name, vec![reply.clone()])).collect(),
        stop: None,
        expected: Some(Expected { status: "SUCCEEDED".into(), output: None, error: None }),
        events: Some(100_000),
        payload_bytes: None,
    };
    let mut world = World::new(&scenario, 1)?;
    let process = world.run(Plan::default())?;
    ensure!(process.ended == Ended::Done, "{:?}", process.ended);
    let last = world.disk.records(world.execution()).pop().context("no records")?;
    let status = last.listing.map(|listing| listing.status.name());
    ensure!(status == Some("SUCCEEDED"), "{status:?}");
    Ok(process)
}

fn chain(states: impl IntoIterator<Item = (String, Value)>) -> Value {
    let mut states: Vec<(String, Value)> = states.into_iter().collect();
    let names: Vec<String> = states.iter().map(|(name, _)| name.clone()).collect();
    for (place, (_, state)) in states.iter_mut().enumerate() {
        match names.get(place + 1) {
            Some(next) => state["Next"] = json!(next),
            None => state["End"] = json!(true),
        }
    }
    json!({ "StartAt": names[0], "States": Value::Object(states.into_iter().collect()) })
}

#[test]
fn sequential_tasks_take_two_writes_more_than_there_are_tasks_and_one_message_at_most() -> Result<()> {
    for tasks in [1, 2, 5, 20, 50] {
        let work = json!({ "Type": "Task", "Resource": FUNCTION, "ResultPath": null });
        let definition = chain((0..tasks).map(|number| (format!("Work{number}"), work.clone())));
        let counts = cost(definition, json!({}))?.counts;
        let writes = counts.appends.len();
        ensure!(writes <= tasks + 2, "{tasks} tasks take {writes} writes");
        ensure!(counts.messages <= 1, "{tasks} tasks take {} messages", counts.messages);
        ensure!(counts.loads == 0, "{tasks} tasks read {} times what is in hand", counts.loads);
    }
    Ok(())
}

#[test]
fn what_waits_for_nothing_is_one_write_and_no_message() -> Result<()> {
    let pass = json!({ "Type": "Pass" });
    let map = json!({
        "Type": "Map",
        "ItemProcessor": { "StartAt": "Inner", "States": { "Inner": { "Type": "Pass", "End": true } } },
    });
    for states in [
        vec![("A".to_owned(), pass.clone())],
        (0..10).map(|number| (format!("P{number}"), pass.clone())).collect(),
        vec![("M".to_owned(), map), ("W".to_owned(), json!({ "Type": "Wait", "Seconds": 0 }))],
    ] {
        let counts = cost(chain(states), json!([1, 2, 3]))?.counts;
        ensure!(counts.appends.len() == 1 && counts.messages == 0, "{counts:?}");
    }
    Ok(())
}

#[test]
fn a_wait_is_two_writes_and_one_message_however_long_it_is() -> Result<()> {
    for seconds in [10, 86_400 * 2] {
        let counts =
            cost(chain([("Rest".to_owned(), json!({ "Type": "Wait", "Seconds": seconds }))]), json!({}))?.counts;
        ensure!(counts.appends.len() == 2 && counts.messages == 1, "{seconds} s: {counts:?}");
    }
    Ok(())
}

/// Bytes written for a Map of `items` with one task each, per item; the largest record, the join, does not count.
fn bytes_per_item(items: usize, map: &Value) -> Result<f64> {
    let mut map = map.clone();
    map["Type"] = json!("Map");
    map["ItemProcessor"] = json!({
        "StartAt": "Work",
        "States": { "Work": { "Type": "Task", "Resource": FUNCTION, "ResultSelector": { "done": true }, "End": true } },
    });
    let input: Vec<Value> = (0..items).map(|number| json!({ "item": number + 10_000 })).collect();
    let counts = cost(chain([("Each".to_owned(), map)]), Value::Array(input))?.counts;
    let (all, join): (usize, usize) = (counts.appends.iter().sum(), counts.appends.last().copied().unwrap_or(0));
    Ok((all - join) as f64 / items as f64)
}

#[test]
fn bytes_per_item_of_a_map_do_not_grow_with_the_number_of_items() -> Result<()> {
    for map in [json!({}), json!({ "MaxConcurrency": 1 }), json!({ "MaxConcurrency": 40 })] {
        let few = bytes_per_item(100, &map)?;
        for items in [1_000, 4_000] {
            let many = bytes_per_item(items, &map)?;
            ensure!(many <= few * 1.25, "{map}: {few:.0} bytes per item of 100, {many:.0} of {items}");
        }
    }
    Ok(())
}
