//! State machines: what describes, lists and deletes them. Creating and updating have files of their own.

mod configuration;
mod create;
mod references;
mod update;

use asl::StateMachine;
use serde_json::{Map, Value, json};

use super::error::ApiError;
use super::registry::{Machine, MachineStatus};
use super::request::Request;
use super::{Service, arn, epoch, paging};
use engine::entry::{Head, Unreadable};

impl Service {
    pub(super) async fn describe_state_machine(&self, request: Request) -> Result<Value, ApiError> {
        let arn = request.required("stateMachineArn");
        arn::machine(arn)?;
        let machine = self.registry.get(arn).await?;
        let mut answer = Map::new();
        answer.insert("stateMachineArn".into(), arn.into());
        answer.insert("name".into(), machine.name.as_str().into());
        answer.insert("status".into(), machine.status.name().into());
        answer.insert("roleArn".into(), machine.role_arn.as_str().into());
        answer.insert("type".into(), machine.kind.name().into());
        answer.insert("creationDate".into(), epoch(machine.created));
        insert_configuration(&mut answer, Some(&machine));
        if let Some(id) = &machine.revision_id {
            answer.insert("revisionId".into(), id.as_str().into());
        }
        self.insert_definition(&mut answer, &machine.revision, request.wants_data()).await?;
        Ok(Value::Object(answer))
    }

    /// The machine as an execution sees it: its definition and role at the start, whatever was updated since.
    pub(super) async fn describe_state_machine_for_execution(&self, request: Request) -> Result<Value, ApiError> {
        let arn = request.required("executionArn");
        arn::execution(arn)?;
        let opening = self.journalled(arn).await?.opening;
        let (head, _) = opening.ok_or_else(|| Unreadable::Damaged(format!("{arn} has no head")))?;
        let machine = self.registry.find(&head.machine_arn).await?.map(|found| found.machine);
        // The rest of a revision that is not the current one any more is not kept.
        let machine = machine.as_deref();
        let current = machine.filter(|machine| is_current(machine, &head));
        let mut answer = Map::new();
        answer.insert("stateMachineArn".into(), head.machine_arn.as_str().into());
        answer.insert("name".into(), head.machine_name.as_str().into());
        answer.insert("roleArn".into(), head.role_arn.as_str().into());
        answer.insert("updateDate".into(), epoch(current.map_or(head.started, |machine| machine.updated)));
        insert_configuration(&mut answer, machine);
        if let Some(id) = current.and_then(|machine| machine.revision_id.as_deref()) {
            answer.insert("revisionId".into(), id.into());
        }
        self.insert_definition(&mut answer, &head.revision, request.wants_data()).await?;
        Ok(Value::Object(answer))
    }

    pub(super) async fn list_state_machines(&self, request: Request) -> Result<Value, ApiError> {
        let size = paging::size(&request);
        let query = "machines".to_owned();
        let after: Option<String> = paging::place(&self.seal, &request, &query)?;
        let mut found = self.registry.list(after.as_deref(), size.saturating_add(1)).await?;
        let more = found.len() > size;
        found.truncate(size);
        let last = found.last().map(|(arn, _)| arn.clone());
        let items: Vec<Value> = found.iter().map(|(arn, machine)| item(arn, machine)).collect();
        let mut answer = json!({ "stateMachines": items });
        if let (true, Some(last), Value::Object(members)) = (more, last, &mut answer) {
            members.insert("nextToken".into(), paging::token(&self.seal, query, last).into());
        }
        Ok(answer)
    }

    // AWS: a machine that does not exist is deleted successfully.
    pub(super) async fn delete_state_machine(&self, request: Request) -> Result<Value, ApiError> {
        let arn = request.required("stateMachineArn");
        arn::machine(arn)?;
        let marked = self.registry.change(arn, |machine| {
            machine.status = MachineStatus::Deleting;
            Ok(())
        });
        match marked.await {
            Ok(()) => self.registry.find(arn).await.map(|_| json!({})),
            Err(ApiError::StateMachineDoesNotExist(_)) => Ok(json!({})),
            Err(error) => Err(error),
        }
    }

    async fn insert_definition(
        &self,
        answer: &mut Map<String, Value>,
        revision: &str,
        data: bool,
    ) -> Result<(), ApiError> {
        if !data {
            // AWS: documented: an empty object, since the definition is a required member.
            answer.insert("definition".into(), "{}".into());
            return Ok(());
        }
        let text = self.engine.world().documents.revision(revision).await?;
        let text = text.ok_or_else(|| {
            tracing::error!(revision, "a definition is gone");
            ApiError::Internal
        })?;
        answer.insert("definition".into(), text.into());
        let machine: std::sync::Arc<StateMachine> = self.deliver().definitions().get(revision).await?;
        let references = references::of(&machine);
        if !references.is_empty() {
            answer.insert("variableReferences".into(), json!(references));
        }
        Ok(())
    }
}

fn is_current(machine: &Machine, head: &Head) -> bool {
    machine.revision == head.revision && machine.role_arn == head.role_arn && machine.updated <= head.started
}

fn insert_configuration(answer: &mut Map<String, Value>, machine: Option<&Machine>) {
    let logging = machine.map(|machine| machine.logging.clone()).unwrap_or_default();
    answer.insert("loggingConfiguration".into(), configuration::logging_shown(&logging));
    let tracing = machine.is_some_and(|machine| machine.tracing);
    answer.insert("tracingConfiguration".into(), json!({ "enabled": tracing }));
    // AWS: shown since 2024, whether it was given or not.
    answer.insert("encryptionConfiguration".into(), json!({ "type": "AWS_OWNED_KEY" }));
}

fn item(arn: &str, machine: &Machine) -> Value {
    json!({
        "stateMachineArn": arn,
        "name": machine.name,
        "type": machine.kind.name(),
        "creationDate": epoch(machine.created),
    })
}
