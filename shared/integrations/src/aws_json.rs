//! The protocol AWS calls JSON 1.0: one path, the action in a header, JSON both ways.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use serde_json::value::RawValue;

use crate::exchange::{Answer, Request};
use crate::json;
use crate::optimised::{ANSWER_LIMIT, Arguments};
use crate::sdk_v1::{Members, ServiceError, excerpt, request_id};

/// A request for an action, named as in resources, with these members. `target` is the service's name in the protocol.
pub(crate) fn request(target: &str, action: &str, members: &Arguments<'_>, timeout: Duration) -> Request {
    let mut body = String::from("{");
    for (name, value) in members {
        if body.len() > 1 {
            body.push(',');
        }
        body.push_str(&json::quoted(name));
        body.push(':');
        body.push_str(&json::compact(value));
    }
    body.push('}');
    let mut headers = vec![(CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.0"))];
    let target = HeaderValue::try_from(format!("{target}.{}", operation(action)));
    headers.extend(target.ok().map(|target| (HeaderName::from_static("x-amz-target"), target)));
    Request {
        method: http::Method::POST,
        path: "/".to_owned(),
        headers,
        body: Bytes::from(body),
        timeout,
        answer_limit: ANSWER_LIMIT,
    }
}

/// AWS: the API's name of an action begins with a capital.
fn operation(action: &str) -> String {
    let mut letters = action.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

pub(crate) fn members(answer: &Answer) -> Option<Members> {
    let text = answer.text();
    let members = json::object(&text)?;
    members.into_iter().map(|(name, value)| Some((name, compacted(value)?))).collect()
}

fn compacted(value: &RawValue) -> Option<Box<RawValue>> {
    RawValue::from_string(json::compact(value)).ok()
}

pub(crate) fn error(answer: &Answer) -> ServiceError {
    let text = answer.text();
    let members = json::object(&text).unwrap_or_default();
    let said = |name: &str| members.get(name).and_then(|value| json::string(value));
    let code = said("__type").or_else(|| answer.header("x-amzn-errortype")).map(|code| bare(&code));
    ServiceError {
        exception: code.clone(),
        // AWS: services that spoke another protocol before tell that one's codes in a header, and causes show them.
        code: answer.header("x-amzn-query-error").and_then(|pair| first(&pair, ';')).or(code),
        message: Some(said("message").or_else(|| said("Message")).unwrap_or_else(|| excerpt(&text))),
        request_id: request_id(answer),
    }
}

/// `com.amazonaws.dynamodb.v20120810#ResourceNotFoundException`, `Code:http://...`: the name alone.
fn bare(code: &str) -> String {
    let name = code.rsplit_once('#').map_or(code, |(_, name)| name);
    first(name, ':').unwrap_or_default()
}

fn first(text: &str, end: char) -> Option<String> {
    text.split(end).next().map(str::to_owned)
}
