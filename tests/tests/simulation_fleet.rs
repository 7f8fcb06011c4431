//! The reference scenarios in a simulated fleet: several processes that answer and several that work, on one store and
//! one queue that tells at least once, in any order.
//!
//! What is promised is what `simulation.rs` holds one process to, and that messages die out. `STEPWELL_SEEDS` says how
//! many worlds of chance there are; `STEPWELL_SEED` lives through one and tells what happens in it.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};
use service::Role;
use stepwell_tests::simulation::{
    Chance, Circumstances, Expected, Faults, Fleet, Reply, Says, Scenario, Tally, Telling,
};

const FUNCTION: &str = "arn:aws:lambda:us-east-1:123456789012:function:work";
/// Worlds of chance, unless the environment says otherwise.
const SEEDS: u64 = 400;

/// By the state that calls.
type Functions = BTreeMap<String, Reply>;

/// Two workers with fifteen minutes each, two that answer, and calls of a minute at most.
fn calm(faults: Faults) -> Circumstances {
    Circumstances {
        seed: 1,
        workers: 2,
        fronts: 2,
        fronts_are: Role::Answers,
        at_once: 1,
        term: Duration::from_secs(900),
        limit: Duration::from_secs(60),
        visibility: Duration::from_secs(960),
        express: 0,
        faults,
    }
}

/// Lives through a world; when it breaks a promise, once more, and tells what happens.
fn live(of: &Circumstances, scenarios: &[Scenario]) -> Result<Tally> {
    let told = number_in("STEPWELL_SEED").map_or(Telling::Nothing, |_| Telling::Everything);
    let lived = Fleet::new(of.clone(), scenarios)?.run(told);
    match lived {
        Err(_) if told == Telling::Nothing => Fleet::new(of.clone(), scenarios)?.run(Telling::Everything),
        lived => lived,
    }
    .with_context(|| format!("{of:?}"))
}

fn each_scenario(test: impl Fn(&Scenario) -> Result<()>) -> Result<()> {
    Scenario::all()?.iter().try_for_each(|scenario| test(scenario).with_context(|| scenario.name.clone()))
}

fn number_in(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn every_reference_scenario_ends_as_expected_in_a_fleet_without_faults() -> Result<()> {
    each_scenario(|scenario| {
        let tally = live(&calm(Faults::None), std::slice::from_ref(scenario))?;
        println!("{}: {} appends, {} messages", scenario.name, tally.appends, tally.messages);
        ensure!(tally.deaths == 0, "a worker ran out of time");
        Ok(())
    })
}

fn costs(definition: Value, functions: Functions) -> Scenario {
    Scenario {
        name: "costs".into(),
        definition,
        input: json!({ "item": 1 }),
        functions: functions.into_iter().map(|(state, reply)| (state, vec![reply])).collect(),
        stop: None,
        expected: Expected { status: "SUCCEEDED".into(), output: Some(json!({ "item": 1 })), error: None },
        events: None,
    }
}

/// What a definition takes in a fleet without faults.
fn cost(definition: Value, functions: Functions) -> Result<Tally> {
    live(&calm(Faults::None), &[costs(definition, functions)])
}

fn task(state: &str, then: Value) -> (String, Value) {
    let mut task = json!({ "Type": "Task", "Resource": FUNCTION, "ResultPath": null });
    if let (Value::Object(task), Value::Object(then)) = (&mut task, then) {
        task.extend(then);
    }
    (state.to_owned(), task)
}

/// That many tasks in a row, and how their functions answer.
fn row(tasks: usize, after_ms: u64) -> (Value, Functions) {
    let name = |place: usize| format!("Work{place}");
    let next = |place| if place + 1 < tasks { json!({ "Next": name(place + 1) }) } else { json!({ "End": true }) };
    let states: Map<String, Value> = (0..tasks).map(|place| task(&name(place), next(place))).collect();
    let reply = Reply { after_ms, says: Says::Echoes, then_somebody: None, beats_every_ms: None };
    let functions = (0..tasks).map(|place| (name(place), reply.clone())).collect();
    (json!({ "StartAt": name(0), "States": states }), functions)
}

#[test]
fn tasks_in_a_row_take_two_writes_more_than_there_are_tasks_and_one_message() -> Result<()> {
    for tasks in [1, 2, 5, 20] {
        let (definition, functions) = row(tasks, 100);
        let tally = cost(definition, functions)?;
        ensure!(tally.appends <= tasks + 2, "{tasks} tasks take {} writes", tally.appends);
        ensure!(tally.messages == 1, "{tasks} tasks take {} messages", tally.messages);
    }
    Ok(())
}

#[test]
fn each_call_that_may_outlast_its_worker_is_left_to_a_fresh_one_by_one_message() -> Result<()> {
    let (definition, functions) = row(5, 100);
    let of = Circumstances { limit: Duration::from_secs(900), ..calm(Faults::None) };
    let tally = live(&of, &[costs(definition, functions)])?;
    ensure!((tally.appends, tally.messages) == (11, 5), "{tally:?}");
    Ok(())
}

#[test]
fn what_waits_for_nothing_is_one_write_and_no_message_and_a_wait_two_and_one() -> Result<()> {
    let pass = json!({ "StartAt": "P", "States": { "P": { "Type": "Pass", "End": true } } });
    let tally = cost(pass, Functions::new())?;
    ensure!((tally.appends, tally.messages) == (1, 0), "{tally:?}");
    for (seconds, messages) in [(10, 1), (1_000, 1), (1_190, 1), (86_400, 1)] {
        let wait = json!({ "StartAt": "W", "States": { "W": { "Type": "Wait", "Seconds": seconds, "End": true } } });
        let tally = cost(wait, Functions::new())?;
        // What the queue cannot delay for so long is sent on once.
        let messages = if (901..1_200).contains(&seconds) { messages + 1 } else { messages };
        ensure!((tally.appends, tally.messages) == (2, messages), "{seconds} s: {tally:?}");
    }
    Ok(())
}

/// A token that is kept alive by a heartbeat every five seconds for twenty minutes. Each leaves a message, due in three.
fn kept_alive() -> (Value, Reply) {
    let ask = json!({
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "Parameters": { "FunctionName": "ask", "Payload": { "token.$": "$$.Task.Token" } },
        "HeartbeatSeconds": 180,
        "ResultPath": null,
        "End": true,
    });
    let somebody = Reply { after_ms: 1_200_000, says: Says::Echoes, then_somebody: None, beats_every_ms: Some(5_000) };
    let reply = Reply {
        after_ms: 20,
        says: Says::Returns(Value::Null),
        then_somebody: Some(Box::new(somebody)),
        beats_every_ms: None,
    };
    (json!({ "StartAt": "Ask", "States": { "Ask": ask } }), reply)
}

#[test]
fn messages_of_an_execution_that_changes_all_the_time_die_out() -> Result<()> {
    let (alone, reply) = kept_alive();
    let tally = cost(alone.clone(), Functions::from([("Ask".to_owned(), reply.clone())]))?;
    println!("alone: {} appends, {} messages", tally.appends, tally.messages);
    ensure!(tally.messages <= tally.appends as u64 + 5, "{tally:?}");
    // Beside tasks somebody's calls are in flight nearly all the time.
    let (tasks, mut functions) = row(40, 30_000);
    functions.insert("Ask".to_owned(), reply);
    let beside = json!({
        "StartAt": "Both",
        "States": { "Both": { "Type": "Parallel", "Branches": [alone, tasks], "ResultPath": null, "End": true } },
    });
    let tally = cost(beside, functions)?;
    println!("beside tasks: {} appends, {} messages", tally.appends, tally.messages);
    ensure!(tally.messages <= tally.appends as u64 * 5 / 4 + 5, "{tally:?}");
    Ok(())
}

#[test]
fn a_worker_that_dies_at_any_port_call_loses_nothing_and_starts_nothing_twice() -> Result<()> {
    each_scenario(|scenario| {
        let points = live(&calm(Faults::None), std::slice::from_ref(scenario))?.worker.points;
        for point in 1..=points {
            live(&calm(Faults::WorkerDies(point)), std::slice::from_ref(scenario))?;
        }
        Ok(())
    })
}

#[test]
fn a_process_that_answers_and_dies_at_any_port_call_loses_nothing_that_it_acknowledged() -> Result<()> {
    each_scenario(|scenario| {
        let points = live(&calm(Faults::None), std::slice::from_ref(scenario))?.front.points;
        for point in 1..=points {
            live(&calm(Faults::FrontDies(point)), std::slice::from_ref(scenario))?;
        }
        Ok(())
    })
}

/// A world from a seed: how many there are, how much time they have, what they do.
fn by_chance(seed: u64, scenarios: &[Scenario]) -> (Circumstances, Vec<Scenario>) {
    let mut chance = Chance::new(seed);
    let mut one_of = |seconds: &[u64]| {
        let place = usize::try_from(chance.up_to(seconds.len() as u64) - 1).unwrap_or(0);
        Duration::from_secs(seconds.get(place).copied().unwrap_or(60))
    };
    let (term, limit) = (one_of(&[20, 60, 300, 900]), one_of(&[20, 60, 900]));
    let visibility = one_of(&[30, term.as_secs() + 15, term.as_secs() + 15]);
    let count = chance.up_to(4);
    let chosen = (0..count).filter_map(|_| {
        let place = usize::try_from(chance.up_to(scenarios.len() as u64) - 1).ok()?;
        scenarios.get(place).cloned()
    });
    let chosen = chosen.collect();
    let of = Circumstances {
        seed,
        workers: usize::try_from(chance.up_to(4)).unwrap_or(1),
        fronts: usize::try_from(chance.up_to(3)).unwrap_or(1),
        fronts_are: if chance.up_to(4) == 1 { Role::Shares } else { Role::Answers },
        at_once: if chance.up_to(3) == 1 { 3 } else { 1 },
        term,
        limit,
        visibility,
        express: chance.up_to(6).saturating_sub(4),
        faults: Faults::Chance,
    };
    (of, chosen)
}

#[test]
fn starts_of_express_executions_lead_to_their_ends_whoever_dies() -> Result<()> {
    for seed in 1..=number_in("STEPWELL_SEEDS").unwrap_or(SEEDS) / 4 {
        let (of, _) = by_chance(seed, &[]);
        let visibility = Duration::from_secs(if seed % 2 == 0 { 30 } else { of.visibility.as_secs() });
        live(&Circumstances { express: 6, workers: 1, visibility, ..of }, &[])?;
    }
    Ok(())
}

#[test]
fn a_fleet_in_which_anything_may_fail_keeps_every_promise() -> Result<()> {
    let scenarios = Scenario::all()?;
    let seeds: Vec<u64> = match number_in("STEPWELL_SEED") {
        Some(seed) => vec![seed],
        None => (1..=number_in("STEPWELL_SEEDS").unwrap_or(SEEDS)).collect(),
    };
    let mut deaths = 0;
    let mut broken = Vec::new();
    for seed in &seeds {
        let (of, chosen) = by_chance(*seed, &scenarios);
        match live(&of, &chosen) {
            Ok(tally) => deaths += tally.deaths,
            Err(error) => broken.push((*seed, error)),
        }
    }
    println!("{} worlds, {deaths} deaths, {} broken", seeds.len(), broken.len());
    let numbers: Vec<u64> = broken.iter().map(|(seed, _)| *seed).collect();
    if let Some((seed, error)) = broken.into_iter().next() {
        return Err(error.context(format!("STEPWELL_SEED={seed} breaks a promise, as do {numbers:?}")));
    }
    ensure!(seeds.len() < 50 || deaths > 0, "nobody died in {} worlds", seeds.len());
    Ok(())
}
