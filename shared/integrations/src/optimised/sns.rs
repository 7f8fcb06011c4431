//! SNS: `publish`, with a message that may be anything: what is no text is sent as its JSON.

use std::time::Duration;

use roxmltree::{Document, Node};
use serde_json::value::to_raw_value;

use crate::exchange::{Answer, Request};
use crate::json;
use crate::optimised::{ANSWER_LIMIT, Arguments, Service, at_home};
use crate::query::{self, Form, content};
use crate::sdk_v1::{Members, SdkV1, ServiceError};

pub(crate) const SERVICE: Service = Service {
    names: SdkV1 {
        service: "sns",
        client: "AmazonSNS",
        exceptions: &[
            "AuthorizationErrorException",
            "EndpointDisabledException",
            "InternalErrorException",
            "InvalidParameterException",
            "InvalidParameterValueException",
            "InvalidSecurityException",
            "KMSAccessDeniedException",
            "KMSDisabledException",
            "KMSInvalidStateException",
            "KMSNotFoundException",
            "KMSOptInRequiredException",
            "KMSThrottlingException",
            "NotFoundException",
            "PlatformApplicationDisabledException",
            "ThrottledException",
            "ValidationException",
        ],
        general: "AmazonSNSException",
        headers: &["x-amzn-RequestId", "connection", "Content-Length", "Date", "Content-Type"],
    },
    subject: "TopicArn",
    region: at_home,
    request: |_, arguments, timeout| request(arguments, timeout),
    members,
    error,
};

fn request(arguments: &Arguments<'_>, timeout: Duration) -> Request {
    let mut form = Form::new("Publish", "2010-03-31");
    for (name, value) in arguments {
        match json::object(value.get()).filter(|_| name == "MessageAttributes") {
            None => form.add(name, &json::text(value)),
            Some(attributes) => {
                for (number, (attribute, parts)) in (1..).zip(&attributes) {
                    form.add(&format!("{name}.entry.{number}.Name"), attribute);
                    for (part, value) in json::object(parts.get()).unwrap_or_default() {
                        form.add(&format!("{name}.entry.{number}.Value.{part}"), &json::text(value));
                    }
                }
            }
        }
    }
    form.request(timeout, ANSWER_LIMIT)
}

fn members(answer: &Answer) -> Option<Members> {
    let text = answer.text();
    let document = Document::parse(&text).ok()?;
    let members = query::element(&document, "PublishResult")?.children().filter(Node::is_element);
    let named = |node: Node<'_, '_>| Some((node.tag_name().name().to_owned(), to_raw_value(content(&node)).ok()?));
    members.map(named).collect()
}

fn error(answer: &Answer) -> ServiceError {
    let error = query::error(answer);
    // The only code whose exception has another name.
    let exception = error.exception.map(|code| match code.as_str() {
        "ParameterValueInvalid" => "InvalidParameterValueException".to_owned(),
        _ => code,
    });
    ServiceError { exception, ..error }
}
