//! Errors of AWS requests and of stored items, as the engine's `StoreError`.

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use engine::ports::StoreError;

/// Transient errors.
const PASSING: &[&str] = &[
    "InternalServerError",
    "KmsThrottled",
    "LimitExceededException",
    "OverLimit",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "ServiceUnavailable",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TransactionConflictException",
    "TransactionInProgressException",
];

/// The `StoreError` of a failed request. `what` names the request, as in "put an item".
pub(crate) fn store_error<E>(what: &str, error: SdkError<E, HttpResponse>) -> StoreError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let (text, retryable) = match &error {
        SdkError::ServiceError(answer) => {
            let status = answer.raw().status();
            let code = answer.err().code().unwrap_or("an error without a code");
            let passing = PASSING.contains(&code) || status.is_server_error() || status.as_u16() == 429;
            (format!("{code}: {}", answer.err().message().unwrap_or("no message")), passing)
        }
        SdkError::TimeoutError(_) => ("it took too long".to_owned(), true),
        SdkError::ResponseError(_) => ("the answer was cut off or made no sense".to_owned(), true),
        SdkError::DispatchFailure(failure) if failure.is_user() => (chain(&error), false),
        SdkError::DispatchFailure(_) => (chain(&error), true),
        SdkError::ConstructionFailure(_) => (chain(&error), false),
        // The SDK may learn to fail in other ways; what is unknown may pass.
        _ => (chain(&error), true),
    };
    StoreError { message: format!("AWS could not {what}: {text}"), retryable }
}

/// An error and what it came from: the SDK's own text says little.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

/// An item is damaged, or a newer version wrote it.
pub(crate) fn damaged(what: &str) -> StoreError {
    StoreError { message: what.to_owned(), retryable: false }
}

/// The caller broke a promise of the port.
pub(crate) fn refused(message: String) -> StoreError {
    StoreError { message, retryable: false }
}

/// A concurrent writer was faster; a retry may help.
pub(crate) fn raced(message: String) -> StoreError {
    StoreError { message, retryable: true }
}
