//! History events on the wire: the one place that knows AWS's names of types, details and members.
//!
//! An event is written straight from the journal's form: payloads are not copied on the way.

use std::borrow::Cow;

use interpreter::{Detail, Event, Failure, Iteration, Payload, StateType, TaskResource};
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
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("timestamp", &epoch(self.event.at))?;
        let (kind, details) = describe(&self.event.detail);
        map.serialize_entry("type", &kind)?;
        map.serialize_entry("id", &self.event.id)?;
        map.serialize_entry("previousEventId", &self.event.previous)?;
        if let Some((name, fields)) = details {
            map.serialize_entry(&*name, &Fields { fields: &fields, data: self.data })?;
        }
        map.end()
    }
}

/// The type of an event, and its detail object with its members.
type Described<'e> = (Cow<'static, str>, Option<(Cow<'static, str>, Vec<Field<'e>>)>);

/// A member of a detail object.
enum Field<'e> {
    Text(&'static str, &'e str),
    Number(&'static str, u64),
    /// `input` and `inputDetails`: left out without execution data.
    Payload(Direction, &'e Payload),
    /// `parameters`. AWS: stays without execution data.
    Parameters(&'e Payload),
    Credentials(&'e str),
    /// The variables a state assigned: an object.
    Assigned(&'e Payload),
}

#[derive(Clone, Copy)]
enum Direction {
    Input,
    Output,
}

impl Direction {
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Direction::Input => ("input", "inputDetails"),
            Direction::Output => ("output", "outputDetails"),
        }
    }
}

struct Fields<'f> {
    fields: &'f [Field<'f>],
    data: bool,
}

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for field in self.fields {
            match field {
                Field::Text(name, text) => map.serialize_entry(name, text)?,
                Field::Number(name, number) => map.serialize_entry(name, number)?,
                Field::Parameters(payload) => map.serialize_entry("parameters", payload.text())?,
                Field::Credentials(role) => map.serialize_entry("taskCredentials", &Single("roleArn", role))?,
                Field::Payload(direction, payload) if self.data => {
                    let (name, details) = direction.names();
                    map.serialize_entry(name, payload.text())?;
                    map.serialize_entry(details, &Single("truncated", &false))?;
                }
                Field::Assigned(payload) if self.data => {
                    map.serialize_entry("assignedVariables", &Variables(payload))?;
                    map.serialize_entry("assignedVariablesDetails", &Single("truncated", &false))?;
                }
                // AWS: unverified for variables.
                Field::Payload(..) | Field::Assigned(_) => {}
            }
        }
        map.end()
    }
}

/// An object of one member.
struct Single<'v, V>(&'static str, &'v V);

impl<V: Serialize> Serialize for Single<'_, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(self.0, self.1)?;
        map.end()
    }
}

/// Assigned variables: each value as a JSON text.
struct Variables<'p>(&'p Payload);

impl Serialize for Variables<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let assigned = self.0.value().as_object();
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in assigned.into_iter().flatten() {
            map.serialize_entry(name, &expressions::json::to_text(value))?;
        }
        map.end()
    }
}

fn describe(detail: &Detail<Payload>) -> Described<'_> {
    match detail {
        Detail::ExecutionStarted { input, role_arn } => {
            told("ExecutionStarted", vec![Field::Payload(Direction::Input, input), Field::Text("roleArn", role_arn)])
        }
        Detail::ExecutionSucceeded { output } => {
            told("ExecutionSucceeded", vec![Field::Payload(Direction::Output, output)])
        }
        Detail::ExecutionFailed(why) => told("ExecutionFailed", failure(why)),
        Detail::ExecutionAborted(why) => told("ExecutionAborted", failure(why)),
        Detail::ExecutionTimedOut(why) => told("ExecutionTimedOut", failure(why)),

        Detail::StateEntered { state, name, input } => {
            let fields = vec![Field::Text("name", name), Field::Payload(Direction::Input, input)];
            (format!("{}StateEntered", state_name(*state)).into(), Some(("stateEnteredEventDetails".into(), fields)))
        }
        Detail::StateExited { state, name, output, assigned } => {
            let mut fields = vec![Field::Text("name", name), Field::Payload(Direction::Output, output)];
            fields.extend(assigned.as_ref().map(Field::Assigned));
            (format!("{}StateExited", state_name(*state)).into(), Some(("stateExitedEventDetails".into(), fields)))
        }
        Detail::StateAborted { state } => (format!("{}StateAborted", state_name(*state)).into(), None),
        Detail::EvaluationFailed { state, location, failure } => {
            told("EvaluationFailed", evaluation_failed(state, location.as_deref(), failure))
        }

        Detail::LambdaFunctionScheduled { resource, input, timeout, role } => {
            let fields = [Field::Text("resource", resource), Field::Payload(Direction::Input, input)];
            told("LambdaFunctionScheduled", scheduled(fields, *timeout, None, role.as_deref()))
        }
        Detail::LambdaFunctionStarted => bare("LambdaFunctionStarted"),
        Detail::LambdaFunctionSucceeded { output } => {
            told("LambdaFunctionSucceeded", vec![Field::Payload(Direction::Output, output)])
        }
        Detail::LambdaFunctionFailed(why) => told("LambdaFunctionFailed", failure(why)),
        Detail::LambdaFunctionTimedOut(why) => told("LambdaFunctionTimedOut", failure(why)),

        Detail::TaskScheduled { on, region, parameters, timeout, heartbeat, role } => {
            let fields = resource(on, [Field::Text("region", region), Field::Parameters(parameters)]);
            told("TaskScheduled", scheduled(fields, *timeout, *heartbeat, role.as_deref()))
        }
        Detail::TaskStarted(on) => told("TaskStarted", resource(on, [])),
        Detail::TaskSubmitted { on, output } => {
            told("TaskSubmitted", resource(on, [Field::Payload(Direction::Output, output)]))
        }
        Detail::TaskSucceeded { on, output } => {
            told("TaskSucceeded", resource(on, [Field::Payload(Direction::Output, output)]))
        }
        Detail::TaskFailed { on, failure: why } => told("TaskFailed", resource(on, failure(why))),
        Detail::TaskTimedOut { on, failure: why } => told("TaskTimedOut", resource(on, failure(why))),

        Detail::ParallelStateStarted => bare("ParallelStateStarted"),
        Detail::ParallelStateSucceeded => bare("ParallelStateSucceeded"),
        Detail::ParallelStateFailed => bare("ParallelStateFailed"),

        Detail::MapStateStarted { length } => told("MapStateStarted", vec![Field::Number("length", *length)]),
        Detail::MapStateSucceeded => bare("MapStateSucceeded"),
        Detail::MapStateFailed => bare("MapStateFailed"),
        Detail::MapIterationStarted(of) => told("MapIterationStarted", iteration(of)),
        Detail::MapIterationSucceeded(of) => told("MapIterationSucceeded", iteration(of)),
        Detail::MapIterationFailed(of) => told("MapIterationFailed", iteration(of)),
        Detail::MapIterationAborted(of) => told("MapIterationAborted", iteration(of)),
    }
}

/// An event whose detail object is named after its type: `taskFailedEventDetails`.
fn told<'e>(kind: &'static str, fields: Vec<Field<'e>>) -> Described<'e> {
    let mut letters = kind.chars();
    let first = letters.next().map(|letter| letter.to_ascii_lowercase());
    let key: String = first.into_iter().chain(letters).chain("EventDetails".chars()).collect();
    (kind.into(), Some((key.into(), fields)))
}

/// An event without a detail object.
fn bare(kind: &'static str) -> Described<'static> {
    (kind.into(), None)
}

fn evaluation_failed<'e>(state: &'e str, location: Option<&'e str>, why: &'e Failure) -> Vec<Field<'e>> {
    let mut fields = failure(why);
    fields.extend(location.map(|location| Field::Text("location", location)));
    fields.push(Field::Text("state", state));
    fields
}

/// What an attempt asks for, and what it was given.
fn scheduled<'e>(
    asked: impl IntoIterator<Item = Field<'e>>,
    timeout: Option<u64>,
    heartbeat: Option<u64>,
    role: Option<&'e str>,
) -> Vec<Field<'e>> {
    let timeout = timeout.map(|seconds| Field::Number("timeoutInSeconds", seconds));
    let heartbeat = heartbeat.map(|seconds| Field::Number("heartbeatInSeconds", seconds));
    asked.into_iter().chain(timeout).chain(heartbeat).chain(role.map(Field::Credentials)).collect()
}

// AWS: both are absent when they were not given; the object is there anyway.
fn failure(failure: &Failure) -> Vec<Field<'_>> {
    let error = failure.error.as_deref().map(|error| Field::Text("error", error));
    let cause = failure.cause.as_deref().map(|cause| Field::Text("cause", cause));
    error.into_iter().chain(cause).collect()
}

fn resource<'e>(on: &'e TaskResource, rest: impl IntoIterator<Item = Field<'e>>) -> Vec<Field<'e>> {
    let both = [Field::Text("resourceType", &on.resource_type), Field::Text("resource", &on.resource)];
    both.into_iter().chain(rest).collect()
}

fn iteration(of: &Iteration) -> Vec<Field<'_>> {
    vec![Field::Text("name", &of.name), Field::Number("index", of.index.into())]
}

fn state_name(state: StateType) -> &'static str {
    match state {
        StateType::Task => "Task",
        StateType::Parallel => "Parallel",
        StateType::Map => "Map",
        StateType::Pass => "Pass",
        StateType::Wait => "Wait",
        StateType::Choice => "Choice",
        StateType::Succeed => "Succeed",
        StateType::Fail => "Fail",
    }
}

#[cfg(test)]
mod tests {
    use interpreter::Timestamp;

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
