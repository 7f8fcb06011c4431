//! Digests of rows: what tells a row that was written from one that a disk made of it.
//!
//! SQLite finds damage to the shape of its pages, not to what is in them: a flipped bit in a body would be read as if it
//! had been written. So each row that says what an execution or a machine is carries eight bytes of the SHA-256 of what
//! it says, looked at whenever it is read. Rows of programs from before have none, and are taken as they are.

use rusqlite::types::Type;
use sha2::{Digest as _, Sha256};

/// A digest under way. Parts are told apart by their lengths.
pub(crate) struct Digest(Sha256);

impl Digest {
    /// Of a row of this table: the same words mean something else elsewhere.
    pub(crate) fn of(table: &str) -> Self {
        Self(Sha256::new()).text(table)
    }

    pub(crate) fn text(self, text: &str) -> Self {
        self.bytes(text.as_bytes())
    }

    pub(crate) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self
    }

    pub(crate) fn number(self, number: i64) -> Self {
        self.maybe(Some(number))
    }

    pub(crate) fn maybe(mut self, number: Option<i64>) -> Self {
        self.0.update([u8::from(number.is_some())]);
        self.0.update(number.unwrap_or_default().to_le_bytes());
        self
    }

    /// As it is stored.
    pub(crate) fn finish(self) -> i64 {
        let hash: [u8; 32] = self.0.finalize().into();
        hash.iter().take(8).fold(0, |number, byte| (number << 8) | i64::from(*byte))
    }

    /// Holds what was read against what is stored beside it.
    pub(crate) fn check(self, stored: Option<i64>, row: impl FnOnce() -> String) -> rusqlite::Result<()> {
        if stored.is_none_or(|stored| stored == self.finish()) { Ok(()) } else { Err(damaged(row())) }
    }
}

/// A row that is not what was written. Unlike what SQLite itself finds, this says nothing about other rows.
pub(crate) fn damaged(row: String) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, Type::Blob, Box::new(DamagedRow(row)))
}

/// Which row is damaged.
#[derive(Debug)]
pub(crate) struct DamagedRow(String);

impl std::fmt::Display for DamagedRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for DamagedRow {}
