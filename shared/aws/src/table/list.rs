//! Lists of executions, from the index `list`.
//!
//! A machine's rows lie in [`layout::SHARDS`] partitions, each sorted by start time, ARN and sequence. A list reads all
//! of them backwards and merges: the first row met of an execution is its last one and counts, the others are
//! passed by. The index follows the table within milliseconds, as AWS's own lists do.

use std::collections::VecDeque;

use engine::ports::{ListPage, ListQuery, StoreError};
use futures_util::future::try_join_all;
use interpreter::Timestamp;

use crate::failure::{refused, store_error};
use crate::layout;
use crate::table::Table;
use crate::table::item::{Item, Reading, item_of, listing_of, text};

/// Pages read for one list at most, over all shards: what is not found by then is the next list's.
const MOST_PAGES: usize = 64;
/// Rows of a page at most: a row has about 500 bytes and a page 1 MB.
pub(crate) const MOST_ROWS: usize = 1_000;

/// Rows of a shard that were read and not used yet.
struct Shard {
    partition: String,
    rows: VecDeque<Item>,
    start: Option<Item>,
    ended: bool,
}

/// Where a row stands, and whose it is.
type Place = (String, Timestamp, String);

impl Table {
    pub(crate) async fn list_executions(&self, query: &ListQuery) -> Result<ListPage, StoreError> {
        let before = match &query.after {
            Some((started, execution)) => layout::place_before(*started, execution)
                .ok_or_else(|| refused("a list cannot go on at a time that is none".to_owned()))?,
            // Greater than every digit.
            None => ":".to_owned(),
        };
        let partition = |shard| layout::list_partition(&query.machine, shard);
        let shard = |shard| Shard { partition: partition(shard), rows: VecDeque::new(), start: None, ended: false };
        let mut shards: Vec<Shard> = (0..layout::SHARDS).map(shard).collect();
        let (mut page, mut pages) = (ListPage::default(), 0);
        let mut last: Option<(Timestamp, String)> = None;
        while page.listings.len() < query.limit {
            let empty = shards.iter().filter(|shard| shard.rows.is_empty() && !shard.ended).count();
            if pages + empty > MOST_PAGES {
                break;
            }
            pages += empty;
            let hungry = shards.iter_mut().filter(|shard| shard.rows.is_empty() && !shard.ended);
            try_join_all(hungry.map(|shard| self.refill(shard, &before, rows_for(query)))).await?;
            if shards.iter().any(|shard| shard.rows.is_empty() && !shard.ended) {
                continue;
            }
            let Some((row, (_, started, execution))) = greatest(&mut shards)? else { return Ok(page) };
            if last.as_ref().is_some_and(|(_, seen)| *seen == execution) {
                continue;
            }
            last = Some((started, execution));
            if self.is_gone(&row)? {
                continue;
            }
            let listing = listing_of(&row)?;
            if query.status.is_none_or(|status| status == listing.status) {
                page.listings.push(listing);
            }
        }
        page.next = last.or_else(|| query.after.clone());
        Ok(page)
    }

    async fn refill(&self, shard: &mut Shard, before: &str, rows: usize) -> Result<(), StoreError> {
        let request = self
            .client
            .query()
            .table_name(&self.name)
            .index_name(layout::LIST_INDEX.name)
            .key_condition_expression("#list = :list AND #place < :before")
            .expression_attribute_names("#list", layout::LIST)
            .expression_attribute_names("#place", layout::PLACE)
            .expression_attribute_values(":list", text(shard.partition.as_str()))
            .expression_attribute_values(":before", text(before))
            .scan_index_forward(false)
            .limit(i32::try_from(rows).unwrap_or(i32::MAX))
            .set_exclusive_start_key(shard.start.take());
        let answer = request.send().await.map_err(|error| store_error("list executions", error))?;
        shard.rows = answer.items.unwrap_or_default().into();
        shard.start = answer.last_evaluated_key;
        shard.ended = shard.start.is_none();
        Ok(())
    }
}

/// How many rows of a shard to read at a time: two rows an execution, spread over the shards; more in search of a status.
fn rows_for(query: &ListQuery) -> usize {
    let rows = query.limit.saturating_mul(2) / 4 + 8;
    match query.status {
        None => rows.min(MOST_ROWS),
        Some(_) => rows.saturating_mul(4).min(MOST_ROWS),
    }
}

/// Takes the greatest row of all shards; `None` when they are all at their end.
fn greatest(shards: &mut [Shard]) -> Result<Option<(Item, Place)>, StoreError> {
    let mut best: Option<(usize, Place)> = None;
    for (index, shard) in shards.iter().enumerate() {
        let Some(row) = shard.rows.front() else { continue };
        let place = place_of(row)?;
        if best.as_ref().is_none_or(|(_, other)| place.0 > other.0) {
            best = Some((index, place));
        }
    }
    let taken = best.and_then(|(index, place)| Some((shards.get_mut(index)?.rows.pop_front()?, place)));
    Ok(taken)
}

fn place_of(row: &Item) -> Result<Place, StoreError> {
    let place = Reading(row).text(layout::PLACE)?;
    let odd = || refused(format!("a row of the list index has no place that makes sense: {place}"));
    let (started, execution, _) = layout::placed(place).ok_or_else(odd)?;
    Ok((place.to_owned(), started, execution.to_owned()))
}

/// The keys of an index's row, all of them text, as one text.
pub(crate) fn token_of(key: &Item) -> Result<String, StoreError> {
    let reading = Reading(key);
    let names = [layout::PARTITION, layout::SORT, layout::LIST, layout::PLACE];
    let values: Result<Vec<&str>, StoreError> = names.iter().map(|name| reading.text(name)).collect();
    serde_json::to_string(&values?).map_err(|error| refused(error.to_string()))
}

pub(crate) fn start_of(token: &str) -> Result<Item, StoreError> {
    let [partition, sort, list, place]: [String; 4] = serde_json::from_str(token)
        .map_err(|_| refused("this is no place in the list of open executions".to_owned()))?;
    let keys = [(layout::PARTITION, partition), (layout::SORT, sort), (layout::LIST, list), (layout::PLACE, place)];
    Ok(item_of(keys.map(|(name, value)| (name, text(value)))))
}
