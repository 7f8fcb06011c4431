//! The installation's keys: every function signs and verifies task tokens and pagination tokens with them.
//!
//! One item of 32 bytes per key: the first key signs, all verify. The first function that starts makes the first key; the
//! operator replaces it in three steps (`operator.rs`, `infra/README.md`). A process reads the keys once: a change counts
//! from its next start. They are kept in the table, which is encrypted: they protect no more than the data beside them.

use engine::ports::StoreError;
use engine::tokens::Keys;

use crate::failure::{damaged, raced, refused};
use crate::layout;
use crate::table::item::{Item, Reading, bytes, item_of, key, number};
use crate::table::{Condition, Put, Table};

/// Tries of a change against concurrent ones.
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

    /// Changes the keys; the keys afterwards, or the reason of a refusal. The write replaces exactly the keys that were
    /// read: neither a concurrent command nor a late request removes a key that functions sign with.
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
