//! Random machines in one process after another, as in `serve`: crashed at every port call, and with a failing store.

use anyhow::{Context, Result, bail, ensure};
use stepwell_tests::modes::count;
use stepwell_tests::simulation::{Chance, Ended, Fate, Plan, Scenario, World, check};

use crate::drawn::Worlds;

/// Points of one machine that are tried at most: beyond that every second one, every third, and so on.
const POINTS: u64 = 40;

#[test]
fn a_random_machine_survives_a_crash_at_any_port_call() -> Result<()> {
    let (worlds, mut tried) = (Worlds::new()?, 0);
    for seed in 1..=count("STEPWELL_MACHINES", 60, 20_000) {
        let scenario = worlds.draw_machine(seed)?;
        let points = World::new(&scenario, seed)?.run(Plan::default())?.counts.points;
        let every = usize::try_from(points.div_ceil(POINTS).max(1))?;
        for point in (1 + seed % every as u64..=points).step_by(every) {
            let shown = || format!("machine {seed}, crash at {point} of {points}: {}", scenario.definition);
            through(&scenario, seed, &[Plan::crash_at(point)]).with_context(shown)?;
            tried += 1;
        }
    }
    println!("{tried} crashes");
    Ok(())
}

#[test]
fn a_random_machine_survives_a_failing_store_and_crashes_together() -> Result<()> {
    let worlds = Worlds::new()?;
    for seed in 1..=count("STEPWELL_MACHINES", 60, 20_000) {
        let scenario = worlds.draw_machine(seed)?;
        let counts = World::new(&scenario, seed)?.run(Plan::default())?.counts;
        let mut chance = Chance::new(seed);
        let mut plan = || {
            let failing = Plan::failing_calls(&mut chance, counts.calls.max(1), 3);
            Plan { failing, ..Plan::crash_at(chance.up_to(counts.points)) }
        };
        let plans = [plan(), plan(), plan()];
        through(&scenario, seed, &plans)
            .with_context(|| format!("machine {seed}, {plans:?}: {}", scenario.definition))?;
    }
    Ok(())
}

/// Lives through processes with these plans and then through one without faults, and holds what came of it to the promises.
fn through(scenario: &Scenario, seed: u64, plans: &[Plan]) -> Result<()> {
    let mut world = World::new(scenario, seed)?;
    for plan in plans.iter().chain([&Plan::default()]) {
        match world.run(plan.clone())?.ended {
            Ended::Crashed => {}
            Ended::Stuck(how) => bail!("{how}"),
            Ended::Done => break,
        }
    }
    ensure!(world.disk.is_closed(world.execution()), "it is still open");
    check(&world.installation, world.execution(), scenario, Fate::AsItsScenarioSays).map(|_| ())
}
