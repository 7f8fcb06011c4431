//! ValidateStateMachineDefinition: the diagnostics of a definition, as AWS lists them. Always an answer, never an error.

use asl::{Diagnostic, Severity};
use serde_json::{Map, Value, json};

use super::error::ApiError;
use super::registry::WorkflowType;
use super::request::Request;

/// Diagnostics of an answer, by default and at most.
const MOST: usize = 100;

pub(super) fn validate(request: &Request, sdk: &'static dyn asl::SdkServices) -> Result<Value, ApiError> {
    let kind = WorkflowType::named(request.text("type"));
    let warnings = request.text("severity") == Some("WARNING");
    let most = match request.integer("maxResults") {
        None | Some(0) => MOST,
        Some(most) => usize::try_from(most).unwrap_or(MOST),
    };
    let found = asl::parse_with(request.required("definition"), kind.asl(), sdk).diagnostics;
    let failed = found.iter().any(|one| one.severity == Severity::Error);
    let wanted = |one: &&Diagnostic| match one.severity {
        Severity::Error => true,
        Severity::Warning => warnings,
    };
    let shown: Vec<Value> = found.iter().filter(wanted).take(most).map(diagnostic).collect();
    let truncated = found.iter().filter(wanted).count() > most;
    Ok(json!({ "result": if failed { "FAIL" } else { "OK" }, "diagnostics": shown, "truncated": truncated }))
}

fn diagnostic(one: &Diagnostic) -> Value {
    let mut shown = Map::new();
    shown.insert("severity".into(), one.severity.to_string().into());
    shown.insert("code".into(), one.code.to_string().into());
    shown.insert("message".into(), one.message().into());
    if let Some(location) = &one.location {
        shown.insert("location".into(), location.as_str().into());
    }
    Value::Object(shown)
}
