//! The installation's keys: task tokens and pagination tokens are sealed with them, by every function alike.
//!
//! One item of 32 bytes each, one after another: the first seals, all open. The first one is made by whoever comes first; the
//! operator replaces it in three steps (`operator.rs`, `infra/README.md`). Read once in a process's life: what is changed counts when
//! functions start anew. Kept in the table, which is encrypted: they protect no more than what lies beside them.

use engine::ports::StoreError;
use engine::tokens::Keys;

use crate::failure::{damaged, raced, refused};
use crate::layout;
use crate::table::item::{Item, Reading, bytes, item_of, key, number};
use crate::table::{Condition, Put, Table};

/// Tries of a change while others change them, too.
const TRIES: u32 = 5;

impl Table {
    /// The keys; `fresh` becomes the only one if there is none yet.
    pub async fn keys(&self, fresh: [u8; 32]) -> Result<Keys, StoreError> {
        if let Some(item) = self.get(layout::KEY_PARTITION, layout::KEY_SORT).await? {
            return read(&item);
        }
        let keys = Keys::one(fresh);
        match self.put(item(&keys), Condition::Free).await? {
            Put::Done => Ok(keys),
            Put::Refused(first) => read(&first),
        }
    }

    /// Changes the keys; as they are, or why they are not changed. Written over what was read and nothing else: neither
    /// another order at the same time nor a request that arrives late takes away a key that somebody seals with.
    pub(crate) async fn change_keys(
        &self,
        change: impl Fn(Keys) -> Result<Keys, String>,
    ) -> Result<Result<Keys, String>, StoreError> {
        for _ in 0..TRIES {
            let stored = self.get(layout::KEY_PARTITION, layout::KEY_SORT).await?;
            let before = read(&stored.ok_or_else(|| refused("there are no keys yet".to_owned()))?)?;
            let after = match change(before.clone()) {
                Ok(after) if after != before => after,
                unchanged => return Ok(unchanged),
            };
            match self.put(item(&after), Condition::Body(&before.written())).await? {
                Put::Done => return Ok(Ok(after)),
                // The answer to the first try was lost.
                Put::Refused(there) if read(&there)? == after => return Ok(Ok(after)),
                Put::Refused(_) => {}
            }
        }
        Err(raced("others change the keys".to_owned()))
    }
}

fn item(keys: &Keys) -> Item {
    let mut item = item_of(key(layout::KEY_PARTITION, layout::KEY_SORT));
    item.extend(item_of([(layout::FORMAT, number(layout::VERSION)), (layout::BODY, bytes(keys.written()))]));
    item
}

fn read(item: &Item) -> Result<Keys, StoreError> {
    let bytes = Reading(item).known_format()?.bytes(layout::BODY)?;
    Keys::read(bytes).ok_or_else(|| damaged("the installation's keys are not of 32 bytes each"))
}
