//! SNS: `publish`, with a message that may be anything: what is no text is sent as its JSON.

use std::time::Duration;

use roxmltree::{Document, Node};
use serde_json::value::to_raw_value;

use crate::api::{ANSWER_LIMIT, Api, Arguments, at_home};
use crate::caller::{Answer, Request};
use crate::json;
use crate::query::{self, Form, content};
use crate::words::{Members, Refusal, Words};

pub(crate) const API: Api = Api {
    words: Words {
        service: "sns",
        prefix: "SNS",
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
    actions: &["publish"],
    subject: "TopicArn",
    region: at_home,
    request: |_, arguments, timeout| request(arguments, timeout),
    members,
    refusal,
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

fn refusal(answer: &Answer) -> Refusal {
    let refusal = query::refusal(answer);
    // The only code whose exception has another name.
    let exception = refusal.exception.map(|code| match code.as_str() {
        "ParameterValueInvalid" => "InvalidParameterValueException".to_owned(),
        _ => code,
    });
    Refusal { exception, ..refusal }
}
