//! The port `Documents`: state machines, each one item that is written over conditionally, and revisions, written once.
//!
//! Machines lie in [`layout::SHARDS`] partitions by a hash of their ARN, so that starts of many machines do not read one
//! partition; a list merges them. Neither machines nor revisions expire: executions pin revisions, and which
//! revisions they pin only a reader of all entries would know.

use async_trait::async_trait;
use engine::ports::{Direction, Document, Documents, StoreError};
use futures_util::future::try_join_all;

use crate::failure::{damaged, raced, store_error};
use crate::layout;
use crate::table::chunks::ChunksAt;
use crate::table::item::{Item, Reading, item_of, key, number};
use crate::table::{Condition, Put, Range, Table};

/// Readings of an item that is replaced while its chunks are read.
const READINGS: u32 = 4;

#[async_trait]
impl Documents for Table {
    async fn get(&self, arn: &str) -> Result<Option<Document>, StoreError> {
        let shard = layout::shard(arn);
        for _ in 0..READINGS {
            let Some(item) = Table::get(self, &layout::machine_partition(shard), arn).await? else { return Ok(None) };
            match self.machine(shard, &item).await {
                // Its chunks are gone: there is a newer one.
                Err(error) if error.retryable => {}
                machine => return machine.map(Some),
            }
        }
        Err(raced(format!("{arn} changes faster than it can be read")))
    }

    async fn put(&self, document: Document) -> Result<bool, StoreError> {
        let (shard, nonce) = (layout::shard(&document.key), self.nonce());
        let chunks = layout::machine_chunks(shard);
        let at = ChunksAt { partition: &chunks, nonce };
        let replaced = match document.version {
            1 => None,
            _ => Table::get(self, &layout::machine_partition(shard), &document.key).await?,
        };
        let mut attributes = Vec::from(key(&layout::machine_partition(shard), &document.key));
        attributes.extend([
            (layout::FORMAT, number(layout::VERSION)),
            (layout::NONCE, number(nonce)),
            (layout::WRITES, number(document.version)),
        ]);
        attributes.extend(self.store_body(at, document.body.as_bytes(), None).await?);
        let condition = match document.version {
            1 => Condition::Free,
            version => Condition::Writes(version.saturating_sub(1)),
        };
        let written = match Table::put(self, item_of(attributes), condition).await? {
            Put::Done => true,
            // Written, and the answer lost.
            Put::Refused(found) => Reading(&found).optional(layout::NONCE)? == Some(nonce),
        };
        if written {
            self.remove_named(&chunks, replaced.as_ref()).await;
        } else {
            self.remove_chunks(at).await?;
        }
        Ok(written)
    }

    async fn remove(&self, arn: &str, version: u64) -> Result<bool, StoreError> {
        let shard = layout::shard(arn);
        let partition = layout::machine_partition(shard);
        let Some(item) = Table::get(self, &partition, arn).await? else { return Ok(false) };
        let reading = Reading(&item).known_format()?;
        let nonce: u64 = reading.number(layout::NONCE)?;
        if reading.number::<u64>(layout::WRITES)? != version {
            return Ok(false);
        }
        let removed = self.remove_machine(&partition, arn, nonce).await?;
        if removed {
            self.remove_named(&layout::machine_chunks(shard), Some(&item)).await;
        }
        Ok(removed)
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Document>, StoreError> {
        let shards = (0..layout::SHARDS).map(|shard| self.documents_of(shard, (prefix, after), limit));
        let mut found: Vec<(u64, Item)> = try_join_all(shards).await?.into_iter().flatten().collect();
        let arn = |(_, item): &(u64, Item)| Reading(item).text(layout::SORT).unwrap_or_default().to_owned();
        found.sort_by_cached_key(arn);
        found.truncate(limit);
        let mut machines = Vec::with_capacity(found.len());
        for (shard, item) in &found {
            match self.machine(*shard, item).await {
                Err(error) if error.retryable => {
                    machines.extend(Documents::get(self, Reading(item).text(layout::SORT)?).await?);
                }
                machine => machines.push(machine?),
            }
        }
        Ok(machines)
    }

    async fn put_revision(&self, hash: &str, definition: &str) -> Result<(), StoreError> {
        let (partition, nonce) = (layout::revision_partition(hash), self.nonce());
        let at = ChunksAt { partition: &partition, nonce };
        if Table::get(self, &partition, layout::REVISION_SORT).await?.is_some() {
            return Ok(());
        }
        let mut attributes = Vec::from(key(&partition, layout::REVISION_SORT));
        attributes.extend([(layout::FORMAT, number(layout::VERSION)), (layout::NONCE, number(nonce))]);
        attributes.extend(self.store_body(at, definition.as_bytes(), None).await?);
        match Table::put(self, item_of(attributes), Condition::Free).await? {
            Put::Done => Ok(()),
            Put::Refused(found) if Reading(&found).optional(layout::NONCE)? == Some(nonce) => Ok(()),
            Put::Refused(_) => self.remove_chunks(at).await,
        }
    }

    async fn revision(&self, hash: &str) -> Result<Option<String>, StoreError> {
        let partition = layout::revision_partition(hash);
        let Some(item) = Table::get(self, &partition, layout::REVISION_SORT).await? else { return Ok(None) };
        let nonce = Reading(&item).known_format()?.number(layout::NONCE)?;
        let body = self.load_body(ChunksAt { partition: &partition, nonce }, &item).await?;
        text_of(body).map(Some)
    }
}

impl Table {
    async fn machine(&self, shard: u64, item: &Item) -> Result<Document, StoreError> {
        let reading = Reading(item).known_format()?;
        let chunks = layout::machine_chunks(shard);
        let at = ChunksAt { partition: &chunks, nonce: reading.number(layout::NONCE)? };
        Ok(Document {
            key: reading.text(layout::SORT)?.to_owned(),
            version: reading.number(layout::WRITES)?,
            body: text_of(self.load_body(at, item).await?)?,
        })
    }

    async fn documents_of(
        &self,
        shard: u64,
        (prefix, after): (&str, Option<&str>),
        limit: usize,
    ) -> Result<Vec<(u64, Item)>, StoreError> {
        let first = if prefix.is_empty() { " ".to_owned() } else { prefix.to_owned() };
        let range = Range {
            partition: &layout::machine_partition(shard),
            // The smallest text that is greater than `after`. A sort key is never empty.
            from: after.map_or_else(String::new, |after| format!("{after}\0")).max(first),
            to: format!("{prefix}{}", char::MAX),
            direction: Direction::Ascending,
            only: &[],
        };
        let (mut found, mut start) = (Vec::new(), None);
        while found.len() < limit {
            let page = self.page(&range, start, Some(limit - found.len())).await?;
            found.extend(page.items.into_iter().map(|item| (shard, item)));
            match page.next {
                Some(next) => start = Some(next),
                None => break,
            }
        }
        Ok(found)
    }

    /// Deletes a machine's item if it is still the one with that nonce.
    async fn remove_machine(&self, partition: &str, arn: &str, nonce: u64) -> Result<bool, StoreError> {
        let request = self
            .client
            .delete_item()
            .table_name(&self.name)
            .set_key(Some(item_of(key(partition, arn))))
            .condition_expression("nonce = :nonce")
            .expression_attribute_values(":nonce", number(nonce));
        let Err(error) = request.send().await else { return Ok(true) };
        match error.as_service_error() {
            Some(refusal) if refusal.is_conditional_check_failed_exception() => {
                // Nothing there: this deletion, whose response was lost. Else a concurrent writer's document.
                Ok(Table::get(self, partition, arn).await?.is_none())
            }
            _ => Err(store_error("delete a state machine", error)),
        }
    }

    /// Removes the chunks of an item that was replaced. An error costs storage only.
    async fn remove_named(&self, chunks: &str, item: Option<&Item>) {
        let Some(reading) = item.map(Reading) else { return };
        let named = reading.optional::<usize>(layout::CHUNKS).ok().flatten();
        if let (Some(_), Ok(nonce)) = (named, reading.number(layout::NONCE))
            && let Err(error) = self.remove_chunks(ChunksAt { partition: chunks, nonce }).await
        {
            tracing::warn!(%error, "table: chunks of a replaced document not deleted, they cost storage");
        }
    }
}

fn text_of(body: Vec<u8>) -> Result<String, StoreError> {
    String::from_utf8(body).map_err(|_| damaged("a definition is no text"))
}
