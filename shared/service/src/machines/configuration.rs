//! `loggingConfiguration`, `tracingConfiguration` and what comes with versions: what is taken and what is refused.

use serde::Serialize;
use serde_json::Value;

use crate::document::{Logging, Publication};
use crate::error::ApiError;
use crate::request::Request;
use crate::service::Service;

/// The logging that a request asks for; `None` when it says nothing about it.
pub(super) fn logging(request: &Request) -> Result<Option<Logging>, ApiError> {
    let Some(given) = request.object("loggingConfiguration") else { return Ok(None) };
    let level = given.get("level").and_then(Value::as_str).unwrap_or("OFF").to_owned();
    let listed = given.get("destinations").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let destinations: Vec<String> = listed.iter().filter_map(log_group).map(str::to_owned).collect();
    // AWS: observed: a level other than OFF needs exactly one destination, and no level allows two.
    if destinations.len() != listed.len() || destinations.len() > 1 || (level != "OFF" && destinations.is_empty()) {
        let text = "Must specify exactly one Log Destination.";
        return Err(ApiError::InvalidLoggingConfiguration(text.to_owned()));
    }
    let include_execution_data = given.get("includeExecutionData").and_then(Value::as_bool).unwrap_or(false);
    Ok(Some(Logging { level, include_execution_data, destinations }))
}

/// Says it where a log group that was asked for gets nothing.
pub(super) fn warn_of_silence(service: &Service, logging: &Logging) {
    if logging.delivered().is_some() && service.engine.world().logs.is_none() {
        tracing::warn!("api: logging is configured, but this installation delivers to no log group, nothing is logged");
    }
}

fn log_group(destination: &Value) -> Option<&str> {
    destination.get("cloudWatchLogsLogGroup")?.get("logGroupArn")?.as_str()
}

/// As Describe shows it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LoggingShown {
    level: String,
    include_execution_data: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    destinations: Vec<Destination>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Destination {
    cloud_watch_logs_log_group: LogGroup,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogGroup {
    log_group_arn: String,
}

impl LoggingShown {
    pub fn of(logging: Logging) -> LoggingShown {
        let Logging { level, include_execution_data, destinations } = logging;
        let destination = |log_group_arn| Destination { cloud_watch_logs_log_group: LogGroup { log_group_arn } };
        LoggingShown {
            level,
            include_execution_data,
            destinations: destinations.into_iter().map(destination).collect(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct TracingShown {
    pub enabled: bool,
}

pub(super) fn tracing_enabled(request: &Request) -> Option<bool> {
    let given = request.object("tracingConfiguration")?;
    Some(given.get("enabled").and_then(Value::as_bool).unwrap_or(false))
}

/// `publish` and `versionDescription`; `None` unless a version is to be published.
pub(super) fn publication(request: &Request) -> Result<Option<Publication>, ApiError> {
    let description = request.text("versionDescription").map(str::to_owned);
    if request.flag("publish") == Some(true) {
        return Ok(Some(Publication { description }));
    }
    if description.is_some() {
        let text = "Version description can only be set when publish is true";
        return Err(ApiError::Validation(text.to_owned()));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::machines::create::CREATE_STATE_MACHINE;

    fn request(logging: Value) -> Request {
        let body = json!({
            "name": "n", "definition": "d", "roleArn": "r", "loggingConfiguration": logging
        });
        Request::parse(body.to_string().as_bytes(), CREATE_STATE_MACHINE.shape).unwrap()
    }

    #[test]
    fn logging_needs_exactly_one_destination_unless_off() {
        let group = json!({"cloudWatchLogsLogGroup": {"logGroupArn": "arn:aws:logs:r:1:log-group:g:*"}});
        let cases = [
            (json!({}), true),
            (json!({"level": "OFF"}), true),
            (json!({"level": "FATAL"}), false),
            (json!({"level": "ALL", "destinations": []}), false),
            (json!({"level": "ALL", "destinations": [group]}), true),
            (json!({"level": "ALL", "destinations": [group, group]}), false),
            (json!({"level": "ALL", "destinations": [{}]}), false),
        ];
        for (given, good) in cases {
            assert_eq!(logging(&request(given.clone())).is_ok(), good, "{given}");
        }
    }
}
