//! The port `Documents`: state machines as versioned documents, definitions under their hash.
//!
//! Revisions are never removed: see the crate's page.

use async_trait::async_trait;
use engine::ports::{Document, Documents, StoreError};
use rusqlite::{OptionalExtension, Row, params};

use crate::digest::Digest;
use crate::directory::Directory;
use crate::journal::sql_limit;

#[async_trait]
impl Documents for Directory {
    async fn get(&self, key: &str) -> Result<Option<Document>, StoreError> {
        let key = key.to_owned();
        let get = "SELECT arn, version, body, digest FROM machines WHERE arn = ?1";
        self.readers
            .read(move |connection| Ok(connection.prepare_cached(get)?.query_row([&key], document).optional()?))
            .await
    }

    async fn put(&self, document: Document) -> Result<bool, StoreError> {
        let put = if document.version == 1 {
            "INSERT INTO machines (arn, version, body, digest) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING"
        } else {
            "UPDATE machines SET version = ?2, body = ?3, digest = ?4 WHERE arn = ?1 AND version = ?2 - 1"
        };
        let digest = document_digest(&document).finish();
        let write = move |connection: &rusqlite::Connection| {
            Ok(connection.prepare_cached(put)?.execute(params![
                document.key,
                document.version,
                document.body,
                digest
            ])? == 1)
        };
        self.writer.write(write).await
    }

    async fn remove(&self, key: &str, version: u64) -> Result<bool, StoreError> {
        let key = key.to_owned();
        let remove = "DELETE FROM machines WHERE arn = ?1 AND version = ?2";
        let write = move |connection: &rusqlite::Connection| {
            Ok(connection.prepare_cached(remove)?.execute(params![key, version])? == 1)
        };
        self.writer.write(write).await
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Document>, StoreError> {
        let (first, last) = (prefix.to_owned(), format!("{prefix}{}", char::MAX));
        let after = after.unwrap_or_default().to_owned();
        let list = "SELECT arn, version, body, digest FROM machines \
            WHERE arn >= ?1 AND arn <= ?2 AND arn > ?3 ORDER BY arn LIMIT ?4";
        let read = move |connection: &rusqlite::Connection| {
            let mut statement = connection.prepare_cached(list)?;
            Ok(statement
                .query_map(params![first, last, after, sql_limit(limit)], document)?
                .collect::<Result<_, _>>()?)
        };
        self.readers.read(read).await
    }

    async fn put_revision(&self, hash: &str, definition: &str) -> Result<(), StoreError> {
        let (hash, definition) = (hash.to_owned(), definition.to_owned());
        let put = "INSERT INTO revisions (hash, definition, digest) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
        let digest = revision_digest(&hash, &definition).finish();
        let write = move |connection: &rusqlite::Connection| {
            connection.prepare_cached(put)?.execute(params![hash, definition, digest])?;
            Ok(())
        };
        self.writer.write(write).await
    }

    async fn revision(&self, hash: &str) -> Result<Option<String>, StoreError> {
        let hash = hash.to_owned();
        let get = "SELECT definition, digest FROM revisions WHERE hash = ?1";
        let read = move |connection: &rusqlite::Connection| {
            let revision = |row: &Row<'_>| {
                let definition: String = row.get(0)?;
                revision_digest(&hash, &definition).check(row.get(1)?, || format!("the definition {hash}"))?;
                Ok(definition)
            };
            Ok(connection.prepare_cached(get)?.query_row([&hash], revision).optional()?)
        };
        self.readers.read(read).await
    }
}

fn document(row: &Row<'_>) -> rusqlite::Result<Document> {
    let document = Document { key: row.get(0)?, version: row.get(1)?, body: row.get(2)? };
    document_digest(&document).check(row.get(3)?, || format!("the state machine {}", document.key))?;
    Ok(document)
}

fn document_digest(document: &Document) -> Digest {
    Digest::of("machines").text(&document.key).bytes(&document.version.to_le_bytes()).text(&document.body)
}

fn revision_digest(hash: &str, definition: &str) -> Digest {
    Digest::of("revisions").text(hash).text(definition)
}
