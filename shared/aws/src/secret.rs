//! The installation's secret: task tokens and pagination tokens are sealed with it, by every function alike.
//!
//! Made by whoever comes first, and kept in the table, which is encrypted: it protects no more than what lies beside it.

use aws_sdk_dynamodb::types::AttributeValue;
use service::ports::StoreError;

use crate::failure::damaged;
use crate::item::{Item, Reading, item_of, key, number};
use crate::layout;
use crate::table::{Condition, Put, Table};

impl Table {
    /// The secret; `fresh` becomes it if there is none yet.
    pub async fn secret(&self, fresh: [u8; 32]) -> Result<[u8; 32], StoreError> {
        if let Some(item) = self.get(layout::KEY_PARTITION, layout::KEY_SORT).await? {
            return read(&item);
        }
        let mut item = item_of(key(layout::KEY_PARTITION, layout::KEY_SORT));
        let body = AttributeValue::B(fresh.to_vec().into());
        item.extend(item_of([(layout::FORMAT, number(layout::VERSION)), (layout::BODY, body)]));
        match self.put(item, Condition::Free).await? {
            Put::Done => Ok(fresh),
            Put::Refused(first) => read(&first),
        }
    }
}

fn read(item: &Item) -> Result<[u8; 32], StoreError> {
    let bytes = Reading(item).known_format()?.bytes(layout::BODY)?;
    bytes.try_into().map_err(|_| damaged("the installation's secret has not 32 bytes"))
}
