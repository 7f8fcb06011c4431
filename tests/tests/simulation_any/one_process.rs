//! Random machines in one process after another, as in `serve`: crashed at every port call, and with a failing store.
//! Several of them, and express executions, share the calls that it may make.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, ensure};
use stepwell_tests::modes::count;
use stepwell_tests::simulation::{Alone, Chance, Effect, Ended, Failing, Plan, Room, Sabotage, Scenario, World};

use crate::drawn::Worlds;
use crate::each_seed;

/// Points of one world that are tried at most: beyond that every second one, every third, and so on.
const POINTS: u64 = 40;

#[test]
fn random_machines_survive_a_crash_at_any_port_call() -> Result<()> {
    let tried = AtomicU64::new(0);
    each_world("crashed machines", |worlds, seed| {
        tried.fetch_add(crashed_everywhere(worlds, seed, None)?, Ordering::Relaxed);
        Ok(())
    })?;
    println!("{} crashes", tried.into_inner());
    Ok(())
}

#[test]
fn random_machines_survive_a_failing_store_and_crashes_together() -> Result<()> {
    each_world("machines on a failing store", |worlds, seed| {
        let (of, executions) = worlds.draw_alone(seed)?;
        let counts = World::of(&of, &executions)?.run(Plan::default())?.counts;
        let mut chance = Chance::new(seed);
        let mut plan = || {
            let failing = Plan::failing_calls(&mut chance, counts.calls.max(1), 3);
            Plan { failing, ..Plan::crash_at(chance.up_to(counts.points)) }
        };
        let plans = [plan(), plan(), plan()];
        through(&of, &executions, &plans).with_context(|| shown(&of, &executions, &plans))
    })
}

/// Does that to as many worlds as the mode says.
fn each_world(what: &'static str, test: impl Fn(&Worlds, u64) -> Result<()> + Sync) -> Result<()> {
    let count = count("STEPWELL_MACHINES", 60, 20_000);
    each_seed(what, 1, count, |worlds, seed| test(worlds, seed).map(ControlFlow::Continue))
}

/// Calls of a process that takes up what was started that meet an error, one at a time.
const CALLS: u64 = 8;

#[test]
fn a_kept_start_is_taken_up_whenever_the_process_dies_and_whatever_the_store_does_not_answer() -> Result<()> {
    let of = Alone { seed: 1, room: Room::AMPLE, express: 1, sabotage: None };
    let points = World::of(&of, &[])?.run(Plan::default())?.counts.points;
    ensure!(points > 4, "nothing happens in {points} points");
    for point in 1..=points {
        for (call, retryable) in (1..=CALLS).flat_map(|call| [(call, true), (call, false)]) {
            let failing = [(call, Failing { effect: Effect::None, retryable })].into();
            let plans = [Plan::crash_at(point), Plan { failing, ..Plan::default() }];
            through(&of, &[], &plans).with_context(|| shown(&of, &[], &plans))?;
        }
    }
    Ok(())
}

#[test]
fn a_start_of_an_express_execution_that_is_not_kept_is_missed() -> Result<()> {
    let worlds = Worlds::new()?;
    let seen =
        (1..=20).find_map(|seed| crashed_everywhere(&worlds, seed, Some(Sabotage::ExpressStartsAreForgotten)).err());
    let said = format!("{:#}", seen.context("nobody misses it")?);
    ensure!(said.contains("nothing moves any more"), "{said}");
    Ok(())
}

/// Lives through the world of a seed as often as it has points, or some of them, with a crash at each.
fn crashed_everywhere(worlds: &Worlds, seed: u64, sabotage: Option<Sabotage>) -> Result<u64> {
    let (of, executions) = worlds.draw_alone(seed)?;
    let of = Alone { sabotage, ..of };
    let calm = World::of(&of, &executions)?.run(Plan::default())?;
    ensure!(calm.ended == Ended::Done, "{:?}: {}", calm.ended, shown(&of, &executions, &[]));
    let points = calm.counts.points;
    let every = usize::try_from(points.div_ceil(POINTS).max(1))?;
    let mut tried = 0;
    for point in (1 + seed % every as u64..=points).step_by(every) {
        let plans = [Plan::crash_at(point)];
        through(&of, &executions, &plans).with_context(|| shown(&of, &executions, &plans))?;
        tried += 1;
    }
    Ok(tried)
}

fn through(of: &Alone, executions: &[Scenario], plans: &[Plan]) -> Result<()> {
    let mut world = World::of(of, executions)?;
    world.through(plans)?;
    world.kept()
}

fn shown(of: &Alone, executions: &[Scenario], plans: &[Plan]) -> String {
    let machines: Vec<String> = executions.iter().map(|one| format!("{}: {}", one.name, one.definition)).collect();
    format!("{of:?}\n{plans:?}\n{}", machines.join("\n"))
}
