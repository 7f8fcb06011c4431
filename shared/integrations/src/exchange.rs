//! One exchange with a service as values: the request, its answer, and the reasons for which there is none.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use engine::ports::TaskRole;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};

/// A request to a service, not yet signed.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: Method,
    /// Begins with a slash, percent-encoded, with the query.
    pub path: String,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub body: Bytes,
    /// Everything together has to be over by then: credentials, connecting, sending, reading.
    pub timeout: Duration,
    /// The most bytes of the answer's body to read.
    pub answer_limit: usize,
}

/// The answer of a service, whatever its status.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallError {
    /// Nothing was sent: no credentials, no connection, or a request that cannot be written.
    NotSent { reason: String },
    /// It was sent, or may have been, and may have been executed.
    Lost { reason: String },
    /// The time given was over; it may have been executed.
    TimedOut,
    /// The answer is longer than the limit of bytes.
    TooLarge { limit: usize },
    /// Nothing was sent: the role of the task cannot be assumed.
    RoleRefused { role: TaskRole },
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSent { reason } | Self::Lost { reason } => f.write_str(reason),
            Self::TimedOut => f.write_str("the time for the call was over"),
            Self::TooLarge { limit } => write!(f, "the answer is longer than {limit} bytes"),
            Self::RoleRefused { role } => write!(f, "the role {} cannot be assumed", role.arn),
        }
    }
}

impl std::error::Error for CallError {}

impl CallError {
    /// True when the same request may be answered later.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::NotSent { .. } | Self::Lost { .. } | Self::TimedOut => true,
            Self::TooLarge { .. } | Self::RoleRefused { .. } => false,
        }
    }
}

impl Answer {
    /// The value of a header as text.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    }

    pub(crate) fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }
}
