//! The promises of the queues of activities.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use engine::activities::{ActivityQueue, ActivityTask, ReceivedTask};
use futures_util::future::try_join_all;
use interpreter::{ThreadPath, Timestamp, Wait};

use super::execution_arn;

const ACTIVITY: &str = "arn:aws:states:us-east-1:123456789012:activity:approve";
/// Longer than any of these waits for a task that is there.
const PATIENCE_MS: i64 = 10_000;

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// The task of that number: each a millisecond after the one before, of an execution of its own.
fn task(activity: &str, number: u32) -> ActivityTask {
    ActivityTask {
        activity: activity.to_owned(),
        execution: execution_arn(&format!("e{number}")),
        wait: Wait { path: ThreadPath(vec![number, 7]), attempt_id: u64::from(number) + 1 },
        queued: Timestamp(1_700_000_000_000 + i64::from(number)),
    }
}

fn tasks(numbers: std::ops::Range<u32>) -> Vec<ActivityTask> {
    numbers.map(|number| task(ACTIVITY, number)).collect()
}

async fn next(queue: &dyn ActivityQueue) -> Result<Box<dyn ReceivedTask>> {
    queue.receive(ACTIVITY, now().plus_millis(PATIENCE_MS)).await?.context("no task is received")
}

async fn is_empty(queue: &dyn ActivityQueue) -> Result<bool> {
    Ok(queue.receive(ACTIVITY, now()).await?.is_none())
}

pub async fn tasks_of_an_activity_are_received_in_order_until_they_are_removed(
    queue: &dyn ActivityQueue,
) -> Result<()> {
    assert!(is_empty(queue).await?);
    queue.enqueue(tasks(0..3)).await?;
    for expected in tasks(0..3) {
        let received = next(queue).await?;
        assert_eq!(*received.task(), expected);
        received.remove().await?;
    }
    assert!(is_empty(queue).await?);
    Ok(())
}

pub async fn a_task_of_an_activity_is_received_by_one_caller(queue: &dyn ActivityQueue) -> Result<()> {
    const TASKS: u32 = 24;
    let callers = (0..TASKS).map(|_| async {
        let received = next(queue).await?;
        let execution = received.task().execution.clone();
        received.remove().await?;
        anyhow::Ok(execution)
    });
    let queued = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        Ok(queue.enqueue(tasks(0..TASKS)).await?)
    };
    let (executions, ()) = tokio::try_join!(try_join_all(callers), queued)?;
    let different: BTreeSet<String> = executions.into_iter().collect();
    ensure!(different.len() == TASKS as usize, "{} of {TASKS}", different.len());
    assert!(is_empty(queue).await?);
    Ok(())
}

pub async fn a_task_that_is_put_back_is_received_again_at_its_time(queue: &dyn ActivityQueue) -> Result<()> {
    queue.enqueue(tasks(0..1)).await?;
    let received = next(queue).await?;
    assert!(is_empty(queue).await?, "no other caller gets it meanwhile");
    let at = now().plus_millis(700);
    received.put_back(at).await?;
    assert!(is_empty(queue).await?, "it is not its time");
    let again = next(queue).await?;
    assert!(now() >= at);
    assert_eq!(*again.task(), task(ACTIVITY, 0));
    again.remove().await?;
    assert!(is_empty(queue).await?);
    Ok(())
}

pub async fn a_task_that_is_queued_again_is_there_once(queue: &dyn ActivityQueue) -> Result<()> {
    queue.enqueue(tasks(0..1)).await?;
    queue.enqueue(tasks(0..1)).await?;
    next(queue).await?.remove().await?;
    assert!(is_empty(queue).await?);
    Ok(())
}

pub async fn each_activity_has_a_queue_of_its_own(queue: &dyn ActivityQueue) -> Result<()> {
    for other in [format!("{ACTIVITY}2"), ACTIVITY.replace(":approve", ":appro")] {
        queue.enqueue(vec![task(&other, 0)]).await?;
    }
    assert!(is_empty(queue).await?);
    queue.enqueue(Vec::new()).await?;
    Ok(())
}
