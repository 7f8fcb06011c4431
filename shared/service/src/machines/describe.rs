//! DescribeStateMachine and DescribeStateMachineForExecution: a machine as it is, and as an execution sees it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use asl::StateMachine;
use engine::entry::{Head, Unreadable};
use interpreter::Timestamp;
use serde::Serialize;

use super::configuration::{LoggingShown, TracingShown};
use super::references;
use crate::action::{Action, answered};
use crate::answer::{Date, epoch};
use crate::arn::{self, Qualifier};
use crate::document::{Revision, workflow_type};
use crate::encryption;
use crate::error::ApiError;
use crate::request::Request;
use crate::service::Service;
use crate::shapes::{ARN, INCLUDED_DATA, optional, required};

pub(crate) const DESCRIBE_STATE_MACHINE: Action = Action {
    name: "DescribeStateMachine",
    shape: &[required("stateMachineArn", ARN), optional("includedData", INCLUDED_DATA)],
    run: |asked| answered(async move { asked.service.describe_state_machine(asked.request).await }),
};

pub(crate) const DESCRIBE_STATE_MACHINE_FOR_EXECUTION: Action = Action {
    name: "DescribeStateMachineForExecution",
    shape: &[required("executionArn", ARN), optional("includedData", INCLUDED_DATA)],
    run: |asked| answered(async move { asked.service.describe_state_machine_for_execution(asked.request).await }),
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    state_machine_arn: String,
    name: String,
    status: &'static str,
    role_arn: String,
    #[serde(rename = "type")]
    kind: &'static str,
    creation_date: Date,
    #[serde(flatten)]
    configuration: Configuration,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision_id: Option<String>,
    /// Of a version.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(flatten)]
    definition: Definition,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DescribedForExecution {
    state_machine_arn: String,
    name: String,
    role_arn: String,
    update_date: Date,
    #[serde(flatten)]
    configuration: Configuration,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision_id: Option<String>,
    #[serde(flatten)]
    definition: Definition,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Configuration {
    logging_configuration: LoggingShown,
    tracing_configuration: TracingShown,
    encryption_configuration: encryption::Shown,
}

impl Configuration {
    fn of(revision: Option<&Revision>) -> Configuration {
        let logging = revision.map(|revision| revision.logging.clone()).unwrap_or_default();
        Configuration {
            logging_configuration: LoggingShown::of(logging),
            tracing_configuration: TracingShown { enabled: revision.is_some_and(|revision| revision.tracing) },
            encryption_configuration: encryption::Shown::of(revision.and_then(|revision| revision.encryption.clone())),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Definition {
    definition: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    variable_references: BTreeMap<String, BTreeSet<String>>,
}

impl Service {
    async fn describe_state_machine(&self, request: Request) -> Result<Described, ApiError> {
        let asked = request.required("stateMachineArn");
        arn::machine(asked)?;
        let (arn, qualifier) = arn::split(asked);
        let machine = self.registry.get(arn).await.map_err(|error| error.about(asked))?;
        let version = match qualifier {
            None => None,
            Some(Qualifier::Version(number)) => {
                let version = machine.version(number);
                Some(version.ok_or_else(|| ApiError::VersionDoesNotExist(asked.to_owned()))?)
            }
            // AWS: unverified.
            Some(Qualifier::Alias(_)) => return Err(ApiError::StateMachineDoesNotExist(asked.to_owned())),
        };
        let revision = version.map_or_else(|| machine.current(), |version| version.revision.clone());
        Ok(Described {
            state_machine_arn: asked.to_owned(),
            name: machine.name.clone(),
            status: machine.status.name(),
            kind: workflow_type::name(machine.kind),
            creation_date: epoch(version.map_or(machine.created, |version| version.created)),
            configuration: Configuration::of(Some(&revision)),
            description: version.and_then(|version| version.description.clone()),
            definition: self.definition(&revision.definition, request.wants_data()).await?,
            role_arn: revision.role_arn,
            revision_id: revision.id,
        })
    }

    /// The machine as an execution sees it: its definition and role at the start, whatever was updated since.
    async fn describe_state_machine_for_execution(&self, request: Request) -> Result<DescribedForExecution, ApiError> {
        let arn = request.required("executionArn");
        arn::execution(arn)?;
        let opening = self.journalled(arn).await?.opening;
        let (head, _) = opening.ok_or_else(|| Unreadable::Damaged(format!("{arn} has no head")))?;
        let machine = self.registry.find(&head.machine_arn).await?.map(|found| found.machine);
        let current = machine.as_ref().map(|machine| machine.current());
        let version = head.version.and_then(|number| machine.as_ref()?.version(number));
        // The logging and tracing of a revision are kept with its version, or while it is the current one.
        let configuration = Configuration::of(version.map(|version| &version.revision).or(current.as_ref()));
        let pinned = pinned(&head, current.as_ref());
        Ok(DescribedForExecution {
            update_date: epoch(pinned.0),
            configuration,
            revision_id: pinned.1,
            definition: self.definition(&head.revision, request.wants_data()).await?,
            state_machine_arn: head.machine_arn,
            name: head.machine_name,
            role_arn: head.role_arn,
        })
    }

    async fn definition(&self, revision: &str, data: bool) -> Result<Definition, ApiError> {
        if !data {
            // AWS: documented: an empty object, since the definition is a required member.
            return Ok(Definition { definition: "{}".to_owned(), variable_references: BTreeMap::new() });
        }
        let text = self.engine.world().documents.revision(revision).await?;
        let definition = text.ok_or_else(|| {
            tracing::error!(revision, "definition missing in the store; API call answered as an internal failure");
            ApiError::Internal
        })?;
        let machine: Arc<StateMachine> = self.deliver().definitions().get(revision).await?;
        let owned = |names: BTreeSet<&str>| names.into_iter().map(str::to_owned).collect();
        let references = references::of(&machine).into_iter();
        let variable_references = references.map(|(state, names)| (state.to_owned(), owned(names))).collect();
        Ok(Definition { definition, variable_references })
    }
}

/// When the revision that an execution is pinned to came, and its id.
fn pinned(head: &Head, current: Option<&Revision>) -> (Timestamp, Option<String>) {
    if let Some(updated) = head.updated {
        return (updated, head.revision_id.clone());
    }
    // A program from before started it, which did not write this down.
    let same = |revision: &&Revision| {
        revision.definition == head.revision && revision.role_arn == head.role_arn && revision.updated <= head.started
    };
    match current.filter(same) {
        Some(revision) => (revision.updated, revision.id.clone()),
        None => (head.started, None),
    }
}
