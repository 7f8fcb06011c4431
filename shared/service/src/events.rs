//! History events on the wire.
//!
//! An event is written straight from the journal's form: payloads are not copied on the way. Deliberately absent: the
//! names of types and members, which `interpreter` declares with the events, and their JSON, which log records have too.

use engine::event_details::{Audience, EventDetails};
use interpreter::{Event, Payload};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::epoch;

/// An event as GetExecutionHistory shows it.
pub(super) struct Shown<'e> {
    pub event: &'e Event<Payload>,
    /// `includeExecutionData`.
    pub data: bool,
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let wire = self.event.detail.wire();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("timestamp", &epoch(self.event.at))?;
        map.serialize_entry("type", &wire.event_type())?;
        map.serialize_entry("id", &self.event.id)?;
        map.serialize_entry("previousEventId", &self.event.previous)?;
        if let Some((name, members)) = wire.details() {
            map.serialize_entry(&name, &EventDetails { members, audience: Audience::History, data: self.data })?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use interpreter::{Detail, Failure, StateType, TaskResource, Timestamp};

    use super::*;

    fn shown(detail: Detail<Payload>, data: bool) -> String {
        let event = Event { id: 2, previous: 1, at: Timestamp(1_700_000_000_123), detail };
        serde_json::to_string(&Shown { event: &event, data }).unwrap()
    }

    #[test]
    fn events_look_as_those_of_aws() {
        let on = || TaskResource { resource_type: "lambda".into(), resource: "invoke".into() };
        let payload = || Payload::from_json_text(r#"{ "a": 1 }"#);
        let cases = [
            (Detail::LambdaFunctionStarted, true, r#""type":"LambdaFunctionStarted","id":2,"previousEventId":1}"#),
            (
                Detail::ExecutionFailed(Failure::default()),
                true,
                r#""type":"ExecutionFailed","id":2,"previousEventId":1,"executionFailedEventDetails":{}}"#,
            ),
            (
                Detail::StateEntered { state: StateType::Pass, name: "P".into(), input: payload() },
                true,
                r#""type":"PassStateEntered","id":2,"previousEventId":1,"stateEnteredEventDetails":{"name":"P","input":"{ \"a\": 1 }","inputDetails":{"truncated":false}}}"#,
            ),
            (
                Detail::StateEntered { state: StateType::Pass, name: "P".into(), input: payload() },
                false,
                r#""type":"PassStateEntered","id":2,"previousEventId":1,"stateEnteredEventDetails":{"name":"P"}}"#,
            ),
            (
                Detail::StateExited {
                    state: StateType::Task,
                    name: "T".into(),
                    output: payload(),
                    assigned: Some(payload()),
                },
                true,
                r#""type":"TaskStateExited","id":2,"previousEventId":1,"stateExitedEventDetails":{"name":"T","output":"{ \"a\": 1 }","outputDetails":{"truncated":false},"assignedVariables":{"a":"1"},"assignedVariablesDetails":{"truncated":false}}}"#,
            ),
            (
                Detail::EvaluationFailed {
                    state: "P".into(),
                    location: Some("Output/v".into()),
                    failure: Failure::new("States.QueryEvaluationError", "why"),
                },
                true,
                r#""type":"EvaluationFailed","id":2,"previousEventId":1,"evaluationFailedEventDetails":{"error":"States.QueryEvaluationError","cause":"why","location":"Output/v","state":"P"}}"#,
            ),
            (
                Detail::EvaluationFailed { state: "P".into(), location: None, failure: Failure::named("E") },
                true,
                r#""type":"EvaluationFailed","id":2,"previousEventId":1,"evaluationFailedEventDetails":{"error":"E","state":"P"}}"#,
            ),
            (
                Detail::TaskScheduled {
                    on: on(),
                    region: "r".into(),
                    parameters: payload(),
                    timeout: Some(5),
                    heartbeat: None,
                    role: Some("x".into()),
                },
                false,
                r#""type":"TaskScheduled","id":2,"previousEventId":1,"taskScheduledEventDetails":{"resourceType":"lambda","resource":"invoke","region":"r","parameters":"{ \"a\": 1 }","timeoutInSeconds":5,"taskCredentials":{"roleArn":"x"}}}"#,
            ),
        ];
        for (detail, data, expected) in cases {
            assert_eq!(shown(detail, data), format!(r#"{{"timestamp":1700000000.123,{expected}"#));
        }
    }
}
