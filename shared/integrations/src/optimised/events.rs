//! EventBridge: `putEvents`, which fails when one of the events does.

use serde_json::value::RawValue;

use super::{Action, Arguments, Failed, Metadata, Service, written};
use crate::json;
use crate::sdk_v1::Members;

/// AWS: the result has no metadata of the exchange, as recorded.
pub(crate) const SERVICE: Service = Service {
    metadata: Metadata::LeftOut,
    arguments: |_, arguments, call| Ok(with_resources(arguments, &call.execution)),
    result: |_, members| all_put(members),
    ..Service::plain(
        "events",
        ("eventbridge", "AmazonEventBridge", "AmazonEventBridgeException"),
        &[Action::of("putEvents")],
    )
};

/// AWS: every entry names the execution and its state machine among its resources, as documented.
fn with_resources(arguments: &Arguments<'_>, execution: &str) -> String {
    let own = [execution.to_owned(), machine_of(execution)];
    let entry = |entry: &&RawValue| {
        // What is no object is refused with the other arguments.
        let Some(members) = json::object(entry.get()) else { return entry.get().to_owned() };
        let given = members.get("Resources").and_then(|value| json::items(value)).unwrap_or_default();
        let resources: Vec<String> =
            given.iter().map(|item| item.get().to_owned()).chain(own.iter().map(|arn| json::quoted(arn))).collect();
        let others = members.iter().filter(|(name, _)| *name != "Resources");
        let others = others.map(|(name, value)| (name.as_str(), value.get().to_owned()));
        written(others.chain([("Resources", format!("[{}]", resources.join(",")))]))
    };
    written(arguments.iter().map(|(name, value)| {
        let entries = json::items(value).filter(|_| name == "Entries");
        let entries = entries.map(|entries| entries.iter().map(entry).collect::<Vec<_>>().join(","));
        (name.as_str(), entries.map_or_else(|| value.get().to_owned(), |entries| format!("[{entries}]")))
    }))
}

/// `arn:aws:states:REGION:ACCOUNT:execution:MACHINE:NAME` names its machine; those of Express executions do likewise.
fn machine_of(execution: &str) -> String {
    let mut parts: Vec<&str> = execution.split(':').take(7).collect();
    if let Some(kind) = parts.get_mut(5) {
        *kind = "stateMachine";
    }
    parts.join(":")
}

/// AWS: one event that was not put fails the task; the cause is the whole answer.
fn all_put(members: Members) -> Result<Members, Failed> {
    let failed = members.get("FailedEntryCount").is_some_and(|count| count.get() != "0");
    if !failed {
        return Ok(members);
    }
    let cause = written(members.iter().map(|(name, value)| (name.as_str(), value.get().to_owned())));
    Err(Failed { exception: "FailedEntry", cause })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_names_the_execution_and_its_machine() {
        let given = r#"{"Entries":[{"Detail":{"a": 1},"Resources":["r"]},{"Source":"s"}]}"#;
        let written = with_resources(&json::object(given).unwrap(), "arn:aws:states:eu-west-1:1:execution:m:e");
        let own = r#""arn:aws:states:eu-west-1:1:execution:m:e","arn:aws:states:eu-west-1:1:stateMachine:m""#;
        let first = format!(r#"{{"Detail":{{"a": 1}},"Resources":["r",{own}]}}"#);
        assert_eq!(written, format!(r#"{{"Entries":[{first},{{"Source":"s","Resources":[{own}]}}]}}"#));
    }
}
