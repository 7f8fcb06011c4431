//! Step Functions: `startExecution`, of a state machine of this installation or of one at AWS.

use engine::ports::TaskCall;

use super::{Action, Arguments, Service, written};
use crate::json;

pub(crate) const SERVICE: Service = Service {
    arguments: |_, arguments, call| Ok(named(arguments, call)),
    ..Service::plain(
        "states",
        ("sfn", "AWSStepFunctions", "AWSStepFunctionsException"),
        &[Action::of("startExecution")],
    )
};

/// The arguments with a name that follows from the attempt, where they have none: no crash starts two executions.
// AWS: the name is a random UUID, and nothing else is added to what the definition says (captured in 2026).
fn named(arguments: &Arguments<'_>, call: &TaskCall) -> String {
    let value = |(name, value): (&String, &&serde_json::value::RawValue)| match name.as_str() {
        // What is no text is sent as its JSON.
        "Input" => json::quoted(&json::text(value)),
        _ => value.get().to_owned(),
    };
    let name = (!arguments.contains_key("Name")).then(|| ("Name", json::quoted(&call.attempt.uuid())));
    written(arguments.iter().map(|member| (member.0.as_str(), value(member))).chain(name))
}
