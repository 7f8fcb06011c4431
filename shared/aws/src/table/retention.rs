//! How items expire, and why no reader ever sees half an execution.
//!
//! DynamoDB's time to live deletes what is expired, some day, in any order, item by item. So it must never matter which
//! items of an execution are still there: readers go by what items say about themselves, and an expired item is treated
//! as if it were deleted. With W the moment of writing, R the retention:
//!
//! | item | expires at | is treated as absent from |
//! |---|---|---|
//! | record, chunk | W + R + 30 days | its expiry |
//! | head | W + R + 60 days | 31 days before its expiry |
//!
//! That holds three things at once, as long as the sweep stamps executions anew ([`Table::stamp_anew`]) that are open 20
//! days after their last stamp:
//!
//! 1. Until close + R everything is there: the service shows a closed execution exactly that long, and goes by the
//!    closing record, not by this.
//! 2. A head without its closing record never looks like an open execution: the head is absent before any other
//!    record may be deleted.
//! 3. **A name is free when its predecessor is gone, without a generation in the key.** A new head is put where there is
//!    none, or over one that is expired: then all records of the predecessor are expired too, so readers pass them by and
//!    appends write over them. A head that is absent to readers and not expired yet is cleared away by the append
//!    that meets it. (A generation in the key would cost every reader a read of which one it is; the new start's own
//!    time in every record would make every append a comparison; both for names that are used again after months.)
//!
//! A day of each span is there for clocks that differ. If no sweep runs for 30 days, executions that stay open longer
//! lose their first items: the sweep is part of the installation, and alarmed.
//!
//! The append that reopens a closed execution stamps it anew first, where its last stamp is that old: its earlier records
//! would expire before the new ones.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::builders::DeleteBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, TransactWriteItem};
use engine::ports::{Direction, Seen, StoreError};
use futures_util::future::try_join;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use interpreter::Timestamp;

use crate::failure::{damaged, refused, store_error};
use crate::layout;
use crate::table::item::{Item, Reading, item_of, key, number};
use crate::table::{Range, Table, seconds};

const DAY: i64 = 24 * 60 * 60;
/// How much longer than the retention items are kept.
const GRACE: i64 = 30 * DAY;
/// How much longer than its other items a head is kept. No record is written later than this after the last stamp.
const HEAD: i64 = 30 * DAY;
/// Clocks may differ by this.
const MARGIN: i64 = DAY;
/// An open execution is stamped anew this long after its last stamp.
const STAMP_AFTER: i64 = 20 * DAY;
/// Deletions and stamps on their way at a time.
const AT_A_TIME: usize = 16;

/// How long closed executions are shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Retention {
    pub days: u32,
}

impl Retention {
    /// When a record, or a chunk (as record 1), that is written now expires, in seconds.
    pub fn expires(self, sequence: u64, now: Timestamp) -> i64 {
        let kept = seconds(now).saturating_add(i64::from(self.days).saturating_mul(DAY)).saturating_add(GRACE);
        if sequence == 0 { kept.saturating_add(HEAD) } else { kept }
    }
}

/// Whether a record is to be treated as absent.
fn is_over(sequence: u64, expires: i64, now: Timestamp) -> bool {
    let early = if sequence == 0 { HEAD + MARGIN } else { 0 };
    expires.saturating_sub(early) <= seconds(now)
}

impl Table {
    /// Whether an item of a record, or its row in `list`, is to be treated as absent.
    pub(crate) fn is_gone(&self, item: &Item) -> Result<bool, StoreError> {
        let reading = Reading(item).known_format()?;
        Ok(is_over(reading.sequence()?, reading.number(layout::EXPIRES)?, self.now()))
    }

    /// Gives the items of an execution that stays open their full time again, when their last stamp is old enough; how
    /// many it stamped. The daily sweep calls this for every open execution.
    pub async fn stamp_anew(&self, execution: &str) -> Result<usize, StoreError> {
        let head_key = layout::record_key(0);
        let Some(head) = self.get(execution, &head_key).await? else { return Ok(0) };
        let now = self.now();
        let fresh = self.retention.expires(0, now);
        let stamped: i64 = Reading(&head).known_format()?.number(layout::EXPIRES)?;
        if fresh.saturating_sub(stamped) < STAMP_AFTER {
            return Ok(0);
        }
        let keys = self.keys_of(execution).await?;
        let count = keys.len();
        let mut others = Vec::with_capacity(count);
        for item in keys {
            if Reading(&item).text(layout::SORT)? != head_key {
                others.push(self.stamp(item_of_key(&item)?, self.retention.expires(1, now)));
            }
        }
        stream::iter(others).buffer_unordered(AT_A_TIME).try_collect::<Vec<()>>().await?;
        // The head last: its stamp says that the others have theirs.
        self.stamp(item_of(key(execution, &head_key)), fresh).await?;
        Ok(count)
    }

    async fn stamp(&self, key: Item, expires: i64) -> Result<(), StoreError> {
        let request = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(key))
            .update_expression(format!("SET {} = :expires", layout::EXPIRES))
            .condition_expression(format!("attribute_exists({})", layout::PARTITION))
            .expression_attribute_values(":expires", number(expires));
        let Err(error) = request.send().await else { return Ok(()) };
        match error.as_service_error() {
            // It was removed in between.
            Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(()),
            _ => Err(store_error("stamp an item", error)),
        }
    }

    /// The port's `forget`.
    pub(crate) async fn forget_closed(&self, seen: &Seen) -> Result<(), StoreError> {
        let Seen { execution, head, last } = seen;
        let head_key = layout::record_key(0);
        let (first, there) = try_join(self.get(execution, &head_key), self.last(execution)).await?;
        let Some((first, there)) = first.as_ref().map(Reading).zip(there.as_ref().map(Reading)) else { return Ok(()) };
        if first.number::<u64>(layout::NONCE)? != *head || there.sequence()? != *last {
            return Ok(());
        }
        if there.flag(layout::OPEN)? {
            return Err(refused(format!("{execution} is open and cannot be forgotten")));
        }
        self.clear(execution, *head, Some(*last)).await
    }

    /// Removes the items of an execution that is closed or gone, if its head still has that nonce, and the execution ends with
    /// record `last` if one is named; so that a process that dies in between leaves it closed or gone.
    ///
    /// The name may be in use again at any moment. What was read is the predecessor's if its head is still there afterwards:
    /// no head comes back. Records are deleted only as they were seen, since a request may arrive late. Those between head
    /// and last record go first; then these two at once, unless a record follows the last by then; then cells and chunks, whose
    /// keys no successor has.
    pub(crate) async fn clear(&self, execution: &str, head: u64, last: Option<u64>) -> Result<(), StoreError> {
        let (mut records, mut others) = (Vec::new(), Vec::new());
        for item in self.keys_of(execution).await? {
            let is_record = layout::record_sequence(Reading(&item).text(layout::SORT)?).is_some();
            if is_record { records.push(item) } else { others.push(item) }
        }
        let first = self.get(execution, &layout::record_key(0)).await?;
        let nonce: Option<u64> = first.map(|first| Reading(&first).number(layout::NONCE)).transpose()?;
        let Some(there) = records.last().map(|last| Reading(last).sequence()).transpose()? else { return Ok(()) };
        if nonce != Some(head) || last.is_some_and(|last| last != there) {
            return Ok(());
        }
        let mut ends: Vec<Item> = records.pop().into_iter().collect();
        if !records.is_empty() {
            ends.push(records.remove(0));
        }
        let between: Vec<_> = records.iter().map(|record| self.delete_as_seen(record)).collect();
        stream::iter(between).buffer_unordered(AT_A_TIME).try_collect::<Vec<()>>().await?;
        if !self.delete_ends_as_seen(execution, &ends, there.saturating_add(1)).await? {
            return Ok(());
        }
        let deletions = others.into_iter().map(|item| async move {
            let request = self.client.delete_item().table_name(&self.name).set_key(Some(item_of_key(&item)?));
            request.send().await.map_err(|error| store_error("delete a chunk or cell", error))?;
            Ok::<(), StoreError>(())
        });
        stream::iter(deletions).buffer_unordered(AT_A_TIME).try_collect::<Vec<()>>().await?;
        Ok(())
    }

    /// The keys and nonces of all items of an execution, records in order.
    async fn keys_of(&self, execution: &str) -> Result<Vec<Item>, StoreError> {
        let range = Range {
            partition: execution,
            from: layout::CHUNK_PREFIX.to_owned(),
            to: layout::AFTER_CELLS.to_owned(),
            direction: Direction::Ascending,
            only: &[layout::PARTITION, layout::SORT, layout::NONCE],
        };
        self.pages(&range).await
    }

    async fn delete_as_seen(&self, record: &Item) -> Result<(), StoreError> {
        let request = self
            .client
            .delete_item()
            .table_name(&self.name)
            .set_key(Some(item_of_key(record)?))
            .condition_expression(AS_SEEN)
            .set_expression_attribute_values(Some(seen(record)?));
        let Err(error) = request.send().await else { return Ok(()) };
        match error.as_service_error() {
            // Another clearing was here, and perhaps a new execution too.
            Some(DeleteItemError::ConditionalCheckFailedException(_)) => Ok(()),
            _ => Err(store_error("delete a record", error)),
        }
    }

    /// Deletes the ends of an execution at once, if both are as they were seen and no record follows; false: they are not.
    async fn delete_ends_as_seen(&self, execution: &str, ends: &[Item], next: u64) -> Result<bool, StoreError> {
        let mut request = self.client.transact_write_items();
        for record in ends {
            let delete =
                Delete::builder().condition_expression(AS_SEEN).set_expression_attribute_values(Some(seen(record)?));
            request = request.transact_items(self.deletion(delete, item_of_key(record)?)?);
        }
        // It deletes nothing: what counts is its condition.
        let next = item_of(key(execution, &layout::record_key(next)));
        let nothing = Delete::builder().condition_expression(format!("attribute_not_exists({})", layout::PARTITION));
        request = request.transact_items(self.deletion(nothing, next)?);
        let Err(error) = request.send().await else { return Ok(true) };
        match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(cancelled))
                if cancelled.cancellation_reasons().iter().any(|reason| reason.code() == Some(REFUSED)) =>
            {
                Ok(false)
            }
            _ => Err(store_error("delete the ends of an execution", error)),
        }
    }

    fn deletion(&self, delete: DeleteBuilder, key: Item) -> Result<TransactWriteItem, StoreError> {
        let delete = delete.table_name(&self.name).set_key(Some(key)).build();
        let delete = delete.map_err(|error| damaged(&error.to_string()))?;
        Ok(TransactWriteItem::builder().delete(delete).build())
    }
}

const AS_SEEN: &str = "nonce = :seen";
/// DynamoDB's word for a condition that did not hold, among a transaction's reasons.
const REFUSED: &str = "ConditionalCheckFailed";

fn seen(record: &Item) -> Result<HashMap<String, AttributeValue>, StoreError> {
    let nonce: u64 = Reading(record).number(layout::NONCE)?;
    Ok(HashMap::from([(":seen".to_owned(), number(nonce))]))
}

/// The key of an item, without what else was read of it.
fn item_of_key(item: &Item) -> Result<Item, StoreError> {
    let reading = Reading(item);
    Ok(item_of(key(reading.text(layout::PARTITION)?, reading.text(layout::SORT)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETENTION: Retention = Retention { days: 90 };

    fn at(day: i64) -> Timestamp {
        Timestamp(day * DAY * 1_000)
    }

    #[test]
    fn an_execution_is_there_until_close_and_retention() {
        // Stamped on day 0, closed on the last day before a new stamp, with a day for the sweep.
        let close = (STAMP_AFTER + DAY) / DAY;
        let until = at(close + 90);
        assert!(!is_over(0, RETENTION.expires(0, at(0)), until));
        for written in 0..=close {
            assert!(!is_over(1, RETENTION.expires(1, at(written)), until));
        }
    }

    #[test]
    fn a_head_is_absent_before_any_record_may_be_deleted() {
        let head = RETENTION.expires(0, at(0));
        for written in 0..=29 {
            let first_deletion = Timestamp(RETENTION.expires(1, at(written)) * 1_000);
            assert!(is_over(0, head, first_deletion), "record of day {written}");
        }
    }

    #[test]
    fn all_records_are_expired_when_the_head_is() {
        let head_expiry = Timestamp(RETENTION.expires(0, at(0)) * 1_000);
        for written in 0..=30 {
            assert!(is_over(1, RETENTION.expires(1, at(written)), head_expiry), "record of day {written}");
        }
    }
}
