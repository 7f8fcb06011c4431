//! CreateStateMachine, and the check of a definition it shares with UpdateStateMachine.

use std::sync::Arc;

use serde_json::{Value, json};

use super::configuration;
use crate::api::error::ApiError;
use crate::api::registry::{Machine, MachineStatus, WorkflowType};
use crate::api::request::Request;
use crate::api::{Service, arn, epoch, names, tags};
use engine::definitions::revision_hash;

impl Service {
    pub(in crate::api) async fn create_state_machine(&self, request: Request) -> Result<Value, ApiError> {
        let name = request.required("name");
        names::check(name)?;
        arn::role(request.required("roleArn"))?;
        configuration::check_versions(&request)?;
        configuration::check_encryption(&request)?;
        let logging = configuration::logging(&request)?;
        let kind = WorkflowType::named(request.text("type"));
        let arn = self.home.machine(name);
        let tags = tags::merged(&arn, Vec::new(), request.list("tags").unwrap_or_default())?;
        let definition = request.required("definition");
        let revision = self.keep_definition(definition, kind).await?;
        let mut machine =
            Machine::new(name, kind, request.required("roleArn"), revision, self.engine.world().clock.now());
        machine.logging = logging.unwrap_or_default();
        machine.tracing = configuration::tracing_enabled(&request).unwrap_or(false);
        machine.tags = tags;

        // Twice: a machine that is in the way may be one whose deletion has just completed.
        for _ in 0..2 {
            if self.registry.create(&arn, &machine).await? {
                return Ok(json!({ "stateMachineArn": arn, "creationDate": epoch(machine.created) }));
            }
            if let Some(found) = self.registry.find(&arn).await? {
                return same(&arn, &found.machine, &machine);
            }
        }
        Err(ApiError::Conflict("The state machine is being created and deleted at the same time.".to_owned()))
    }

    /// Checks a definition and stores it under its hash.
    pub(super) async fn keep_definition(&self, definition: &str, kind: WorkflowType) -> Result<String, ApiError> {
        let parsed = asl::parse_with(definition, kind.asl(), self.engine.world().tasks.sdk_services());
        if let Some(message) = asl::invalid_definition_message(&parsed.diagnostics) {
            return Err(ApiError::InvalidDefinition(message));
        }
        let hash = revision_hash(definition);
        self.engine.world().documents.put_revision(&hash, definition).await?;
        if let Some(machine) = parsed.machine {
            self.deliver().definitions().keep(&hash, Arc::new(machine));
        }
        Ok(hash)
    }
}

/// The answer when the machine exists: the same one when it is the same, whatever its role and tags are.
fn same(arn: &str, found: &Machine, asked: &Machine) -> Result<Value, ApiError> {
    if found.status == MachineStatus::Deleting {
        return Err(ApiError::StateMachineDeleting(arn.to_owned()));
    }
    // AWS: definitions are compared byte by byte; a difference in role or tags is ignored.
    let same = found.revision == asked.revision
        && found.kind == asked.kind
        && found.logging == asked.logging
        && found.tracing == asked.tracing;
    if same {
        Ok(json!({ "stateMachineArn": arn, "creationDate": epoch(found.created) }))
    } else {
        Err(ApiError::StateMachineAlreadyExists(arn.to_owned()))
    }
}
