//! SNS: `publish`, with a message that may be anything: what is no text is sent as its JSON.
//!
//! SNS speaks AWS's oldest protocol: a form there, XML back.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use roxmltree::{Document, Node};
use serde_json::value::to_raw_value;

use crate::api::{ANSWER_LIMIT, Api, Arguments, at_home};
use crate::caller::{Answer, Request, percent_encoded};
use crate::json;
use crate::words::{Members, Refusal, Words, excerpt, request_id};

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
    let mut body = String::from("Action=Publish&Version=2010-03-31");
    let mut add = |name: &str, value: &str| {
        body.push('&');
        body.push_str(&percent_encoded(name));
        body.push('=');
        body.push_str(&percent_encoded(value));
    };
    for (name, value) in arguments {
        match json::object(value.get()).filter(|_| name == "MessageAttributes") {
            None => add(name, &json::text(value)),
            Some(attributes) => {
                for (number, (attribute, parts)) in (1..).zip(&attributes) {
                    add(&format!("{name}.entry.{number}.Name"), attribute);
                    for (part, value) in json::object(parts.get()).unwrap_or_default() {
                        add(&format!("{name}.entry.{number}.Value.{part}"), &json::text(value));
                    }
                }
            }
        }
    }
    let form = HeaderValue::from_static("application/x-www-form-urlencoded; charset=utf-8");
    Request {
        method: http::Method::POST,
        path: "/".to_owned(),
        headers: vec![(CONTENT_TYPE, form)],
        body: Bytes::from(body),
        timeout,
        answer_limit: ANSWER_LIMIT,
    }
}

fn members(answer: &Answer) -> Option<Members> {
    let text = answer.text();
    let document = Document::parse(&text).ok()?;
    let result = document.descendants().find(|node| is(node, "PublishResult"))?;
    let members = result.children().filter(Node::is_element);
    members.map(|node| Some((node.tag_name().name().to_owned(), to_raw_value(content(&node)).ok()?))).collect()
}

fn refusal(answer: &Answer) -> Refusal {
    let text = answer.text();
    let document = Document::parse(&text).ok();
    let said = |name: &str| {
        let node = document.as_ref()?.descendants().find(|node| is(node, name))?;
        Some(content(&node).to_owned())
    };
    let code = said("Code");
    // The only code whose exception has another name.
    let exception = code.as_deref().map(|code| match code {
        "ParameterValueInvalid" => "InvalidParameterValueException".to_owned(),
        other => other.to_owned(),
    });
    Refusal {
        exception,
        code,
        message: Some(said("Message").unwrap_or_else(|| excerpt(&text))),
        request_id: request_id(answer).or_else(|| said("RequestId")),
    }
}

/// Emulators leave AWS's namespace out.
fn is(node: &Node<'_, '_>, name: &str) -> bool {
    node.is_element() && node.tag_name().name() == name
}

fn content<'a>(node: &Node<'a, '_>) -> &'a str {
    node.text().unwrap_or_default()
}
