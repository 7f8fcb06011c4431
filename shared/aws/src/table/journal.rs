//! The port `Journal`: an execution is a partition, a record an item that is written once.
//!
//! | call | requests, usually |
//! |---|---|
//! | `append` | one conditional put; a body beyond 400 KB: a put per chunk before it |
//! | `tail`, `load` | one strongly consistent query |
//! | `put_cell` | one conditional put |
//! | `ends` | two strongly consistent reads at a time |
//! | `read` | one strongly consistent query a page of 1 MB |
//!
//! An append cannot see that it leaves a gap: that no record is skipped is the caller's side of the port. No program edits a
//! record, so what a reader assembles from several requests fits together.

use async_trait::async_trait;
use engine::ports::{
    Appended, Cell, Direction, Expect, Journal, ListPage, ListQuery, OpenPage, Put as CellPut, Record, Seen, StoreError,
};
use engine::shown::Shown;
use futures_util::future::try_join;

use super::compression::decompress;
use crate::failure::raced;
use crate::layout;
use crate::table::chunks::ChunksAt;
use crate::table::item::{Item, Reading, attributes_of, item_of, number, record_of};
use crate::table::{Condition, Put, Range, Table};

/// Items that a load reads before it asks where the tail begins: all of most executions, and little of a long one.
const FIRST_ITEMS: usize = 64;
/// Tries of an append that finds a head whose time is over, and clears it away.
const CLEARINGS: u32 = 3;

#[async_trait]
impl Journal for Table {
    async fn append(&self, record: Record) -> Result<Appended, StoreError> {
        let now = self.now();
        if is_of_redriven(&record) {
            self.stamp_anew(&record.execution).await?;
        }
        let expires = self.retention.expires(record.sequence, now);
        let at = ChunksAt { partition: &record.execution, nonce: record.nonce };
        let mut attributes = attributes_of(&record, now)?;
        attributes.push((layout::EXPIRES, number(expires)));
        attributes.extend(self.store_body(at, &record.body, Some(self.retention.expires(1, now))).await?);
        let item = item_of(attributes);
        for _ in 0..CLEARINGS {
            let winner = match self.put(item.clone(), Condition::FreeOrExpired(now)).await? {
                Put::Done => return Ok(Appended::Written),
                Put::Refused(winner) => winner,
            };
            if !self.is_gone(&winner)? {
                return Ok(Appended::Taken(Box::new(self.record(&winner).await?)));
            }
            // Its name is free, and its items are still there.
            self.clear(&record.execution, Reading(&winner).number(layout::NONCE)?, None).await?;
        }
        Err(raced(format!("{} is being cleared away", record.execution)))
    }

    async fn tail(&self, execution: &str) -> Result<Vec<Record>, StoreError> {
        Ok(self.load(execution).await?.0)
    }

    async fn load(&self, execution: &str) -> Result<(Vec<Record>, Vec<Cell>), StoreError> {
        let whole = with_cells(execution, 0);
        let first = self.page(&whole, None, Some(FIRST_ITEMS)).await?;
        let Some(head) = first.items.first().cloned() else { return Ok((Vec::new(), Vec::new())) };
        if layout::record_sequence(Reading(&head).text(layout::SORT)?) != Some(0) || self.is_gone(&head)? {
            return Ok((Vec::new(), Vec::new()));
        }
        let mut items = first.items;
        if let Some(next) = first.next {
            // Longer than a page: the last record says where the tail begins.
            let last = self.last(execution).await?.unwrap_or_else(|| head.clone());
            let full = Reading(&last).known_format()?.number(layout::FULL)?;
            // Behind the records are the cells, and then they have all been read.
            let read = items.last().map(|last| Reading(last).text(layout::SORT)).transpose()?;
            if read.is_some_and(|read| *layout::record_key(full) <= *read) {
                items.extend(self.pages_after(&whole, Some(next)).await?);
            } else {
                items = self.pages(&with_cells(execution, full)).await?;
                items.insert(0, head);
            }
        }
        let (cells, items): (Vec<Item>, Vec<Item>) = items.into_iter().partition(is_cell);
        let items = self.kept(items)?;
        let full = match items.last() {
            Some(last) => Reading(last).known_format()?.number(layout::FULL)?,
            None => 0,
        };
        let mut records = Vec::with_capacity(items.len());
        for item in &items {
            let sequence = Reading(item).sequence()?;
            if sequence == 0 || sequence >= full {
                records.push(self.record(item).await?);
            }
        }
        Ok((records, self.cells_of(&cells).await?))
    }

    async fn cells(&self, execution: &str) -> Result<Vec<Cell>, StoreError> {
        self.read_cells(execution).await
    }

    async fn put_cell(&self, cell: Cell, over: Expect) -> Result<CellPut, StoreError> {
        self.write_cell(cell, over).await
    }

    async fn drop_cell(&self, execution: &str, key: &str) -> Result<(), StoreError> {
        self.remove_cell(execution, key).await
    }

    async fn ends(&self, execution: &str) -> Result<Option<(Record, Record)>, StoreError> {
        let head = layout::record_key(0);
        let (first, last) = try_join(self.get(execution, &head), self.last(execution)).await?;
        let Some(first) = first else { return Ok(None) };
        if self.is_gone(&first)? {
            return Ok(None);
        }
        let first = self.record(&first).await?;
        let last = match last {
            Some(last) if Reading(&last).sequence()? > 0 => self.record(&last).await?,
            _ => first.clone(),
        };
        Ok(Some((first, last)))
    }

    async fn read(
        &self,
        execution: &str,
        from: u64,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        let range = records(execution, from, direction);
        let (mut found, mut start) = (Vec::new(), None);
        while found.len() < limit {
            let page = self.page(&range, start, Some(limit - found.len())).await?;
            for item in &self.kept(page.items)? {
                found.push(self.record(item).await?);
            }
            match page.next {
                Some(next) => start = Some(next),
                None => break,
            }
        }
        Ok(found)
    }

    async fn list(&self, query: &ListQuery) -> Result<ListPage, StoreError> {
        self.list_executions(query).await
    }

    async fn open(&self, after: Option<&str>, limit: usize) -> Result<OpenPage, StoreError> {
        Ok(self.opened(None, after, limit).await?.page)
    }

    async fn forget(&self, seen: &Seen) -> Result<(), StoreError> {
        self.forget_closed(seen).await
    }
}

impl Table {
    /// The record an item is, with its body from wherever it lies. A body that is damaged is empty: its reader sees that
    /// it is no entry, and may go on without it.
    async fn record(&self, item: &Item) -> Result<Record, StoreError> {
        let reading = Reading(item).known_format()?;
        let at = ChunksAt { partition: reading.text(layout::PARTITION)?, nonce: reading.number(layout::NONCE)? };
        let body = decompress(self.load_compressed(at, item).await?).unwrap_or_else(|error| {
            tracing::error!(execution = at.partition, %error, "table: record damaged, readers get an empty body");
            Vec::new()
        });
        record_of(item, body)
    }

    /// The last record's item. Leftovers of a predecessor, whose time is over, are passed by.
    pub(crate) async fn last(&self, execution: &str) -> Result<Option<Item>, StoreError> {
        let range = records(execution, u64::MAX, Direction::Descending);
        let (mut start, mut limit) = (None, Some(1));
        loop {
            let page = self.page(&range, start, limit).await?;
            if let Some(last) = self.kept(page.items)?.into_iter().next() {
                return Ok(Some(last));
            }
            match page.next {
                Some(next) => (start, limit) = (Some(next), None),
                None => return Ok(None),
            }
        }
    }

    /// Those whose time is not over.
    fn kept(&self, items: Vec<Item>) -> Result<Vec<Item>, StoreError> {
        let mut kept = Vec::with_capacity(items.len());
        for item in items {
            if !self.is_gone(&item)? {
                kept.push(item);
            }
        }
        Ok(kept)
    }
}

/// True for a record that opens a closed execution again, or closes it since. Its earlier records have to stay as long as it.
fn is_of_redriven(record: &Record) -> bool {
    let shown = record.listing.as_ref().and_then(|listing| Shown::read(listing.shown.as_deref()));
    record.sequence > 0 && shown.is_some_and(|shown| shown.redriven.is_some())
}

/// The records of an execution from one on, and its cells.
fn with_cells(execution: &str, from: u64) -> Range<'_> {
    Range { to: layout::AFTER_CELLS.to_owned(), ..records(execution, from, Direction::Ascending) }
}

fn is_cell(item: &Item) -> bool {
    Reading(item).text(layout::SORT).is_ok_and(|sort| sort.starts_with(layout::CELL_PREFIX))
}

/// The records of an execution from one on, in that direction.
fn records(execution: &str, from: u64, direction: Direction) -> Range<'_> {
    let (from, to) = match direction {
        Direction::Ascending => (layout::record_key(from), layout::AFTER_RECORDS.to_owned()),
        Direction::Descending => (layout::record_key(0), layout::record_key(from)),
    };
    Range { partition: execution, from, to, direction, only: &[] }
}
