//! The reference scenarios in a simulated fleet: several processes that answer and several that work, on one store and
//! one queue that tells at least once, in any order.
//!
//! The promises are those of `simulation.rs` for one process, and that messages die out. Worlds of chance are in
//! `simulation_any`.

use std::collections::BTreeMap;
use std::slice;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use engine::Deployment;
use serde_json::{Map, Value, json};
use stepwell_tests::modes::count;
use stepwell_tests::simulation::{
    Chance, Circumstances, Expected, Faults, Fleet, Plan, Reply, Room, Says, Scenario, Tally, Telling, Trouble,
};

const FUNCTION: &str = "arn:aws:lambda:us-east-1:123456789012:function:work";
/// Worlds of Express executions, unless the environment says otherwise.
const SEEDS: u64 = 100;

/// By the state that calls.
type Functions = BTreeMap<String, Reply>;

/// Two workers with fifteen minutes each, two that answer, and calls of a minute at most.
fn calm(faults: Faults) -> Circumstances {
    Circumstances {
        seed: 1,
        workers: 2,
        fronts: 2,
        fronts_are: Deployment::ApiOnly,
        at_once: 1,
        term: Duration::from_secs(900),
        limit: Duration::from_secs(60),
        visibility: Duration::from_secs(960),
        room: Room::AMPLE,
        express: 0,
        faults,
        sabotage: None,
    }
}

/// Lives through a world; when it breaks a promise, once more, and tells what happens.
fn live(of: &Circumstances, scenarios: &[Scenario]) -> Result<Tally> {
    let lived = Fleet::new(of.clone(), scenarios)?.run(Telling::Nothing);
    match lived {
        Err(_) => Fleet::new(of.clone(), scenarios)?.run(Telling::Everything),
        lived => lived,
    }
    .with_context(|| format!("{of:?}"))
}

fn each_scenario(test: impl Fn(&Scenario) -> Result<()>) -> Result<()> {
    Scenario::all()?.iter().try_for_each(|scenario| test(scenario).with_context(|| scenario.name.clone()))
}

#[test]
fn every_reference_scenario_ends_as_expected_in_a_fleet_without_faults() -> Result<()> {
    each_scenario(|scenario| {
        let tally = live(&calm(Faults::None), slice::from_ref(scenario))?;
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
        expected: Some(Expected { status: "SUCCEEDED".into(), output: Some(json!({ "item": 1 })), error: None }),
        events: None,
        payload_bytes: None,
    }
}

/// The cost of a definition in a fleet without faults.
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
    let reply = Reply::after(after_ms, Says::Echoes);
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
        // A message whose delay exceeds the queue's limit is sent on once.
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
    let somebody = Reply { beats_every_ms: Some(5_000), ..Reply::after(1_200_000, Says::Echoes) };
    let reply = Reply { then_somebody: Some(Box::new(somebody)), ..Reply::after(20, Says::Returns(Value::Null)) };
    (json!({ "StartAt": "Ask", "States": { "Ask": ask } }), reply)
}

#[test]
fn messages_of_an_execution_that_changes_all_the_time_die_out() -> Result<()> {
    let (alone, reply) = kept_alive();
    let tally = cost(alone.clone(), Functions::from([("Ask".to_owned(), reply.clone())]))?;
    println!("alone: {} appends, {} messages", tally.appends, tally.messages);
    ensure!(tally.messages <= tally.appends as u64 + 5, "{tally:?}");
    // Beside tasks some calls are in flight nearly all the time.
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

/// Lives through a world as often as its first process that does this has points, with a fault at each. Every port call has
/// two points: before its effect and after it. Answers how many there were.
fn at_every_point(
    of: &Circumstances,
    scenarios: &[Scenario],
    first: Deployment,
    fault: fn(u64) -> Plan,
) -> Result<u64> {
    let calm = live(of, scenarios)?;
    let points = if first == Deployment::SharedWorker { calm.worker.points } else { calm.front.points };
    for point in 1..=points {
        live(&with_first(of, first, fault(point)), scenarios)?;
    }
    Ok(points)
}

/// The same, and the first process that does this lives by this plan.
fn with_first(of: &Circumstances, first: Deployment, plan: Plan) -> Circumstances {
    let mut plans = match &of.faults {
        Faults::First(plans) => plans.clone(),
        Faults::None | Faults::Chance(_) => Vec::new(),
    };
    let own = plans.iter_mut().find(|(role, _)| *role == first);
    match own {
        Some((_, there)) => *there = Plan { slow_ms: there.slow_ms, ..plan },
        None => plans.push((first, plan)),
    }
    Circumstances { faults: Faults::First(plans), ..of.clone() }
}

#[test]
fn a_worker_that_dies_at_any_port_call_loses_nothing_and_starts_nothing_twice() -> Result<()> {
    each_scenario(|scenario| {
        // Alone it makes all calls that there are; beside another it leaves things half done for that one.
        for workers in [1, 2] {
            let of = Circumstances { workers, ..calm(Faults::None) };
            let points = at_every_point(&of, slice::from_ref(scenario), Deployment::SharedWorker, Plan::crash_at)?;
            println!("{}: {points} points", scenario.name);
        }
        Ok(())
    })
}

#[test]
fn a_process_that_answers_and_dies_at_any_port_call_loses_nothing_that_it_acknowledged() -> Result<()> {
    each_scenario(|scenario| {
        let of = Circumstances { fronts: 1, ..calm(Faults::None) };
        let points = at_every_point(&of, slice::from_ref(scenario), Deployment::ApiOnly, Plan::crash_at)?;
        println!("{}: {points} points", scenario.name);
        ensure!(points >= 2, "it answered nothing");
        Ok(())
    })
}

/// It is busy with the only call that it may make, so what it starts besides comes to a worker at once; what is answered then
/// loses a race to that worker, and the message that was sent for both is done with.
#[test]
fn a_process_that_answers_and_performs_too_loses_no_answer_wherever_it_dies_after_a_lost_race() -> Result<()> {
    const SCENARIO: &str = "a_token_of_a_later_state_is_answered_soon";
    let token = Scenario::all()?.into_iter().find(|one| one.name == SCENARIO).context(SCENARIO)?;
    let retry = json!({ "End": true, "Retry": [{ "ErrorEquals": ["States.ALL"], "MaxAttempts": 9 }] });
    let states: Map<String, Value> = [task("Work0", retry)].into_iter().collect();
    let (_, functions) = row(1, 30_000);
    let busy = costs(json!({ "StartAt": "Work0", "States": states }), functions);
    let of = Circumstances {
        workers: 1,
        fronts: 1,
        fronts_are: Deployment::SharedWorker,
        room: Room { calls: 1, ..Room::AMPLE },
        ..calm(Faults::None)
    };
    // It is there before the worker is.
    let points = at_every_point(&of, &[busy, token], Deployment::SharedWorker, Plan::crash_at)?;
    println!("{points} points");
    ensure!(points > 8, "nothing happens in {points} points");
    Ok(())
}

/// Longer than a message waits for its commit, and than some states have time.
fn stalls(point: u64) -> Plan {
    Plan::stalls_at(point, 4_000)
}

/// Longer than a call waits for its claim.
fn stands_still_for_long(point: u64) -> Plan {
    Plan::stalls_at(point, 20_000)
}

#[test]
fn a_process_that_stands_still_at_any_port_call_changes_nothing_while_others_go_on() -> Result<()> {
    each_scenario(|scenario| {
        for (first, fronts) in [(Deployment::SharedWorker, 2), (Deployment::ApiOnly, 1)] {
            let of = Circumstances { fronts, ..calm(Faults::None) };
            let points = at_every_point(&of, slice::from_ref(scenario), first, stalls)?;
            println!("{}: {points} points", scenario.name);
        }
        at_every_point(
            &calm(Faults::None),
            slice::from_ref(scenario),
            Deployment::SharedWorker,
            stands_still_for_long,
        )?;
        Ok(())
    })
}

/// Milliseconds more at each point that make a process lose every race against one that commits all the time.
const SLOW_MS: u64 = 8;

#[test]
fn an_answer_that_loses_every_race_counts_from_its_cell_whoever_dies_or_stands_still() -> Result<()> {
    const SCENARIO: &str = "tokens_with_little_time_beside_a_row_of_tasks";
    let scenario = Scenario::all()?.into_iter().find(|one| one.name == SCENARIO).context(SCENARIO)?;
    // The size of a commit: all that there is, or next to nothing.
    let rooms = [Room::AMPLE, Room { commit_bytes: 1, ..Room::AMPLE }];
    for (workers, room) in [1, 2].into_iter().flat_map(|workers| rooms.map(|room| (workers, room))) {
        let slow = vec![(Deployment::ApiOnly, Plan::slower_by(SLOW_MS))];
        let of = Circumstances { workers, room, fronts: 1, ..calm(Faults::First(slow)) };
        let cells = live(&of, slice::from_ref(&scenario))?.cells;
        ensure!(cells > 0, "{cells} answers were left in cells");
        for first in [Deployment::SharedWorker, Deployment::ApiOnly] {
            for fault in [Plan::crash_at, stalls] {
                let points = at_every_point(&of, slice::from_ref(&scenario), first, fault)?;
                println!("{workers} workers, {room:?}: {points} points of the first that {first:?}");
            }
        }
    }
    Ok(())
}

#[test]
fn a_worker_that_dies_in_the_middle_of_a_batch_loses_none_of_its_executions() -> Result<()> {
    let of = Circumstances { workers: 1, fronts: 1, ..calm(Faults::None) };
    for together in Scenario::all()?.chunks(4) {
        let names: Vec<&str> = together.iter().map(|scenario| scenario.name.as_str()).collect();
        let points = at_every_point(&of, together, Deployment::SharedWorker, Plan::crash_at)
            .with_context(|| names.join(", "))?;
        println!("{}: {points} points", names.join(", "));
        ensure!(points > 8, "nothing happens in {points} points");
    }
    Ok(())
}

#[test]
fn an_express_execution_comes_to_its_end_whoever_dies_at_any_port_call() -> Result<()> {
    let of = Circumstances { workers: 1, fronts: 1, express: 3, ..calm(Faults::None) };
    let workers = at_every_point(&of, &[], Deployment::SharedWorker, Plan::crash_at)?;
    let fronts = at_every_point(&of, &[], Deployment::ApiOnly, Plan::crash_at)?;
    println!("{workers} points of a worker, {fronts} of a process that answers");
    ensure!(workers > 8 && fronts > 8, "nothing happens in {workers} and {fronts} points");
    Ok(())
}

#[test]
fn starts_of_express_executions_lead_to_their_ends_whoever_dies() -> Result<()> {
    for seed in 1..=count("STEPWELL_SEEDS", SEEDS, 100 * SEEDS) {
        let mut chance = Chance::new(seed);
        let term = Duration::from_secs(20 * chance.up_to(4));
        let visibility = if seed % 2 == 0 { Duration::from_secs(30) } else { term + Duration::from_secs(15) };
        let fronts = usize::try_from(chance.up_to(3))?;
        let of = Circumstances {
            seed,
            express: 6,
            workers: 1,
            fronts,
            term,
            visibility,
            room: Room::drawn(&mut chance),
            ..calm(Faults::Chance(Trouble::ALL))
        };
        live(&of, &[])?;
    }
    Ok(())
}
