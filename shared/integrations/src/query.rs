//! AWS's oldest protocol, which SNS and STS still speak: the request is a form, the answer XML.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use roxmltree::{Document, Node};

use crate::caller::percent_encoded;
use crate::exchange::{Answer, Request};
use crate::sdk_v1::{ServiceError, excerpt, request_id};

/// The body of a request.
pub(crate) struct Form(String);

impl Form {
    pub(crate) fn new(action: &str, version: &str) -> Self {
        Self(format!("Action={action}&Version={version}"))
    }

    pub(crate) fn add(&mut self, name: &str, value: &str) {
        for part in ["&", &percent_encoded(name), "=", &percent_encoded(value)] {
            self.0.push_str(part);
        }
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        Bytes::from(self.0)
    }

    pub(crate) fn request(self, timeout: Duration, answer_limit: usize) -> Request {
        let form = HeaderValue::from_static("application/x-www-form-urlencoded; charset=utf-8");
        Request {
            method: http::Method::POST,
            path: "/".to_owned(),
            headers: vec![(CONTENT_TYPE, form)],
            body: self.into_bytes(),
            timeout,
            answer_limit,
        }
    }
}

/// The first element of that name. Emulators leave AWS's namespace out.
pub(crate) fn element<'a, 'input>(document: &'a Document<'input>, name: &str) -> Option<Node<'a, 'input>> {
    document.descendants().find(|node| node.is_element() && node.tag_name().name() == name)
}

/// The text of an element.
pub(crate) fn content<'a>(node: &Node<'a, '_>) -> &'a str {
    node.text().unwrap_or_default()
}

/// The error that an answer tells.
pub(crate) fn error(answer: &Answer) -> ServiceError {
    let text = answer.text();
    let document = Document::parse(&text).ok();
    let said = |name: &str| Some(content(&element(document.as_ref()?, name)?).to_owned());
    let code = said("Code");
    ServiceError {
        exception: code.clone(),
        code,
        message: Some(said("Message").unwrap_or_else(|| excerpt(&text))),
        request_id: request_id(answer).or_else(|| said("RequestId")).or_else(|| said("RequestID")),
    }
}
