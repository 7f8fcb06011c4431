//! The port `Starts`: asynchronous Express executions, from before the answer of their start until their end.

use async_trait::async_trait;
use rusqlite::Connection;
use service::ports::{Starts, StoreError};

use crate::directory::Directory;

#[async_trait]
impl Starts for Directory {
    async fn keep(&self, id: &str, body: &str) -> Result<(), StoreError> {
        let (id, body) = (id.to_owned(), body.to_owned());
        // A start whose answer was lost is kept again: the same start, so the first one counts.
        let keep = "INSERT INTO starts (id, body) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        let write = move |connection: &Connection| {
            connection.prepare_cached(keep)?.execute([&id, &body])?;
            Ok(())
        };
        self.writer.write(write).await
    }

    async fn drop(&self, id: &str) -> Result<(), StoreError> {
        let id = id.to_owned();
        let write = move |connection: &Connection| {
            connection.prepare_cached("DELETE FROM starts WHERE id = ?1")?.execute([&id])?;
            Ok(())
        };
        self.writer.write(write).await
    }

    async fn pending(&self) -> Result<Vec<(String, String)>, StoreError> {
        let read = |connection: &Connection| {
            let mut statement = connection.prepare_cached("SELECT id, body FROM starts ORDER BY rowid")?;
            Ok(statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?)
        };
        self.readers.read(read).await
    }
}
