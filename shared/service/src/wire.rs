//! AWS JSON 1.0, over any HTTP server: which HTTP requests are calls of Step Functions, and how answers look.

use crate::{Answer, ApiError, names};

/// The content type of requests and answers.
pub const JSON: &str = "application/x-amz-json-1.0";
/// The prefix of an operation in `X-Amz-Target`.
pub const TARGET: &str = "AWSStepFunctions.";
/// AWS takes requests of 1 MiB. A definition may have as many characters, and JSON within JSON needs room for escapes.
pub const MOST_BYTES: usize = 2 << 20;

/// A request, but for its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The operation, without [`TARGET`].
    pub action: String,
    /// `amz-sdk-invocation-id`.
    pub invocation: Option<String>,
}

impl Head {
    /// Reads the head of a request, or says what is answered instead; `header` looks a header up by its name in lower case.
    pub fn read<'h>(method: &str, path: &str, header: impl Fn(&str) -> Option<&'h str>) -> Result<Head, Answer> {
        // AWS clients are no browsers; a page in a browser would send this.
        if header("origin").is_some() {
            return Err(refused(403, "AccessDeniedException", "Requests of browsers are not answered."));
        }
        if method != "POST" || path != "/" {
            return Err(refused(404, "UnknownOperationException", "Step Functions is called by POST to /."));
        }
        if !header("content-type").unwrap_or_default().starts_with("application/x-amz-json-1.") {
            let text = format!("The content type has to be {JSON}.");
            return Err(refused(404, "UnknownOperationException", &text));
        }
        let Some(action) = header("x-amz-target").and_then(|target| target.strip_prefix(TARGET)) else {
            let text = format!("The header X-Amz-Target has to be {TARGET} and an operation.");
            return Err(refused(404, "UnknownOperationException", &text));
        };
        let invocation = header("amz-sdk-invocation-id").map(str::to_owned);
        Ok(Head { action: action.to_owned(), invocation })
    }
}

/// The answer to a body of more than [`MOST_BYTES`].
pub fn too_large() -> Answer {
    ApiError::RequestTooLarge(MOST_BYTES).into()
}

/// The invocation id that a client's own is among the calls of one key: two keys that send the same id make two calls.
pub fn invocation_within(key: &str, invocation: &str) -> Option<String> {
    names::invocation_uuid(Some(invocation)).map(|invocation| names::derived_uuid(&invocation, key))
}

/// An answer to what is no call at all.
pub fn refused(status: u16, name: &'static str, message: &str) -> Answer {
    let body = serde_json::json!({ "__type": name, "message": message }).to_string();
    Answer { status, body, error: Some(name) }
}

impl Answer {
    /// The headers that go with it.
    pub fn headers<'a>(&'a self, request_id: &'a str) -> impl Iterator<Item = (&'static str, &'a str)> {
        let always = [("content-type", JSON), ("x-amzn-requestid", request_id)];
        always.into_iter().chain(self.error.map(|error| ("x-amzn-errortype", error)))
    }
}
