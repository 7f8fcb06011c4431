//! Bodies that do not fit one item.
//!
//! What does not fit is written in chunks first, under its writer's nonce, and then named by the item it belongs to, so
//! that a reader of the item finds all of it. A writer that loses its race or dies in between leaves chunks that no item
//! names: in an execution they expire as records do; those of machines and revisions are removed by the loser, and by
//! nobody after a crash (rare, and bytes only).

use engine::ports::{Direction, StoreError};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use sha2::{Digest, Sha256};

use crate::failure::{damaged, raced, refused, store_error};
use crate::item::{Attribute, Item, Reading, bytes, item_of, key, number};
use crate::layout;
use crate::pack::{LONGEST, Packed, known, pack, unpack};
use crate::table::{Condition, Range, Table};

/// Chunks on their way at a time.
const AT_A_TIME: usize = 4;

/// Where the chunks of a body lie.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChunksAt<'a> {
    pub partition: &'a str,
    pub nonce: u64,
}

impl Table {
    /// The attributes that hold a body. When they name chunks, those are written before this returns.
    pub(crate) async fn store_body(
        &self,
        at: ChunksAt<'_>,
        body: &[u8],
        expires: Option<i64>,
    ) -> Result<Vec<Attribute>, StoreError> {
        let Packed { bytes: packed, how } = pack(body);
        let mut attributes = Vec::new();
        if let Some((how, size)) = how {
            attributes.extend([(layout::PACKED, number(how)), (layout::SIZE, number(size))]);
        }
        if packed.len() <= layout::INLINE {
            attributes.push((layout::BODY, bytes(packed)));
            return Ok(attributes);
        }
        let count = packed.len().div_ceil(layout::CHUNK);
        if count > layout::MOST_CHUNKS || body.len() > LONGEST {
            return Err(refused(format!("{} has {} bytes to store, which is too much", at.partition, packed.len())));
        }
        let mut puts = Vec::with_capacity(count);
        for (index, chunk) in packed.chunks(layout::CHUNK).enumerate() {
            let mut item = item_of(key(at.partition, &layout::chunk_key(at.nonce, index)));
            item.extend(item_of([(layout::FORMAT, number(layout::VERSION)), (layout::BODY, bytes(chunk.to_vec()))]));
            item.extend(expires.map(|expires| (layout::EXPIRES.to_owned(), number(expires))));
            puts.push(self.put(item, Condition::None));
        }
        stream::iter(puts).buffered(AT_A_TIME).try_collect::<Vec<_>>().await?;
        attributes.extend([(layout::CHUNKS, number(count)), (layout::DIGEST, bytes(digest(&packed)))]);
        Ok(attributes)
    }

    /// The body that an item holds or names.
    pub(crate) async fn load_body(&self, at: ChunksAt<'_>, item: &Item) -> Result<Vec<u8>, StoreError> {
        unpack(self.load_packed(at, item).await?)
    }

    /// The same, as it lies there: packed in a way that this version knows.
    pub(crate) async fn load_packed(&self, at: ChunksAt<'_>, item: &Item) -> Result<Packed, StoreError> {
        let reading = Reading(item).known_format()?;
        let how = match reading.optional(layout::PACKED)? {
            Some(how) => Some((how, reading.number(layout::SIZE)?)),
            None => None,
        };
        how.map_or(Ok(()), |(how, _)| known(how))?;
        let bytes = match reading.optional::<usize>(layout::CHUNKS)? {
            None => reading.bytes(layout::BODY)?.to_vec(),
            Some(count) => self.load_chunks(at, count, reading.bytes(layout::DIGEST)?).await?,
        };
        Ok(Packed { bytes, how })
    }

    async fn load_chunks(&self, at: ChunksAt<'_>, count: usize, expected: &[u8]) -> Result<Vec<u8>, StoreError> {
        if count > layout::MOST_CHUNKS {
            return Err(damaged(&format!("{} claims to have {count} chunks", at.partition)));
        }
        let mut body = Vec::new();
        for (index, item) in self.pages(&at.range(&[])).await?.iter().enumerate() {
            let reading = Reading(item).known_format()?;
            if reading.text(layout::SORT)? != layout::chunk_key(at.nonce, index) {
                return Err(raced(format!("{} misses chunk {index}", at.partition)));
            }
            body.extend_from_slice(reading.bytes(layout::BODY)?);
        }
        if digest(&body) == expected {
            Ok(body)
        } else {
            // Whoever replaced or removed the item removes its chunks: then reading it again shows another one.
            Err(raced(format!("{} has chunks that are not those it was written with", at.partition)))
        }
    }

    /// Removes chunks that no item names any more.
    pub(crate) async fn remove_chunks(&self, at: ChunksAt<'_>) -> Result<(), StoreError> {
        for item in self.pages(&at.range(&[layout::PARTITION, layout::SORT])).await? {
            let request = self.client.delete_item().table_name(&self.name).set_key(Some(item));
            request.send().await.map_err(|error| store_error("delete a chunk", error))?;
        }
        Ok(())
    }
}

impl<'a> ChunksAt<'a> {
    fn range<'b>(&'b self, only: &'b [&'static str]) -> Range<'b> {
        Range {
            partition: self.partition,
            from: layout::chunk_key(self.nonce, 0),
            to: layout::chunk_key(self.nonce, layout::MOST_CHUNKS),
            direction: Direction::Ascending,
            only,
        }
    }
}

fn digest(packed: &[u8]) -> Vec<u8> {
    Sha256::digest(packed).iter().copied().take(16).collect()
}
