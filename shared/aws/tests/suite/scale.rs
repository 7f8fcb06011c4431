//! How much a scheduler gets through in a time, counted over the adapters in virtual time: what `infra/README.md` says of it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use engine::Deployment;
use engine::ports::{Clock, Record, TaskAnswer, TaskCall, Tasks};
use futures_util::future::try_join_all;
use stepwell_tests::cloud::{Cloud, Process};
use stepwell_tests::contracts::{close, head, record, write};
use tokio::time::Instant;

/// The assumed times of a request to DynamoDB and to SQS: see the cost sheet.
const STORE: Duration = Duration::from_millis(5);
const QUEUE: Duration = Duration::from_millis(10);

struct Uncalled;

#[async_trait::async_trait]
impl Tasks for Uncalled {
    async fn call(&self, call: TaskCall) -> TaskAnswer {
        TaskAnswer::Failed { error: "NotExpected".to_owned(), cause: Some(call.state) }
    }

    async fn limit(&self, _call: &TaskCall) -> Duration {
        Duration::from_secs(1)
    }
}

async fn stand() -> Result<(Cloud, Process)> {
    let cloud = Cloud::new().await?;
    let clock = cloud.process(Deployment::SharedWorker, Arc::new(Uncalled)).await?;
    Ok((cloud, clock))
}

/// A tick's counts, and how many a second something was done of which it did so many.
async fn timed(cloud: &Cloud, clock: &Process, count: usize) -> Result<(aws::TickReport, f64)> {
    cloud.dynamo.takes(STORE);
    cloud.sqs.takes(QUEUE);
    let begun = Instant::now();
    let report = clock.tick(None, cloud.until()).await?;
    let took = begun.elapsed().as_secs_f64();
    cloud.dynamo.takes(Duration::ZERO);
    println!("{count} in {took:.3} s: {:.0} a second", count as f64 / took);
    Ok((report, count as f64 / took))
}

#[tokio::test(start_paused = true)]
async fn a_tick_wakes_ten_thousand_executions_a_second() -> Result<()> {
    const WAITS: usize = 4_000;
    let (cloud, clock) = stand().await?;
    clock.tick(None, cloud.until()).await?;
    let due = cloud.clock.now().plus_millis(30 * 60_000);
    for batch in (0..WAITS).collect::<Vec<_>>().chunks(200) {
        let heads = batch.iter().map(|number| {
            write(&clock.table, Record { due: Some(due), ..head(&number.to_string(), cloud.clock.now().0) })
        });
        try_join_all(heads).await?;
    }
    tokio::time::sleep(Duration::from_secs(20 * 60)).await;
    let (report, rate) = timed(&cloud, &clock, WAITS).await?;
    assert_eq!(report.woken, WAITS);
    assert!(rate > 10_000.0, "{rate} a second");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_sweep_reads_fifty_thousand_rows_a_second() -> Result<()> {
    const EXECUTIONS: usize = 3_000;
    let (cloud, clock) = stand().await?;
    let now = cloud.clock.now().0;
    for batch in (0..EXECUTIONS).collect::<Vec<_>>().chunks(200) {
        let table = &clock.table;
        let written = batch.iter().map(|number| async move {
            let name = number.to_string();
            write(table, head(&name, now)).await?;
            // One in a hundred is open.
            if number % 100 > 0 { write(table, close(&name, 1, now, now)).await } else { Ok(()) }
        });
        try_join_all(written).await?;
    }
    let (report, rate) = timed(&cloud, &clock, 2 * EXECUTIONS - EXECUTIONS / 100).await?;
    assert_eq!(report.swept, EXECUTIONS / 100);
    assert!(rate > 50_000.0, "{rate} rows a second");
    assert_eq!(clock.tick(None, cloud.until()).await?.swept, 0, "the day is done");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn wakes_that_are_too_many_leave_the_sweep_and_the_dead_letters_their_time() -> Result<()> {
    let (cloud, clock) = stand().await?;
    let due = Some(cloud.clock.now().plus_millis(25 * 60_000));
    for number in 0..400 {
        write(&clock.table, Record { due, ..head(&format!("far-{number}"), cloud.clock.now().0) }).await?;
    }
    write(&clock.table, head("open", cloud.clock.now().0)).await?;
    write(&clock.table, record("open", 1)).await?;
    tokio::time::sleep(Duration::from_secs(15 * 60)).await;
    // A page of one row takes a second, and there is a minute.
    cloud.dynamo.tells_rows(1);
    cloud.dynamo.takes(Duration::from_millis(500));
    let until = cloud.clock.now().plus_millis(20_000);
    let report = clock.tick(None, until).await?;
    assert!((8..400).contains(&report.woken), "not all of them: {report:?}");
    assert!(report.swept > 0, "the sweep had its turn: {report:?}");
    Ok(())
}
