//! The port `Starts`: asynchronous Express executions, from before the answer of their start until their end.

use async_trait::async_trait;
use engine::ports::{Starts, StoreError};
use rusqlite::{Connection, Row, params};

use crate::digest::Digest;
use crate::directory::Directory;

#[async_trait]
impl Starts for Directory {
    async fn keep(&self, id: &str, body: &str) -> Result<(), StoreError> {
        let (id, body) = (id.to_owned(), body.to_owned());
        // A start whose answer was lost is kept again: the same start, so the first one counts.
        let keep = "INSERT INTO starts (id, body, digest) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
        let digest = digest(&id, &body).finish();
        let write = move |connection: &Connection| {
            connection.prepare_cached(keep)?.execute(params![id, body, digest])?;
            Ok(())
        };
        self.writer.write(write).await
    }

    async fn rewrite(&self, id: &str, body: &str) -> Result<(), StoreError> {
        let (id, body) = (id.to_owned(), body.to_owned());
        let digest = digest(&id, &body).finish();
        let write = move |connection: &Connection| {
            let rewrite = "UPDATE starts SET body = ?2, digest = ?3 WHERE id = ?1";
            connection.prepare_cached(rewrite)?.execute(params![id, body, digest])?;
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
            let mut statement = connection.prepare_cached("SELECT id, body, digest FROM starts ORDER BY rowid")?;
            Ok(statement.query_map([], start)?.collect::<Result<_, _>>()?)
        };
        self.readers.read(read).await
    }
}

fn start(row: &Row<'_>) -> rusqlite::Result<(String, String)> {
    let (id, body): (String, String) = (row.get(0)?, row.get(1)?);
    digest(&id, &body).check(row.get(2)?, || format!("the start {id}"))?;
    Ok((id, body))
}

fn digest(id: &str, body: &str) -> Digest {
    Digest::of("starts").text(id).text(body)
}
