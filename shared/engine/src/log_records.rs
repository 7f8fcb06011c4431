//! Log records: the events of an execution in the shape in which AWS delivers them to a log group, as far as the level of
//! its logging has them.
//!
//! An execution logs as its state machine, or its version, was configured when it started: its head keeps that. Deliberately
//! absent: where the records go, which is [`crate::ports::Logs`].

use interpreter::{Event, Payload, Severity};
use serde::{Deserialize, Serialize, Serializer};

use crate::event_details::{Audience, EventDetails};

/// The logging of an execution that has any.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logging {
    pub level: LogLevel,
    pub include_execution_data: bool,
    /// The ARN of the log group.
    pub log_group: String,
}

/// `level`, but for OFF.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum LogLevel {
    All,
    Error,
    Fatal,
}

impl LogLevel {
    /// A level by AWS's name; `None` for OFF.
    pub fn named(name: &str) -> Option<LogLevel> {
        [LogLevel::All, LogLevel::Error, LogLevel::Fatal].into_iter().find(|level| level.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            LogLevel::All => "ALL",
            LogLevel::Error => "ERROR",
            LogLevel::Fatal => "FATAL",
        }
    }

    /// The least grave events that it has.
    fn least(self) -> Severity {
        match self {
            LogLevel::All => Severity::Progress,
            LogLevel::Error => Severity::Error,
            LogLevel::Fatal => Severity::Fatal,
        }
    }
}

impl Logging {
    /// The record of an event of an execution that was redriven so often; `None` when the level does not have it.
    pub fn record(&self, execution: &str, redrives: u32, event: &Event<Payload>) -> Option<String> {
        let wire = event.detail.wire();
        if wire.severity() < self.level.least() {
            return None;
        }
        let (_, members) = wire.details().unzip();
        let record = Record {
            // AWS: unverified that an event without members has the object.
            details: EventDetails {
                members: members.unwrap_or_default(),
                audience: Audience::Log,
                data: self.include_execution_data,
            },
            redrive_count: redrives.into(),
            id: event.id,
            event_type: wire.event_type(),
            previous_event_id: event.previous,
            event_timestamp: event.at.0.try_into().unwrap_or_default(),
            execution_arn: execution,
        };
        let text = serde_json::to_string(&record);
        text.inspect_err(|error| tracing::error!(execution, %error, "log record not written, it is lost")).ok()
    }
}

/// AWS: captured: in this order, and every number is a text.
#[derive(Serialize)]
struct Record<'e> {
    details: EventDetails<'e>,
    #[serde(serialize_with = "as_text")]
    redrive_count: u64,
    #[serde(serialize_with = "as_text")]
    id: u64,
    #[serde(rename = "type")]
    event_type: String,
    #[serde(serialize_with = "as_text")]
    previous_event_id: u64,
    #[serde(serialize_with = "as_text")]
    event_timestamp: u64,
    execution_arn: &'e str,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn as_text<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(number)
}

#[cfg(test)]
mod tests {
    use interpreter::{Detail, Failure, Iteration, StateType, TaskResource, Timestamp};

    use super::*;

    fn payload() -> Payload {
        Payload::from_json_text(r#"{"a":1}"#)
    }

    fn record(level: LogLevel, data: bool, detail: Detail<Payload>) -> Option<String> {
        let logging = Logging { level, include_execution_data: data, log_group: "group".into() };
        let event = Event { id: 6, previous: 5, at: Timestamp(1_790_201_710_934), detail };
        logging.record("arn", 0, &event)
    }

    #[test]
    fn records_look_as_those_of_aws_with_and_without_data() {
        let on = || TaskResource { resource_type: "sqs".into(), resource: "sendMessage".into() };
        let started = || Detail::ExecutionStarted { input: payload(), role_arn: "role".into() };
        let scheduled = || Detail::TaskScheduled {
            on: on(),
            region: "r".into(),
            parameters: payload(),
            timeout: Some(5),
            heartbeat: None,
            role: None,
        };
        let failure = || Failure::new("E", "why");
        let cases = [
            (
                true,
                started(),
                r#"{"input":"{\"a\":1}","inputDetails":{"truncated":false},"roleArn":"role"}"#,
                "ExecutionStarted",
            ),
            (false, started(), r#"{"roleArn":"role"}"#, "ExecutionStarted"),
            (false, Detail::ExecutionSucceeded { output: payload() }, "{}", "ExecutionSucceeded"),
            (false, Detail::ExecutionFailed(failure()), r#"{"error":"E","cause":"why"}"#, "ExecutionFailed"),
            (true, Detail::MapStateStarted { length: 3 }, r#"{"length":"3"}"#, "MapStateStarted"),
            (
                true,
                scheduled(),
                r#"{"resourceType":"sqs","resource":"sendMessage","region":"r","parameters":"{\"a\":1}","timeoutInSeconds":"5"}"#,
                "TaskScheduled",
            ),
            (
                false,
                scheduled(),
                r#"{"resourceType":"sqs","resource":"sendMessage","region":"r","timeoutInSeconds":"5"}"#,
                "TaskScheduled",
            ),
            (true, Detail::MapStateSucceeded, "{}", "MapStateSucceeded"),
        ];
        for (data, detail, details, name) in cases {
            let expected = format!(
                r#"{{"details":{details},"redrive_count":"0","id":"6","type":"{name}","previous_event_id":"5","event_timestamp":"1790201710934","execution_arn":"arn"}}"#
            );
            assert_eq!(record(LogLevel::All, data, detail), Some(expected));
        }
    }

    #[test]
    fn each_level_has_the_events_that_are_grave_enough() {
        let failure = || Failure::named("E");
        let iteration = || Iteration { name: "m".into(), index: 0 };
        let entered = |state| Detail::StateEntered { state, name: "S".into(), input: payload() };
        let cases = [
            (entered(StateType::Pass), [true, false, false]),
            (entered(StateType::Fail), [true, true, false]),
            (Detail::LambdaFunctionFailed(failure()), [true, true, false]),
            (Detail::LambdaFunctionTimedOut(failure()), [true, true, false]),
            (Detail::MapIterationFailed(iteration()), [true, true, false]),
            (Detail::MapIterationSucceeded(iteration()), [true, false, false]),
            (Detail::ParallelStateFailed, [true, true, false]),
            (Detail::StateAborted { state: StateType::Wait }, [true, true, false]),
            (Detail::ExecutionSucceeded { output: payload() }, [true, false, false]),
            (Detail::ExecutionRedriven { count: 1 }, [true, false, false]),
            (Detail::ExecutionFailed(failure()), [true, true, true]),
            (Detail::ExecutionAborted(failure()), [true, true, true]),
            (Detail::ExecutionTimedOut(failure()), [true, true, true]),
        ];
        for (detail, expected) in cases {
            let has = ["ALL", "ERROR", "FATAL"].map(|name| {
                let level = LogLevel::named(name);
                level.is_some_and(|level| record(level, true, detail.clone()).is_some())
            });
            assert_eq!(has, expected, "{detail:?}");
        }
        assert_eq!(LogLevel::named("OFF"), None);
    }
}
