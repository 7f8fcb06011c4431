//! Where periodic work goes on: a position and a place behind it, one item per kind of work.

use engine::ports::StoreError;

use super::item::{Reading, item_of, key, number, text};
use super::{Condition, Table, layout};

/// A stored cursor; its owner gives both numbers their meaning.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct StoredCursor {
    pub position: i64,
    /// A page token; `None` at a page boundary that `position` names by itself.
    pub place: Option<String>,
}

impl Table {
    pub(crate) async fn stored_cursor(&self, sort: &str) -> Result<Option<StoredCursor>, StoreError> {
        let Some(item) = self.get(layout::CLOCK_PARTITION, sort).await? else { return Ok(None) };
        let reading = Reading(&item).known_format()?;
        let place = item.contains_key(layout::PLACE).then(|| reading.text(layout::PLACE)).transpose()?;
        Ok(Some(StoredCursor { position: reading.number(layout::DUE)?, place: place.map(str::to_owned) }))
    }

    /// Writes unconditionally: two schedulers at a time do work twice, which does no harm.
    pub(crate) async fn store_cursor(&self, sort: &str, cursor: &StoredCursor) -> Result<(), StoreError> {
        let mut item = item_of(key(layout::CLOCK_PARTITION, sort));
        item.extend(item_of([(layout::FORMAT, number(layout::VERSION)), (layout::DUE, number(cursor.position))]));
        if let Some(place) = &cursor.place {
            item.extend(item_of([(layout::PLACE, text(place.clone()))]));
        }
        self.put(item, Condition::None).await.map(|_| ())
    }
}
