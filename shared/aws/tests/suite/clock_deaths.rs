//! Clocks that die, over the real adapters: before and after every request to the table and to a queue. Others fail in one
//! of these instead, or have another clock beside them, or too little time. Everything that is due is woken and ends in
//! time and once, and what waited for the clock waits at most for the next one.

mod orders;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use aws::layout;
use engine::Deployment;
use engine::ports::{Clock, Record};
use serde_json::json;
use stepwell_tests::cloud::Cloud;
use stepwell_tests::contracts::{execution_arn, head, write};
use stepwell_tests::long_mode;
use stepwell_tests::simulation::{Effect, Failing, Plan, runtime};

use self::world::{Clocks, Functions, Seen, World};

/// Lives through a day with these clocks. In a runtime of its own, so that nothing that a dead one began goes on for ever.
fn day(clocks: &Clocks) -> Result<Seen> {
    runtime()?.block_on(async {
        let world = World::new().await?;
        let seen = Box::pin(world.day(clocks.clone())).await?;
        world.is_well(clocks).await?;
        Ok(seen)
    })
}

/// Where every one would take minutes, every third one is tried, and all of them in long mode.
const SOME: usize = 3;

fn every(some: usize) -> usize {
    if long_mode() { 1 } else { some }
}

/// A day for every moment at which the first clock can die, or some of them. A request has two, before it and after it; the
/// one after it and the one before the next differ in nothing that is left behind.
fn at_deaths(clocks: &Clocks, every: usize) -> Result<u64> {
    let Seen { points, .. } = day(clocks)?;
    ensure!(points > 200, "{points} points");
    for point in (1..=points).step_by(2).step_by(every).chain([points]) {
        let clocks = Clocks { first: Plan::crash_at(point), ..clocks.clone() };
        day(&clocks).with_context(|| format!("the first clock died at {point} of {points}"))?;
    }
    Ok(points)
}

/// A day for requests of the first clock, which fail: they are refused, or done and their answers lost. In turns, or both in
/// long mode.
fn at_requests(every: usize) -> Result<u64> {
    let requests = day(&Clocks::every_minute(Plan::default()))?.requests;
    for request in (1..=requests).step_by(every) {
        for (turn, effect) in [(0, Effect::None), (1, Effect::Happened)] {
            if request % 2 == turn || long_mode() {
                let failing = BTreeMap::from([(request, Failing { effect, retryable: true })]);
                let clocks = Clocks::every_minute(Plan { failing, ..Plan::default() });
                day(&clocks).with_context(|| format!("request {request} of {requests} failed: {effect:?}"))?;
            }
        }
    }
    Ok(requests)
}

#[test]
fn a_clock_may_die_at_any_request() -> Result<()> {
    println!("{} points", at_deaths(&Clocks::default(), 1)?);
    Ok(())
}

#[test]
fn a_clock_may_die_at_any_request_beside_another_one() -> Result<()> {
    println!("{} points", at_deaths(&Clocks { beside: true, ..Clocks::default() }, every(SOME))?);
    Ok(())
}

#[test]
fn any_request_of_a_clock_may_be_refused_or_its_answer_lost() -> Result<()> {
    println!("{} requests", at_requests(every(SOME))?);
    Ok(())
}

/// Rows of one shard, of which a clock gets through a few before it is ended.
const ROWS: usize = 30;

#[test]
fn a_clock_that_is_ended_before_it_is_through_comes_further_each_time() -> Result<()> {
    runtime()?.block_on(async {
        let cloud = Cloud::new().await?;
        let clock = cloud.process(Deployment::SharedWorker, Arc::new(Functions::default())).await?;
        clock.tick(None, cloud.until()).await?;
        let due = cloud.clock.now().plus_millis(30 * 60_000);
        let names = (0..).map(|number| format!("at-once-{number}"));
        for name in names.filter(|name| layout::shard(&execution_arn(name)) == 0).take(ROWS) {
            write(&clock.table, Record { due: Some(due), ..head(&name, cloud.clock.now().0) }).await?;
        }
        tokio::time::sleep(Duration::from_secs(20 * 60)).await;
        cloud.dynamo.tells_rows(3);
        cloud.dynamo.takes(Duration::from_secs(1));
        cloud.sqs.requests();
        let mut ended = 0;
        while tokio::time::timeout(Duration::from_secs(8), clock.tick(None, cloud.until())).await.is_err() {
            ended += 1;
            ensure!(ended < 20, "it comes no further");
        }
        ensure!(ended >= 2, "it was through after {ended}");
        let sent = cloud.sent()?;
        let woken: BTreeSet<String> = sent.iter().map(|sent| format!("{:?}", sent.message)).collect();
        ensure!((woken.len(), sent.len()) == (ROWS, ROWS), "{} messages for {} executions", sent.len(), woken.len());
        Ok(())
    })
}

#[test]
fn what_a_clock_found_is_told_although_a_part_of_its_minute_failed() -> Result<()> {
    runtime()?.block_on(async {
        let cloud = Cloud::new().await?;
        let clock = cloud.process(Deployment::SharedWorker, Arc::new(Functions::default())).await?;
        let late = Some(cloud.clock.now().plus_millis(-2 * 60 * 60_000));
        write(&clock.table, Record { due: late, ..head("stuck", cloud.clock.now().0) }).await?;
        cloud.spoil(layout::CLOCK_PARTITION, "3", "v", json!({ "N": "1000" }))?;
        ensure!(clock.tick(None, cloud.until()).await.is_err(), "a newer version wrote the cursor");
        let told = cloud.lines.take()?;
        ensure!(told.iter().any(|line| line["ExecutionsStuck"] == 1), "{told:?}");
        Ok(())
    })
}
