//! Jobs, `.sync`: what starts them is called as ever; here is how they are asked for and cancelled, by rows ([`rows`]).
//!
//! A job is known by what the task's arguments and the answer to its start say of it, written down when it starts: the
//! arguments of the operation that polls it and of the one that cancels it. A poll that fails of throttling, of the
//! service's own trouble or of the connection tells nothing of the job; any other failure is the task's. Deliberately
//! absent: events of EventBridge, by which AWS waits for most of them.

mod rows;

use std::collections::BTreeMap;

use asl::{Integration, Pattern, Resource};
use engine::ports::{Stage, TaskAnswer, TaskCall};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::json;
use crate::optimised::{Action, Missed, Service};
use crate::sdk::AwsServices;
use crate::sdk_v1::{Members, failed};

/// The error of a job that did not succeed; its cause is what the service says of it.
const FAILED: &str = "States.TaskFailed";

/// How the job that an action starts is waited for.
pub(crate) struct Job {
    pub service: &'static str,
    pub action: &'static str,
    pub poll: Request,
    /// Where the answer to a poll has what is said of the job.
    pub subject: &'static [&'static str],
    pub judge: Judge,
    pub cancel: Option<Request>,
    pub result: Shape,
}

/// An operation and its arguments.
pub(crate) struct Request {
    pub operation: &'static str,
    pub arguments: &'static [(&'static str, Value)],
}

/// Where an argument is from.
pub(crate) enum Value {
    /// The argument of the task.
    Given(&'static str),
    /// A part of the answer to the start.
    Answered(&'static [&'static str]),
    /// The same, as the one item of a list.
    OneOf(&'static [&'static str]),
    Text(&'static str),
}

/// How a job is, by what is said of it.
pub(crate) enum Judge {
    /// The place of its status, and which of them mean success and failure; with every other it runs.
    Status { at: &'static [&'static str], succeeded: &'static [&'static str], failed: &'static [&'static str] },
    /// The same, and when the service does not know it any more, it is done: it was to be deleted.
    Gone { at: &'static [&'static str], failed: &'static [&'static str] },
    /// A task of ECS: it stopped, and the exit codes of its containers tell how.
    Containers,
}

/// The result of a job that succeeded.
pub(crate) enum Shape {
    /// What is said of it, without these members.
    Subject { without: &'static [&'static str] },
    /// What is said of it, as a member of that name.
    Member(&'static str),
    /// The answer to the last poll.
    Answer,
    /// An execution, whose input and output are texts or JSON, by the pattern.
    Execution,
}

/// What is written down of a job.
#[derive(Serialize, Deserialize)]
struct Ids {
    /// The arguments of polls.
    poll: Box<RawValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cancel: Option<Box<RawValue>>,
}

/// How a job is.
enum State {
    Running,
    Succeeded,
    Failed,
}

/// Makes a call of an action of a service: its own, or a poll or the end of the job that it started.
pub(crate) async fn call(
    (service, action): (&'static Service, &'static Action),
    services: &AwsServices,
    call: &TaskCall,
) -> TaskAnswer {
    let Resource::Integration(integration) = &call.resource else { return no_job(call) };
    if !call.resource.is_job() {
        return service.call(action, services, call).await;
    }
    let Some(job) = Job::find(integration) else { return no_job(call) };
    match &call.stage {
        Stage::Begin => job.begun(service.call(action, services, call).await, call),
        Stage::Poll { ids } => job.poll(service, services, (ids, call), integration.pattern).await,
        Stage::Cancel { ids: Some(ids) } => job.cancel(service, services, ids, call).await,
        Stage::Cancel { ids: None } => {
            // The start may have been made or not: made again it is the same, and then there is something to cancel.
            let begin = TaskCall { stage: Stage::Begin, ..call.clone() };
            match job.begun(service.call(action, services, &begin).await, call) {
                TaskAnswer::Started { ids, .. } => job.cancel(service, services, &ids, call).await,
                other => other,
            }
        }
    }
}

fn no_job(call: &TaskCall) -> TaskAnswer {
    failed("States.Runtime", format!("The job of the state '{}' is none that Stepwell knows.", call.state))
}

impl Job {
    pub(crate) fn find(integration: &Integration) -> Option<&'static Job> {
        rows::JOBS.iter().find(|row| row.service == integration.service && row.action == integration.action)
    }

    /// The answer to a start, with what it says of the job.
    fn begun(&self, answer: TaskAnswer, call: &TaskCall) -> TaskAnswer {
        let TaskAnswer::Succeeded { output } = answer else { return answer };
        if let Some(failure) = self.not_begun(&output) {
            return failure;
        }
        let given: BTreeMap<String, &RawValue> = json::object(&call.arguments).unwrap_or_default();
        let ids = self.poll.arguments(&given, &output).and_then(|poll| {
            let cancel = self.cancel.as_ref().and_then(|cancel| cancel.arguments(&given, &output));
            serde_json::to_string(&Ids { poll, cancel }).ok()
        });
        match ids {
            Some(ids) => TaskAnswer::Started { output, ids, subscribed: matches!(self.result, Shape::Execution) },
            None => failed(FAILED, output),
        }
    }

    /// AWS: tasks that ECS could not place fail the start, as documented; the cause is unverified.
    fn not_begun(&self, output: &str) -> Option<TaskAnswer> {
        let whole = json::value(output)?;
        let failures = at(whole, &["Failures"]).and_then(json::items).filter(|items| !items.is_empty());
        let placed = !matches!(self.judge, Judge::Containers) || failures.is_none();
        (!placed).then(|| failed("AmazonECS.Unknown", output.to_owned()))
    }

    async fn poll(
        &self,
        service: &'static Service,
        services: &AwsServices,
        (ids, call): (&str, &TaskCall),
        pattern: Pattern,
    ) -> TaskAnswer {
        let Ok(Ids { poll, .. }) = serde_json::from_str(ids) else { return no_job(call) };
        let answer = match service.exchange(self.poll.operation, services, poll.get(), None, call).await {
            Ok((members, _)) => members,
            Err(Missed { passing: true, failure }) => {
                if let TaskAnswer::Failed { error, .. } = &failure {
                    tracing::info!(error, "poll of a job failed, the next one follows");
                }
                return TaskAnswer::Running;
            }
            Err(Missed { failure, .. }) => return self.gone(failure),
        };
        let Ok(answer) = serde_json::to_string(&answer) else { return TaskAnswer::Running };
        let subject = json::value(&answer).and_then(|whole| at(whole, self.subject));
        // A service may not know its new job yet.
        let Some(subject) = subject else { return TaskAnswer::Running };
        match self.judge.state(subject) {
            State::Running => TaskAnswer::Running,
            State::Succeeded => TaskAnswer::Succeeded { output: self.result.of(&answer, subject, pattern) },
            State::Failed => failed(FAILED, self.result.of(&answer, subject, Pattern::Sync)),
        }
    }

    /// The failure of a poll, or the success of a deletion.
    fn gone(&self, failure: TaskAnswer) -> TaskAnswer {
        match (&self.judge, &failure) {
            // AWS: unverified what the result is.
            (Judge::Gone { .. }, TaskAnswer::Failed { error, .. }) if error.contains("NotFound") => {
                TaskAnswer::Succeeded { output: "{}".to_owned() }
            }
            _ => failure,
        }
    }

    async fn cancel(
        &self,
        service: &'static Service,
        services: &AwsServices,
        ids: &str,
        call: &TaskCall,
    ) -> TaskAnswer {
        let Ok(Ids { cancel, .. }) = serde_json::from_str(ids) else { return no_job(call) };
        let nothing = || TaskAnswer::Succeeded { output: "{}".to_owned() };
        let Some((request, arguments)) = self.cancel.as_ref().zip(cancel) else { return nothing() };
        match service.exchange(request.operation, services, arguments.get(), None, call).await {
            Ok(_) => nothing(),
            Err(Missed { failure, .. }) => failure,
        }
    }
}

impl Request {
    /// Its arguments, a JSON object; `None` where one of them is not there.
    fn arguments(&self, given: &BTreeMap<String, &RawValue>, output: &str) -> Option<Box<RawValue>> {
        let answered = |path: &[&str]| at(json::value(output)?, path).map(|value| value.get().to_owned());
        let mut members = Members::new();
        for (name, value) in self.arguments {
            let value = match value {
                Value::Given(name) => given.get(*name)?.get().to_owned(),
                Value::Answered(path) => answered(path)?,
                Value::OneOf(path) => format!("[{}]", answered(path)?),
                Value::Text(text) => json::quoted(text),
            };
            members.insert((*name).to_owned(), RawValue::from_string(value).ok()?);
        }
        serde_json::value::to_raw_value(&members).ok()
    }
}

impl Judge {
    fn state(&self, subject: &RawValue) -> State {
        let status = |place: &[&str]| at(subject, place).and_then(json::string).unwrap_or_default();
        match self {
            Judge::Status { at, succeeded, failed } => {
                let status = status(at);
                match (succeeded.contains(&status.as_str()), failed.contains(&status.as_str())) {
                    (true, _) => State::Succeeded,
                    (false, true) => State::Failed,
                    (false, false) => State::Running,
                }
            }
            Judge::Gone { at, failed } if failed.contains(&status(at).as_str()) => State::Failed,
            Judge::Gone { .. } => State::Running,
            Judge::Containers if status(&["LastStatus"]) != "STOPPED" => State::Running,
            // AWS: an exit code that is not 0 fails the task, and so does a container that never ran (captured in 2026).
            Judge::Containers => {
                let containers = at(subject, &["Containers"]).and_then(json::items).unwrap_or_default();
                let ran = |container: &&RawValue| at(container, &["ExitCode"]).is_some_and(|code| code.get() == "0");
                if containers.iter().all(ran) { State::Succeeded } else { State::Failed }
            }
        }
    }
}

impl Shape {
    fn of(&self, answer: &str, subject: &RawValue, pattern: Pattern) -> String {
        let members = |of: &RawValue| -> Vec<(String, String)> {
            let members = json::members(of.get()).unwrap_or_default();
            members.into_iter().map(|(name, value)| (name, value.get().to_owned())).collect()
        };
        match self {
            Shape::Answer => answer.to_owned(),
            Shape::Subject { without } => {
                written(members(subject).into_iter().filter(|(name, _)| !without.contains(&name.as_str())))
            }
            Shape::Member(name) => written([((*name).to_owned(), subject.get().to_owned())].into_iter()),
            Shape::Execution => written(members(subject).into_iter().map(|(name, value)| {
                let data = pattern == Pattern::Sync2 && matches!(name.as_str(), "Input" | "Output");
                let parsed = json::value(&value).filter(|_| data).and_then(json::string);
                (name, parsed.unwrap_or(value))
            })),
        }
    }
}

fn written(members: impl Iterator<Item = (String, String)>) -> String {
    let members: Vec<String> = members.map(|(name, value)| format!("{}:{value}", json::quoted(&name))).collect();
    format!("{{{}}}", members.join(","))
}

/// The part of a value at a path of names and, in lists, of numbers.
fn at<'v>(value: &'v RawValue, path: &[&str]) -> Option<&'v RawValue> {
    path.iter().try_fold(value, |value, part| match part.parse::<usize>() {
        Ok(place) => serde_json::from_str::<Vec<&RawValue>>(value.get()).ok()?.get(place).copied(),
        Err(_) => serde_json::from_str::<BTreeMap<String, &RawValue>>(value.get()).ok()?.get(*part).copied(),
    })
}
