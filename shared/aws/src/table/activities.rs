//! The port `ActivityQueue`: a task of an activity is an item in a partition of its activity, sorted by time.
//!
//! A caller that receives a task hides it from others for [`HIDDEN_MS`] by a conditional put; when it has the lease it
//! deletes the item. So a task takes three writes. Waiting is polling: one query per shard, every second.

use std::collections::HashSet;

use async_trait::async_trait;
use engine::activities::{ActivityQueue, ActivityTask, ReceivedTask};
use engine::ports::{Direction, StoreError};
use futures_util::future::try_join_all;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use interpreter::{ThreadPath, Timestamp, Wait};

use crate::failure::{damaged, refused, store_error};
use crate::layout;
use crate::table::item::{Item, Reading, bytes, item_of, key, number};
use crate::table::{Condition, Put, Range, Table, seconds};

/// A task that was received is hidden from other callers for this long: longer than a lease takes.
const HIDDEN_MS: i64 = 30_000;
/// Pauses between two looks at an empty queue: the first, and the longest.
const FIRST_PAUSE_MS: i64 = 200;
const LONGEST_PAUSE_MS: i64 = 1_000;
/// Items of a page of a queue.
const PAGE: usize = 16;
/// Pages of hidden tasks that are looked through at most.
const MOST_PAGES: usize = 64;
/// Items that are written at a time.
const AT_A_TIME: usize = 16;
/// How long DynamoDB keeps a task that no caller finds to be over: longer than any execution may run.
const KEPT_MS: i64 = 400 * 24 * 60 * 60 * 1_000;

#[async_trait]
impl ActivityQueue for Table {
    async fn enqueue(&self, tasks: Vec<ActivityTask>) -> Result<(), StoreError> {
        let puts = tasks.iter().map(|task| async move {
            let item = self.task_item(task, task.queued)?;
            self.put(item, Condition::None).await.map(|_| ())
        });
        let puts: Vec<_> = puts.collect();
        stream::iter(puts).buffer_unordered(AT_A_TIME).try_collect().await
    }

    async fn receive(&self, activity: &str, until: Timestamp) -> Result<Option<Box<dyn ReceivedTask>>, StoreError> {
        let mut pause = FIRST_PAUSE_MS;
        loop {
            if let Some(received) = self.receive_now(activity).await? {
                return Ok(Some(received));
            }
            let now = self.now();
            if now >= until {
                return Ok(None);
            }
            // A quarter of it is drawn, so that callers who began together do not look together for ever.
            let drawn = i64::try_from(self.nonce() % 256).unwrap_or(0) * pause / 1_024;
            self.clock.sleep_until(now.plus_millis(pause - drawn).min(until)).await;
            pause = (pause * 2).min(LONGEST_PAUSE_MS);
        }
    }
}

impl Table {
    fn task_item(&self, task: &ActivityTask, hidden_until: Timestamp) -> Result<Item, StoreError> {
        let (partition, sort) = place(task).ok_or_else(|| refused("a task is queued at a time that is none".into()))?;
        let path = serde_json::to_vec(&task.wait.path).map_err(|error| refused(error.to_string()))?;
        let mut item = item_of(key(&partition, &sort));
        item.extend(item_of([
            (layout::FORMAT, number(layout::VERSION)),
            (layout::NONCE, number(self.nonce())),
            (layout::HIDDEN, number(hidden_until.0)),
            (layout::BODY, bytes(path)),
            (layout::EXPIRES, number(seconds(task.queued.plus_millis(KEPT_MS)))),
        ]));
        Ok(item)
    }

    /// Receives a task if one is visible.
    async fn receive_now(&self, activity: &str) -> Result<Option<Box<dyn ReceivedTask>>, StoreError> {
        let now = self.now();
        let shards = (0..layout::ACTIVITY_SHARDS).map(|shard| self.visible(activity, shard, now));
        let mut visible: Vec<Visible> = try_join_all(shards).await?.into_iter().flatten().collect();
        visible.sort_by_key(|one| one.task.queued);
        // Many callers look at the head of a long queue: each begins somewhere in its first half.
        let half = u64::try_from(visible.len() / 2).unwrap_or(0).max(1);
        let first = usize::try_from(self.nonce() % half).unwrap_or(0);
        let mut refused = HashSet::new();
        for Visible { task, nonce } in visible.into_iter().skip(first) {
            let hidden = self.task_item(&task, now.plus_millis(HIDDEN_MS))?;
            match self.put(hidden, Condition::Nonce(nonce)).await? {
                Put::Done => return Ok(Some(Box::new(Received { table: self.clone(), task }))),
                Put::Refused(_) => _ = refused.insert(nonce),
            }
            if refused.len() >= PAGE {
                break;
            }
        }
        Ok(None)
    }

    /// The first tasks of a shard that are not hidden.
    async fn visible(&self, activity: &str, shard: u64, now: Timestamp) -> Result<Vec<Visible>, StoreError> {
        let partition = layout::activity_partition(shard, activity);
        let range = Range {
            partition: &partition,
            from: "0".to_owned(),
            to: "9".repeat(layout::ACTIVITY_SORT_DIGITS),
            direction: Direction::Ascending,
            only: &[],
        };
        let mut start = None;
        for _ in 0..MOST_PAGES {
            let page = self.page(&range, start, Some(PAGE)).await?;
            let mut visible = Vec::new();
            for item in &page.items {
                let reading = Reading(item).known_format()?;
                if reading.number::<i64>(layout::HIDDEN)? <= now.0 {
                    visible.push(Visible { task: task_of(activity, item)?, nonce: reading.number(layout::NONCE)? });
                }
            }
            match page.next {
                Some(next) if visible.is_empty() => start = Some(next),
                _ => return Ok(visible),
            }
        }
        Ok(Vec::new())
    }
}

/// A task that may be received, with the nonce of its item.
struct Visible {
    task: ActivityTask,
    nonce: u64,
}

/// Partition and sort key of a task.
fn place(task: &ActivityTask) -> Option<(String, String)> {
    let partition = layout::activity_partition(layout::activity_shard(&task.execution), &task.activity);
    Some((partition, layout::activity_sort(task.queued, task.wait.attempt_id, &task.execution)?))
}

fn task_of(activity: &str, item: &Item) -> Result<ActivityTask, StoreError> {
    let reading = Reading(item);
    let odd = || damaged("a task of an activity has a key or a body of another shape");
    let (queued, attempt_id, execution) = layout::queued(reading.text(layout::SORT)?).ok_or_else(odd)?;
    let path: ThreadPath = serde_json::from_slice(reading.bytes(layout::BODY)?).map_err(|_| odd())?;
    let (activity, execution) = (activity.to_owned(), execution.to_owned());
    Ok(ActivityTask { activity, execution, wait: Wait { path, attempt_id }, queued })
}

struct Received {
    table: Table,
    task: ActivityTask,
}

#[async_trait]
impl ReceivedTask for Received {
    fn task(&self) -> &ActivityTask {
        &self.task
    }

    async fn remove(self: Box<Self>) -> Result<(), StoreError> {
        let Some((partition, sort)) = place(&self.task) else { return Ok(()) };
        let request = self.table.client.delete_item().table_name(&self.table.name);
        let deleted = request.set_key(Some(item_of(key(&partition, &sort)))).send().await;
        deleted.map(|_| ()).map_err(|error| store_error("delete a task of an activity", error))
    }

    async fn put_back(self: Box<Self>, at: Timestamp) -> Result<(), StoreError> {
        let item = self.table.task_item(&self.task, at)?;
        self.table.put(item, Condition::None).await.map(|_| ())
    }
}
