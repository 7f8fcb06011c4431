//! The port `Machines`: state machines as versioned documents, definitions under their hash.
//!
//! Revisions are never removed: see the crate's page.

use async_trait::async_trait;
use rusqlite::{OptionalExtension, Row, params};
use service::ports::{MachineItem, Machines, StoreError};

use crate::directory::Directory;
use crate::journal::sql_limit;

#[async_trait]
impl Machines for Directory {
    async fn get(&self, arn: &str) -> Result<Option<MachineItem>, StoreError> {
        let arn = arn.to_owned();
        let get = "SELECT arn, version, body FROM machines WHERE arn = ?1";
        self.readers
            .read(move |connection| Ok(connection.prepare_cached(get)?.query_row([&arn], item).optional()?))
            .await
    }

    async fn put(&self, item: MachineItem) -> Result<bool, StoreError> {
        let put = if item.version == 1 {
            "INSERT INTO machines (arn, version, body) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING"
        } else {
            "UPDATE machines SET version = ?2, body = ?3 WHERE arn = ?1 AND version = ?2 - 1"
        };
        let write = move |connection: &rusqlite::Connection| {
            Ok(connection.prepare_cached(put)?.execute(params![item.arn, item.version, item.body])? == 1)
        };
        self.writer.write(write).await
    }

    async fn remove(&self, arn: &str, version: u64) -> Result<bool, StoreError> {
        let arn = arn.to_owned();
        let remove = "DELETE FROM machines WHERE arn = ?1 AND version = ?2";
        let write = move |connection: &rusqlite::Connection| {
            Ok(connection.prepare_cached(remove)?.execute(params![arn, version])? == 1)
        };
        self.writer.write(write).await
    }

    async fn list(&self, after: Option<&str>, limit: usize) -> Result<Vec<MachineItem>, StoreError> {
        let after = after.unwrap_or_default().to_owned();
        let list = "SELECT arn, version, body FROM machines WHERE arn > ?1 ORDER BY arn LIMIT ?2";
        let read = move |connection: &rusqlite::Connection| {
            let mut statement = connection.prepare_cached(list)?;
            Ok(statement.query_map(params![after, sql_limit(limit)], item)?.collect::<Result<_, _>>()?)
        };
        self.readers.read(read).await
    }

    async fn put_revision(&self, hash: &str, definition: &str) -> Result<(), StoreError> {
        let (hash, definition) = (hash.to_owned(), definition.to_owned());
        let put = "INSERT INTO revisions (hash, definition) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        let write = move |connection: &rusqlite::Connection| {
            connection.prepare_cached(put)?.execute([&hash, &definition])?;
            Ok(())
        };
        self.writer.write(write).await
    }

    async fn revision(&self, hash: &str) -> Result<Option<String>, StoreError> {
        let hash = hash.to_owned();
        let get = "SELECT definition FROM revisions WHERE hash = ?1";
        let read = move |connection: &rusqlite::Connection| {
            Ok(connection.prepare_cached(get)?.query_row([&hash], |row| row.get(0)).optional()?)
        };
        self.readers.read(read).await
    }
}

fn item(row: &Row<'_>) -> rusqlite::Result<MachineItem> {
    Ok(MachineItem { arn: row.get(0)?, version: row.get(1)?, body: row.get(2)? })
}
