//! Calls through the SDK, `aws-sdk:SERVICE:ACTION`: any service of the table, in its protocol, with the names, values,
//! errors and causes of the SDK for Java v2.
//!
//! A request may have been executed once it is sent, so it is sent once per attempt. Deliberately absent: event streams,
//! and code of the SDK that single services have, but for S3's addressing and the checksums of bodies.

mod admission;
mod answer;
mod checksum;
mod data;
#[cfg(test)]
mod hostile;
mod model;
mod place;
mod request;
mod table;
#[cfg(test)]
mod vectors;
mod write;

pub use admission::Catalogue;

use std::sync::Arc;
use std::time::Instant;

use asl::Integration;
use engine::ports::{TaskAnswer, TaskCall};

use crate::caller::{Caller, Destination, Signing};
use crate::callers::{AwsCalls, Callers};
use crate::exchange::{Answer, CallError, Request};
use crate::optimised::{ANSWER_LIMIT, LIMIT};
use crate::partition::Home;
use crate::sdk_v1::{ServiceError, excerpt, failed};
use crate::withheld::Withheld;
use crate::{aws_json, query};
use model::{Model, Operation, Protocol};
use place::{Place, Variant};
use request::{Outline, Refused};
use table::Table;

/// The beginning of a resource's service that names a call through the SDK.
pub(crate) const PREFIX: &str = "aws-sdk:";

/// Calls services by the table.
pub(crate) struct SdkTarget {
    callers: Arc<Callers>,
    home: Home,
    variant: Variant,
    withheld: Withheld,
    allowed: AwsCalls,
}

/// An operation of a service.
pub(crate) struct Call {
    /// As resources name the service behind `aws-sdk:`.
    service: String,
    model: Arc<Model>,
    /// As resources name it.
    action: String,
}

impl Call {
    /// The call that a resource names; `None` where Step Functions does not offer it, or the table has it not.
    pub(crate) fn find(integration: &Integration) -> Option<Self> {
        let service = integration.service.strip_prefix(PREFIX)?;
        let model = Table::get().service(service)?;
        let refused = model.operation(&integration.action)?.refused;
        (!refused).then(|| Self { service: service.to_owned(), model, action: integration.action.clone() })
    }
}

impl SdkTarget {
    pub(crate) fn new(callers: Arc<Callers>, home: Home) -> Self {
        Self {
            callers,
            home,
            variant: Variant::from_environment(),
            withheld: Withheld::default(),
            allowed: AwsCalls::None,
        }
    }

    /// Refuses calls that name one of these anywhere in their arguments.
    pub(crate) fn withhold(&mut self, names: &[String]) {
        self.withheld.0.extend_from_slice(names);
    }

    /// Lets calls of these services go to AWS in the program's own name.
    pub(crate) fn allowing_aws(self, allowed: AwsCalls) -> Self {
        Self { allowed, ..self }
    }

    /// Makes the call.
    pub(crate) async fn call(&self, sdk: &Call, call: &TaskCall) -> TaskAnswer {
        let Call { service, model, action } = sdk;
        let Some(operation) = model.operation(action) else { return client_failed(model, "no such operation") };
        if let Some(named) = self.withheld.named_in(&call.arguments) {
            let cause = format!("'{named}' belongs to this installation of Stepwell: its workflows may not touch it.");
            return failed(&general(model), cause);
        }
        let caller = self.callers.of(service);
        if caller.is_aws() && call.role.is_none() && !self.allowed.allows(service) {
            return failed("States.Runtime", not_allowed(service));
        }
        let outline = match request::request(model, operation, &call.arguments, uuid().as_deref()) {
            Ok(outline) => outline,
            Err(Refused::Unsuitable(why)) => return unsuitable(&call.arguments, &why),
            Err(Refused::Unwritable(why)) => return client_failed(model, &why),
        };
        let began = Instant::now();
        let result = self.send(model, operation, caller, outline, call).await;
        let status = result.as_ref().map_or(0, |answer| answer.status.as_u16());
        tracing::debug!(
            service,
            action,
            execution = call.execution,
            state = call.state,
            status,
            milliseconds = began.elapsed().as_millis(),
            "task called its service through the SDK",
        );
        match result {
            Ok(answer) if answer.status.is_success() && !is_error_within(model, &answer) => {
                match answer::result(model, operation, &answer) {
                    Some(output) => TaskAnswer::Succeeded { output },
                    None => {
                        client_failed(model, &format!("Unable to unmarshall response: {}", excerpt(&answer.text())))
                    }
                }
            }
            Ok(answer) => service_failed(model, &answer),
            Err(error) => call_failed(model, &error, service),
        }
    }

    async fn send(
        &self,
        model: &Model,
        operation: &Operation,
        caller: &Caller,
        outline: Outline,
        call: &TaskCall,
    ) -> Result<Answer, CallError> {
        let Outline { mut path, mut headers, body, host_prefix } = outline;
        let place = place::place(Table::get(), model, &self.home.region, self.variant);
        let Some(Place { mut host, signing_region, signing_name }) = place else {
            let reason = format!("{} has no endpoint in {}", model.client, self.home.region);
            return Err(CallError::NotSent { reason });
        };
        host.insert_str(0, &host_prefix);
        let signing = match (operation.unsigned, signing_name.as_str()) {
            (true, _) => Signing::None,
            (false, "s3") => Signing::S3,
            (false, _) => Signing::Usual,
        };
        if signing == Signing::S3 && caller.is_aws() {
            (host, path) = at_bucket(model, operation, host, path);
        }
        headers.extend(checksum::headers(operation, &headers, &body));
        let request = Request {
            method: operation.method.clone(),
            path,
            headers,
            body,
            timeout: call.timeout.min(LIMIT),
            answer_limit: ANSWER_LIMIT,
        };
        let destination = Destination { service: &signing_name, region: &signing_region, host: Some(&host), signing };
        caller.send(&destination, call.role.as_ref(), request).await
    }
}

/// S3's buckets have hosts of their own; those with dots in their names do not, for the certificate.
fn at_bucket(model: &Model, operation: &Operation, host: String, path: String) -> (String, String) {
    let uri = operation.uri.map(|uri| model.text(uri)).unwrap_or_default();
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let named = uri.strip_prefix("/{Bucket}").and_then(|_| path.strip_prefix('/'));
    let Some(rest) = named else { return (host, path) };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (bucket, behind) = rest.split_at(end);
    if !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(plain) {
        return (host, path);
    }
    let behind = if behind.starts_with('/') { behind.to_owned() } else { format!("/{behind}") };
    (format!("{bucket}.{host}"), behind)
}

/// AWS: S3 may answer 200 and tell an error all the same, as for a copy.
fn is_error_within(model: &Model, answer: &Answer) -> bool {
    model.protocol == Protocol::RestXml && {
        let text = answer.text();
        let start = text.trim_start();
        start.starts_with("<Error>")
            || start.starts_with("<?xml") && start.contains("?>") && {
                start.split_once("?>").is_some_and(|(_, rest)| rest.trim_start().starts_with("<Error>"))
            }
    }
}

/// A random UUID, for members by which a service recognises repeated requests: the SDK fills them where they are absent.
fn uuid() -> Option<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).ok()?;
    let number = u128::from_be_bytes(bytes) & !(0xf000 << 64 | 0xc000 << 48) | 0x4000 << 64 | 0x8000 << 48;
    let digits = format!("{number:032x}");
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| digits.get(part).unwrap_or_default());
    Some(parts.join("-"))
}

/// The name of errors that the service has no exception for.
fn general(model: &Model) -> String {
    format!("{0}.{0}Exception", model.client)
}

fn client_failed(model: &Model, cause: &str) -> TaskAnswer {
    failed(&format!("{}.SdkClientException", model.client), cause.to_owned())
}

/// AWS: the sentence is that of the optimised integrations; for JSONata's "Arguments" it is unverified.
fn unsuitable(arguments: &str, why: &str) -> TaskAnswer {
    failed("States.Runtime", format!("The Parameters '{arguments}' could not be used to start the Task: [{why}]"))
}

fn not_allowed(service: &str) -> String {
    format!(
        "'{service}' is not called at AWS in the name of this installation: give its tasks a role in Credentials, the \
         service an endpoint, or allow the service."
    )
}

/// The failure of a call that the service answered with an error.
fn service_failed(model: &Model, answer: &Answer) -> TaskAnswer {
    let error = match model.protocol {
        Protocol::Json | Protocol::RestJson => aws_json::error(answer),
        Protocol::RestXml | Protocol::Query | Protocol::Ec2 => query::error(answer),
    };
    let ServiceError { exception, code, message, request_id } = error;
    let known = [&exception, &code].into_iter().flatten().find_map(|code| model.exception(code));
    let name = known.map_or_else(|| general(model), |exception| format!("{}.{exception}", model.client));
    let null = || "null".to_owned();
    let said = message.filter(|message| !message.is_empty());
    let said = said.unwrap_or_else(|| format!("Service returned error code {}", code.unwrap_or_else(null)));
    let id = request_id.or_else(|| answer.header("x-amz-request-id")).unwrap_or_else(null);
    let extended = answer.header("x-amz-id-2").map(|id| format!(", Extended Request ID: {id}")).unwrap_or_default();
    let (client, status) = (model.client, answer.status.as_u16());
    let cause =
        format!("{said} (Service: {client}, Status Code: {status}, Request ID: {id}{extended}) (SDK Attempt Count: 1)");
    failed(&name, cause)
}

/// The failure of a call without an answer. AWS: unverified for time-outs.
fn call_failed(model: &Model, error: &CallError, service: &str) -> TaskAnswer {
    match error {
        CallError::NotSent { reason } | CallError::Lost { reason } => {
            client_failed(model, &format!("Unable to execute HTTP request: {reason} (SDK Attempt Count: 1)"))
        }
        CallError::TimedOut => client_failed(
            model,
            "Client execution did not complete before the specified timeout configuration. (SDK Attempt Count: 1)",
        ),
        CallError::RoleRefused { role } => crate::sdk_v1::role_refused(role),
        CallError::TooLarge { limit: _ } => crate::sdk_v1::too_large(&format!("{PREFIX}{service}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_of_s3_has_a_host_of_its_own() {
        let model = Table::get().service("s3").unwrap();
        let cases = [
            ("getObject", "/bucket/a/b", "bucket.s3.host", "/a/b"),
            ("getObject", "/my.bucket/a", "s3.host", "/my.bucket/a"),
            ("getObject", "/b%2Fc/a", "s3.host", "/b%2Fc/a"),
            ("listObjectsV2", "/bucket?list-type=2", "bucket.s3.host", "/?list-type=2"),
            ("headBucket", "/bucket", "bucket.s3.host", "/"),
            ("listBuckets", "/", "s3.host", "/"),
        ];
        for (action, path, host, rest) in cases {
            let operation = model.operation(action).unwrap();
            let found = at_bucket(&model, operation, "s3.host".to_owned(), path.to_owned());
            assert_eq!((found.0.as_str(), found.1.as_str()), (host, rest), "{action} {path}");
        }
    }

    #[test]
    fn tokens_are_random_uuids() {
        let (one, other) = (uuid().unwrap(), uuid().unwrap());
        assert_ne!(one, other);
        let lengths: Vec<usize> = one.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert_eq!(&one[14..15], "4");
    }
}
