//! Executions of standard workflows: what describes, lists and stops them. They are told from the first and the last
//! entry of their journal; one that ended longer ago than the retention is gone, whether it was removed already or not.

use asl::MachineType;
use engine::deliver::{DeliverError, status_of};
use engine::entry::{self, Entry, Head, Unreadable};
use engine::ports::{Direction, ExecutionStatus, ListQuery, Listing, Record};
use interpreter::{Closing, Failure, Payload, Timestamp};
use serde::{Deserialize, Serialize};

use crate::action::{Action, answered};
use crate::answer::{Date, Included, JsonText, epoch};
use crate::arn::{self, Qualifier};
use crate::error::ApiError;
use crate::paging;
use crate::request::Request;
use crate::service::Service;
use crate::shapes::{ARN, CAUSE, ERROR, INCLUDED_DATA, PAGE_SIZE, STATUS, one_of, optional, required, text};

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

pub(crate) const LIST_EXECUTIONS: Action = Action {
    name: "ListExecutions",
    shape: &[
        optional("stateMachineArn", ARN),
        optional("statusFilter", STATUS),
        optional("maxResults", PAGE_SIZE),
        optional("nextToken", text(1, 3096)),
        optional("mapRunArn", text(1, 2000)),
        optional("redriveFilter", one_of(&["REDRIVEN", "NOT_REDRIVEN"])),
    ],
    run: |asked| answered(async move { asked.service.list_executions(asked.request).await }),
};

/// An execution, as its journal has it.
pub(crate) struct Journalled {
    pub listing: Listing,
    /// The head and the input; `None` when they are damaged. Then only the store's own attributes are answered.
    pub opening: Option<(Head, Payload)>,
    pub closed: Option<(Closing<Payload>, Timestamp)>,
    pub last_event: u64,
    pub last_sequence: u64,
}

/// Pages of a list that are read at most in search of executions that are not expired.
const MOST_PAGES: usize = 10;
/// Heads that are read at most for a page. A list has no version and no alias: those are in the heads.
const MOST_HEADS: usize = 1000;

/// A list of executions.
struct Wanted {
    machine: String,
    /// Started by this version, or by an alias that routed to it.
    version: Option<u64>,
    /// Started by this alias.
    alias: Option<String>,
    status: Option<ExecutionStatus>,
    /// The machine has versions: then the heads are read.
    qualified: bool,
}

impl Wanted {
    fn has(&self, item: &Item) -> bool {
        let version = self.version.map(|number| arn::version(&self.machine, number));
        let alias = self.alias.as_ref().map(|name| arn::alias(&self.machine, name));
        version.is_none_or(|wanted| item.state_machine_version_arn == Some(wanted))
            && alias.is_none_or(|wanted| item.state_machine_alias_arn == Some(wanted))
    }
}

impl Service {
    async fn describe_execution(&self, request: Request) -> Result<Described, ApiError> {
        let arn = request.required("executionArn");
        arn::execution(arn)?;
        let execution = self.journalled(arn).await?;
        Ok(Described::of(&execution, request.wants_data()))
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

    async fn list_executions(&self, request: Request) -> Result<Executions, ApiError> {
        let asked = listed(&request)?;
        let status = request.text("statusFilter");
        let redriven = request.text("redriveFilter");
        let query = (asked.to_owned(), status.map(str::to_owned), redriven.map(str::to_owned));
        let after: Option<Place> = paging::place(&self.seal, &request, &query)?;
        let named = status.map(ExecutionStatus::from_name);
        let wanted = self.wanted(asked, named.flatten()).await?;
        if named == Some(None) || redriven == Some("REDRIVEN") {
            // PENDING_REDRIVE, or redriven: nothing is ever redriven.
            return Ok(Executions { executions: Vec::new(), next_token: None });
        }
        let (executions, next) = self.page(&wanted, after, paging::size(&request)).await?;
        Ok(Executions { executions, next_token: next.map(|next| paging::token(&self.seal, query, next)) })
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
        let (closed, last_event) = match undamaged(&last)? {
            Some(latest) => (latest.closed, latest.last_event),
            // Until it is given up it runs, and pages of its history end where nothing more can be read.
            None if last.open => (None, u64::MAX),
            None => return Err(Unreadable::Damaged(format!("the end of {arn} cannot be read")).into()),
        };
        Ok(Some(Journalled { listing, opening, closed, last_event, last_sequence: last.sequence }))
    }

    async fn wanted(&self, asked: &str, status: Option<ExecutionStatus>) -> Result<Wanted, ApiError> {
        let (arn, qualifier) = arn::split(asked);
        let machine = self.registry.get(arn).await.map_err(|error| error.about(asked))?;
        match machine.kind {
            MachineType::Standard => {}
            MachineType::Express => return Err(ApiError::StateMachineTypeNotSupported),
        }
        let qualified = machine.last_version > 0;
        let wanted = Wanted { machine: arn.to_owned(), version: None, alias: None, status, qualified };
        Ok(match qualifier {
            None => wanted,
            Some(Qualifier::Version(number)) => Wanted { version: Some(number), ..wanted },
            Some(Qualifier::Alias(name)) => Wanted { alias: Some(name.to_owned()), ..wanted },
        })
    }

    /// A page, and the place of its end if the list goes on. It may be short, and more follow.
    async fn page(
        &self,
        wanted: &Wanted,
        mut after: Option<Place>,
        size: usize,
    ) -> Result<(Vec<Item>, Option<Place>), ApiError> {
        let (mut found, mut heads) = (Vec::new(), 0usize);
        let (machine, limit) = (wanted.machine.clone(), size.saturating_add(1));
        let mut query = ListQuery { machine, status: wanted.status, after: after.clone().map(Place::pair), limit };
        for _ in 0..MOST_PAGES {
            let listed = self.engine.world().journal.list(&query).await?;
            query.after = listed.next;
            for listing in listed.listings {
                if listing.stopped.is_some_and(|ended| self.is_expired(ended)) {
                    continue;
                }
                if found.len() == size || heads == MOST_HEADS {
                    return Ok((found, after));
                }
                let mut item = Item::of(&listing);
                if wanted.qualified {
                    heads = heads.saturating_add(1);
                    item = self.qualified(item).await?;
                }
                after = Some(Place(listing.started, listing.execution));
                if wanted.has(&item) {
                    found.push(item);
                }
            }
            if query.after.is_none() {
                return Ok((found, None));
            }
        }
        Ok((found, query.after.map(|(started, arn)| Place(started, arn))))
    }

    /// The same with the version and the alias that it was started by.
    async fn qualified(&self, item: Item) -> Result<Item, ApiError> {
        let first = self.engine.world().journal.read(&item.execution_arn, 0, Direction::Ascending, 1).await?;
        let entry = first.first().map(undamaged).transpose()?.flatten();
        let Some((head, _)) = entry.and_then(|entry| entry.head) else { return Ok(item) };
        Ok(Item { state_machine_version_arn: version_of(&head), state_machine_alias_arn: alias_of(&head), ..item })
    }
}

/// The ARN whose executions are asked for.
fn listed(request: &Request) -> Result<&str, ApiError> {
    let arn = match (request.text("stateMachineArn"), request.text("mapRunArn")) {
        (Some(arn), None) => arn,
        (None, Some(_)) => {
            let text = "Listing executions of Map Runs is not available in Stepwell yet.";
            return Err(ApiError::Validation(text.to_owned()));
        }
        // AWS: unverified texts.
        (Some(_), Some(_)) => return Err(exactly("only one")),
        (None, None) => return Err(exactly("exactly one")),
    };
    arn::machine(arn)?;
    Ok(arn)
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

/// A place in the list of executions.
#[derive(Clone, Serialize, Deserialize)]
struct Place(Timestamp, String);

impl Place {
    fn pair(self) -> (Timestamp, String) {
        (self.0, self.1)
    }
}

fn exactly(how_many: &str) -> ApiError {
    ApiError::Validation(format!("Must specify {how_many} of stateMachineArn and mapRunArn"))
}

/// StopExecution's answer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Stopped {
    stop_date: Date,
}

/// ListExecutions' answer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Executions {
    executions: Vec<Item>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    execution_arn: String,
    state_machine_arn: String,
    name: String,
    status: &'static str,
    start_date: Date,
    redrive_count: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_date: Option<Date>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_machine_version_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_machine_alias_arn: Option<String>,
}

impl Item {
    fn of(listing: &Listing) -> Item {
        Item {
            execution_arn: listing.execution.clone(),
            state_machine_arn: listing.machine.clone(),
            name: listing.name.clone(),
            status: listing.status.name(),
            start_date: epoch(listing.started),
            redrive_count: 0,
            stop_date: listing.stopped.map(epoch),
            state_machine_version_arn: None,
            state_machine_alias_arn: None,
        }
    }
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
    redrive_count: u32,
    redrive_status: &'static str,
    redrive_status_reason: String,
}

impl Described {
    fn of(execution: &Journalled, data: bool) -> Described {
        let listing = &execution.listing;
        let status = execution.closed.as_ref().map_or(ExecutionStatus::Running, |(closing, _)| status_of(closing));
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
            redrive_count: 0,
            redrive_status: "NOT_REDRIVABLE",
            redrive_status_reason: not_redrivable(status),
        }
    }
}

/// How an execution ended: the output, or the error and its cause.
#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
pub(crate) struct End {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<JsonText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_details: Option<Included>,
    // AWS: absent when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
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

fn not_redrivable(status: ExecutionStatus) -> String {
    match status {
        ExecutionStatus::Running | ExecutionStatus::Succeeded => {
            format!("Execution is {} and cannot be redriven", status.name())
        }
        ExecutionStatus::Failed | ExecutionStatus::TimedOut | ExecutionStatus::Aborted => {
            "Redriving executions is not available in Stepwell yet".to_owned()
        }
    }
}
