//! DynamoDB: `getItem`, `putItem`, `updateItem` and `deleteItem`, whose arguments and results are the API's own, but that a
//! plain text may stand for an attribute's value of type `S`.

use serde_json::value::RawValue;

use super::{Access, Action, Service, written};
use crate::json;
use crate::sdk_v1::SdkV1;

const PLAIN: Service = Service::plain(
    "dynamodb",
    ("dynamodb", "AmazonDynamoDBv2", "AmazonDynamoDBException"),
    &[Action::of("getItem"), Action::of("putItem"), Action::of("updateItem"), Action::of("deleteItem")],
);

pub(crate) const SERVICE: Service = Service {
    names: SdkV1 {
        headers: &["Server", "Connection", "x-amzn-RequestId", "x-amz-crc32", "Content-Length", "Date", "Content-Type"],
        ..PLAIN.names
    },
    subject: Some("TableName"),
    access: Access::Free,
    arguments: |_, arguments, _| {
        Ok(written(arguments.iter().map(|(name, value)| (name.as_str(), with_types(name, value)))))
    },
    ..PLAIN
};

/// An argument as the API takes it: attributes' values that are plain texts get their type.
fn with_types(name: &str, argument: &RawValue) -> String {
    match name {
        "Key" | "Item" | "ExpressionAttributeValues" => each(argument, attribute),
        "AttributeUpdates" | "Expected" => each(argument, |condition| members(condition, operand)),
        _ => argument.get().to_owned(),
    }
}

fn operand(name: &str, value: &RawValue) -> String {
    match name {
        "Value" => attribute(value),
        "AttributeValueList" => list(value),
        _ => value.get().to_owned(),
    }
}

/// The value of one attribute. Nesting is bounded by what an input may nest.
// AWS: a plain text is of type `S`, as an execution published by its author shows; within lists and maps: unverified.
fn attribute(value: &RawValue) -> String {
    if value.get().starts_with('"') {
        return format!("{{\"S\":{}}}", value.get());
    }
    members(value, |kind, value| match kind {
        "M" => each(value, attribute),
        "L" => list(value),
        _ => value.get().to_owned(),
    })
}

fn list(value: &RawValue) -> String {
    let Some(items) = json::items(value) else { return value.get().to_owned() };
    let typed: Vec<String> = items.into_iter().map(attribute).collect();
    format!("[{}]", typed.join(","))
}

fn each(value: &RawValue, typed: impl Fn(&RawValue) -> String) -> String {
    members(value, |_, value| typed(value))
}

/// An object with its members replaced; anything else as it is.
fn members(value: &RawValue, replaced: impl Fn(&str, &RawValue) -> String) -> String {
    let Some(members) = json::object(value.get()) else { return value.get().to_owned() };
    let members: Vec<String> =
        members.iter().map(|(name, value)| format!("{}:{}", json::quoted(name), replaced(name, value))).collect();
    format!("{{{}}}", members.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_text_is_an_attribute_value_of_type_s() {
        let cases = [
            ("Key", r#"{"id":"a \"b\""}"#, r#"{"id":{"S":"a \"b\""}}"#),
            ("Key", r#"{"id":{"S":"a"},"n":{"N":"1"}}"#, r#"{"id":{"S":"a"},"n":{"N":"1"}}"#),
            (
                "Item",
                r#"{"m":{"M":{"x":"a"}},"l":{"L":["a",{"L":["b"]}]}}"#,
                r#"{"l":{"L":[{"S":"a"},{"L":[{"S":"b"}]}]},"m":{"M":{"x":{"S":"a"}}}}"#,
            ),
            ("Item", r#"{"t":{"SS":["a"]},"n":{"NULL":true}}"#, r#"{"n":{"NULL":true},"t":{"SS":["a"]}}"#),
            ("ExpressionAttributeValues", r#"{":v":"a"}"#, r#"{":v":{"S":"a"}}"#),
            (
                "AttributeUpdates",
                r#"{"a":{"Action":"PUT","Value":"x"}}"#,
                r#"{"a":{"Action":"PUT","Value":{"S":"x"}}}"#,
            ),
            (
                "Expected",
                r#"{"a":{"AttributeValueList":["x"],"ComparisonOperator":"EQ"}}"#,
                r#"{"a":{"AttributeValueList":[{"S":"x"}],"ComparisonOperator":"EQ"}}"#,
            ),
            ("ExpressionAttributeNames", r##"{"#a":"a"}"##, r##"{"#a":"a"}"##),
            ("TableName", r#""t""#, r#""t""#),
            ("Key", r#""no object""#, r#""no object""#),
        ];
        for (name, argument, expected) in cases {
            let argument: &RawValue = serde_json::from_str(argument).unwrap();
            assert_eq!(with_types(name, argument), expected, "{name}: {argument}");
        }
    }
}
