//! The queues of activities in memory, over paused time.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use embedded::ActivityTasks;
use engine::activities::{ActivityQueue, ActivityTask, ReceivedTask};
use interpreter::{ThreadPath, Timestamp, Wait};
use tokio::time::{Instant, sleep};

use crate::timers::PausedClock;

const ACTIVITY: &str = "arn:aws:states:us-east-1:123456789012:activity:a";
const LATER: Timestamp = Timestamp(60_000);

fn queues() -> Arc<ActivityTasks> {
    Arc::new(ActivityTasks::new(Arc::new(PausedClock(Instant::now()))))
}

fn task(number: u64) -> ActivityTask {
    let wait = Wait { path: ThreadPath::root(), attempt_id: number };
    ActivityTask { activity: ACTIVITY.to_owned(), execution: "e".to_owned(), wait, queued: Timestamp(0) }
}

async fn received(queues: &ActivityTasks) -> Result<Option<Box<dyn ReceivedTask>>> {
    Ok(queues.receive(ACTIVITY, Timestamp(0)).await?)
}

fn number(received: Option<&dyn ReceivedTask>) -> Option<u64> {
    received.map(|received| received.task().wait.attempt_id)
}

#[tokio::test(start_paused = true)]
async fn the_caller_that_has_waited_longest_gets_the_next_task() -> Result<()> {
    let queues = queues();
    let mut callers = Vec::new();
    for _ in 0..3 {
        let queues = queues.clone();
        callers.push(tokio::spawn(async move { queues.receive(ACTIVITY, LATER).await }));
        sleep(Duration::from_millis(10)).await;
    }
    // The first has hung up.
    callers.remove(0).abort();
    queues.enqueue(vec![task(1), task(2)]).await?;
    for (number, caller) in (1..).zip(callers) {
        let received = caller.await??.context("a task is there")?;
        assert_eq!(received.task().wait.attempt_id, number);
        received.remove().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_hangs_up_takes_no_task_along() -> Result<()> {
    let queues = queues();
    for _ in 0..20 {
        let (waits, hung_up) = (queues.clone(), queues.clone());
        let caller = tokio::spawn(async move { waits.receive(ACTIVITY, LATER).await.map(|_| ()) });
        sleep(Duration::from_millis(1)).await;
        hung_up.enqueue(vec![task(1)]).await?;
        // It has its turn, and never runs again.
        caller.abort();
        let _aborted = caller.await;
        let received = received(&queues).await?.context("the task is still there")?;
        received.remove().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_task_that_is_dropped_is_back_in_its_place() -> Result<()> {
    let queues = queues();
    queues.enqueue(vec![task(1), task(2)]).await?;
    drop(received(&queues).await?);
    assert_eq!(number(received(&queues).await?.as_deref()), Some(1));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_task_is_there_once_however_often_it_is_queued() -> Result<()> {
    let queues = queues();
    queues.enqueue(vec![task(1), task(1)]).await?;
    let first = received(&queues).await?.context("a task is there")?;
    queues.enqueue(vec![task(1)]).await?;
    assert_eq!(number(received(&queues).await?.as_deref()), None, "a caller has it");
    first.remove().await?;
    assert_eq!(number(received(&queues).await?.as_deref()), None);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_task_that_is_over_is_withdrawn_unless_a_caller_has_it() -> Result<()> {
    let queues = queues();
    queues.enqueue(vec![task(1), task(2), task(3)]).await?;
    queues.withdraw(&task(2));
    let first = received(&queues).await?.context("a task is there")?;
    queues.withdraw(&task(1));
    first.put_back(Timestamp(0)).await?;
    let numbers = [received(&queues).await?, received(&queues).await?, received(&queues).await?];
    assert_eq!(numbers.each_ref().map(|one| number(one.as_deref())), [Some(1), Some(3), None]);
    Ok(())
}
