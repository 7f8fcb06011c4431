//! RedriveExecution: an execution that ended without success goes on where it failed.
//!
//! A client's token is looked up before the status: the answer to a call that is made again is that of the first, whatever has
//! become of the execution since. A call that is refused does not use its token up. Of two calls at once one goes on with the
//! execution; the other reads again, and finds its own token or an execution that runs.

use engine::deliver::{DeliverError, Delivered, token_hash};
use engine::entry::{ClientToken, Reopening};
use engine::ports::{Direction, ExecutionStatus};
use interpreter::Timestamp;
use serde::Serialize;

use super::{Journalled, undamaged};
use crate::action::{Action, answered};
use crate::answer::{Date, epoch};
use crate::arn;
use crate::document::MachineStatus;
use crate::error::ApiError;
use crate::request::Request;
use crate::service::Service;
use crate::shapes::{ARN, CLIENT_TOKEN, optional, required};

pub(crate) const REDRIVE_EXECUTION: Action = Action {
    name: "RedriveExecution",
    shape: &[required("executionArn", ARN), optional("clientToken", CLIENT_TOKEN)],
    run: |asked| answered(async move { asked.service.redrive_execution(asked.request).await }),
};

/// How long after its end an execution can be redriven. AWS: 14 days (documented).
const PERIOD_MS: i64 = 14 * 24 * 60 * 60 * 1_000;
/// An execution whose retention ends sooner than this is not redriven any more: it may be gone while that is decided.
const LEAST_KEPT_MS: i64 = 60 * 60 * 1_000;
/// Readings of an execution to which others write meanwhile.
const TRIES: usize = 8;

/// RedriveExecution's answer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Redriven {
    redrive_date: Date,
}

impl Service {
    async fn redrive_execution(&self, request: Request) -> Result<Redriven, ApiError> {
        let arn = request.required("executionArn");
        arn::execution(arn)?;
        if arn::is_labelled(arn) {
            let text = "Labeled Execution ARNs are not supported for this API";
            return Err(ApiError::Validation(text.to_owned()));
        }
        let redrive_date = epoch(self.redriven(arn, request.text("clientToken")).await?);
        Ok(Redriven { redrive_date })
    }

    /// When the execution was redriven, by this call or an earlier one of the same token.
    async fn redriven(&self, arn: &str, token: Option<&str>) -> Result<Timestamp, ApiError> {
        let gone = || ApiError::ExecutionDoesNotExist(arn.to_owned());
        for _ in 0..TRIES {
            let execution = self.journalled(arn).await?;
            let found = self.registry.find(&execution.listing.machine).await?;
            // AWS: an execution of a machine that is deleted does not exist.
            let machine = found.ok_or_else(gone)?.machine;
            if let Some(at) = self.known_token(&execution, token).await? {
                return Ok(at);
            }
            if let Some(reason) = self.not_redrivable(&execution, Some(machine.status)) {
                let text = format!("Execution {arn} invalid for redrive as: {reason}");
                return Err(ApiError::ExecutionNotRedrivable(text));
            }
            match self.deliver().redrive(arn, token).await {
                Ok(Delivered { counted: true, redriven: Some(at), .. }) => return Ok(at),
                // Another call was first.
                Ok(_) => {}
                Err(DeliverError::NoSuchExecution) => return Err(gone()),
                Err(error) => return Err(error.into()),
            }
        }
        Err(ApiError::Unavailable)
    }

    /// When a redrive with that token went on with the execution, if that is remembered.
    async fn known_token(&self, execution: &Journalled, token: Option<&str>) -> Result<Option<Timestamp>, ApiError> {
        let (Some(token), Some(_)) = (token, execution.reopened) else { return Ok(None) };
        let (journal, arn) = (&self.engine.world().journal, &execution.listing.execution);
        // The last full set of threads has them; it is no older than the last redrive.
        let full = journal.read(arn, execution.last_full, Direction::Ascending, 1).await?;
        let entry = full.first().map(undamaged).transpose()?.flatten();
        Ok(entry.and_then(|entry| ClientToken::find(&entry.client_tokens, &token_hash(token), self.now())))
    }

    /// The reason why an execution cannot be redriven, in AWS's words; `None` when it can. `machine` is the status of its state
    /// machine, if that still exists.
    // AWS: unverified which reason wins where there are several.
    pub(super) fn not_redrivable(&self, execution: &Journalled, machine: Option<MachineStatus>) -> Option<String> {
        let status = execution.status();
        let ended = match (status, &execution.closed) {
            (ExecutionStatus::Running | ExecutionStatus::Succeeded, _) | (_, None) => {
                return Some(format!("Execution is {} and cannot be redriven", status.name()));
            }
            (_, Some((_, ended))) => *ended,
        };
        let limits = execution.opening.as_ref().map(|(head, _)| head.limits);
        let now = self.now();
        let past = now.0.saturating_sub(ended.0);
        let reason = if machine != Some(MachineStatus::Active) {
            "State machine is in DELETING status"
        } else if limits.is_some_and(|limits| execution.last_event.saturating_add(1) >= limits.events) {
            "Execution history event limit exceeded"
        } else if limits.is_some_and(|limits| execution.listing.started.plus_seconds(limits.seconds) <= now) {
            "Execution has exceeded the max execution time"
        } else if past > PERIOD_MS || self.is_expired(ended.plus_millis(-LEAST_KEPT_MS)) {
            "Execution redrivable period exceeded"
        } else if !execution.is_resumable {
            // It ended before ends were written so that they can be redriven, or by force.
            "Execution was started before the launch of RedriveExecution"
        } else {
            return None;
        };
        Some(reason.to_owned())
    }
}

/// The redrives of an execution, and whether it can be redriven.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RedriveShown {
    redrive_count: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    redrive_date: Option<Date>,
    redrive_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    redrive_status_reason: Option<String>,
}

impl RedriveShown {
    pub fn of(reopened: Option<Reopening>, not_redrivable: Option<String>) -> RedriveShown {
        let redriven = reopened.map(|reopened| reopened.redriven);
        RedriveShown {
            redrive_count: redriven.map_or(0, |redriven| redriven.count),
            redrive_date: redriven.map(|redriven| epoch(redriven.at)),
            redrive_status: if not_redrivable.is_none() { "REDRIVABLE" } else { "NOT_REDRIVABLE" },
            redrive_status_reason: not_redrivable,
        }
    }
}
