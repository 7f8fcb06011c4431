//! The constraints of AWS's service model, checked before an action runs, with the texts of AWS's front end.
//!
//! A shape says what the model says and no more: an ARN is a text of 1 to 256 characters here, what it means is
//! [`super::arn`]'s affair. All violations of a request are answered at once; a wrong JSON type ends the check.

mod members;

use serde_json::{Map, Value};

pub(crate) use members::*;

use crate::error::ApiError;

/// One member of a structure.
pub(crate) struct Member {
    pub name: &'static str,
    pub required: bool,
    pub shape: Shape,
}

pub(crate) enum Shape {
    Text(Text),
    Integer { least: i64, most: i64 },
    Float { least: i32, most: i32 },
    Flag,
    Structure(&'static [Member]),
    List(List),
}

/// A list and its constraints.
pub(crate) struct List {
    pub least: usize,
    pub most: usize,
    pub of: &'static Shape,
    /// The class whose name AWS's text prints in front of a structure of the list; empty where no list is printed.
    pub name: &'static str,
}

/// A string and its constraints.
pub(crate) struct Text {
    pub least: usize,
    pub most: usize,
    pub measure: Measure,
    /// The values of an enumeration, in the order in which AWS's text lists them; empty for any text.
    pub one_of: &'static [&'static str],
    pub pattern: Pattern,
    /// Its value is not repeated in messages.
    pub secret: bool,
}

/// A regular expression of the model.
#[derive(Clone, Copy)]
pub(crate) enum Pattern {
    Anything,
    Ascii,
    /// Letters, digits and marks of ASCII.
    Visible,
    /// Letters, digits and `_-.`, and not digits only.
    AliasName,
}

impl Pattern {
    fn text(self) -> &'static str {
        match self {
            Pattern::Anything => "(?s).*",
            Pattern::Ascii => r"\p{ASCII}*",
            Pattern::Visible => "[!-~]+",
            Pattern::AliasName => r"^(?=.*[a-zA-Z_\-\.])[a-zA-Z0-9_\-\.]+$",
        }
    }

    fn fits(self, text: &str) -> bool {
        let mark = |letter: char| "_-.".contains(letter);
        match self {
            Pattern::Anything => true,
            Pattern::Ascii => text.is_ascii(),
            Pattern::Visible => text.bytes().all(|byte| byte.is_ascii_graphic()),
            Pattern::AliasName => {
                text.chars().all(|letter| letter.is_ascii_alphanumeric() || mark(letter))
                    && text.chars().any(|letter| letter.is_ascii_alphabetic() || mark(letter))
            }
        }
    }
}

pub(crate) enum Measure {
    Characters,
    Bytes,
}

/// Violations in a list after which the rest of it is not checked: the answer takes many times the bytes of each.
// AWS: unverified: how many it answers.
const MOST_VIOLATIONS: usize = 100;

/// Checks the members of a request.
pub(crate) fn check(members: &Map<String, Value>, shape: &'static [Member]) -> Result<(), ApiError> {
    let mut found = Vec::new();
    check_structure(members, shape, "", &mut found)?;
    if found.is_empty() { Ok(()) } else { Err(ApiError::Constraints(found)) }
}

/// An integer as AWS takes it: a whole number however it is written.
pub(crate) fn integer(value: &Value) -> Option<i64> {
    match value.as_i64() {
        Some(whole) => Some(whole),
        None => {
            value.as_f64().filter(|number| number.fract() == 0.0 && number.abs() < 9e15).map(|number| number as i64)
        }
    }
}

// Recursion is as deep as the shapes, not as the request.
fn check_structure(
    members: &Map<String, Value>,
    shape: &'static [Member],
    path: &str,
    found: &mut Vec<String>,
) -> Result<(), ApiError> {
    for member in shape {
        let at = || if path.is_empty() { member.name.to_owned() } else { format!("{path}.{}", member.name) };
        match members.get(member.name) {
            None | Some(Value::Null) if member.required => {
                found.push(match &member.shape {
                    // AWS: the text of a sensitive member has no value, not even null.
                    Shape::Text(text) if text.secret => violation(None, &at(), "Member must not be null"),
                    Shape::Text(_) | Shape::Integer { .. } | Shape::Float { .. } => violation_of_null(&at()),
                    Shape::Flag | Shape::Structure(_) | Shape::List(_) => violation_of_null(&at()),
                });
            }
            None | Some(Value::Null) => {}
            Some(value) => check_value(value, &member.shape, &at, found)?,
        }
    }
    Ok(())
}

fn check_value(
    value: &Value,
    shape: &'static Shape,
    at: &dyn Fn() -> String,
    found: &mut Vec<String>,
) -> Result<(), ApiError> {
    match (shape, value) {
        (Shape::Text(shape), Value::String(text)) => check_text(text, shape, at, found),
        (Shape::Integer { least, most }, Value::Number(number)) => {
            let whole = integer(value).ok_or_else(|| wrong_type(value, "Integer"))?;
            let violated = if whole > *most {
                format!("less than or equal to {most}")
            } else if whole < *least {
                format!("greater than or equal to {least}")
            } else {
                return Ok(());
            };
            found.push(violation(Some(&number.to_string()), &at(), &format!("Member must have value {violated}")));
        }
        (Shape::Float { least, most }, Value::Number(number)) => {
            let value = number.as_f64().unwrap_or_default();
            let violated = if value > f64::from(*most) {
                format!("less than or equal to {most}")
            } else if value < f64::from(*least) {
                format!("greater than or equal to {least}")
            } else {
                return Ok(());
            };
            found.push(violation(Some(&number.to_string()), &at(), &format!("Member must have value {violated}")));
        }
        (Shape::Flag, Value::Bool(_)) => {}
        (Shape::Structure(members), Value::Object(object)) => check_structure(object, members, &at(), found)?,
        (Shape::List(List { least, most, of, name }), Value::Array(items)) => {
            if items.len() > *most {
                let rule = format!("Member must have length less than or equal to {most}");
                found.push(violation(Some(&printed(value, name)), &at(), &rule));
            }
            if items.len() < *least {
                let rule = format!("Member must have length greater than or equal to {least}");
                found.push(violation(Some(&printed(value, name)), &at(), &rule));
            }
            for (number, item) in (1..).zip(items) {
                if found.len() >= MOST_VIOLATIONS {
                    break;
                }
                let at_item = || format!("{}.{number}.member", at());
                match item {
                    Value::Null => found.push(violation_of_null(&at_item())),
                    item => check_value(item, of, &at_item, found)?,
                }
            }
        }
        (Shape::Text(_), _) => return Err(wrong_type(value, "String")),
        (Shape::Integer { .. }, _) => return Err(wrong_type(value, "Integer")),
        (Shape::Float { .. }, _) => return Err(wrong_type(value, "Float")),
        (Shape::Flag, _) => return Err(wrong_type(value, "Boolean")),
        (Shape::Structure(_), _) => return Err(ApiError::Serialization(not_a_structure(value))),
        (Shape::List(_), _) => return Err(ApiError::Serialization(not_a_list(value))),
    }
    Ok(())
}

fn check_text(text: &str, shape: &Text, at: &dyn Fn() -> String, found: &mut Vec<String>) {
    let shown = (!shape.secret).then_some(text);
    match shape.measure {
        // No text has more characters than bytes: the cheap look comes first.
        Measure::Characters if text.len() > shape.most && text.chars().count() > shape.most => {
            let rule = format!("Member must have length less than or equal to {}", shape.most);
            found.push(violation(shown, &at(), &rule));
        }
        // AWS: observed by a third party for `input`.
        Measure::Bytes if text.len() > shape.most => {
            let rule = format!("Member must have size less than or equal to {} bytes in UTF-8 encoding", shape.most);
            found.push(violation(shown, &at(), &rule));
        }
        Measure::Characters | Measure::Bytes => {}
    }
    if shape.least > 0 && text.is_empty() {
        let rule = format!("Member must have length greater than or equal to {}", shape.least);
        found.push(violation(shown, &at(), &rule));
    }
    if !shape.one_of.is_empty() && !shape.one_of.contains(&text) {
        let rule = format!("Member must satisfy enum value set: [{}]", shape.one_of.join(", "));
        found.push(violation(shown, &at(), &rule));
    }
    if !text.is_empty() && !shape.pattern.fits(text) {
        let rule = format!("Member must satisfy regular expression pattern: {}", shape.pattern.text());
        found.push(violation(shown, &at(), &rule));
    }
}

fn violation(value: Option<&str>, at: &str, rule: &str) -> String {
    match value {
        Some(value) => format!("Value '{value}' at '{at}' failed to satisfy constraint: {rule}"),
        None => format!("Value at '{at}' failed to satisfy constraint: {rule}"),
    }
}

/// A list as AWS's front end prints it: as Java does. `name` is the class of its structures.
fn printed(value: &Value, name: &str) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| printed(item, name)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(members) => {
            let members: Vec<String> =
                members.iter().map(|(member, value)| format!("{member}={}", printed(value, name))).collect();
            format!("{name}({})", members.join(", "))
        }
        Value::String(text) => text.clone(),
        scalar => scalar.to_string(),
    }
}

fn violation_of_null(at: &str) -> String {
    format!("Value null at '{at}' failed to satisfy constraint: Member must not be null")
}

// AWS: the texts about types are those that other services with this protocol answer; unverified for this one.
fn wrong_type(value: &Value, wanted: &str) -> ApiError {
    let token = match value {
        Value::Null => "NULL_VALUE",
        Value::Bool(true) => "TRUE_VALUE",
        Value::Bool(false) => "FALSE_VALUE",
        Value::Number(number) if number.is_f64() => "DECIMAL_VALUE",
        Value::Number(_) => "NUMBER_VALUE",
        Value::String(_) => "STRING_VALUE",
        Value::Array(_) => return ApiError::Serialization("Start of list found where not expected".into()),
        Value::Object(_) => {
            return ApiError::Serialization("Start of structure or map found where not expected.".into());
        }
    };
    ApiError::Serialization(format!("{token} cannot be converted to {wanted}"))
}

pub(crate) fn not_a_structure(value: &Value) -> String {
    match value {
        Value::Array(_) => "Start of list found where not expected".to_owned(),
        _ => "Unexpected value type in payload".to_owned(),
    }
}

fn not_a_list(value: &Value) -> String {
    match value {
        Value::Object(_) => "Start of structure or map found where not expected.".to_owned(),
        _ => "Unexpected value type in payload".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::action;

    fn checked(action: &str, request: &Value) -> Result<(), ApiError> {
        check(request.as_object().unwrap(), action::named(action).unwrap().shape)
    }

    fn refused(action: &str, request: Value) -> String {
        let error = checked(action, &request).unwrap_err();
        format!("{}: {}", error.name(), error.message())
    }

    #[test]
    fn violations_are_told_in_the_words_of_aws() {
        let over = "x".repeat(81);
        let large = "x".repeat(262_145);
        let sized = "Member must have size less than or equal to 262144 bytes in UTF-8 encoding";
        let cases = [
            ("ListStateMachines", json!({"maxResults": 1001}), "1 validation error detected: Value '1001' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 1000".to_owned()),
            ("ListStateMachines", json!({"maxResults": -1}), "1 validation error detected: Value '-1' at 'maxResults' failed to satisfy constraint: Member must have value greater than or equal to 0".to_owned()),
            ("ListStateMachines", json!({"nextToken": ""}), "1 validation error detected: Value '' at 'nextToken' failed to satisfy constraint: Member must have length greater than or equal to 1".to_owned()),
            ("ListExecutions", json!({"statusFilter": "succeeded"}), "1 validation error detected: Value 'succeeded' at 'statusFilter' failed to satisfy constraint: Member must satisfy enum value set: [SUCCEEDED, TIMED_OUT, PENDING_REDRIVE, ABORTED, FAILED, RUNNING]".to_owned()),
            ("StartExecution", json!({"name": over}), format!("2 validation errors detected: Value null at 'stateMachineArn' failed to satisfy constraint: Member must not be null; Value '{over}' at 'name' failed to satisfy constraint: Member must have length less than or equal to 80")),
            ("StartExecution", json!({"stateMachineArn": "a", "input": large}), format!("1 validation error detected: Value at 'input' failed to satisfy constraint: {sized}")),
            ("TagResource", json!({"resourceArn": "a", "tags": [{"key": "k"}, {"key": ""}]}), "1 validation error detected: Value '' at 'tags.2.member.key' failed to satisfy constraint: Member must have length greater than or equal to 1".to_owned()),
        ];
        for (action, request, expected) in cases {
            assert_eq!(refused(action, request), format!("ValidationException: {expected}"));
        }
    }

    #[test]
    fn lists_patterns_and_sensitive_members_are_told_as_aws_does() {
        let route = |number: u64| json!({"stateMachineVersionArn": format!("a:{number}"), "weight": 50});
        let cases = [
            (
                json!({"name": "live", "routingConfiguration": [route(1), route(2), route(3)]}),
                "Value '[RoutingConfigurationListItem(stateMachineVersionArn=a:1, weight=50), RoutingConfigurationListItem(stateMachineVersionArn=a:2, weight=50), RoutingConfigurationListItem(stateMachineVersionArn=a:3, weight=50)]' at 'routingConfiguration' failed to satisfy constraint: Member must have length less than or equal to 2",
            ),
            (
                json!({"name": "live", "routingConfiguration": []}),
                "Value '[]' at 'routingConfiguration' failed to satisfy constraint: Member must have length greater than or equal to 1",
            ),
            (
                json!({"name": "live", "routingConfiguration": [{"stateMachineVersionArn": "a", "weight": 101}]}),
                "Value '101' at 'routingConfiguration.1.member.weight' failed to satisfy constraint: Member must have value less than or equal to 100",
            ),
            (
                json!({"name": "123", "routingConfiguration": [route(1)]}),
                r"Value '123' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: ^(?=.*[a-zA-Z_\-\.])[a-zA-Z0-9_\-\.]+$",
            ),
        ];
        for (request, expected) in cases {
            let told = refused("CreateStateMachineAlias", request);
            assert_eq!(told, format!("ValidationException: 1 validation error detected: {expected}"));
        }
        let told = refused("SendTaskSuccess", json!({"taskToken": "t"}));
        assert!(told.ends_with(": Value at 'output' failed to satisfy constraint: Member must not be null"), "{told}");
    }

    #[test]
    fn wrong_types_are_serialization_errors() {
        let cases = [
            (json!({"maxResults": "5"}), "STRING_VALUE cannot be converted to Integer"),
            (json!({"maxResults": true}), "TRUE_VALUE cannot be converted to Integer"),
            (json!({"maxResults": 1.5}), "DECIMAL_VALUE cannot be converted to Integer"),
            (json!({"nextToken": 5}), "NUMBER_VALUE cannot be converted to String"),
            (json!({"nextToken": {}}), "Start of structure or map found where not expected."),
        ];
        for (request, expected) in cases {
            assert_eq!(refused("ListStateMachines", request), format!("SerializationException: {expected}"));
        }
    }

    #[test]
    fn null_is_absent_and_unknown_members_are_ignored() {
        let request = json!({"maxResults": null, "colour": ["blue"], "nextToken": "t"});
        assert_eq!(checked("ListStateMachines", &request), Ok(()));
    }

    #[test]
    fn a_list_of_violations_ends() {
        let tags = vec![Value::Null; 100_000];
        let told = refused("TagResource", json!({"resourceArn": "a", "tags": tags}));
        assert!(told.starts_with("ValidationException: 100 validation errors detected: "), "{told:.80}");
    }

    #[test]
    fn a_length_counts_characters_not_bytes() {
        let request = json!({"stateMachineArn": "a", "name": "ä".repeat(80)});
        assert_eq!(checked("StartExecution", &request), Ok(()));
    }
}
