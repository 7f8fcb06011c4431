//! A copy of the data directory, made while it is in use.
//!
//! The copy is one state of the whole database, in a directory of its own that can be opened as it is. Commits go on
//! meanwhile; the log grows until the copy is complete.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use engine::ports::StoreError;
use rusqlite::Connection;

use crate::directory::{DATABASE, Directory, create_directory, open_reader, sync_directory};
use crate::failure::{Failure, refused};

impl Directory {
    /// Writes a copy of everything into the directory `target`, which is made when there is none and must not hold a
    /// database yet. The copy is durable and complete when this returns; before, it has another name.
    pub async fn backup_to(&self, target: impl AsRef<Path>) -> Result<(), StoreError> {
        let (source, target) = (self.path().to_owned(), target.as_ref().to_owned());
        let copying = tokio::task::spawn_blocking(move || back_up(&source, &target));
        match copying.await {
            Ok(outcome) => outcome.map_err(StoreError::from),
            Err(_) => Err(refused("the backup was interrupted".to_owned())),
        }
    }
}

fn back_up(source: &Path, target: &Path) -> Result<(), Failure> {
    let files = |error: io::Error| Failure::Refused(format!("no backup to {}: {error}", target.display()));
    create_directory(target).map_err(files)?;
    let (complete, partial) = (target.join(DATABASE), target.join(format!("{DATABASE}.partial")));
    if fs::exists(&complete).map_err(files)? {
        return Err(Failure::Refused(format!("no backup to {}: there is a database already", target.display())));
    }
    match fs::remove_file(&partial) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(files(error)),
        _ => {}
    }
    copy(&open_reader(source)?, &partial)?;
    File::open(&partial).and_then(|file| file.sync_all()).map_err(files)?;
    fs::rename(&partial, &complete).map_err(files)?;
    sync_directory(target).map_err(files)
}

fn copy(connection: &Connection, to: &Path) -> Result<(), Failure> {
    let Some(to) = to.to_str() else {
        return Err(Failure::Refused(format!("no backup to {}: its name is no text", to.display())));
    };
    connection.execute("VACUUM INTO ?1", [to])?;
    Ok(())
}
