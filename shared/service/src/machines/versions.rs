//! PublishStateMachineVersion, ListStateMachineVersions, DeleteStateMachineVersion.
//!
//! UpdateStateMachine and CreateStateMachine publish, too. The rules of versions are
//! [`crate::document`]'s.

use serde::Serialize;

use crate::action::{Action, answered};
use crate::answer::{Date, Nothing, epoch};
use crate::arn::{self, Qualifier};
use crate::document::{Machine, MachineStatus, Version};
use crate::error::ApiError;
use crate::paging;
use crate::request::Request;
use crate::service::Service;
use crate::shapes::{ARN, DESCRIPTION, LONG_ARN, PAGE_SIZE, PAGE_TOKEN, optional, required, text};

pub(crate) const PUBLISH_STATE_MACHINE_VERSION: Action = Action {
    name: "PublishStateMachineVersion",
    shape: &[
        required("stateMachineArn", ARN),
        optional("revisionId", text(0, usize::MAX)),
        optional("description", DESCRIPTION),
    ],
    run: |asked| answered(async move { asked.service.publish_state_machine_version(asked.request).await }),
};

pub(crate) const LIST_STATE_MACHINE_VERSIONS: Action = Action {
    name: "ListStateMachineVersions",
    shape: &[required("stateMachineArn", ARN), optional("nextToken", PAGE_TOKEN), optional("maxResults", PAGE_SIZE)],
    run: |asked| answered(async move { asked.service.list_state_machine_versions(asked.request).await }),
};

pub(crate) const DELETE_STATE_MACHINE_VERSION: Action = Action {
    name: "DeleteStateMachineVersion",
    shape: &[required("stateMachineVersionArn", LONG_ARN)],
    run: |asked| answered(async move { asked.service.delete_state_machine_version(asked.request).await }),
};

/// A version, as publishing and lists show it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    state_machine_version_arn: String,
    creation_date: Date,
}

impl Shown {
    fn of(machine: &str, version: &Version) -> Shown {
        Shown {
            state_machine_version_arn: arn::version(machine, version.number),
            creation_date: epoch(version.created),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Versions {
    state_machine_versions: Vec<Shown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

impl Service {
    async fn publish_state_machine_version(&self, request: Request) -> Result<Shown, ApiError> {
        let arn = request.required("stateMachineArn");
        arn::machine(arn)?;
        let now = self.now();
        let published = self.registry.change(arn, |machine| {
            check_active(machine, arn)?;
            check_revision(machine, request.text("revisionId"))?;
            machine.publish(request.text("description"), now)
        });
        Ok(Shown::of(arn, &published.await?))
    }

    async fn list_state_machine_versions(&self, request: Request) -> Result<Versions, ApiError> {
        let arn = request.required("stateMachineArn");
        arn::machine(arn)?;
        let query = ("versions".to_owned(), arn.to_owned());
        let below: Option<u64> = paging::place(&self.seal, &request, &query)?;
        // AWS: unverified for a machine that does not exist.
        let machine = self.registry.get(arn).await?;
        let newest = machine.versions.iter().rev().filter(|one| below.is_none_or(|below| one.number < below));
        let (page, last) = paging::page(newest, paging::size(&request));
        Ok(Versions {
            state_machine_versions: page.iter().map(|version| Shown::of(arn, version)).collect(),
            next_token: last.map(|last| paging::token(&self.seal, query, last.number)),
        })
    }

    // AWS: a version that does not exist is deleted successfully; unverified for a machine that does not.
    async fn delete_state_machine_version(&self, request: Request) -> Result<Nothing, ApiError> {
        let asked = request.required("stateMachineVersionArn");
        arn::machine(asked)?;
        let (arn, Some(Qualifier::Version(number))) = arn::split(asked) else {
            // AWS: unverified.
            return Err(ApiError::InvalidArn(format!("Invalid ARN resource: {asked}")));
        };
        match self.registry.change(arn, |machine| machine.remove_version(number)).await {
            Ok(()) | Err(ApiError::StateMachineDoesNotExist(_)) => Ok(Nothing {}),
            Err(error) => Err(error),
        }
    }
}

pub(super) fn check_active(machine: &Machine, arn: &str) -> Result<(), ApiError> {
    match machine.status {
        MachineStatus::Active => Ok(()),
        MachineStatus::Deleting => Err(ApiError::StateMachineDeleting(arn.to_owned())),
    }
}

/// Refuses a publication of another revision than the current one.
fn check_revision(machine: &Machine, asked: Option<&str>) -> Result<(), ApiError> {
    // AWS: the name of a revision that has no id.
    let current = machine.revision_id.as_deref().unwrap_or("INITIAL");
    match asked {
        Some(asked) if asked != current => Err(ApiError::Conflict(format!(
            "Failed to publish the State Machine version for revision {asked}. \
             The current State Machine revision is {current}."
        ))),
        Some(_) | None => Ok(()),
    }
}
