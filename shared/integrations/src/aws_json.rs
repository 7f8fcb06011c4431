//! The errors of services that speak JSON.

use crate::exchange::Answer;
use crate::json;
use crate::sdk_v1::{ServiceError, excerpt, request_id};

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
