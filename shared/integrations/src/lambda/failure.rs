//! Errors and causes of tasks that call Lambda, in the words of AWS.
//!
//! Three things fail: the call, which gets the name of an SDK's exception; the API, whose code becomes the name; the
//! function, which names its error itself.

use engine::ports::TaskAnswer;

use super::{NAMES, Origin, Style};
use crate::exchange::Answer;
use crate::json;
use crate::sdk_v1::{ServiceError, excerpt, failed, request_id};

/// The exceptions of Invoke.
const EXCEPTIONS: [&str; 31] = [
    "EC2AccessDeniedException",
    "EC2ThrottledException",
    "EC2UnexpectedException",
    "EFSIOException",
    "EFSMountConnectivityException",
    "EFSMountFailureException",
    "EFSMountTimeoutException",
    "ENILimitReachedException",
    "InvalidParameterValueException",
    "InvalidRequestContentException",
    "InvalidRuntimeException",
    "InvalidSecurityGroupIDException",
    "InvalidSubnetIDException",
    "InvalidZipFileException",
    "KMSAccessDeniedException",
    "KMSDisabledException",
    "KMSInvalidStateException",
    "KMSNotFoundException",
    "RecursiveInvocationException",
    "RequestTooLargeException",
    "ResourceConflictException",
    "ResourceNotFoundException",
    "ResourceNotReadyException",
    "SerializedRequestEntityTooLargeException",
    "ServiceException",
    "SnapStartException",
    "SnapStartNotReadyException",
    "SnapStartTimeoutException",
    "SubnetIPAddressLimitReachedException",
    "TooManyRequestsException",
    "UnsupportedMediaTypeException",
];

/// The API refused.
pub(super) fn of_service(answer: &Answer, origin: &Origin<'_>) -> TaskAnswer {
    let status = answer.status.as_u16();
    let text = answer.text();
    let code = answer.header("x-amzn-errortype").and_then(|code| code.split(':').next().map(str::to_owned));
    let said = || message(&text).unwrap_or_else(|| excerpt(&text));
    let (code, message) = match code {
        Some(code) => (Some(code), said()),
        // `cargo lambda watch` has no codes: an unknown function is a bare 404.
        None if status == 404 => (Some("ResourceNotFoundException".to_owned()), not_found(origin)),
        None => (None, said()),
    };
    refused(code, message, status, request_id(answer))
}

/// A request that Lambda would refuse, and that is not sent.
pub(super) fn invalid_request(message: String) -> TaskAnswer {
    refused(Some("ValidationException".to_owned()), message, 400, None)
}

/// The function ran and failed; `payload` is what it said.
///
/// AWS: the error is the payload's `errorType`, whatever raised it (also `Sandbox.Timedout` and `Runtime.ExitError` of
/// today's runtimes). Payloads without one, as of the timeouts of older runtimes, are `Lambda.Unknown` with this cause.
pub(super) fn of_function(payload: &str, style: Style) -> TaskAnswer {
    let value = json::value(payload);
    let text = match (value, style) {
        // AWS: the cause is the text as the function sent it for a function's ARN, written anew for lambda:invoke.
        (Some(value), Style::Integration) => json::compact(value),
        (Some(_), Style::Function) => payload.to_owned(),
        (None, _) => excerpt(payload),
    };
    let name = json::object(payload)
        .and_then(|fields| fields.get("errorType").and_then(|value| json::string(value)))
        .filter(|name| !name.is_empty());
    match name {
        Some(name) => failed(&name, text),
        None => unknown("Lambda did not return an error type", &text),
    }
}

/// The function succeeded with something that is no JSON. AWS: unverified.
pub(super) fn not_json(payload: &str) -> TaskAnswer {
    unknown("Lambda did not return valid JSON", &excerpt(payload))
}

fn unknown(why: &str, payload: &str) -> TaskAnswer {
    failed("Lambda.Unknown", format!("The cause could not be determined because {why}. Returned payload: {payload}"))
}

fn refused(code: Option<String>, message: String, status: u16, request_id: Option<String>) -> TaskAnswer {
    let known = EXCEPTIONS.into_iter().find(|known| code.as_deref().is_some_and(|code| is_named(known, code)));
    let error = ServiceError { exception: code.clone(), code, message: Some(message), request_id };
    NAMES.service_failed(&error, known, status)
}

/// A code may lack the `Exception` at its end.
fn is_named(exception: &str, code: &str) -> bool {
    exception == code || exception.strip_suffix("Exception") == Some(code)
}

fn not_found(origin: &Origin<'_>) -> String {
    let (home, invocation) = (origin.home, origin.invocation);
    format!(
        "Function not found: arn:{}:lambda:{}:{}:function:{}:{}",
        home.partition,
        home.region,
        home.account,
        invocation.bare_name(),
        invocation.asked_qualifier().unwrap_or("$LATEST"),
    )
}

fn message(body: &str) -> Option<String> {
    let fields = json::object(body)?;
    ["Message", "message", "errorMessage"].into_iter().find_map(|name| json::string(fields.get(name)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_names_its_own_error() {
        let spaced = r#"{"errorMessage": "no", "errorType": "Boom"}"#;
        let timeout = r#"{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: 1 Error: Task timed out"}"#;
        let unnamed = |payload: &str| {
            format!(
                "The cause could not be determined because Lambda did not return an error type. \
                 Returned payload: {payload}"
            )
        };
        let cases = [
            (Style::Function, spaced, "Boom", spaced.to_owned()),
            (Style::Integration, spaced, "Boom", r#"{"errorMessage":"no","errorType":"Boom"}"#.to_owned()),
            (Style::Function, timeout, "Sandbox.Timedout", timeout.to_owned()),
            (
                Style::Function,
                r#"{"errorType":"A","errorType":"B"}"#,
                "B",
                r#"{"errorType":"A","errorType":"B"}"#.into(),
            ),
            (Style::Integration, r#"{"errorMessage": 1}"#, "Lambda.Unknown", unnamed(r#"{"errorMessage":1}"#)),
            (Style::Function, r#"{"errorType": 7}"#, "Lambda.Unknown", unnamed(r#"{"errorType": 7}"#)),
            (Style::Function, r#"{"errorType": ""}"#, "Lambda.Unknown", unnamed(r#"{"errorType": ""}"#)),
            (Style::Function, "[1]", "Lambda.Unknown", unnamed("[1]")),
            (Style::Function, "", "Lambda.Unknown", unnamed("")),
            (Style::Function, "Segmentation fault", "Lambda.Unknown", unnamed("Segmentation fault")),
        ];
        for (style, payload, error, cause) in cases {
            assert_eq!(of_function(payload, style), failed(error, cause), "{payload}");
        }
    }

    #[test]
    fn a_text_nobody_expected_is_cut() {
        let TaskAnswer::Failed { cause: Some(cause), .. } = of_function(&"é".repeat(1 << 20), Style::Function) else {
            panic!("not a failure");
        };
        assert!(cause.len() < 4096, "{}", cause.len());
    }

    #[test]
    fn codes_without_an_exception_of_their_own_share_one() {
        let cases = [
            ("TooManyRequestsException", "Lambda.TooManyRequestsException"),
            ("ServiceException", "Lambda.ServiceException"),
            ("AccessDeniedException", "Lambda.AWSLambdaException"),
            ("", "Lambda.AWSLambdaException"),
        ];
        for (code, error) in cases {
            let cause =
                format!("why (Service: AWSLambda; Status Code: 429; Error Code: {code}; Request ID: 1; Proxy: null)");
            let refused = refused(Some(code.to_owned()), "why".to_owned(), 429, Some("1".to_owned()));
            assert_eq!(refused, failed(error, cause));
        }
    }
}
