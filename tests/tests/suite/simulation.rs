//! The reference scenarios in a simulated world: crashes, failing stores and unreliable messages.
//!
//! The promises: no execution lost or stuck, no attempt started twice, a lost attempt is a failure that Retry sees,
//! histories without gaps, what was acknowledged counts.

use std::slice;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use stepwell_tests::simulation::{Alone, Chance, Ended, Plan, Room, Scenario, World};

/// Runs a scenario through processes that live by these plans, then through one without faults.
fn through(scenario: &Scenario, seed: u64, plans: &[Plan]) -> Result<World> {
    let mut world = World::new(scenario, seed)?;
    world.through(plans)?;
    Ok(world)
}

/// The same, and looks whether what is promised was kept.
fn keeps(scenario: &Scenario, seed: u64, plans: &[Plan]) -> Result<()> {
    let kept = through(scenario, seed, plans).and_then(|world| world.kept());
    kept.with_context(|| format!("seed {seed}: {plans:?}"))
}

fn each_scenario(test: impl Fn(&Scenario) -> Result<()>) -> Result<()> {
    Scenario::all()?.iter().try_for_each(|scenario| test(scenario).with_context(|| scenario.name.clone()))
}

/// How many points and calls a scenario has without faults.
fn measured(scenario: &Scenario) -> Result<(u64, u64)> {
    let counts = World::new(scenario, 0)?.run(Plan::default())?.counts;
    Ok((counts.points, counts.calls))
}

#[test]
fn every_reference_scenario_ends_as_expected_when_nothing_fails() -> Result<()> {
    each_scenario(|scenario| keeps(scenario, 0, &[]))
}

#[test]
fn a_crash_at_any_port_call_loses_nothing_and_starts_nothing_twice() -> Result<()> {
    each_scenario(|scenario| {
        for room in [Room::AMPLE, Room::NARROW] {
            let of = Alone { seed: 0, room, express: 0, sabotage: None };
            let points = World::of(&of, slice::from_ref(scenario))?.run(Plan::default())?.counts.points;
            ensure!(points >= 3, "nothing happens in {points} points");
            for point in 1..=points {
                let mut world = World::of(&of, slice::from_ref(scenario))?;
                let shown = || format!("{room:?}, crash at {point} of {points}");
                world.through(&[Plan::crash_at(point)]).with_context(shown)?;
                world.kept().with_context(shown)?;
            }
        }
        Ok(())
    })
}

#[test]
fn crashes_upon_crashes_lose_nothing_and_start_nothing_twice() -> Result<()> {
    each_scenario(|scenario| {
        let (points, _) = measured(scenario)?;
        for seed in 1..=40 {
            let mut chance = Chance::new(seed);
            let plans: Vec<Plan> = (0..4).map(|_| Plan::crash_at(chance.up_to(points))).collect();
            keeps(scenario, seed, &plans)?;
        }
        Ok(())
    })
}

#[test]
fn a_store_that_fails_or_whose_answers_get_lost_loses_nothing() -> Result<()> {
    each_scenario(|scenario| {
        let (_, calls) = measured(scenario)?;
        for seed in 1..=60 {
            let failing = Plan::failing_calls(&mut Chance::new(seed), calls, 4);
            let plan = Plan { failing, ..Plan::default() };
            keeps(scenario, seed, &[plan])?;
        }
        Ok(())
    })
}

#[test]
fn a_failing_store_and_a_crash_together_lose_nothing() -> Result<()> {
    each_scenario(|scenario| {
        let (points, calls) = measured(scenario)?;
        for seed in 1..=60 {
            let mut chance = Chance::new(seed);
            let failing = Plan::failing_calls(&mut chance, calls, 2);
            let plan = Plan { failing, ..Plan::crash_at(chance.up_to(points)) };
            keeps(scenario, seed, &[plan])?;
        }
        Ok(())
    })
}

/// Longer than a call waits for its claim.
const SLOW_MS: u64 = 20_000;

/// How many commits a scenario takes in one process, where nothing fails.
fn commits(scenario: &Scenario) -> Result<u64> {
    Ok(World::new(scenario, 0)?.run(Plan::default())?.counts.appends.len() as u64)
}

#[test]
fn a_store_that_takes_twenty_seconds_for_commits_fails_nothing() -> Result<()> {
    each_scenario(|scenario| {
        let usual = commits(scenario)?;
        // One of them, some in a row, and all that there are.
        for (from, how_many) in (1..=usual).flat_map(|from| [(from, 1), (from, 3)]).chain([(1, 10 * usual)]) {
            keeps(scenario, 0, &[Plan::slow_from(from, how_many, SLOW_MS)])?;
        }
        Ok(())
    })
}

#[test]
fn a_crash_beside_slow_commits_loses_nothing_and_starts_nothing_twice() -> Result<()> {
    each_scenario(|scenario| {
        let slow = Plan::slow_from(2, 3, SLOW_MS);
        let points = World::new(scenario, 0)?.run(slow.clone())?.counts.points;
        for point in 1..=points {
            keeps(scenario, 0, &[Plan { crash_at: Some(point), ..slow.clone() }])?;
        }
        Ok(())
    })
}

/// What a clock that was set may delay the end of an execution by.
const LATE: Duration = Duration::from_secs(1);

#[test]
fn a_clock_that_is_set_back_at_any_port_call_loses_nothing_and_delays_nothing() -> Result<()> {
    each_scenario(|scenario| {
        let undisturbed = World::new(scenario, 0)?.run(Plan::default())?;
        // While its time runs slower to meet the wall clock's, a process is late by one part in a hundred.
        let most = undisturbed.lived + undisturbed.lived / 99 + LATE;
        let points = undisturbed.counts.points;
        for (point, millis) in (1..=points).flat_map(|point| [500, 60_000, 3_600_000].map(|millis| (point, millis))) {
            let mut world = World::new(scenario, 0)?;
            let shown = || format!("set back by {millis} ms at {point} of {points}");
            let process = world.run(Plan::clock_steps_at(point, -millis)).with_context(shown)?;
            ensure!(process.ended == Ended::Done, "{}: {:?}", shown(), process.ended);
            world.kept().with_context(shown)?;
            ensure!(
                process.lived <= most,
                "{}: it took {:?} instead of {:?}",
                shown(),
                process.lived,
                undisturbed.lived
            );
        }
        Ok(())
    })
}

#[test]
fn a_clock_that_is_set_ahead_at_any_port_call_loses_no_call_of_a_process_that_lives() -> Result<()> {
    each_scenario(|scenario| {
        let definition = scenario.definition.to_string();
        // A time that was promised by the wall clock is over, and the execution ends otherwise.
        if ["TimeoutSeconds", "HeartbeatSeconds"].iter().any(|promise| definition.contains(promise))
            || scenario.stop.is_some()
        {
            return Ok(());
        }
        let (points, _) = measured(scenario)?;
        for (point, millis) in (1..=points).flat_map(|point| [1_200_000, 3_600_000].map(|millis| (point, millis))) {
            keeps(scenario, 0, &[Plan::clock_steps_at(point, millis)])?;
        }
        Ok(())
    })
}

#[test]
fn messages_that_get_lost_or_come_twice_change_nothing() -> Result<()> {
    each_scenario(|scenario| {
        for seed in 1..=20 {
            let mut chance = Chance::new(seed);
            let lost = (1..=40).filter(|_| chance.up_to(3) == 1).collect();
            let doubled = (1..=40).filter(|_| chance.up_to(2) == 1).collect();
            let plan = Plan { lost, doubled, ..Plan::default() };
            keeps(scenario, seed, &[plan])?;
        }
        Ok(())
    })
}

#[test]
fn the_same_seed_and_plan_give_the_same_run() -> Result<()> {
    each_scenario(|scenario| {
        let plans = [Plan::crash_at(9), Plan::crash_at(14)];
        let (one, other) = (through(scenario, 5, &plans)?, through(scenario, 5, &plans)?);
        ensure!(one.calls() == other.calls());
        ensure!(one.disk.records(one.execution()) == other.disk.records(other.execution()));
        Ok(())
    })
}

/// The simulated disk is held to what every adapter is held to, or the rest here says nothing.
mod disk {
    use stepwell_tests::simulation::Disk;

    async fn disk() -> anyhow::Result<Option<((), Disk)>> {
        Ok(Some(((), Disk::default())))
    }

    stepwell_tests::promises! { Journal, Documents: disk }
    stepwell_tests::promises! { Cells: disk }
    stepwell_tests::promises! { Starts: disk }
}
