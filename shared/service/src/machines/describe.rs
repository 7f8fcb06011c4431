//! DescribeStateMachine and DescribeStateMachineForExecution: a machine as it is, and as an execution sees it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use asl::StateMachine;
use engine::entry::{Head, Unreadable};
use serde::Serialize;

use super::configuration::{LoggingShown, OwnedKey, TracingShown};
use super::references;
use crate::action::{Action, answered};
use crate::answer::{Date, epoch};
use crate::arn;
use crate::document::{Machine, workflow_type};
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
    encryption_configuration: OwnedKey,
}

impl Configuration {
    fn of(machine: Option<&Machine>) -> Configuration {
        let logging = machine.map(|machine| machine.logging.clone()).unwrap_or_default();
        Configuration {
            logging_configuration: LoggingShown::of(logging),
            tracing_configuration: TracingShown { enabled: machine.is_some_and(|machine| machine.tracing) },
            encryption_configuration: OwnedKey::SHOWN,
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
        let arn = request.required("stateMachineArn");
        arn::machine(arn)?;
        let machine = self.registry.get(arn).await?;
        Ok(Described {
            state_machine_arn: arn.to_owned(),
            name: machine.name.clone(),
            status: machine.status.name(),
            role_arn: machine.role_arn.clone(),
            kind: workflow_type::name(machine.kind),
            creation_date: epoch(machine.created),
            configuration: Configuration::of(Some(&machine)),
            revision_id: machine.revision_id.clone(),
            definition: self.definition(&machine.revision, request.wants_data()).await?,
        })
    }

    /// The machine as an execution sees it: its definition and role at the start, whatever was updated since.
    async fn describe_state_machine_for_execution(&self, request: Request) -> Result<DescribedForExecution, ApiError> {
        let arn = request.required("executionArn");
        arn::execution(arn)?;
        let opening = self.journalled(arn).await?.opening;
        let (head, _) = opening.ok_or_else(|| Unreadable::Damaged(format!("{arn} has no head")))?;
        let machine = self.registry.find(&head.machine_arn).await?.map(|found| found.machine);
        // The rest of a revision that is not the current one any more is not kept.
        let machine = machine.as_deref();
        let current = machine.filter(|machine| is_current(machine, &head));
        Ok(DescribedForExecution {
            update_date: epoch(current.map_or(head.started, |machine| machine.updated)),
            configuration: Configuration::of(machine),
            revision_id: current.and_then(|machine| machine.revision_id.clone()),
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

fn is_current(machine: &Machine, head: &Head) -> bool {
    machine.revision == head.revision && machine.role_arn == head.role_arn && machine.updated <= head.started
}
