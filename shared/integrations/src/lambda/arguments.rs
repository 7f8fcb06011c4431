//! What `lambda:invoke` accepts as arguments.
//!
//! AWS looks at the arguments before it schedules the task; a task that cannot be started ends its execution with
//! `States.Runtime`. Deliberately absent: whether the function exists, which Lambda says.

use asl::Resource;
use serde_json::Value;

pub(super) const FUNCTION_NAME: &str = "FunctionName";
pub(super) const PAYLOAD: &str = "Payload";
pub(super) const QUALIFIER: &str = "Qualifier";
pub(super) const INVOCATION_TYPE: &str = "InvocationType";
pub(super) const LOG_TYPE: &str = "LogType";
pub(super) const CLIENT_CONTEXT: &str = "ClientContext";

const TEXTS: [&str; 5] = [FUNCTION_NAME, QUALIFIER, INVOCATION_TYPE, LOG_TYPE, CLIENT_CONTEXT];

/// What a field's value is, as far as these rules care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Null,
    Text,
    Other,
}

/// Says why a task of `resource` cannot be started with `arguments`: the cause of its `States.Runtime`, without the
/// prefix that names the state. Resources other than `lambda:invoke` accept anything.
pub fn check_arguments(resource: &Resource, arguments: &Value) -> Result<(), String> {
    let Resource::Integration(integration) = resource else { return Ok(()) };
    if integration.service != "lambda" || integration.action != "invoke" {
        return Ok(());
    }
    let problems = match arguments.as_object() {
        Some(fields) => problems(fields.iter().map(|(name, value)| (name.as_str(), shape(value)))),
        None => problems(std::iter::empty()),
    };
    if problems.is_empty() { Ok(()) } else { Err(cannot_start(&arguments.to_string(), &problems)) }
}

/// Everything that is wrong with these fields.
pub(super) fn problems<'a>(fields: impl Iterator<Item = (&'a str, Shape)>) -> Vec<String> {
    let mut problems = Vec::new();
    let mut named = false;
    for (name, shape) in fields {
        let is_text = TEXTS.contains(&name);
        named |= name == FUNCTION_NAME && shape != Shape::Null;
        if is_text && shape == Shape::Other {
            // AWS: this form is on record for apigateway:invoke.
            problems.push(format!("The value of the field '{name}' has an invalid format"));
        } else if !is_text && name != PAYLOAD {
            // AWS: unverified. The wording is that of a definition's refusal.
            problems.push(format!("The field '{name}' is not supported by Step Functions"));
        }
    }
    if !named {
        // AWS: unverified. The wording is that of a definition's refusal.
        problems.push(format!("The field '{FUNCTION_NAME}' is required but was missing"));
    }
    problems
}

/// The cause that lists `problems`.
pub(super) fn cannot_start(arguments: &str, problems: &[String]) -> String {
    // AWS: "Parameters" in JSONPath; what JSONata's "Arguments" are called here is unverified.
    format!("The Parameters '{arguments}' could not be used to start the Task: [{}]", problems.join(", "))
}

fn shape(value: &Value) -> Shape {
    match value {
        Value::Null => Shape::Null,
        Value::String(_) => Shape::Text,
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => Shape::Other,
    }
}

#[cfg(test)]
mod tests {
    use asl::{Integration, Pattern};
    use serde_json::json;

    use super::*;

    fn resource(service: &str, action: &str) -> Resource {
        Resource::Integration(Integration {
            arn: format!("arn:aws:states:::{service}:{action}"),
            service: service.to_owned(),
            action: action.to_owned(),
            pattern: Pattern::RequestResponse,
        })
    }

    #[test]
    fn says_what_is_wrong_with_the_arguments_of_an_invoke() {
        let cases = [
            (json!({"FunctionName": "f"}), None),
            (json!({"FunctionName": "f", "Payload": null, "Qualifier": null, "LogType": "Tail"}), None),
            (json!({"FunctionName": "f", "Payload": [1], "InvocationType": "Event", "ClientContext": "e30="}), None),
            (json!({}), Some("[The field 'FunctionName' is required but was missing]")),
            (json!([]), Some("[The field 'FunctionName' is required but was missing]")),
            (json!({"FunctionName": null}), Some("[The field 'FunctionName' is required but was missing]")),
            (json!({"FunctionName": 1}), Some("[The value of the field 'FunctionName' has an invalid format]")),
            (
                json!({"functionName": "f", "LogType": {}}),
                Some(
                    "[The field 'functionName' is not supported by Step Functions, \
                     The value of the field 'LogType' has an invalid format, \
                     The field 'FunctionName' is required but was missing]",
                ),
            ),
        ];
        for (arguments, expected) in cases {
            let expected = expected
                .map(|list| format!("The Parameters '{arguments}' could not be used to start the Task: {list}"));
            assert_eq!(check_arguments(&resource("lambda", "invoke"), &arguments).err(), expected);
        }
    }

    #[test]
    fn other_resources_are_not_judged() {
        let function = Resource::Lambda { arn: "arn:aws:lambda:us-east-1:123456789012:function:f".to_owned() };
        assert_eq!(check_arguments(&function, &json!(7)), Ok(()));
        assert_eq!(check_arguments(&resource("sqs", "sendMessage"), &json!({})), Ok(()));
    }
}
