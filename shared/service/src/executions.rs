//! DescribeExecution and StopExecution: executions of standard workflows, read from the first and the last entry of their
//! journal. The last one closes it, unless it runs or was redriven since. One that ended longer ago than the retention is gone, whether it was removed already or not.

pub(crate) mod list;
pub(crate) mod redrive;

use engine::deliver::{DeliverError, status_of};
use engine::entry::{self, Entry, Head, Reopening, Unreadable};
use engine::ports::{ExecutionStatus, Listing, Record, Seen};
use interpreter::{Closing, Failure, Payload, Timestamp};
use serde::Serialize;

use self::redrive::RedriveShown;
use crate::action::{Action, answered};
use crate::answer::{Date, Included, JsonText, epoch};
use crate::arn;
use crate::error::ApiError;
use crate::request::Request;
use crate::service::Service;
use crate::shapes::{ARN, CAUSE, ERROR, INCLUDED_DATA, optional, required};

pub(crate) const DESCRIBE_EXECUTION: Action = Action {
    name: "DescribeExecution",
    shape: &[required("executionArn", ARN), optional("includedData", INCLUDED_DATA)],
    run: |asked| answered(async move { asked.service.describe_execution(asked.request).await }),
};

pub(crate) const STOP_EXECUTION: Action = Action {
    name: "StopExecution",
    shape: &[required("executionArn", ARN), optional("error", ERROR), optional("cause", CAUSE)],
    run: |asked| answered(async move { asked.service.stop_execution(asked.request).await }),
};

/// An execution, as its journal has it.
pub(crate) struct Journalled {
    pub seen: Seen,
    pub listing: Listing,
    /// The head and the input; `None` when they are damaged. Then only the store's own attributes are answered.
    pub opening: Option<(Head, Payload)>,
    pub closed: Option<(Closing<Payload>, Timestamp)>,
    pub last_event: u64,
    pub last_sequence: u64,
    /// The sequence of the last entry with a full set of threads.
    pub last_full: u64,
    /// The last redrive, if there was one.
    pub reopened: Option<Reopening>,
    /// Its end says what a redrive goes on with.
    pub is_resumable: bool,
}

impl Journalled {
    pub fn status(&self) -> ExecutionStatus {
        self.closed.as_ref().map_or(ExecutionStatus::Running, |(closing, _)| status_of(closing))
    }
}

impl Service {
    async fn describe_execution(&self, request: Request) -> Result<Described, ApiError> {
        let arn = request.required("executionArn");
        arn::execution(arn)?;
        let execution = self.journalled(arn).await?;
        let ended = execution.closed.is_some() && execution.status() != ExecutionStatus::Succeeded;
        let machine = if ended { self.registry.find(&execution.listing.machine).await? } else { None };
        let not_redrivable = self.not_redrivable(&execution, machine.map(|found| found.machine.status));
        let redrive = RedriveShown::of(execution.reopened, not_redrivable);
        Ok(Described::of(&execution, redrive, request.wants_data()))
    }

    async fn stop_execution(&self, mut request: Request) -> Result<Stopped, ApiError> {
        let failure = Failure { error: request.take("error"), cause: request.take("cause") };
        let arn = request.required("executionArn");
        arn::execution(arn)?;
        let gone = || ApiError::ExecutionDoesNotExist(arn.to_owned());
        let delivered = match self.deliver().stop(arn, failure).await {
            Err(DeliverError::NoSuchExecution) => return Err(gone()),
            delivered => delivered?,
        };
        // AWS: unverified: stopping what has ended is answered with when it ended.
        let closed = delivered.closed.unwrap_or_else(|| self.now());
        if self.is_expired(closed) { Err(gone()) } else { Ok(Stopped { stop_date: epoch(closed) }) }
    }

    /// An execution whose retention is not over.
    pub(crate) async fn journalled(&self, arn: &str) -> Result<Journalled, ApiError> {
        let found = self.read_ends(arn).await?;
        let kept = found.filter(|found| found.closed.as_ref().is_none_or(|(_, ended)| !self.is_expired(*ended)));
        kept.ok_or_else(|| ApiError::ExecutionDoesNotExist(arn.to_owned()))
    }

    /// The same, over or not.
    pub(crate) async fn read_ends(&self, arn: &str) -> Result<Option<Journalled>, ApiError> {
        let Some((first, last)) = self.engine.world().journal.ends(arn).await? else { return Ok(None) };
        let listing = first.listing.clone().ok_or_else(|| Unreadable::Damaged(format!("{arn} is not listed")))?;
        let opening = undamaged(&first)?.and_then(|entry| entry.head);
        let found = Journalled {
            seen: Seen::of(&first, &last),
            listing,
            opening,
            closed: None,
            last_event: u64::MAX,
            last_sequence: last.sequence,
            last_full: last.full,
            reopened: None,
            is_resumable: false,
        };
        match undamaged(&last)? {
            Some(latest) => {
                let is_resumable = latest.is_redrivable();
                let Entry { closed, last_event, reopened, .. } = latest;
                Ok(Some(Journalled { closed, last_event, reopened, is_resumable, ..found }))
            }
            // Until it is given up it runs, and pages of its history end where nothing more can be read.
            None if last.open => Ok(Some(found)),
            None => Err(Unreadable::Damaged(format!("the end of {arn} cannot be read")).into()),
        }
    }
}

/// The ARN of the version that an execution was started with.
pub(crate) fn version_of(head: &Head) -> Option<String> {
    head.version.map(|number| arn::version(&head.machine_arn, number))
}

/// The ARN of the alias that an execution was started by.
pub(crate) fn alias_of(head: &Head) -> Option<String> {
    head.alias.as_ref().map(|name| arn::alias(&head.machine_arn, name))
}

/// The entry of a record; `None` when it is damaged.
pub(crate) fn undamaged(record: &Record) -> Result<Option<Entry>, Unreadable> {
    match entry::decode(record.sequence, &record.body) {
        Ok(entry) => Ok(Some(entry)),
        Err(Unreadable::Damaged(what)) => {
            tracing::error!(execution = record.execution, what, "a record is damaged");
            Ok(None)
        }
        Err(newer @ Unreadable::Newer(_)) => Err(newer),
    }
}

/// StopExecution's answer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Stopped {
    stop_date: Date,
}

/// DescribeExecution's answer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    execution_arn: String,
    state_machine_arn: String,
    name: String,
    status: &'static str,
    start_date: Date,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<JsonText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_details: Option<Included>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_header: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_date: Option<Date>,
    #[serde(flatten)]
    end: End,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_machine_version_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_machine_alias_arn: Option<String>,
    #[serde(flatten)]
    redrive: RedriveShown,
}

impl Described {
    fn of(execution: &Journalled, redrive: RedriveShown, data: bool) -> Described {
        let (listing, status) = (&execution.listing, execution.status());
        let (head, input) = execution.opening.as_ref().map(|(head, input)| (head, input.clone())).unzip();
        Described {
            execution_arn: listing.execution.clone(),
            state_machine_arn: listing.machine.clone(),
            name: listing.name.clone(),
            status: status.name(),
            start_date: epoch(listing.started),
            // AWS: without data the details are left out, too.
            input_details: data.then_some(Included { included: input.is_some() }),
            input: input.filter(|_| data).map(JsonText),
            state_machine_version_arn: head.and_then(version_of),
            state_machine_alias_arn: head.and_then(alias_of),
            trace_header: head.and_then(|head| head.trace_header.clone()),
            stop_date: execution.closed.as_ref().map(|(_, stopped)| epoch(*stopped)),
            end: execution.closed.as_ref().map(|(closing, _)| End::of(closing, data)).unwrap_or_default(),
            redrive,
        }
    }
}

/// How an execution ended: the output, or the error and its cause.
#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
pub(crate) struct End {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<JsonText>,
    // AWS: absent when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_details: Option<Included>,
}

impl End {
    /// Without data nothing of it is shown.
    // AWS: observed for DescribeExecution and StartSyncExecution with METADATA_ONLY.
    pub fn of(closing: &Closing<Payload>, data: bool) -> End {
        match closing {
            _ if !data => End::default(),
            Closing::Succeeded { output } => End {
                output: Some(JsonText(output.clone())),
                output_details: Some(Included { included: true }),
                ..End::default()
            },
            // AWS: a machine's timeout leaves neither here, though its event has the error.
            Closing::TimedOut(_) => End::default(),
            Closing::Failed(failure) | Closing::Aborted(failure) => {
                let Failure { error, cause } = failure.clone();
                End { error, cause, ..End::default() }
            }
        }
    }
}
