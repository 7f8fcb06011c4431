//! The answers to calls, and the members that several of them share.

use interpreter::{Payload, Timestamp};
use serde::{Deserialize, Serialize, Serializer};

use crate::error::ApiError;

/// The answer to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// JSON.
    pub body: String,
    /// The error's name, for the header `x-amzn-ErrorType`.
    pub error: Option<&'static str>,
}

impl Answer {
    pub(crate) fn good(body: String) -> Answer {
        Answer { status: 200, body, error: None }
    }
}

impl From<ApiError> for Answer {
    fn from(error: ApiError) -> Self {
        Answer { status: error.status(), body: error.body(), error: Some(error.name()) }
    }
}

/// The JSON of an answer.
pub(crate) fn written(answer: &impl Serialize) -> Result<String, ApiError> {
    serde_json::to_string(answer).map_err(|error| {
        tracing::error!(%error, "API answer not written; answered as an internal failure");
        ApiError::Internal
    })
}

/// An answer without members.
#[derive(Serialize, Deserialize)]
pub(crate) struct Nothing {}

/// A point in time on the wire: seconds since 1970, milliseconds behind the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Date(Timestamp);

pub(crate) fn epoch(time: Timestamp) -> Date {
    Date(time)
}

impl Serialize for Date {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds fit the 53 bits for the next 285,000 years")]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0.0 as f64 / 1000.0)
    }
}

/// A payload on the wire: its JSON as a text.
pub(crate) struct JsonText(pub Payload);

impl Serialize for JsonText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.text())
    }
}

/// `inputDetails` and `outputDetails`.
#[derive(Serialize)]
pub(crate) struct Included {
    pub included: bool,
}
