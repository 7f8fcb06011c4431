//! Failures of works on the database, as the engine's `StoreError`.
//!
//! Messages name what failed, never what was to be stored: they end up in logs.

use engine::ports::StoreError;
use rusqlite::ErrorCode;

use crate::digest::DamagedRow;

/// Why a piece of work was not done.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The database could not; what shares the transaction is not done either.
    Database(rusqlite::Error),
    /// The caller broke a promise of the port. Nothing was written; other works are not concerned.
    Refused(String),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Database(error) => database_error(&error),
            Failure::Refused(message) => refused(message),
        }
    }
}

/// The `StoreError` of a failure of the database.
pub(crate) fn database_error(error: &rusqlite::Error) -> StoreError {
    let retryable = matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::DiskFull | ErrorCode::OperationInterrupted
        )
    );
    StoreError { message: described(error), retryable }
}

/// The error's text; for damage with the operator's remedy.
pub(crate) fn described(error: &rusqlite::Error) -> String {
    if let rusqlite::Error::FromSqlConversionFailure(_, _, inner) = error
        && let Some(row) = inner.downcast_ref::<DamagedRow>()
    {
        return format!("stepwell.db is damaged, {row} is not what was written: {RESTORE}");
    }
    if is_damage(error) {
        return format!("stepwell.db is damaged, SQLite says '{error}': {RESTORE}");
    }
    format!("stepwell.db: {error}")
}

/// Whether the file is not what was written: our statements ask for nothing that is not there.
pub(crate) fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::Error;
    match error {
        Error::FromSqlConversionFailure(..)
        | Error::IntegralValueOutOfRange(..)
        | Error::InvalidColumnType(..)
        | Error::Utf8Error(..)
        | Error::QueryReturnedNoRows
        | Error::SqlInputError { .. } => true,
        other => matches!(
            other.sqlite_error_code(),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown)
        ),
    }
}

/// The operator's remedy for damage.
pub(crate) const RESTORE: &str = "stop the server and restore the data directory from a backup";

/// The `StoreError` of a caller that broke a promise of the port.
pub(crate) fn refused(message: String) -> StoreError {
    StoreError { message, retryable: false }
}

/// The `StoreError` of a closed directory.
pub(crate) fn closed() -> StoreError {
    StoreError { message: "the data directory is closed".to_owned(), retryable: false }
}

/// Whether the disk can no longer be believed: what it called written may be gone.
pub(crate) fn ends_trust(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::SystemIoFailure
                | ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied
        )
    )
}
