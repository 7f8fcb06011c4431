//! ListStateMachines and DeleteStateMachine; the other actions of state machines have files of their own.

pub(crate) mod aliases;
mod configuration;
pub(crate) mod create;
pub(crate) mod describe;
mod references;
pub(crate) mod update;
pub(crate) mod versions;

use serde::Serialize;

use crate::action::{Action, answered};
use crate::answer::{Date, Nothing, epoch};
use crate::document::{Machine, MachineStatus, workflow_type};
use crate::error::ApiError;
use crate::request::Request;
use crate::service::Service;
use crate::shapes::{ARN, PAGE_SIZE, PAGE_TOKEN, optional, required};
use crate::{arn, paging};

pub(crate) const LIST_STATE_MACHINES: Action = Action {
    name: "ListStateMachines",
    shape: &[optional("maxResults", PAGE_SIZE), optional("nextToken", PAGE_TOKEN)],
    run: |asked| answered(async move { asked.service.list_state_machines(asked.request).await }),
};

pub(crate) const DELETE_STATE_MACHINE: Action = Action {
    name: "DeleteStateMachine",
    shape: &[required("stateMachineArn", ARN)],
    run: |asked| answered(async move { asked.service.delete_state_machine(asked.request).await }),
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Machines {
    state_machines: Vec<Item>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    state_machine_arn: String,
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
    creation_date: Date,
}

impl Item {
    fn of((arn, machine): (String, Machine)) -> Item {
        Item {
            state_machine_arn: arn,
            name: machine.name,
            kind: workflow_type::name(machine.kind),
            creation_date: epoch(machine.created),
        }
    }
}

impl Service {
    async fn list_state_machines(&self, request: Request) -> Result<Machines, ApiError> {
        let size = paging::size(&request);
        let query = "machines".to_owned();
        let after: Option<String> = paging::place(&self.seal, &request, &query)?;
        let mut found = self.registry.list(after.as_deref(), size.saturating_add(1)).await?;
        let more = found.len() > size;
        found.truncate(size);
        let last = found.last().filter(|_| more).map(|(arn, _)| arn.clone());
        Ok(Machines {
            state_machines: found.into_iter().map(Item::of).collect(),
            next_token: last.map(|last| paging::token(&self.seal, query, last)),
        })
    }

    // AWS: a machine that does not exist is deleted successfully.
    async fn delete_state_machine(&self, request: Request) -> Result<Nothing, ApiError> {
        let arn = request.required("stateMachineArn");
        arn::machine(arn)?;
        let marked = self.registry.change(arn, |machine| {
            machine.status = MachineStatus::Deleting;
            Ok(())
        });
        match marked.await {
            Ok(()) => self.registry.find(arn).await.map(|_| Nothing {}),
            Err(ApiError::StateMachineDoesNotExist(_)) => Ok(Nothing {}),
            Err(error) => Err(error),
        }
    }
}
