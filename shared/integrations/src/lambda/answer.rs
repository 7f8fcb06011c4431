//! The result of a task, read from an answer of the Invoke API.
//!
//! A function's error comes in two forms: AWS's header over HTTP 200, and `cargo lambda watch`'s HTTP 500 without one.

use engine::ports::TaskAnswer;
use http::StatusCode;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use super::{NAMES, Origin, Style, failure};
use crate::exchange::Answer;
use crate::json;
use crate::sdk_v1::Members;

/// The result of the task.
pub(super) fn read(answer: Answer, origin: &Origin<'_>) -> TaskAnswer {
    let failed = is_function_error(&answer);
    if origin.invocation.is_event() && (failed || answer.status == StatusCode::OK) {
        // `cargo lambda watch` waits for the function where AWS has only taken the event; the outcome is not shown.
        let accepted = Answer { status: StatusCode::ACCEPTED, body: bytes::Bytes::new(), ..answer };
        return succeeded(&accepted, origin);
    }
    if failed {
        return failure::of_function(&answer.text(), origin.style);
    }
    if answer.status.is_success() { succeeded(&answer, origin) } else { failure::of_service(&answer, origin) }
}

fn is_function_error(answer: &Answer) -> bool {
    if answer.headers.contains_key("x-amz-function-error") {
        return true;
    }
    answer.status == StatusCode::INTERNAL_SERVER_ERROR
        && !answer.headers.contains_key("x-amzn-errortype")
        && json::object(&answer.text())
            .is_some_and(|fields| fields.contains_key("errorType") || fields.contains_key("errorMessage"))
}

fn succeeded(answer: &Answer, origin: &Origin<'_>) -> TaskAnswer {
    let text = answer.text();
    match origin.style {
        // AWS: unverified. No body at all is taken for a function without a result.
        Style::Function if text.trim_ascii().is_empty() => TaskAnswer::Succeeded { output: "null".to_owned() },
        Style::Function if json::value(&text).is_some() => TaskAnswer::Succeeded { output: text.into_owned() },
        Style::Function => failure::not_json(&text),
        Style::Integration => NAMES.result(members(answer, &text), answer),
    }
}

fn members(answer: &Answer, text: &str) -> Members {
    // Emulators leave the version out; clients of AWS may count on it.
    let default_version = (answer.status == StatusCode::OK).then(|| "$LATEST".to_owned());
    let texts = [
        ("ExecutedVersion", answer.header("x-amz-executed-version").or(default_version)),
        ("LogResult", answer.header("x-amz-log-result")),
    ];
    let texts = texts.into_iter().filter_map(|(name, text)| Some((name, to_raw_value(&text?).ok()?)));
    let payload = ("Payload", payload(text));
    let status = to_raw_value(&answer.status.as_u16()).ok().map(|status| ("StatusCode", status));
    texts.chain([payload]).chain(status).map(|(name, value)| (name.to_owned(), value)).collect()
}

// AWS: unverified. A body that is no JSON (an empty one, for Event and DryRun) is a string.
fn payload(text: &str) -> Box<RawValue> {
    let payload = json::value(text).map_or_else(|| Value::from(text).to_string(), json::compact);
    RawValue::from_string(payload).unwrap_or_else(|_| RawValue::NULL.to_owned())
}
