//! One call of the Invoke API, from a task's arguments to the request's bytes.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use serde_json::value::RawValue;

use crate::caller::percent_encoded;
use crate::exchange::Request;
use crate::json;

/// Lambda's limit of 6 MiB for an answer, and room for what may be around it.
pub(super) const ANSWER_LIMIT: usize = 6 * 1024 * 1024 + 64 * 1024;

/// How functions are named to the endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Naming {
    /// As the workflow does: by name or ARN.
    AsGiven,
    /// By the name alone: what every emulator of Lambda understands.
    Bare,
}

/// A call of one function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Invocation {
    /// A name, a partial or a full ARN, perhaps with a qualifier.
    pub function: String,
    pub qualifier: Option<String>,
    invocation_type: Option<String>,
    log_type: Option<String>,
    client_context: Option<String>,
    payload: Bytes,
}

impl Invocation {
    /// The function `arn` with `event`, a JSON text.
    pub(crate) fn of_function(arn: &str, event: &str) -> Self {
        Self {
            function: arn.to_owned(),
            qualifier: None,
            invocation_type: None,
            log_type: None,
            client_context: None,
            payload: Bytes::copy_from_slice(event.as_bytes()),
        }
    }

    /// The call that arguments of `lambda:invoke` describe. They were checked before the task was scheduled.
    pub(crate) fn of_arguments(arguments: &str) -> Self {
        let fields = json::object(arguments).unwrap_or_default();
        let text = |name: &str| fields.get(name).and_then(|value| json::string(value));
        Self {
            function: text("FunctionName").unwrap_or_default(),
            qualifier: text("Qualifier"),
            invocation_type: text("InvocationType"),
            log_type: text("LogType"),
            client_context: text("ClientContext"),
            payload: fields.get("Payload").map_or_else(Bytes::new, |value| payload(value)),
        }
    }

    /// True when the call does not wait for the function.
    pub(crate) fn is_event(&self) -> bool {
        self.invocation_type.as_deref() == Some("Event")
    }

    /// The function's name without account, region and qualifier.
    pub(crate) fn bare_name(&self) -> &str {
        self.parts().0
    }

    /// The version or alias asked for: the argument's, else the one that is part of the name.
    pub(crate) fn asked_qualifier(&self) -> Option<&str> {
        self.qualifier.as_deref().or(self.parts().1)
    }

    /// The request that does it. The error is a message in Lambda's way.
    pub(crate) fn request(&self, naming: Naming, timeout: Duration) -> Result<Request, String> {
        let path = self.path(naming, "invocations")?;
        let mut headers = vec![(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
        let optional = [
            ("x-amz-invocation-type", "invocationType", &self.invocation_type),
            ("x-amz-log-type", "logType", &self.log_type),
            ("x-amz-client-context", "clientContext", &self.client_context),
        ];
        for (name, member, value) in optional {
            let Some(value) = value else { continue };
            let header = HeaderValue::from_str(value).ok().filter(|header| header.to_str().is_ok());
            headers.push((HeaderName::from_static(name), header.ok_or_else(|| invalid(member, value))?));
        }
        let body = self.payload.clone();
        Ok(Request { method: http::Method::POST, path, headers, body, timeout, answer_limit: ANSWER_LIMIT })
    }

    /// The path of what the API has to say about the function under the name `what`.
    pub(super) fn path(&self, naming: Naming, what: &str) -> Result<String, String> {
        let (function, qualifier) = match naming {
            Naming::AsGiven => (self.function.as_str(), self.qualifier.as_deref()),
            Naming::Bare => (self.bare_name(), self.asked_qualifier()),
        };
        // A segment of dots would be a walk up the path, which no encoding hides.
        if function.chars().all(|character| character == '.') {
            return Err(invalid("functionName", function));
        }
        let mut path = format!("/2015-03-31/functions/{}/{what}", percent_encoded(function));
        if let Some(qualifier) = qualifier {
            path.push_str("?Qualifier=");
            path.push_str(&percent_encoded(qualifier));
        }
        Ok(path)
    }

    /// The bare name and the qualifier in `function`: `name[:qualifier]`, `[ACCOUNT:]function:name[:qualifier]`, or a
    /// full ARN.
    fn parts(&self) -> (&str, Option<&str>) {
        let whole = self.function.as_str();
        let rest = whole
            .strip_prefix("function:")
            .or_else(|| whole.split_once(":function:").map(|(_, rest)| rest))
            .unwrap_or(whole);
        match rest.split_once(':') {
            Some((name, qualifier)) => (name, Some(qualifier)),
            None => (rest, None),
        }
    }
}

// AWS: a string is the body as it is, a null no body at all, which the function sees as the event `{}`.
fn payload(value: &RawValue) -> Bytes {
    if value.get() == "null" {
        return Bytes::new();
    }
    Bytes::from(json::text(value))
}

fn invalid(member: &str, value: &str) -> String {
    format!("1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:lambda:us-east-1:123456789012:function:fun";

    #[test]
    fn functions_are_named_as_given_or_by_their_bare_name() {
        let encoded = "arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Afun";
        let cases = [
            (ARN.to_owned(), None, encoded.to_owned(), "fun"),
            (format!("{ARN}:live"), None, format!("{encoded}%3Alive"), "fun?Qualifier=live"),
            ("fun".to_owned(), None, "fun".to_owned(), "fun"),
            ("fun:$LATEST".to_owned(), None, "fun%3A%24LATEST".to_owned(), "fun?Qualifier=%24LATEST"),
            ("123456789012:function:fun".to_owned(), None, "123456789012%3Afunction%3Afun".to_owned(), "fun"),
            ("myfunction:live".to_owned(), None, "myfunction%3Alive".to_owned(), "myfunction?Qualifier=live"),
            ("function:fun".to_owned(), None, "function%3Afun".to_owned(), "fun"),
            ("fun".to_owned(), Some("3"), "fun?Qualifier=3".to_owned(), "fun?Qualifier=3"),
            ("a/../b".to_owned(), None, "a%2F..%2Fb".to_owned(), "a%2F..%2Fb"),
        ];
        for (function, qualifier, as_given, bare) in cases {
            let mut invocation = Invocation::of_function(&function, "{}");
            invocation.qualifier = qualifier.map(str::to_owned);
            for (naming, expected) in [(Naming::AsGiven, as_given.as_str()), (Naming::Bare, bare)] {
                let path = invocation.request(naming, Duration::from_secs(1)).unwrap().path;
                let (name, query) =
                    expected.split_once('?').map_or((expected, None), |(name, query)| (name, Some(query)));
                let query = query.map(|query| format!("?{query}")).unwrap_or_default();
                assert_eq!(path, format!("/2015-03-31/functions/{name}/invocations{query}"), "{function} {naming:?}");
            }
        }
    }

    #[test]
    fn the_payload_becomes_the_body() {
        let cases = [
            (r#"{"FunctionName":"f"}"#, ""),
            (r#"{"FunctionName":"f","Payload":null}"#, ""),
            (r#"{"FunctionName":"f","Payload":"\"text\""}"#, "\"text\""),
            (r#"{"FunctionName":"f","Payload":"{\"a\": 1}"}"#, "{\"a\": 1}"),
            (r#"{"FunctionName":"f","Payload":{"a": 1.50}}"#, r#"{"a":1.50}"#),
            (r#"{"FunctionName":"f","Payload":[12345678901234567890123]}"#, "[12345678901234567890123]"),
            (r#"{"FunctionName":"f","Payload":false}"#, "false"),
        ];
        for (arguments, body) in cases {
            let request = Invocation::of_arguments(arguments).request(Naming::Bare, Duration::ZERO).unwrap();
            assert_eq!(request.body, body.as_bytes(), "{arguments}");
        }
    }

    #[test]
    fn names_of_dots_and_values_no_header_can_hold_are_refused() {
        let cases = [
            r#"{"FunctionName":".."}"#,
            r#"{"FunctionName":""}"#,
            r#"{"FunctionName":"f","InvocationType":"a\nb"}"#,
            r#"{"FunctionName":"f","ClientContext":"\u00e9"}"#,
        ];
        for arguments in cases {
            let refused = Invocation::of_arguments(arguments).request(Naming::AsGiven, Duration::ZERO);
            assert!(refused.is_err(), "{arguments}");
        }
    }

    #[test]
    fn what_names_no_function_is_not_sent() {
        for arguments in ["", "[]", "null", "{", "{}", r#"{"FunctionName":null}"#] {
            assert!(
                Invocation::of_arguments(arguments).request(Naming::AsGiven, Duration::ZERO).is_err(),
                "{arguments}"
            );
        }
    }
}
