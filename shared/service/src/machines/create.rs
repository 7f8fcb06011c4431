//! CreateStateMachine, and the check of a definition it shares with UpdateStateMachine.

use std::sync::Arc;

use asl::{MachineType, StateMachine};
use engine::definitions::revision_hash;
use serde::Serialize;

use super::configuration;
use crate::action::{Action, answered};
use crate::answer::{Date, epoch};
use crate::document::{Machine, MachineStatus, workflow_type};
use crate::error::ApiError;
use crate::request::Request;
use crate::service::Service;
use crate::shapes::{
    ARN, DEFINITION, DESCRIPTION, ENCRYPTION, LOGGING, NAME, Shape, TAGS, TRACING, TYPE, optional, required,
};
use crate::{arn, encryption, names, tags};

pub(crate) const CREATE_STATE_MACHINE: Action = Action {
    name: "CreateStateMachine",
    shape: &[
        required("name", NAME),
        required("definition", DEFINITION),
        required("roleArn", ARN),
        optional("type", TYPE),
        optional("loggingConfiguration", LOGGING),
        optional("tags", TAGS),
        optional("tracingConfiguration", TRACING),
        optional("publish", Shape::Flag),
        optional("versionDescription", DESCRIPTION),
        optional("encryptionConfiguration", ENCRYPTION),
    ],
    run: |asked| answered(async move { asked.service.create_state_machine(asked.request).await }),
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Created {
    state_machine_arn: String,
    creation_date: Date,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_machine_version_arn: Option<String>,
}

impl Created {
    fn of(arn: &str, machine: &Machine) -> Created {
        Created {
            state_machine_arn: arn.to_owned(),
            creation_date: epoch(machine.created),
            state_machine_version_arn: machine.published.as_ref().map(|_| arn::version(arn, 1)),
        }
    }
}

impl Service {
    async fn create_state_machine(&self, request: Request) -> Result<Created, ApiError> {
        let name = request.required("name");
        names::check(name)?;
        arn::role(request.required("roleArn"))?;
        let publication = configuration::publication(&request)?;
        let encryption = encryption::customer_key(&request, &self.home)?;
        let logging = configuration::logging(&request)?;
        let kind = workflow_type::asked(&request);
        let arn = self.home.machine(name);
        let tags = tags::merged(&arn, Vec::new(), request.list("tags").unwrap_or_default())?;
        let definition = request.required("definition");
        let checked = self.checked_definition(definition, kind)?;
        let revision = checked.hash.clone();
        let mut machine =
            Machine::new(name, kind, request.required("roleArn"), revision, self.engine.world().clock.now());
        machine.logging = logging.unwrap_or_default();
        configuration::warn_of_silence(self, &machine.logging);
        machine.tracing = configuration::tracing_enabled(&request).unwrap_or(false);
        machine.encryption = encryption;
        machine.tags = tags;
        if let Some(publication) = publication {
            machine.publish(publication.description.as_deref(), machine.created)?;
            machine.published = Some(publication);
        }

        // Looked at first, so that a request that is refused leaves no definition behind.
        if let Some(found) = self.registry.find(&arn).await? {
            return same(&arn, &found.machine, &machine);
        }
        self.keep_definition(checked).await?;
        // Twice: a machine that is in the way may be one whose deletion has just completed.
        for _ in 0..2 {
            if self.registry.create(&arn, &machine).await? {
                return Ok(Created::of(&arn, &machine));
            }
            if let Some(found) = self.registry.find(&arn).await? {
                return same(&arn, &found.machine, &machine);
            }
        }
        Err(ApiError::Conflict("The state machine is being created and deleted at the same time.".to_owned()))
    }

    /// Checks a definition.
    pub(super) fn checked_definition<'d>(
        &self,
        definition: &'d str,
        kind: MachineType,
    ) -> Result<CheckedDefinition<'d>, ApiError> {
        let services = self.engine.world().tasks.sdk_services();
        let parsed = asl::parse_with(definition, kind, services);
        if let Some(message) = asl::invalid_definition_message(&parsed.diagnostics) {
            return Err(ApiError::InvalidDefinition(message));
        }
        Ok(CheckedDefinition { hash: revision_hash(definition), text: definition, machine: parsed.machine })
    }

    /// Stores a definition under its hash: before what names it.
    pub(super) async fn keep_definition(&self, checked: CheckedDefinition<'_>) -> Result<(), ApiError> {
        let CheckedDefinition { hash, text, machine } = checked;
        self.engine.world().documents.put_revision(&hash, text).await?;
        if let Some(machine) = machine {
            self.deliver().definitions().keep(&hash, Arc::new(machine), text.len());
        }
        Ok(())
    }
}

/// A definition that may be stored.
pub(super) struct CheckedDefinition<'d> {
    /// What it is stored under.
    pub hash: String,
    text: &'d str,
    machine: Option<StateMachine>,
}

/// The answer when the machine exists: the same one when it is the same, whatever its role and tags are.
fn same(arn: &str, found: &Machine, asked: &Machine) -> Result<Created, ApiError> {
    if found.status == MachineStatus::Deleting {
        return Err(ApiError::StateMachineDeleting(arn.to_owned()));
    }
    // AWS: definitions are compared byte by byte; a difference in role or tags is ignored.
    let same = found.revision == asked.revision
        && found.kind == asked.kind
        && found.logging == asked.logging
        && found.tracing == asked.tracing
        && found.encryption == asked.encryption;
    if !same {
        return Err(ApiError::StateMachineAlreadyExists(arn.to_owned()));
    }
    match (&found.published, &asked.published) {
        // AWS: stable: the first version, also after an update and another publication.
        (found_as, asked_as) if found_as == asked_as => Ok(Created::of(arn, found)),
        (Some(_), None) => Err(ApiError::AlreadyPublished),
        (Some(_), Some(_)) => Err(ApiError::PublishedOtherwise),
        // AWS: unverified.
        (None, _) => Err(ApiError::StateMachineAlreadyExists(arn.to_owned())),
    }
}
