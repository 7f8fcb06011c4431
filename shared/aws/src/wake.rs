//! Due times that are far away: what the clock reads instead of looking at everything that is open.
//!
//! A record whose due time is more than [`layout::FAR_MS`] away has a row in the index `wake`. The clock goes through
//! each shard once a minute, from where it was to a quarter of an hour from now, sends a message per row, and remembers
//! how far it came. A row may be of a record that others have followed: then whoever gets the message finds nothing due.

use engine::ports::StoreError;
use interpreter::Timestamp;

use crate::failure::{refused, store_error};
use crate::item::{Item, Reading, item_of, key, number, text};
use crate::layout;
use crate::table::{Condition, Table};

/// A piece of the due times between two moments.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WakePage {
    /// Executions and their due times, in the order of these.
    pub due: Vec<(Timestamp, String)>,
    /// What `page` has to be to go on; `None` at the end.
    pub next: Option<String>,
}

/// How far the clock has come in a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// What is due until then has its message, …
    pub after: Timestamp,
    /// … and of what is due later, what comes before this place.
    pub place: Option<String>,
}

impl Table {
    /// The due times in a shard (of [`layout::SHARDS`]) after `after`, up to `until` inclusive, at most `limit` of them.
    /// May miss what was written in the last seconds; that is due in 20 minutes at the earliest.
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

    /// How far the clock has come in a shard; `None` before its first time.
    pub async fn cursor(&self, shard: u64) -> Result<Option<Cursor>, StoreError> {
        let Some(item) = self.get(layout::CLOCK_PARTITION, &shard.to_string()).await? else { return Ok(None) };
        let reading = Reading(&item).known_format()?;
        let place = item.contains_key(layout::PLACE).then(|| reading.text(layout::PLACE)).transpose()?;
        Ok(Some(Cursor { after: Timestamp(reading.number(layout::DUE)?), place: place.map(str::to_owned) }))
    }

    /// Remembers how far the clock has come. Two clocks at a time send messages twice, which does no harm.
    pub async fn move_cursor(&self, shard: u64, to: &Cursor) -> Result<(), StoreError> {
        let mut item = item_of(key(layout::CLOCK_PARTITION, &shard.to_string()));
        item.extend(item_of([(layout::FORMAT, number(layout::VERSION)), (layout::DUE, number(to.after.0))]));
        if let Some(place) = &to.place {
            item.extend(item_of([(layout::PLACE, text(place.clone()))]));
        }
        self.put(item, Condition::None).await.map(|_| ())
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
