//! The store: one DynamoDB table. Here are its requests; the modules implement the ports with them.

mod activities;
mod cells;
mod chunks;
mod compression;
pub(crate) mod cursor;
mod dictionary;
mod documents;
mod item;
mod journal;
mod keys;
pub mod layout;
mod list;
pub(crate) mod open;
mod retention;
mod visits;
mod wake;

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use engine::ports::{Clock, Direction, StoreError};
use interpreter::Timestamp;

use crate::failure::store_error;

use item::{Item, bytes, item_of, key, number, text};
use retention::Retention;
pub use wake::{Cursor, WakePage};

/// The store of an installation: the ports `Journal`, `Documents` and `ActivityQueue` on one DynamoDB table.
#[derive(Clone)]
pub struct Table {
    pub(crate) client: Client,
    pub(crate) name: String,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) retention: Retention,
}

/// The outcome of a conditional put.
pub(crate) enum Put {
    Done,
    /// The condition did not hold; the item that is there.
    Refused(Item),
}

/// The sort keys of a partition that a query is about, both ends included.
pub(crate) struct Range<'a> {
    pub partition: &'a str,
    pub from: String,
    pub to: String,
    pub direction: Direction,
    /// Attributes to be sent; empty: all.
    pub only: &'a [&'static str],
}

/// One page of a query.
pub(crate) struct Page {
    pub items: Vec<Item>,
    /// Where the next one begins.
    pub next: Option<Item>,
}

/// The condition of a put.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Condition<'a> {
    /// Unconditional.
    None,
    /// Nothing.
    Free,
    /// Nothing, or an expired item.
    FreeOrExpired(Timestamp),
    /// Nothing, or a cell that is not final.
    Unfinished,
    /// An item with that nonce.
    Nonce(u64),
    /// An item with that plain body.
    Body(&'a [u8]),
    /// A machine with that many writes.
    Writes(u64),
}

impl Table {
    /// The table `name`. `retention_days`: how long closed executions are shown; the service's own setting.
    pub fn new(client: Client, name: impl Into<String>, clock: Arc<dyn Clock>, retention_days: u32) -> Table {
        Table { client, name: name.into(), clock, retention: Retention { days: retention_days } }
    }

    pub(crate) async fn put(&self, item: Item, condition: Condition<'_>) -> Result<Put, StoreError> {
        let request = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(item))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let free = format!("attribute_not_exists({})", layout::PARTITION);
        let request = match condition {
            Condition::None => request,
            Condition::Free => request.condition_expression(free),
            Condition::FreeOrExpired(now) => request
                .condition_expression(format!("{free} OR {} <= :now", layout::EXPIRES))
                .expression_attribute_values(":now", number(seconds(now))),
            Condition::Unfinished => request
                .condition_expression(format!("{free} OR #last = :unfinished"))
                .expression_attribute_names("#last", layout::LAST)
                .expression_attribute_values(":unfinished", AttributeValue::Bool(false)),
            Condition::Nonce(nonce) => request
                .condition_expression(format!("{} = :seen", layout::NONCE))
                .expression_attribute_values(":seen", number(nonce)),
            Condition::Body(body) => request
                .condition_expression("#body = :seen")
                .expression_attribute_names("#body", layout::BODY)
                .expression_attribute_values(":seen", bytes(body.to_vec())),
            Condition::Writes(writes) => request
                .condition_expression("#writes = :writes")
                .expression_attribute_names("#writes", layout::WRITES)
                .expression_attribute_values(":writes", number(writes)),
        };
        let Err(error) = request.send().await else { return Ok(Put::Done) };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(refusal)) => {
                Ok(Put::Refused(refusal.item().cloned().unwrap_or_default()))
            }
            _ => Err(store_error("put an item", error)),
        }
    }

    /// Sees every put that returned before.
    pub(crate) async fn get(&self, partition: &str, sort: &str) -> Result<Option<Item>, StoreError> {
        let key = item_of(key(partition, sort));
        let request = self.client.get_item().table_name(&self.name).set_key(Some(key)).consistent_read(true);
        let answer = request.send().await.map_err(|error| store_error("get an item", error))?;
        Ok(answer.item)
    }

    /// A page of a partition: 1 MB at most, `limit` items at most. Sees every put that returned before.
    pub(crate) async fn page(
        &self,
        range: &Range<'_>,
        start: Option<Item>,
        limit: Option<usize>,
    ) -> Result<Page, StoreError> {
        let mut request = self
            .client
            .query()
            .table_name(&self.name)
            .consistent_read(true)
            .key_condition_expression(format!(
                "{} = :partition AND {} BETWEEN :from AND :to",
                layout::PARTITION,
                layout::SORT
            ))
            .expression_attribute_values(":partition", text(range.partition))
            .expression_attribute_values(":from", text(range.from.as_str()))
            .expression_attribute_values(":to", text(range.to.as_str()))
            .scan_index_forward(range.direction == Direction::Ascending)
            .set_exclusive_start_key(start)
            .set_limit(limit.map(|limit| i32::try_from(limit).unwrap_or(i32::MAX)));
        if !range.only.is_empty() {
            let (expression, names) = projection(range.only);
            request = request.projection_expression(expression).set_expression_attribute_names(Some(names));
        }
        let answer = request.send().await.map_err(|error| store_error("query a partition", error))?;
        Ok(Page { items: answer.items.unwrap_or_default(), next: answer.last_evaluated_key })
    }

    /// All pages of a partition.
    pub(crate) async fn pages(&self, range: &Range<'_>) -> Result<Vec<Item>, StoreError> {
        self.pages_after(range, None).await
    }

    /// All pages from where another one ended.
    pub(crate) async fn pages_after(
        &self,
        range: &Range<'_>,
        mut start: Option<Item>,
    ) -> Result<Vec<Item>, StoreError> {
        let mut items = Vec::new();
        loop {
            let page = self.page(range, start, None).await?;
            items.extend(page.items);
            match page.next {
                Some(next) => start = Some(next),
                None => return Ok(items),
            }
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A random number, unique to its writer.
    pub(crate) fn nonce(&self) -> u64 {
        self.clock.nonce()
    }
}

/// Many words are reserved in expressions, so every name is given another one.
fn projection(names: &[&'static str]) -> (String, std::collections::HashMap<String, String>) {
    let aliases = names.iter().enumerate().map(|(index, name)| (format!("#a{index}"), (*name).to_owned()));
    let expression = (0..names.len()).map(|index| format!("#a{index}")).collect::<Vec<_>>().join(", ");
    (expression, aliases.collect())
}

pub(crate) fn seconds(time: Timestamp) -> i64 {
    time.0.div_euclid(1_000)
}
