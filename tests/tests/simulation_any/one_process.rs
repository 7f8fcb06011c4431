//! Random machines in one process after another, as in `serve`: crashed at every port call, and with a failing store.
//! Several of them, and express executions, share the calls that it may make.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use stepwell_tests::modes::{Progress, count};
use stepwell_tests::simulation::{Alone, Chance, Ended, Plan, Sabotage, Scenario, World};

use crate::drawn::Worlds;
use crate::on_every_core;

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
    let (next, progress) = (AtomicU64::new(1), Mutex::new(Progress::new(what, count)));
    on_every_core(|| {
        let worlds = Worlds::new()?;
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed > count {
                return Ok(());
            }
            progress.lock().unwrap_or_else(PoisonError::into_inner).at(seed - 1);
            // Nobody goes on after the first that fails.
            test(&worlds, seed).inspect_err(|_| next.store(count + 1, Ordering::Relaxed))?;
        }
    })
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
