//! Far due times: the index `wake`, which the scheduler reads instead of every open execution.
//!
//! A record whose due time is more than [`layout::FAR_MS`] away has a row in the index. Once a minute the scheduler reads
//! each shard from its cursor to a quarter of an hour from now, sends a message per row, and stores the cursor. A row may
//! belong to a record that later records replaced: then the worker that gets the message finds nothing due.

use engine::ports::StoreError;
use interpreter::Timestamp;

use super::cursor::StoredCursor;
use super::item::{Item, Reading, item_of, key, number, text};
use super::{Table, layout};
use crate::failure::{refused, store_error};

/// A page of due times.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WakePage {
    /// Due times in ascending order, each with its execution.
    pub due: Vec<(Timestamp, String)>,
    /// The token of the next page; `None` at the end.
    pub next: Option<String>,
}

/// The scheduler's progress in a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// Messages for due times up to this one have been sent, …
    pub after: Timestamp,
    /// … and for later ones up to this page.
    pub place: Option<String>,
}

impl Table {
    /// The due times in a shard (of [`layout::SHARDS`]) after `after`, up to `until` inclusive, at most `limit` of them.
    /// May miss rows written in the last seconds; those are due in 20 minutes at the earliest.
    pub async fn wakes(
        &self,
        shard: u64,
        (after, until): (Timestamp, Timestamp),
        page: Option<&str>,
        limit: usize,
    ) -> Result<WakePage, StoreError> {
        let start = page.map(|token| start_of(shard, token)).transpose()?;
        let begins = start.as_ref().map(|start| Reading(start).number(layout::WAKE_AT)).transpose()?;
        // A clock that was set back may find a place beyond the end, where DynamoDB refuses to begin.
        if after >= until || begins.is_some_and(|begins: i64| begins > until.0) {
            return Ok(WakePage::default());
        }
        let request = self
            .client
            .query()
            .table_name(&self.name)
            .index_name(layout::WAKE_INDEX.name)
            .key_condition_expression("#wake = :wake AND #at BETWEEN :from AND :until")
            .expression_attribute_names("#wake", layout::WAKE)
            .expression_attribute_names("#at", layout::WAKE_AT)
            .expression_attribute_values(":wake", text(layout::wake_partition(shard)))
            .expression_attribute_values(":from", number(after.0.saturating_add(1)))
            .expression_attribute_values(":until", number(until.0))
            .limit(i32::try_from(limit.max(1)).unwrap_or(i32::MAX))
            .set_exclusive_start_key(start);
        let answer = request.send().await.map_err(|error| store_error("read due times", error))?;
        let row = |item: &Item| -> Result<(Timestamp, String), StoreError> {
            let reading = Reading(item);
            Ok((Timestamp(reading.number(layout::WAKE_AT)?), reading.text(layout::PARTITION)?.to_owned()))
        };
        let due = answer.items.unwrap_or_default().iter().map(row).collect::<Result<_, _>>()?;
        let next = answer.last_evaluated_key.map(|key| token_of(&key)).transpose()?;
        Ok(WakePage { due, next })
    }

    /// The scheduler's progress in a shard; `None` before its first tick.
    pub async fn cursor(&self, shard: u64) -> Result<Option<Cursor>, StoreError> {
        let stored = self.stored_cursor(&shard.to_string()).await?;
        Ok(stored.map(|StoredCursor { position, place }| Cursor { after: Timestamp(position), place }))
    }

    /// Stores the scheduler's progress in a shard. Two schedulers at a time send messages twice, which does no harm.
    pub async fn move_cursor(&self, shard: u64, to: &Cursor) -> Result<(), StoreError> {
        let stored = StoredCursor { position: to.after.0, place: to.place.clone() };
        self.store_cursor(&shard.to_string(), &stored).await
    }
}

fn token_of(key: &Item) -> Result<String, StoreError> {
    let reading = Reading(key);
    let at: i64 = reading.number(layout::WAKE_AT)?;
    let token = (reading.text(layout::PARTITION)?, reading.text(layout::SORT)?, at);
    serde_json::to_string(&token).map_err(|error| refused(error.to_string()))
}

fn start_of(shard: u64, token: &str) -> Result<Item, StoreError> {
    let (partition, sort, at): (String, String, i64) =
        serde_json::from_str(token).map_err(|_| refused("this is no place among due times".to_owned()))?;
    let mut start = item_of(key(&partition, &sort));
    let wake = [(layout::WAKE, text(layout::wake_partition(shard))), (layout::WAKE_AT, number(at))];
    start.extend(item_of(wake));
    Ok(start)
}
