//! Results and errors as the first SDK for Java shapes them: the optimised integrations show its names, causes and
//! metadata.

use std::collections::BTreeMap;

use engine::ports::{TaskAnswer, TaskRole};
use http::HeaderMap;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::exchange::{Answer, CallError};
use crate::sdk;

/// Characters of an unexpected text that a cause shows.
const EXCERPT: usize = 1024;

/// The names of one service in the SDK.
#[derive(Debug)]
pub(crate) struct SdkV1 {
    /// The name in resources, signatures and texts about sizes: `sqs`. How its error names begin is a fact of its row in
    /// `asl`.
    pub service: &'static str,
    /// The client's name in causes: `AmazonSQS`.
    pub client: &'static str,
    /// The exception of codes that have none of their own.
    pub general: &'static str,
    /// Headers as the service spells them, in the order in which AWS lists them in `AllHttpHeaders`.
    pub headers: &'static [&'static str],
}

/// An error answer of a service.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ServiceError {
    /// The exception, by its code or name.
    pub exception: Option<String>,
    /// The code in the cause.
    pub code: Option<String>,
    pub message: Option<String>,
    pub request_id: Option<String>,
}

/// The members of a result by their names, each as JSON.
pub(crate) type Members = BTreeMap<String, Box<RawValue>>;

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

impl SdkV1 {
    /// The result of a call: the members of the answer, and the metadata of the exchange. AWS: in the order of the members' names.
    pub(crate) fn result(&self, mut members: Members, answer: &Answer) -> TaskAnswer {
        let http = HttpMetadata {
            all_http_headers: self.all_headers(&answer.headers),
            http_headers: self.headers_by_name(answer),
            http_status_code: answer.status.as_u16(),
        };
        let response = ResponseMetadata { request_id: request_id(answer).unwrap_or_default() };
        let written = serde_json::value::to_raw_value(&http)
            .and_then(|http| Ok((http, serde_json::value::to_raw_value(&response)?)))
            .and_then(|(http, response)| {
                members.insert("SdkHttpMetadata".to_owned(), http);
                members.insert("SdkResponseMetadata".to_owned(), response);
                serde_json::to_string(&members)
            });
        written.map_or_else(|_| self.unreadable(answer), |output| TaskAnswer::Succeeded { output })
    }

    /// The result of a call whose integration shows no metadata.
    pub(crate) fn bare_result(&self, members: &Members, answer: &Answer) -> TaskAnswer {
        let written = serde_json::to_string(members);
        written.map_or_else(|_| self.unreadable(answer), |output| TaskAnswer::Succeeded { output })
    }

    /// The failure of a call without an answer. `task` names the target in texts about sizes.
    pub(crate) fn call_failed(&self, error: &CallError, task: &str) -> TaskAnswer {
        match error {
            CallError::NotSent { reason } | CallError::Lost { reason } => {
                self.client_failed(format!("Unable to execute HTTP request: {reason}"))
            }
            // AWS: the name is documented among Lambda's passing errors; the cause is unverified.
            CallError::TimedOut => failed(
                &self.error("ClientExecutionTimeoutException"),
                "Client execution did not complete before the specified timeout configuration.".to_owned(),
            ),
            CallError::RoleRefused { role } => role_refused(role),
            CallError::TooLarge { limit: _ } => too_large(task),
        }
    }

    /// The failure of a call that the service answered with an error and this status. `exception` is what the service has
    /// for it.
    pub(crate) fn service_failed(&self, error: &ServiceError, exception: Option<&str>, status: u16) -> TaskAnswer {
        let ServiceError { exception: _, code, message, request_id } = error;
        let name = exception.unwrap_or(self.general);
        let or_null = |text: &Option<String>| text.clone().unwrap_or_else(|| "null".to_owned());
        let cause = format!(
            "{} (Service: {}; Status Code: {status}; Error Code: {}; Request ID: {}; Proxy: null)",
            or_null(message),
            self.client,
            or_null(code),
            or_null(request_id)
        );
        failed(&self.error(name), cause)
    }

    /// The failure of a call that was not made: `named` is the installation's own.
    pub(crate) fn withheld(&self, named: &str) -> TaskAnswer {
        failed(&self.error(self.general), sdk::is_own(named))
    }

    /// The failure of a call that succeeded with an answer that cannot be read. AWS: unverified.
    pub(crate) fn unreadable(&self, answer: &Answer) -> TaskAnswer {
        let status = answer.status.as_u16();
        self.client_failed(format!(
            "Unable to unmarshall response. Response Code: {status}: {}",
            excerpt(&answer.text())
        ))
    }

    /// The name of an error of this service.
    pub(crate) fn error(&self, exception: &str) -> String {
        format!("{}.{exception}", asl::error_prefix(self.service))
    }

    pub(crate) fn client_failed(&self, cause: String) -> TaskAnswer {
        failed(&self.error("SdkClientException"), cause)
    }

    fn all_headers(&self, headers: &HeaderMap) -> Map<String, Value> {
        let known = self.headers.iter().map(|name| name.to_ascii_lowercase());
        let names: Vec<String> = headers.keys().map(ToString::to_string).collect();
        let others = names.iter().filter(|name| self.spelling(name).is_none()).cloned();
        let mut all = Map::new();
        for name in known.chain(others) {
            let values: Vec<Value> = headers
                .get_all(&name)
                .iter()
                .map(|value| Value::from(String::from_utf8_lossy(value.as_bytes()).into_owned()))
                .collect();
            if !values.is_empty() {
                all.insert(self.spelling(&name).map_or(name, str::to_owned), Value::Array(values));
            }
        }
        all
    }

    // AWS: sorted without regard to case, and one value each.
    fn headers_by_name(&self, answer: &Answer) -> Map<String, Value> {
        let mut names: Vec<&str> = answer.headers.keys().map(http::HeaderName::as_str).collect();
        names.sort_unstable();
        let shown = |name| (self.spelling(name).unwrap_or(name).to_owned(), Value::from(answer.header(name)));
        names.into_iter().map(shown).collect()
    }

    /// How the service spells the header `name`, which HTTP libraries put in lower case.
    fn spelling(&self, name: &str) -> Option<&'static str> {
        self.headers.iter().copied().find(|known| known.eq_ignore_ascii_case(name))
    }
}

pub(crate) fn failed(error: &str, cause: String) -> TaskAnswer {
    TaskAnswer::Failed { error: error.to_owned(), cause: Some(cause) }
}

/// The failure of a task whose role cannot be assumed.
pub(crate) fn role_refused(role: &TaskRole) -> TaskAnswer {
    let TaskRole { arn, machine_role, machine: _ } = role;
    if arn == machine_role {
        // AWS: captured.
        let who = "The principal states.amazonaws.com is not authorized to assume the provided role.";
        return failed("States.TaskFailed", format!("{who} (role: {arn})"));
    }
    failed(
        "States.TaskFailed",
        format!("The role {machine_role} is not authorized to assume the task state's role, {arn}."),
    )
}

/// The failure of a task whose answer is longer than any result may be.
pub(crate) fn too_large(task: &str) -> TaskAnswer {
    let cause = "returned a result with a size exceeding the maximum number of bytes service limit.";
    failed("States.DataLimitExceeded", format!("The state/task '{task}' {cause}"))
}

/// The id that the service gave the request.
pub(crate) fn request_id(answer: &Answer) -> Option<String> {
    answer.header("x-amzn-requestid")
}

pub(crate) fn excerpt(text: &str) -> String {
    text.chars().take(EXCERPT).collect()
}
