//! The arguments of those optimised integrations whose rows in [`optimised`] know their fields.
//!
//! AWS looks at names when a machine is created, and at everything before it schedules the task: a task that cannot be
//! started ends its execution. Nulls are members that are not sent, and the service says what it misses. Deliberately
//! absent: what only the service knows; and checks of other integrations, which take anything.

use serde_json::{Map, Value};

use crate::optimised::Fields;
use crate::{Integration, optimised};

/// The value of a field, as far as it is checked.
#[derive(Clone, Copy)]
pub(crate) enum Holds {
    Text,
    /// An object or a list.
    Structure,
    /// Attributes of DynamoDB by their names.
    Attributes,
    /// Headers of a request, none of them one of these.
    Headers(&'static [&'static str]),
    Anything,
}

use Holds::{Anything, Attributes, Headers, Structure, Text};

fn fields(integration: &Integration) -> Option<&'static [Fields]> {
    optimised::fields(&integration.service, &integration.action)
}

/// The names of the fields of an action; `None` where nothing is known of it.
pub(crate) fn names(integration: &Integration) -> Option<impl Iterator<Item = &'static str> + Clone> {
    Some(fields(integration)?.iter().copied().flatten().map(|(name, _)| *name))
}

/// The refusal of a field that an action does not have.
// AWS: as reported in public; the field's name stands between double quotes.
pub fn unsupported(field: &str) -> String {
    format!("The field \"{field}\" is not supported by Step Functions")
}

impl Integration {
    /// The fields that the arguments of an optimised integration have to have.
    pub fn required(&self) -> &'static [&'static str] {
        optimised::required_parameters(&self.service, &self.action)
    }

    /// Why a task cannot be started with these arguments, if it cannot: the cause without the prefix that names the state.
    pub fn refusal(&self, arguments: &Value) -> Option<String> {
        let fields = fields(self)?;
        let nothing = Map::new();
        let given = arguments.as_object().unwrap_or(&nothing);
        let mut problems = Vec::new();
        for (name, value) in given {
            match fields.iter().copied().flatten().find(|(known, _)| known == name) {
                Some((_, holds)) => look(name, value, *holds, &mut problems),
                None => problems.push(unsupported(name)),
            }
        }
        for field in self.required() {
            if !given.contains_key(*field) {
                // AWS: unverified. The wording is that of a definition's refusal.
                problems.push(format!("The field '{field}' is required but was missing"));
            }
        }
        // AWS: "Parameters" in JSONPath; what JSONata's "Arguments" are called here is unverified.
        (!problems.is_empty()).then(|| {
            format!("The Parameters '{arguments}' could not be used to start the Task: [{}]", problems.join(", "))
        })
    }
}

fn look(name: &str, value: &Value, holds: Holds, problems: &mut Vec<String>) {
    let structured = value.is_object() || value.is_array();
    match holds {
        _ if value.is_null() => {}
        Text if !value.is_string() => problems.push(no_text(name)),
        // AWS: this form is on record for apigateway:invoke.
        Structure | Attributes | Headers(_) if !structured => problems.push(no_structure(name)),
        Headers(forbidden) => {
            let names = value.as_object().into_iter().flatten().map(|(name, _)| name.as_str());
            let unsupported: Vec<&str> = names.filter(|name| is_one_of(forbidden, name)).collect();
            if !unsupported.is_empty() {
                // AWS: captured for http:invoke.
                problems.push(format!("The '{name}' field contains unsupported values: [{}]", unsupported.join(", ")));
            }
        }
        Attributes => {
            value.as_object().into_iter().flatten().for_each(|(name, value)| attribute(name, value, problems))
        }
        Text | Structure | Anything => {}
    }
}

/// An attribute's value: an object whose one member tells its type. Nesting is bounded by what an input may nest.
// AWS: a plain text is one of type `S`, as an execution published by its author shows.
fn attribute(name: &str, value: &Value, problems: &mut Vec<String>) {
    if value.is_string() {
        return;
    }
    let Some(typed) = value.as_object() else {
        problems.push(no_structure(name));
        return;
    };
    for (kind, value) in typed {
        match (kind.as_str(), value) {
            ("S" | "N" | "B", Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                problems.push(no_text(kind));
            }
            ("M", Value::Object(members)) => members.iter().for_each(|(name, value)| attribute(name, value, problems)),
            ("L", Value::Array(items)) => items.iter().for_each(|value| attribute(kind, value, problems)),
            _ => {}
        }
    }
}

/// True if the list has the name of a header, or its beginning before a `*`.
fn is_one_of(list: &[&str], name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    list.iter().any(|listed| listed.strip_suffix('*').map_or(*listed == name, |start| name.starts_with(start)))
}

/// AWS: in these words for numbers in DynamoDB's `N` and Lambda's former payloads, as reported in public.
fn no_text(field: &str) -> String {
    format!("The value for the field '{field}' must be a STRING")
}

fn no_structure(field: &str) -> String {
    format!("The value of the field '{field}' has an invalid format")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Resource;

    /// The problems between the brackets.
    fn refused(call: &str, arguments: &Value) -> Option<String> {
        let Ok(Resource::Integration(integration)) = Resource::parse(&format!("arn:aws:states:::{call}")) else {
            panic!("{call}");
        };
        let cause = integration.refusal(arguments)?;
        let start = format!("The Parameters '{arguments}' could not be used to start the Task: [");
        Some(cause.strip_prefix(&start).unwrap().strip_suffix(']').unwrap().to_owned())
    }

    #[test]
    fn says_what_is_wrong_with_arguments() {
        let missing = |field: &str| format!("The field '{field}' is required but was missing");
        let cases = [
            ("lambda:invoke", json!({"FunctionName": "f", "Payload": [1], "ClientContext": "e30="}), vec![]),
            ("lambda:invoke", json!({"FunctionName": "f", "Payload": null, "Qualifier": null}), vec![]),
            ("lambda:invoke", json!([]), vec![missing("FunctionName")]),
            ("lambda:invoke.waitForTaskToken", json!({"FunctionName": 1}), vec![no_text("FunctionName")]),
            (
                "lambda:invoke",
                json!({"functionName": "f", "LogType": {}}),
                vec![unsupported("functionName"), no_text("LogType"), missing("FunctionName")],
            ),
            ("sqs:sendMessage", json!({"QueueUrl": "u", "MessageBody": null}), vec![]),
            ("sqs:sendMessage", json!({"QueueUrl": "u", "MessageBody": {"a": 1}, "DelaySeconds": 5}), vec![]),
            ("sqs:sendMessage", json!({"QueueUrl": "u"}), vec![missing("MessageBody")]),
            (
                "sqs:sendMessage.waitForTaskToken",
                json!({"QueueUrl": "u", "MessageBody": "b", "MessageAttributes": "a", "Message": 1}),
                vec![no_structure("MessageAttributes"), unsupported("Message")],
            ),
            ("sns:publish", json!({"TopicArn": "t", "Message": {"a": 1}, "Subject": "s"}), vec![]),
            ("sns:publish", json!({"PhoneNumber": 1, "Message": "m"}), vec![no_text("PhoneNumber")]),
            ("dynamodb:putItem", json!({"TableName": "t", "Item": null}), vec![]),
            ("dynamodb:putItem", json!({"TableName": "t", "Item": {"n": {"N": 1}}}), vec![no_text("N")]),
            (
                "dynamodb:updateItem",
                json!({"TableName": "t", "ExpressionAttributeValues": {
                    ":a": {"M": {"x": {"L": [{"S": true}, {"S": "s"}, "s", 7]}}}, ":b": "text", ":c": {"BOOL": true},
                    ":d": true,
                }}),
                vec![no_text("S"), no_structure("L"), no_structure(":d")],
            ),
            ("dynamodb:getItem", json!({"TableName": "t", "Key": {}, "Item": {}}), vec![unsupported("Item")]),
            ("batch:submitJob", json!({"whatever": 1}), vec![]),
            (
                "http:invoke",
                json!({"ApiEndpoint": "https://e", "Method": "GET", "Headers": {"authorization": "x", "X-Own": "y"}}),
                vec!["The 'Headers' field contains unsupported values: [authorization]".to_owned()],
            ),
            (
                "apigateway:invoke",
                json!({"ApiEndpoint": "e", "Method": "GET", "Headers": {"X-Amzn-Trace-Id": ["x"], "Via": ["y"]}}),
                vec!["The 'Headers' field contains unsupported values: [X-Amzn-Trace-Id, Via]".to_owned()],
            ),
            (
                "apigateway:invoke",
                json!({"ApiEndpoint": "e", "Method": "GET", "Headers": "x"}),
                vec![no_structure("Headers")],
            ),
        ];
        for (call, arguments, problems) in cases {
            let expected = (!problems.is_empty()).then(|| problems.join(", "));
            assert_eq!(refused(call, &arguments), expected, "{call} {arguments}");
        }
    }
}
