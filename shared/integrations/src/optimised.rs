//! The optimised integrations but Lambda: thin rows over the calls of the table, with the names, values and words of the
//! first SDK for Java.
//!
//! A service is one row ([`Service`]); what is more than a name is a function in a file of its own. Which services and
//! actions there are is in the rows of `asl`; a test here holds the two to each other. A request may have been executed
//! once it is sent, so it is sent once per attempt; Retry in the definition decides the rest.

mod bedrock;
mod dynamodb;
mod events;
mod jobs;
mod mapreduce;
mod nested;
mod sns;
mod sqs;

use std::collections::BTreeMap;
use std::time::Duration;

use asl::{Integration, Pattern};
use engine::ports::{TaskAnswer, TaskCall};
use serde_json::value::RawValue;

use crate::exchange::Answer;
use crate::json;
use crate::sdk::answer::{self, Lists};
use crate::sdk::model::Version;
use crate::sdk::request::{self, Refused};
use crate::sdk::table::Table;
use crate::sdk::{self, AwsServices};
use crate::sdk_v1::{Members, SdkV1, failed};

/// The rows of all services here.
pub(crate) const SERVICES: [&Service; 19] = [
    &jobs::ATHENA,
    &jobs::BATCH,
    &bedrock::RUNTIME,
    &bedrock::JOBS,
    &jobs::CODEBUILD,
    &jobs::DATABREW,
    &dynamodb::SERVICE,
    &jobs::ECS,
    &jobs::EKS,
    &mapreduce::SERVICE,
    &jobs::EMR_CONTAINERS,
    &jobs::EMR_SERVERLESS,
    &events::SERVICE,
    &jobs::GLUE,
    &jobs::MEDIACONVERT,
    &jobs::SAGEMAKER,
    &sns::SERVICE,
    &sqs::SERVICE,
    &nested::SERVICE,
];

/// The longest a call can take.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);
/// Bytes of an answer's body. Results beyond 256 KiB fail their task anyhow; headers and the space between the parts of a
/// JSON text are no part of a result.
pub(crate) const ANSWER_LIMIT: usize = 1024 * 1024;

/// The headers of most services' answers, in the order of AWS.
const USUAL_HEADERS: &[&str] = &["x-amzn-RequestId", "connection", "Content-Length", "Date", "Content-Type"];

/// The arguments of a task that are not null, by name. AWS: a null is a member that is not sent.
pub(crate) type Arguments<'a> = BTreeMap<String, &'a RawValue>;

/// A service, as its optimised integration uses it.
pub(crate) struct Service {
    pub names: SdkV1,
    /// The service as the table names it.
    pub model: &'static str,
    pub actions: &'static [Action],
    /// The argument that names the resource, where it is one alone; elsewhere every argument may.
    pub subject: Option<&'static str>,
    /// Arguments that are called otherwise here than in the API.
    pub renamed: &'static [Renamed],
    /// Arguments that the API does not have.
    pub added: &'static [&'static str],
    /// Arguments of the API that jobs do not take.
    pub excluded_from_jobs: &'static [&'static str],
    pub access: Access,
    pub lists: Lists,
    pub metadata: Metadata,
    /// The region that the arguments name, where they do.
    pub region: fn(&Arguments<'_>) -> Option<String>,
    /// The arguments as the API takes them, a JSON text; or why they cannot be.
    pub arguments: fn(action: &str, &Arguments<'_>, &TaskCall) -> Result<String, String>,
    /// The result, of the members of the answer.
    pub result: fn(action: &str, Members) -> Result<Members, Failed>,
}

/// An action as resources name it, and the API's operation behind it.
pub(crate) struct Action {
    pub name: &'static str,
    pub operation: &'static str,
}

/// How actions name one thing, and how the API names it.
pub(crate) struct Renamed {
    pub actions: &'static [&'static str],
    pub alias: Alias,
}

/// A name of an argument here, and that in the API, which may take a list of what the action takes one of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Alias {
    pub here: &'static str,
    pub there: &'static str,
    pub is_list: bool,
}

/// Whether a service is called at AWS in the program's own name without further permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Free,
    WhereAllowed,
}

/// The metadata of the exchange in results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Metadata {
    Shown,
    LeftOut,
}

/// The failure of a call that the service answered with a success: the exception, without the service, and the cause.
pub(crate) struct Failed {
    pub exception: &'static str,
    pub cause: String,
}

/// The failure of an exchange.
pub(crate) struct Missed {
    pub failure: TaskAnswer,
    /// The same request may succeed later: the connection failed, or the service is busy or in trouble.
    pub passing: bool,
}

impl Action {
    /// An action with the name of its operation.
    const fn of(name: &'static str) -> Self {
        Self { name, operation: name }
    }
}

impl Service {
    /// A service that takes the arguments of the API and whose results are the answers.
    const fn plain(
        service: &'static str,
        (model, client, general): (&'static str, &'static str, &'static str),
        actions: &'static [Action],
    ) -> Self {
        Self {
            names: SdkV1 { service, client, general, headers: USUAL_HEADERS },
            model,
            actions,
            subject: None,
            renamed: &[],
            added: &[],
            excluded_from_jobs: &[],
            access: Access::WhereAllowed,
            lists: Lists::AsAnswered,
            metadata: Metadata::Shown,
            region: at_home,
            arguments: as_given,
            result: as_answered,
        }
    }

    /// The row and the action of an integration.
    pub(crate) fn find(integration: &Integration) -> Option<(&'static Self, &'static Action)> {
        let named = |action: &&Action| action.name == integration.action;
        let mut rows = SERVICES.into_iter().filter(|row| row.names.service == integration.service);
        rows.find_map(|row| Some((row, row.actions.iter().find(named)?)))
    }

    /// The name by which endpoints and permissions know a service that an optimised integration calls otherwise:
    /// `eventbridge` of `events`.
    pub(crate) fn known_as(service: &str) -> &str {
        let is_model = |row: &&&Service| row.model == service;
        let row = SERVICES.iter().find(|row| row.names.service == service);
        row.filter(|_| !SERVICES.iter().any(|row| is_model(&row))).map_or(service, |row| row.model)
    }

    /// The arguments of an action that are called otherwise than in the API.
    pub(crate) fn aliases(&self, action: &str) -> Vec<Alias> {
        self.renamed.iter().filter(|row| row.actions.contains(&action)).map(|row| row.alias).collect()
    }

    /// Arguments of the API that are not taken.
    pub(crate) fn excluded(&self, pattern: Pattern) -> &'static [&'static str] {
        match pattern {
            Pattern::Sync | Pattern::Sync2 => self.excluded_from_jobs,
            Pattern::RequestResponse | Pattern::WaitForTaskToken => &[],
        }
    }

    /// Makes the call of an action.
    pub(crate) async fn call(&self, action: &Action, services: &AwsServices, call: &TaskCall) -> TaskAnswer {
        let mut given: Arguments<'_> = json::object(&call.arguments).unwrap_or_default();
        given.retain(|_, value| value.get() != "null");
        if let Some(refused) = self.refused(&given, services, call) {
            return refused;
        }
        let region = (self.region)(&given);
        let arguments = match (self.arguments)(action.name, &given, call) {
            Ok(arguments) => arguments,
            Err(why) => return sdk::unsuitable(&call.arguments, &why),
        };
        match self.exchange(action.operation, services, &arguments, region, call).await {
            Err(Missed { failure, .. }) => failure,
            Ok((members, answer)) => match ((self.result)(action.name, members), self.metadata) {
                (Ok(members), Metadata::Shown) => self.names.result(members, &answer),
                (Ok(members), Metadata::LeftOut) => self.names.bare_result(&members, &answer),
                (Err(Failed { exception, cause }), _) => failed(&self.names.error(exception), cause),
            },
        }
    }

    /// The failure of a call that is not made.
    fn refused(&self, given: &Arguments<'_>, services: &AwsServices, call: &TaskCall) -> Option<TaskAnswer> {
        let own = match self.subject {
            Some(subject) => {
                given.get(subject).and_then(|value| json::string(value)).filter(|name| services.is_own(name))
            }
            None => services.own_named_in(&call.arguments),
        };
        if let Some(named) = own {
            return Some(self.names.withheld(&named));
        }
        let allowed = self.access == Access::Free || services.may_call(self.model, call);
        (!allowed).then(|| failed("States.Runtime", sdk::not_allowed(self.model)))
    }

    /// One request of an operation and its answer: the members in the manner of the first SDK.
    pub(crate) async fn exchange(
        &self,
        operation: &str,
        services: &AwsServices,
        arguments: &str,
        region: Option<String>,
        call: &TaskCall,
    ) -> Result<(Members, Answer), Missed> {
        let no_model = || {
            let why = format!("The table of services has no {}:{operation}", self.model);
            Missed { failure: self.names.client_failed(why), passing: false }
        };
        let model = Table::get().service(self.model).ok_or_else(no_model)?;
        let operation = model.operation(operation).ok_or_else(no_model)?;
        let token = call.attempt.uuid();
        let outline = request::request(&model, operation, arguments, Some(&token), Version::One);
        let outline = outline.map_err(|refused| {
            let failure = match refused {
                Refused::Unsuitable(why) => sdk::unsuitable(&call.arguments, &why),
                Refused::Unwritable(why) => self.names.client_failed(why),
            };
            Missed { failure, passing: false }
        })?;
        let sent = services.send((self.model, &model, operation), region, outline, call).await;
        let answer = sent.map_err(|error| {
            let passing = error.is_passing();
            Missed { failure: self.names.call_failed(&error, self.names.service), passing }
        })?;
        if !answer.status.is_success() {
            let error = sdk::service_error(&model, &answer);
            let exception = sdk::exception(&model, &error, Version::One);
            let passing = sdk::is_passing(&error, answer.status);
            let failure = self.names.service_failed(&error, exception.as_deref(), answer.status.as_u16());
            return Err(Missed { failure, passing });
        }
        let members = answer::first_members(&model, operation, &answer, self.lists);
        let read = |(name, value)| Some((name, RawValue::from_string(value).ok()?));
        let members = members.and_then(|members| members.into_iter().map(read).collect::<Option<Members>>());
        match members {
            Some(members) => Ok((members, answer)),
            None => Err(Missed { failure: self.names.unreadable(&answer), passing: false }),
        }
    }
}

/// The region of services that are called in the installation's own.
fn at_home(_: &Arguments<'_>) -> Option<String> {
    None
}

fn as_given(_: &str, arguments: &Arguments<'_>, _: &TaskCall) -> Result<String, String> {
    Ok(written(arguments.iter().map(|(name, value)| (name.as_str(), value.get().to_owned()))))
}

fn as_answered(_: &str, members: Members) -> Result<Members, Failed> {
    Ok(members)
}

/// The arguments with one of them as a text, whatever it is.
fn with_text(arguments: &Arguments<'_>, name: &str) -> Result<String, String> {
    let value = |(own, value): (&String, &&RawValue)| {
        if own == name { json::quoted(&json::text(value)) } else { value.get().to_owned() }
    };
    Ok(written(arguments.iter().map(|member| (member.0.as_str(), value(member)))))
}

/// An object of members, each as JSON.
fn written<'a>(members: impl Iterator<Item = (&'a str, String)>) -> String {
    let members: Vec<String> = members.map(|(name, value)| format!("{}:{value}", json::quoted(name))).collect();
    format!("{{{}}}", members.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_has_its_operation_in_the_table() {
        for row in SERVICES {
            let model = Table::get().service(row.model).unwrap_or_else(|| panic!("{}", row.model));
            for action in row.actions {
                assert!(model.operation(action.operation).is_some(), "{}:{}", row.model, action.operation);
            }
        }
    }
}
