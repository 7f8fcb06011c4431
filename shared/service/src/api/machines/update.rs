//! UpdateStateMachine: what starts from now on. Running executions are pinned to what they started with.

use serde_json::{Value, json};

use super::configuration;
use crate::api::error::ApiError;
use crate::api::registry::MachineStatus;
use crate::api::request::Request;
use crate::api::{Service, arn, epoch, names};

impl Service {
    pub(in crate::api) async fn update_state_machine(&self, request: Request) -> Result<Value, ApiError> {
        let arn = request.required("stateMachineArn");
        arn::machine(arn)?;
        check_something_given(&request)?;
        let role = request.text("roleArn");
        role.map_or(Ok(()), arn::role)?;
        configuration::check_versions(&request)?;
        configuration::check_encryption(&request)?;
        let machine = self.registry.usable(arn).await?;
        let logging = configuration::logging(&request)?;
        let tracing = configuration::tracing_enabled(&request);
        let revision = match request.text("definition") {
            // The type of a machine never changes.
            Some(definition) => Some(self.keep_definition(definition, machine.kind).await?),
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
            machine.revision = revision.as_ref().unwrap_or(&before.revision).clone();
            if *machine == before {
                // AWS: an update that changes nothing makes no revision and names none.
                return Ok(None);
            }
            machine.updated = now;
            let id = names::random_uuid(seed);
            machine.revision_id = Some(id.clone());
            Ok(Some(id))
        });
        let mut answer = json!({ "updateDate": epoch(now) });
        if let (Some(id), Value::Object(members)) = (changed.await?, &mut answer) {
            members.insert("revisionId".into(), id.into());
        }
        Ok(answer)
    }
}

fn check_something_given(request: &Request) -> Result<(), ApiError> {
    let objects = ["loggingConfiguration", "tracingConfiguration", "encryptionConfiguration"];
    let given = request.text("definition").is_some()
        || request.text("roleArn").is_some()
        || objects.iter().any(|name| request.object(name).is_some());
    if given {
        return Ok(());
    }
    let text =
        "Either the definition, the role ARN, the LoggingConfiguration, or the TracingConfiguration must be specified";
    Err(ApiError::MissingRequiredParameter(text.to_owned()))
}
