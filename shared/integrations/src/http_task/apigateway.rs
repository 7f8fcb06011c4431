//! `apigateway:invoke`: calls an API of API Gateway, signed in the task's role where its AuthType says so.
//!
//! At an own endpoint of `apigateway` the path is `/STAGE/PATH` there. AWS: a resource policy sees Step Functions itself as
//! the caller; here it sees the task's role, which it has to name.

use bytes::Bytes;
use engine::ports::{TaskAnswer, TaskCall};
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};

use super::{destination, given, method, pairs, result, text_of};
use crate::caller::{Destination, Signing, percent_encoded};
use crate::exchange::{CallError, Request};
use crate::json;
use crate::optimised::{ANSWER_LIMIT, Arguments, LIMIT};
use crate::sdk::{self, AwsServices};
use crate::sdk_v1::{failed, role_refused, too_large};

/// The name of the service in resources, and of its own endpoint.
pub(crate) const SERVICE: &str = "apigateway";
/// The name that requests are signed for.
const SIGNED_FOR: &str = "execute-api";

/// Makes the call.
pub(crate) async fn call(services: &AwsServices, call: &TaskCall) -> TaskAnswer {
    let arguments = given(&call.arguments);
    let prepared = prepare(&arguments, call);
    let (host, signing, request) = match prepared {
        Ok(prepared) => prepared,
        Err(why) => return sdk::unsuitable(&call.arguments, &why),
    };
    if signing != Signing::None && !services.may_call(SERVICE, call) {
        return failed("States.Runtime", sdk::not_allowed(SERVICE));
    }
    let region = region_of(&host).unwrap_or(&services.home.region);
    let destination = Destination { service: SIGNED_FOR, region, host: Some(&host), signing };
    match services.callers.of(SERVICE).send(&destination, call.role.as_ref(), request).await {
        Ok(answer) if answer.status.is_success() => TaskAnswer::Succeeded { output: result(&answer, &answer.text()) },
        Ok(answer) => failed(&format!("ApiGateway.{}", answer.status.as_u16()), answer.text().into_owned()),
        Err(CallError::TooLarge { limit: _ }) => too_large(SERVICE),
        Err(CallError::RoleRefused { role }) => role_refused(&role),
        // AWS: the name is as documented, of an exception without a status; which they are is unverified.
        Err(error @ (CallError::NotSent { .. } | CallError::Lost { .. } | CallError::TimedOut)) => {
            failed("ApiGateway.SdkClientException", format!("Unable to execute HTTP request: {error}"))
        }
    }
}

/// The host, how the request is signed, and the request; or why there is none.
fn prepare(arguments: &Arguments<'_>, call: &TaskCall) -> Result<(String, Signing, Request), String> {
    let invalid = |field: &str| format!("The value of the field '{field}' has an invalid format");
    let host = text_of(arguments, "ApiEndpoint").filter(|host| is_api(host)).ok_or_else(|| invalid("ApiEndpoint"))?;
    let signing = match text_of(arguments, "AuthType").as_deref() {
        None | Some("NO_AUTH") => Signing::None,
        Some("IAM_ROLE" | "IAM_AUTH" | "RESOURCE_POLICY") => Signing::Usual,
        Some(_) => return Err(invalid("AuthType")),
    };
    let path = path(arguments).ok_or_else(|| invalid("Path"))?;
    let request = Request {
        method: method(arguments)?,
        path: destination::with_query(&path, &pairs(arguments, "QueryParameters")),
        headers: headers(arguments).ok_or_else(|| invalid("Headers"))?,
        body: body(arguments),
        timeout: call.timeout.min(LIMIT),
        answer_limit: ANSWER_LIMIT,
    };
    Ok((host, signing, request))
}

/// AWS: `API.execute-api.REGION.DOMAIN`, and no domain of one's own; so nothing else can be reached.
fn is_api(host: &str) -> bool {
    let mut parts = host.splitn(4, '.');
    let (id, service, region, domain) = (parts.next(), parts.next(), parts.next(), parts.next());
    let plain = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    let is_domain = |domain: &str| {
        crate::partition::is_dns_suffix(domain) || domain.split(['.', ':']).all(plain) && domain.contains("localhost")
    };
    id.is_some_and(plain) && service == Some(SIGNED_FOR) && region.is_some_and(plain) && domain.is_some_and(is_domain)
}

fn region_of(host: &str) -> Option<&str> {
    host.split('.').nth(2)
}

fn path(arguments: &Arguments<'_>) -> Option<String> {
    let stage = text_of(arguments, "Stage").unwrap_or_default();
    let path = text_of(arguments, "Path").unwrap_or_default();
    let segments = [stage.as_str()].into_iter().chain(path.split('/')).filter(|segment| !segment.is_empty());
    let mut written = String::new();
    for segment in segments {
        if matches!(segment, "." | "..") {
            return None;
        }
        written.push('/');
        written.push_str(&percent_encoded(segment));
    }
    Some(if written.is_empty() { "/".to_owned() } else { written })
}

fn headers(arguments: &Arguments<'_>) -> Option<Vec<(HeaderName, HeaderValue)>> {
    let mut headers = Vec::new();
    for (name, value) in pairs(arguments, "Headers") {
        let written = HeaderName::try_from(name.as_str()).ok().zip(HeaderValue::try_from(value).ok());
        // The signer takes visible letters of ASCII alone.
        headers.push(written.filter(|(_, value)| value.to_str().is_ok())?);
    }
    let has_body = arguments.contains_key("RequestBody");
    if has_body && !headers.iter().any(|(name, _)| name == CONTENT_TYPE) {
        headers.push((CONTENT_TYPE, HeaderValue::from_static("application/json")));
    }
    Some(headers)
}

/// AWS: nulls of the body are not sent, unless they are asked for.
fn body(arguments: &Arguments<'_>) -> Bytes {
    let Some(body) = arguments.get("RequestBody") else { return Bytes::new() };
    if let Some(text) = json::string(body) {
        return Bytes::from(text);
    }
    let keeps_nulls = arguments.get("AllowNullValues").is_some_and(|value| value.get() == "true");
    Bytes::from(if keeps_nulls { json::compact(body) } else { without_nulls(body.get()) })
}

/// Nesting is bounded by what an input may nest.
fn without_nulls(text: &str) -> String {
    let Some(value) = json::value(text) else { return text.to_owned() };
    let given = |value: &&serde_json::value::RawValue| value.get() != "null";
    match value.get().as_bytes().first() {
        Some(b'{') => {
            let members = json::members(value.get()).unwrap_or_default().into_iter();
            let members = members.filter(|(_, value)| given(value));
            let members: Vec<String> = members
                .map(|(name, value)| format!("{}:{}", json::quoted(&name), without_nulls(value.get())))
                .collect();
            format!("{{{}}}", members.join(","))
        }
        Some(b'[') => {
            let items = json::items(value).unwrap_or_default().into_iter();
            let items: Vec<String> = items.map(|item| without_nulls(item.get())).collect();
            format!("[{}]", items.join(","))
        }
        _ => json::compact(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_one_of_api_gateway() {
        let cases = [
            ("a1b2.execute-api.us-east-1.amazonaws.com", true),
            ("a1b2.execute-api.cn-north-1.amazonaws.com.cn", true),
            ("a1b2.execute-api.us-east-1.evil.com", false),
            ("evil.com/a1b2.execute-api.us-east-1.amazonaws.com", false),
            ("a1b2.execute-api.us-east-1.amazonaws.com@evil.com", false),
            ("127.0.0.1", false),
            ("", false),
        ];
        for (host, expected) in cases {
            assert_eq!(is_api(host), expected, "{host}");
        }
        assert_eq!(region_of("a1b2.execute-api.cn-north-1.amazonaws.com.cn"), Some("cn-north-1"));
    }

    #[test]
    fn stage_path_and_body_are_written_as_segments_and_without_nulls() {
        let written = |arguments: &str| path(&json::object(arguments).unwrap());
        assert_eq!(written(r#"{"Stage":"prod","Path":"/bills/a b"}"#).as_deref(), Some("/prod/bills/a%20b"));
        assert_eq!(written(r#"{"Path":"../admin"}"#), None);
        assert_eq!(written("{}").as_deref(), Some("/"));
        let body = |arguments: &str| body(&json::object(arguments).unwrap());
        let given = r#"{"RequestBody":{"a":null,"b":[{"c":null,"d":1.0}]}}"#;
        assert_eq!(body(given), r#"{"b":[{"d":1.0}]}"#);
        let kept = r#"{"AllowNullValues":true,"RequestBody":{"a":null,"b":[{"c":null}]}}"#;
        assert_eq!(body(kept), r#"{"a":null,"b":[{"c":null}]}"#);
        assert_eq!(body(r#"{"RequestBody":"text"}"#), "text");
    }
}
