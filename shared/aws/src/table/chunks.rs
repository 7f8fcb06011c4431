//! Bodies that do not fit one item.
//!
//! Such a body is written in chunks first, under its writer's nonce; then the item that names them is written, so that a
//! reader of the item finds all of it. A writer that loses its race or dies in between leaves chunks that no item names:
//! in an execution they expire as records do; the loser removes those of documents and revisions, and after a crash they
//! stay (rare, and bytes only).

use engine::ports::{Direction, StoreError};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use sha2::{Digest, Sha256};

use super::compression::{Compressed, LONGEST, compress, decompress, known};
use crate::failure::{damaged, raced, refused, store_error};
use crate::layout;
use crate::table::item::{Attribute, Item, Reading, bytes, item_of, key, number};
use crate::table::{Condition, Range, Table};

/// Chunk writes in flight.
const AT_A_TIME: usize = 4;

/// The partition and nonce of a body's chunks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChunksAt<'a> {
    pub partition: &'a str,
    pub nonce: u64,
}

impl Table {
    /// The attributes that hold a body. Chunks that they name are written before this returns.
    pub(crate) async fn store_body(
        &self,
        at: ChunksAt<'_>,
        body: &[u8],
        expires: Option<i64>,
    ) -> Result<Vec<Attribute>, StoreError> {
        let Compressed { bytes: compressed, method } = compress(body);
        let mut attributes = Vec::new();
        if let Some((method, size)) = method {
            attributes.extend([(layout::COMPRESSION, number(method)), (layout::SIZE, number(size))]);
        }
        if compressed.len() <= layout::INLINE {
            attributes.push((layout::BODY, bytes(compressed)));
            return Ok(attributes);
        }
        let count = compressed.len().div_ceil(layout::CHUNK);
        if count > layout::MOST_CHUNKS || body.len() > LONGEST {
            return Err(refused(format!(
                "{} has {} bytes to store, which is too much",
                at.partition,
                compressed.len()
            )));
        }
        let mut puts = Vec::with_capacity(count);
        for (index, chunk) in compressed.chunks(layout::CHUNK).enumerate() {
            let mut item = item_of(key(at.partition, &layout::chunk_key(at.nonce, index)));
            item.extend(item_of([(layout::FORMAT, number(layout::VERSION)), (layout::BODY, bytes(chunk.to_vec()))]));
            item.extend(expires.map(|expires| (layout::EXPIRES.to_owned(), number(expires))));
            puts.push(self.put(item, Condition::None));
        }
        stream::iter(puts).buffered(AT_A_TIME).try_collect::<Vec<_>>().await?;
        attributes.extend([(layout::CHUNKS, number(count)), (layout::DIGEST, bytes(digest(&compressed)))]);
        Ok(attributes)
    }

    /// The body that an item holds or names.
    pub(crate) async fn load_body(&self, at: ChunksAt<'_>, item: &Item) -> Result<Vec<u8>, StoreError> {
        decompress(self.load_compressed(at, item).await?)
    }

    /// The same, still compressed, by a method that this version knows.
    pub(crate) async fn load_compressed(&self, at: ChunksAt<'_>, item: &Item) -> Result<Compressed, StoreError> {
        let reading = Reading(item).known_format()?;
        let method = match reading.optional(layout::COMPRESSION)? {
            Some(method) => Some((method, reading.number(layout::SIZE)?)),
            None => None,
        };
        method.map_or(Ok(()), |(method, _)| known(method))?;
        let bytes = match reading.optional::<usize>(layout::CHUNKS)? {
            None => reading.bytes(layout::BODY)?.to_vec(),
            Some(count) => self.load_chunks(at, count, reading.bytes(layout::DIGEST)?).await?,
        };
        Ok(Compressed { bytes, method })
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
            // A writer that replaces or removes the item removes its chunks: a second read then finds another item.
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

fn digest(compressed: &[u8]) -> Vec<u8> {
    Sha256::digest(compressed).iter().copied().take(16).collect()
}
