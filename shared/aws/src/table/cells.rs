//! Cells as items beside the records of their execution.
//!
//! A cell that needs a wake-up is a row of the index `wake`, due 20 minutes from now: if the message of its writer is lost
//! with the queue, the scheduler sends one. Cells expire as records do.

use engine::ports::{Cell, Direction, Expect, Put as CellPut, StoreError};

use crate::failure::{raced, store_error};
use crate::layout;
use crate::table::chunks::ChunksAt;
use crate::table::item::{Item, Reading, item_of, key, number, text};
use crate::table::{Condition, Put, Range, Table};

use aws_sdk_dynamodb::types::AttributeValue;

impl Table {
    pub(crate) async fn read_cells(&self, execution: &str) -> Result<Vec<Cell>, StoreError> {
        let range = Range {
            partition: execution,
            from: layout::CELL_PREFIX.to_owned(),
            to: layout::AFTER_CELLS.to_owned(),
            direction: Direction::Ascending,
            only: &[],
        };
        let items = self.pages(&range).await?;
        self.cells_of(&items).await
    }

    pub(crate) async fn cells_of(&self, items: &[Item]) -> Result<Vec<Cell>, StoreError> {
        let mut cells = Vec::with_capacity(items.len());
        for item in items {
            cells.push(self.cell(item).await?);
        }
        Ok(cells)
    }

    async fn cell(&self, item: &Item) -> Result<Cell, StoreError> {
        let reading = Reading(item).known_format()?;
        let (partition, nonce) = (reading.text(layout::PARTITION)?, reading.number(layout::NONCE)?);
        let sort = reading.text(layout::SORT)?;
        Ok(Cell {
            execution: partition.to_owned(),
            key: sort.strip_prefix(layout::CELL_PREFIX).unwrap_or(sort).to_owned(),
            nonce,
            is_final: reading.flag(layout::LAST)?,
            needs_wakeup: item.contains_key(layout::WAKE),
            body: self.load_body(ChunksAt { partition, nonce }, item).await?,
        })
    }

    pub(crate) async fn write_cell(&self, cell: Cell, over: Expect) -> Result<CellPut, StoreError> {
        let now = self.now();
        let expires = self.retention.expires(1, now);
        let at = ChunksAt { partition: &cell.execution, nonce: cell.nonce };
        let mut item = item_of(key(&cell.execution, &layout::cell_key(&cell.key)));
        item.extend(item_of([
            (layout::FORMAT, number(layout::VERSION)),
            (layout::NONCE, number(cell.nonce)),
            (layout::LAST, AttributeValue::Bool(cell.is_final)),
            (layout::EXPIRES, number(expires)),
        ]));
        item.extend(item_of(self.store_body(at, &cell.body, Some(expires)).await?));
        if cell.needs_wakeup {
            let shard = layout::wake_partition(layout::shard(&cell.execution));
            let wake_at = now.0.saturating_add(layout::FAR_MS);
            item.extend(item_of([(layout::WAKE, text(shard)), (layout::WAKE_AT, number(wake_at))]));
        }
        let condition = match over {
            Expect::NotFinal => Condition::Unfinished,
            Expect::Absent => Condition::Free,
            Expect::Nonce(nonce) => Condition::Nonce(nonce),
        };
        let there = match self.put(item, condition).await? {
            Put::Done => return Ok(CellPut::Written),
            Put::Refused(there) if there.is_empty() => {
                return Err(raced(format!("a cell of {} is gone", cell.execution)));
            }
            Put::Refused(there) => self.cell(&there).await?,
        };
        // This writer's own cell: the response to an earlier try was lost.
        Ok(if there.nonce == cell.nonce { CellPut::Written } else { CellPut::Refused(there) })
    }

    pub(crate) async fn remove_cell(&self, execution: &str, cell: &str) -> Result<(), StoreError> {
        let key = item_of(key(execution, &layout::cell_key(cell)));
        let request = self.client.delete_item().table_name(&self.name).set_key(Some(key));
        request.send().await.map_err(|error| store_error("delete a cell", error))?;
        Ok(())
    }
}
