//! Calls through the SDK, `aws-sdk:SERVICE:ACTION`: any service of the table, in its protocol, with the names, values,
//! errors and causes of the SDK for Java v2.
//!
//! A request may have been executed once it is sent, so it is sent once per attempt. Deliberately absent: event streams,
//! and code of the SDK that single services have, but for S3's addressing and the checksums of bodies.

mod admission;
pub(crate) mod answer;
mod checksum;
mod data;
#[cfg(test)]
mod hostile;
pub(crate) mod model;
mod place;
pub(crate) mod request;
mod results;
mod services;
pub(crate) mod table;
#[cfg(test)]
mod vectors;
mod write;

pub use admission::Catalogue;
pub(crate) use services::AwsServices;

use std::sync::Arc;

use asl::Integration;
use engine::ports::{TaskAnswer, TaskCall};

use crate::exchange::{Answer, CallError};
use crate::sdk_v1::{ServiceError, excerpt, failed};
use crate::{aws_json, query};
use model::{Model, Protocol, Version};
use request::Refused;
use table::Table;

/// The beginning of a resource's service that names a call through the SDK.
pub(crate) const PREFIX: &str = "aws-sdk:";

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

    /// Makes the call.
    pub(crate) async fn make(&self, services: &AwsServices, call: &TaskCall) -> TaskAnswer {
        let Self { service, model, action } = self;
        let Some(operation) = model.operation(action) else { return client_failed(model, "no such operation") };
        if let Some(named) = services.own_named_in(&call.arguments) {
            return failed(&general(model), is_own(&named));
        }
        if !services.may_call(service, call) {
            return failed("States.Runtime", not_allowed(service));
        }
        let outline =
            match request::request(model, operation, &call.arguments, Some(&call.attempt.uuid()), Version::Two) {
                Ok(outline) => outline,
                Err(Refused::Unsuitable(why)) => return unsuitable(&call.arguments, &why),
                Err(Refused::Unwritable(why)) => return client_failed(model, &why),
            };
        match services.send((service, model, operation), None, outline, call).await {
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
}

/// AWS: S3 may answer 200 and tell an error all the same, as for a copy.
pub(crate) fn is_error_within(model: &Model, answer: &Answer) -> bool {
    model.protocol == Protocol::RestXml && {
        let text = answer.text();
        let start = text.trim_start();
        start.starts_with("<Error>")
            || start.starts_with("<?xml") && start.contains("?>") && {
                start.split_once("?>").is_some_and(|(_, rest)| rest.trim_start().starts_with("<Error>"))
            }
    }
}

/// The name of errors that the service has no exception for.
fn general(model: &Model) -> String {
    format!("{0}.{0}Exception", model.client)
}

fn client_failed(model: &Model, cause: &str) -> TaskAnswer {
    failed(&format!("{}.SdkClientException", model.client), cause.to_owned())
}

/// AWS: the sentence is that of the optimised integrations; for JSONata's "Arguments" it is unverified.
pub(crate) fn unsuitable(arguments: &str, why: &str) -> TaskAnswer {
    failed("States.Runtime", format!("The Parameters '{arguments}' could not be used to start the Task: [{why}]"))
}

pub(crate) fn not_allowed(service: &str) -> String {
    format!(
        "'{service}' is not called at AWS in the name of this installation: give its tasks a role in Credentials, the \
         service an endpoint, or allow the service."
    )
}

/// The failure of a call that the service answered with an error.
fn service_failed(model: &Model, answer: &Answer) -> TaskAnswer {
    let error = service_error(model, answer);
    let known = exception(model, &error, Version::Two);
    let ServiceError { exception: _, code, message, request_id } = error;
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

/// What an error answer of the service tells.
pub(crate) fn service_error(model: &Model, answer: &Answer) -> ServiceError {
    match model.protocol {
        Protocol::Json | Protocol::RestJson => aws_json::error(answer),
        Protocol::RestXml | Protocol::Query | Protocol::Ec2 => query::error(answer),
    }
}

/// True when an error says that the service is busy or in trouble, not what is wrong with the request.
pub(crate) fn is_passing(error: &ServiceError, status: http::StatusCode) -> bool {
    const BUSY: [&str; 6] =
        ["Throttl", "TooManyRequests", "RequestLimitExceeded", "SlowDown", "ServiceUnavailable", "InternalServer"];
    let named = |code: &Option<String>| code.as_ref().is_some_and(|code| BUSY.iter().any(|busy| code.contains(busy)));
    status.is_server_error() || status.as_u16() == 429 || named(&error.exception) || named(&error.code)
}

/// The exception that an error means, without the service; `None` where the service has none for it.
pub(crate) fn exception(model: &Model, error: &ServiceError, version: Version) -> Option<String> {
    [&error.exception, &error.code].into_iter().flatten().find_map(|code| model.exception(code, version))
}

/// The cause of the failure of a call that names what belongs to the installation.
pub(crate) fn is_own(named: &str) -> String {
    format!("'{named}' belongs to this installation of Stepwell: its workflows may not touch it.")
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
