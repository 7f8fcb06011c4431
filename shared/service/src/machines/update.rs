//! UpdateStateMachine: what starts from now on. Running executions are pinned to what they started with.

use serde::Serialize;

use super::configuration;
use crate::action::{Action, answered};
use crate::answer::{Date, epoch};
use crate::document::MachineStatus;
use crate::error::ApiError;
use crate::request::Request;
use crate::service::Service;
use crate::shapes::{ARN, DEFINITION, DESCRIPTION, ENCRYPTION, LOGGING, Shape, TRACING, optional, required};
use crate::{arn, encryption, names};

pub(crate) const UPDATE_STATE_MACHINE: Action = Action {
    name: "UpdateStateMachine",
    shape: &[
        required("stateMachineArn", ARN),
        optional("definition", DEFINITION),
        optional("roleArn", ARN),
        optional("loggingConfiguration", LOGGING),
        optional("tracingConfiguration", TRACING),
        optional("publish", Shape::Flag),
        optional("versionDescription", DESCRIPTION),
        optional("encryptionConfiguration", ENCRYPTION),
    ],
    run: |asked| answered(async move { asked.service.update_state_machine(asked.request).await }),
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Updated {
    update_date: Date,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_machine_version_arn: Option<String>,
}

impl Service {
    async fn update_state_machine(&self, request: Request) -> Result<Updated, ApiError> {
        let arn = request.required("stateMachineArn");
        arn::machine(arn)?;
        check_something_given(&request)?;
        let role = request.text("roleArn");
        role.map_or(Ok(()), arn::role)?;
        let publication = configuration::publication(&request)?;
        let encryption = encryption::customer_key(&request, &self.home)?;
        let encryption = request.object("encryptionConfiguration").map(|_| encryption);
        let machine = self.registry.usable(arn).await?;
        let logging = configuration::logging(&request)?;
        logging.iter().for_each(|logging| configuration::warn_of_silence(self, logging));
        let tracing = configuration::tracing_enabled(&request);
        let revision = match request.text("definition") {
            // The type of a machine never changes.
            Some(definition) => {
                let checked = self.checked_definition(definition, machine.kind)?;
                let revision = checked.hash.clone();
                if revision != machine.revision {
                    self.keep_definition(checked).await?;
                }
                Some(revision)
            }
            None => None,
        };

        let (now, seed) = (self.engine.world().clock.now(), self.engine.world().clock.seed());
        let changed = self.registry.change(arn, |machine| {
            if machine.status == MachineStatus::Deleting {
                return Err(ApiError::StateMachineDeleting(arn.to_owned()));
            }
            let before = machine.clone();
            machine.role_arn = role.unwrap_or(&before.role_arn).to_owned();
            machine.logging = logging.as_ref().unwrap_or(&before.logging).clone();
            machine.tracing = tracing.unwrap_or(before.tracing);
            machine.encryption = encryption.as_ref().unwrap_or(&before.encryption).clone();
            machine.revision = revision.as_ref().unwrap_or(&before.revision).clone();
            // AWS: an update that changes nothing makes no revision; it answers with the current one, the first has no id. One
            // that names the definition of an encrypted machine makes one all the same.
            let encrypted_anew = machine.encryption.is_some() && revision.is_some();
            if *machine != before || encrypted_anew {
                machine.updated = now;
                machine.revision_id = Some(names::random_uuid(seed));
            }
            let published = publication.as_ref().map(|asked| machine.publish(asked.description.as_deref(), now));
            Ok(Updated {
                update_date: epoch(machine.updated),
                revision_id: machine.revision_id.clone(),
                state_machine_version_arn: published.transpose()?.map(|version| arn::version(arn, version.number)),
            })
        });
        changed.await
    }
}

fn check_something_given(request: &Request) -> Result<(), ApiError> {
    let objects = ["loggingConfiguration", "tracingConfiguration", "encryptionConfiguration"];
    let given = request.text("definition").is_some()
        || request.text("roleArn").is_some()
        || objects.iter().any(|name| request.object(name).is_some());
    // AWS: the text is unverified.
    if request.object("encryptionConfiguration").is_some() && request.text("definition").is_none() {
        let text = "The definition must be specified when the EncryptionConfiguration is specified";
        return Err(ApiError::MissingRequiredParameter(text.to_owned()));
    }
    if given {
        return Ok(());
    }
    let text =
        "Either the definition, the role ARN, the LoggingConfiguration, or the TracingConfiguration must be specified";
    Err(ApiError::MissingRequiredParameter(text.to_owned()))
}
