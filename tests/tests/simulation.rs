//! The reference scenarios in a simulated world: crashes, failing stores and unreliable messages.
//!
//! What is promised: no execution lost or stuck, no attempt started twice, a lost attempt is a failure that Retry sees,
//! histories without gaps, what was acknowledged counts.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use interpreter::{Closing, Detail};
use service::entry;
use stepwell_tests::simulation::{Chance, Ended, Plan, Scenario, World, events, problems_of_history};

/// Runs a scenario through processes that live by these plans, then through one without faults.
fn through(scenario: &Scenario, seed: u64, plans: &[Plan]) -> Result<World> {
    let mut world = World::new(scenario, seed)?;
    for plan in plans {
        match world.run(plan.clone())?.ended {
            Ended::Crashed => {}
            Ended::Done => return Ok(world),
            Ended::Stuck(how) => anyhow::bail!("{how}"),
        }
    }
    let ended = world.run(Plan::default())?.ended;
    ensure!(ended == Ended::Done, "{ended:?}");
    Ok(world)
}

/// Runs a scenario through a process that dies at this point, and another.
fn crashed_at(scenario: &Scenario, point: u64) -> Result<World> {
    let mut world = World::new(scenario, 0)?;
    let ended = world.run(Plan::crash_at(point))?.ended;
    ensure!(ended == Ended::Crashed, "{ended:?}");
    let ended = world.run(Plan::default())?.ended;
    ensure!(ended == Ended::Done, "{ended:?}");
    Ok(world)
}

/// Holds a world to the promises.
fn check(world: &World, scenario: &Scenario) -> Result<()> {
    let problems = problems_of_history(&world.disk, world.execution());
    ensure!(problems.is_empty(), "{problems:#?}");
    check_attempts(world)?;
    let last = world.disk.records(world.execution()).pop().context("no records")?;
    let status = last.listing.context("the last record closes it, so it has a listing")?.status;
    ensure!(status.name() == scenario.expected.status, "{} instead of {}", status.name(), scenario.expected.status);
    let closed = entry::decode(last.sequence, &last.body).map_err(|error| anyhow::anyhow!(error.0))?.closed;
    match closed.context("the last record closes it")?.0 {
        Closing::Succeeded { output } => {
            ensure!(Some(output.value()) == scenario.expected.output.as_ref(), "output {output:?}");
        }
        Closing::Failed(failure) | Closing::Aborted(failure) | Closing::TimedOut(failure) => {
            let expected = &scenario.expected.error;
            ensure!(expected.is_none() || *expected == failure.error, "{failure:?}");
        }
    }
    Ok(())
}

/// No attempt is started twice or without its claim, none is lost silently, every acknowledged answer counts.
fn check_attempts(world: &World) -> Result<()> {
    let mut calls = world.calls();
    let made = calls.len();
    calls.sort();
    calls.dedup();
    ensure!(calls.len() == made, "an attempt was started twice: {:#?}", world.calls());
    let events = events(&world.disk, world.execution()).map_err(|error| anyhow::anyhow!(error.0))?;
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    let mut said = Vec::new();
    for event in &events {
        match &event.detail {
            Detail::LambdaFunctionStarted | Detail::TaskStarted(_) => *kinds.entry("started").or_default() += 1,
            Detail::LambdaFunctionSucceeded { output } | Detail::TaskSucceeded { output, .. } => {
                said.push(output.text().to_owned());
            }
            Detail::LambdaFunctionFailed(failure) | Detail::TaskFailed { failure, .. } => {
                let lost = failure.cause.as_ref().is_some_and(|cause| cause.contains("was lost"));
                let named = failure.error.as_deref() == Some("Lambda.SdkClientException");
                ensure!(lost == named, "{failure:?}");
                *kinds.entry("lost").or_default() += usize::from(lost);
            }
            _ => {}
        }
    }
    let (started, lost) = (kinds.get("started").copied(), kinds.get("lost").copied());
    let (started, lost) = (started.unwrap_or(0), lost.unwrap_or(0));
    ensure!(made <= started && started <= made + lost, "{made} calls, {started} started, {lost} lost");
    for answer in world.counted_answers() {
        ensure!(said.contains(&answer), "an acknowledged answer was lost: {answer}");
    }
    Ok(())
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
    each_scenario(|scenario| {
        let world = through(scenario, 0, &[])?;
        check(&world, scenario)
    })
}

#[test]
fn a_crash_at_any_port_call_loses_nothing_and_starts_nothing_twice() -> Result<()> {
    each_scenario(|scenario| {
        let (points, _) = measured(scenario)?;
        ensure!(points >= 3, "nothing happens in {points} points");
        for point in 1..=points {
            let world = crashed_at(scenario, point).with_context(|| format!("crash at {point} of {points}"))?;
            check(&world, scenario).with_context(|| format!("crash at {point} of {points}"))?;
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
            let world = through(scenario, seed, &plans).with_context(|| format!("seed {seed}: {plans:?}"))?;
            check(&world, scenario).with_context(|| format!("seed {seed}: {plans:?}"))?;
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
            let world = through(scenario, seed, std::slice::from_ref(&plan))
                .with_context(|| format!("seed {seed}: {plan:?}"))?;
            check(&world, scenario).with_context(|| format!("seed {seed}: {plan:?}"))?;
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
            let world = through(scenario, seed, std::slice::from_ref(&plan))
                .with_context(|| format!("seed {seed}: {plan:?}"))?;
            check(&world, scenario).with_context(|| format!("seed {seed}: {plan:?}"))?;
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
            let world = through(scenario, seed, std::slice::from_ref(&plan))
                .with_context(|| format!("seed {seed}: {plan:?}"))?;
            check(&world, scenario).with_context(|| format!("seed {seed}: {plan:?}"))?;
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
    use stepwell_tests::contracts;
    use stepwell_tests::simulation::Disk;

    macro_rules! promises {
        ($($promise:ident)*) => {
            $(
                #[tokio::test]
                async fn $promise() -> anyhow::Result<()> {
                    contracts::$promise(&Disk::default()).await
                }
            )*
        };
    }

    promises! {
        a_record_comes_back_as_it_was_written
        an_execution_that_is_not_there_is_empty
        the_loser_of_a_race_gets_the_winners_record
        many_writers_of_one_execution_leave_no_gap_and_lose_nothing
        writers_of_different_executions_do_not_disturb_each_other
        a_tail_is_the_head_and_what_follows_the_last_full_set
        the_ends_of_one_record_are_equal
        reads_go_both_ways_from_any_place
        lists_show_the_newest_start_first
        lists_show_the_last_status_only
        open_executions_come_in_order_with_their_due_times
        a_forgotten_execution_leaves_its_name_free
        a_machine_is_written_over_the_version_it_was_made_from
        a_machine_is_removed_in_the_version_that_was_seen
        one_of_many_writers_of_a_machine_wins
        machines_come_in_the_order_of_their_arns
        a_revision_is_kept_under_its_hash
        a_start_is_pending_until_it_is_dropped
    }
}
