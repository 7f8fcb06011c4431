//! Bedrock: `invokeModel`, whose body is JSON both ways, and `createModelCustomizationJob`.
//!
//! Deliberately absent: bodies that lie in S3 (`Input.S3Uri`, `Output.S3Uri`); they are refused.

use engine::ports::TaskCall;
use serde_json::value::RawValue;

use super::{Action, Arguments, Metadata, Service, as_given};
use crate::json;
use crate::sdk_v1::Members;

/// AWS: unverified that the result has no metadata; so it is in AWS's published examples.
pub(crate) const RUNTIME: Service = Service {
    metadata: Metadata::LeftOut,
    added: &["Input", "Output"],
    arguments: no_files,
    result: |_, members| Ok(with_json(members)),
    ..Service::plain(
        "bedrock",
        ("bedrockruntime", "AmazonBedrockRuntime", "AmazonBedrockRuntimeException"),
        &[Action::of("invokeModel")],
    )
};

pub(crate) const JOBS: Service = Service::plain(
    "bedrock",
    ("bedrock", "AmazonBedrock", "AmazonBedrockException"),
    &[Action::of("createModelCustomizationJob")],
);

fn no_files(action: &str, arguments: &Arguments<'_>, call: &TaskCall) -> Result<String, String> {
    match ["Input", "Output"].into_iter().find(|name| arguments.contains_key(*name)) {
        Some(name) => {
            Err(format!("The field '{name}' is not supported by Stepwell: bodies in S3 are not read or written"))
        }
        None => as_given(action, arguments, call),
    }
}

/// AWS: a body of JSON is shown as JSON, as in AWS's published examples.
fn with_json(mut members: Members) -> Members {
    let content = members.get("ContentType").and_then(|value| json::string(value)).unwrap_or_default();
    let body = members.get("Body").and_then(|value| json::string(value));
    let parsed = body.filter(|_| content.starts_with("application/json"));
    let parsed = parsed.and_then(|text| RawValue::from_string(json::compact(json::value(&text)?)).ok());
    if let Some(parsed) = parsed {
        members.insert("Body".to_owned(), parsed);
    }
    members
}
