//! What an answer of the Invoke API means for the task.
//!
//! A function's error comes in two forms: AWS's header over HTTP 200, and `cargo lambda watch`'s HTTP 500 without one.

use http::{HeaderMap, StatusCode};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use service::ports::TaskAnswer;

use super::{Origin, Style, failure, json};
use crate::caller::Answer;

/// Headers of Lambda, as it spells them and in the order in which AWS lists them in `AllHttpHeaders`.
const HEADERS: [&str; 10] = [
    "X-Amz-Executed-Version",
    "X-Amz-Log-Result",
    "x-amzn-Remapped-Content-Length",
    "Connection",
    "x-amzn-RequestId",
    "Content-Length",
    "Date",
    "X-Amzn-Trace-Id",
    "Content-Type",
    "X-Amz-Function-Error",
];

/// The result of `lambda:invoke`, in AWS's order.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output {
    #[serde(skip_serializing_if = "Option::is_none")]
    executed_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_result: Option<String>,
    payload: Box<RawValue>,
    sdk_http_metadata: HttpMetadata,
    sdk_response_metadata: ResponseMetadata,
    status_code: u16,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct HttpMetadata {
    all_http_headers: Map<String, Value>,
    http_headers: Map<String, Value>,
    http_status_code: u16,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ResponseMetadata {
    request_id: String,
}

/// What became of the task.
pub(super) fn read(answer: Answer, origin: &Origin<'_>) -> TaskAnswer {
    let failed = is_function_error(&answer);
    if origin.invocation.is_event() && (failed || answer.status == StatusCode::OK) {
        // `cargo lambda watch` waits for the function where AWS has only taken the event; its outcome is nobody's.
        let accepted = Answer { status: StatusCode::ACCEPTED, body: bytes::Bytes::new(), ..answer };
        return succeeded(&accepted, origin);
    }
    if failed {
        return failure::of_function(&String::from_utf8_lossy(&answer.body), origin.style);
    }
    if answer.status.is_success() { succeeded(&answer, origin) } else { failure::of_service(&answer, origin) }
}

/// The value of a header as text.
pub(super) fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

fn is_function_error(answer: &Answer) -> bool {
    if answer.headers.contains_key("x-amz-function-error") {
        return true;
    }
    answer.status == StatusCode::INTERNAL_SERVER_ERROR
        && !answer.headers.contains_key("x-amzn-errortype")
        && json::object(&String::from_utf8_lossy(&answer.body))
            .is_some_and(|fields| fields.contains_key("errorType") || fields.contains_key("errorMessage"))
}

fn succeeded(answer: &Answer, origin: &Origin<'_>) -> TaskAnswer {
    let text = String::from_utf8_lossy(&answer.body);
    match origin.style {
        // AWS: unverified. No body at all is taken for a function without a result.
        Style::Function if text.trim_ascii().is_empty() => TaskAnswer::Succeeded { output: "null".to_owned() },
        Style::Function if json::value(&text).is_some() => TaskAnswer::Succeeded { output: text.into_owned() },
        Style::Function => failure::not_json(&text),
        Style::Integration => match serde_json::to_string(&output(answer, &text)) {
            Ok(output) => TaskAnswer::Succeeded { output },
            Err(_) => failure::not_json(&text),
        },
    }
}

fn output(answer: &Answer, text: &str) -> Output {
    let status = answer.status.as_u16();
    // Emulators leave the version out; clients of AWS may count on it.
    let default_version = (answer.status == StatusCode::OK).then(|| "$LATEST".to_owned());
    Output {
        executed_version: header(&answer.headers, "x-amz-executed-version").or(default_version),
        log_result: header(&answer.headers, "x-amz-log-result"),
        payload: payload(text),
        sdk_http_metadata: HttpMetadata {
            all_http_headers: all_headers(&answer.headers),
            http_headers: headers_by_name(&answer.headers),
            http_status_code: status,
        },
        sdk_response_metadata: ResponseMetadata {
            request_id: header(&answer.headers, "x-amzn-requestid").unwrap_or_default(),
        },
        status_code: status,
    }
}

// AWS: unverified. What is no JSON (nothing at all, for Event and DryRun) is a string.
fn payload(text: &str) -> Box<RawValue> {
    let payload = json::value(text).map_or_else(|| Value::from(text).to_string(), json::compact);
    RawValue::from_string(payload).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

fn all_headers(headers: &HeaderMap) -> Map<String, Value> {
    let known = HEADERS.iter().map(|name| name.to_ascii_lowercase());
    let names: Vec<String> = headers.keys().map(ToString::to_string).collect();
    let others = names.iter().filter(|name| spelling(name).is_none()).cloned();
    let mut all = Map::new();
    for name in known.chain(others) {
        let values: Vec<Value> = headers
            .get_all(&name)
            .iter()
            .map(|value| Value::from(String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        if !values.is_empty() {
            all.insert(spelling(&name).map_or(name, str::to_owned), Value::Array(values));
        }
    }
    all
}

// AWS: sorted without regard to case, and one value each.
fn headers_by_name(headers: &HeaderMap) -> Map<String, Value> {
    let mut names: Vec<&str> = headers.keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    names
        .into_iter()
        .filter_map(|name| Some((spelling(name).unwrap_or(name).to_owned(), Value::from(header(headers, name)?))))
        .collect()
}

/// How Lambda spells the header `name`, which HTTP libraries put in lower case.
fn spelling(name: &str) -> Option<&'static str> {
    HEADERS.into_iter().find(|known| known.eq_ignore_ascii_case(name))
}
