//! Executions of standard workflows: what describes, lists and stops them. They are told from the first and the last
//! entry of their journal; one that ended longer ago than the retention is gone, whether it was removed already or not.

use interpreter::{Closing, Failure, Payload, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::error::ApiError;
use super::registry::WorkflowType;
use super::request::Request;
use super::{Service, arn, epoch, paging};
use engine::deliver::{DeliverError, status_of};
use engine::entry::{self, Entry, Head, Unreadable};
use engine::ports::{ExecutionStatus, ListQuery, Listing, Record};

/// What a journal tells of an execution.
pub(super) struct Journalled {
    pub listing: Listing,
    /// The head and the input; `None` when they are damaged. What is said without them is said by the store's own
    /// attributes.
    pub opening: Option<(Head, Payload)>,
    pub closed: Option<(Closing<Payload>, Timestamp)>,
    pub last_event: u64,
    pub last_sequence: u64,
}

/// Pages of a list that are read at most in search of executions that are not expired.
const MOST_PAGES: usize = 10;

impl Service {
    pub(super) async fn describe_execution(&self, request: Request) -> Result<Value, ApiError> {
        let arn = request.required("executionArn");
        arn::execution(arn)?;
        let execution = self.journalled(arn).await?;
        Ok(described(&execution, request.wants_data()))
    }

    pub(super) async fn stop_execution(&self, mut request: Request) -> Result<Value, ApiError> {
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
        if self.is_expired(closed) { Err(gone()) } else { Ok(json!({ "stopDate": epoch(closed) })) }
    }

    pub(super) async fn list_executions(&self, request: Request) -> Result<Value, ApiError> {
        let machine = self.listed_machine(&request).await?;
        let status = request.text("statusFilter");
        let redriven = request.text("redriveFilter");
        let query = (machine.clone(), status.map(str::to_owned), redriven.map(str::to_owned));
        let after: Option<Place> = paging::place(&self.seal, &request, &query)?;
        let wanted = status.map(ExecutionStatus::from_name);
        if wanted == Some(None) || redriven == Some("REDRIVEN") {
            // PENDING_REDRIVE, or redriven: nothing is ever redriven.
            return Ok(json!({ "executions": [] }));
        }
        let (found, next) = self.page(machine, wanted.flatten(), after, paging::size(&request)).await?;
        let mut answer = json!({ "executions": found.iter().map(item).collect::<Vec<Value>>() });
        if let (Some(next), Value::Object(members)) = (next, &mut answer) {
            members.insert("nextToken".into(), paging::token(&self.seal, query, next).into());
        }
        Ok(answer)
    }

    /// What the journal tells of an execution that is not gone.
    pub(super) async fn journalled(&self, arn: &str) -> Result<Journalled, ApiError> {
        let found = self.read_ends(arn).await?;
        let kept = found.filter(|found| found.closed.as_ref().is_none_or(|(_, ended)| !self.is_expired(*ended)));
        kept.ok_or_else(|| ApiError::ExecutionDoesNotExist(arn.to_owned()))
    }

    /// The same, gone or not.
    pub(super) async fn read_ends(&self, arn: &str) -> Result<Option<Journalled>, ApiError> {
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

    /// The machine whose executions are asked for.
    async fn listed_machine(&self, request: &Request) -> Result<String, ApiError> {
        let arn = match (request.text("stateMachineArn"), request.text("mapRunArn")) {
            (Some(arn), None) => arn,
            (None, Some(_)) => {
                let text = "Listing executions of Map Runs is not available in Stepwell yet.";
                return Err(ApiError::Validation(text.to_owned()));
            }
            // AWS: unverified texts.
            (Some(_), Some(_)) => return Err(one_of("only one")),
            (None, None) => return Err(one_of("exactly one")),
        };
        arn::machine(arn)?;
        match self.registry.get(arn).await?.kind {
            WorkflowType::Standard => Ok(arn.to_owned()),
            WorkflowType::Express => Err(ApiError::StateMachineTypeNotSupported),
        }
    }

    async fn page(
        &self,
        machine: String,
        status: Option<ExecutionStatus>,
        after: Option<Place>,
        size: usize,
    ) -> Result<(Vec<Listing>, Option<Place>), ApiError> {
        let mut found: Vec<Listing> = Vec::new();
        let mut query = ListQuery { machine, status, after: after.map(Place::pair), limit: size.saturating_add(1) };
        for _ in 0..MOST_PAGES {
            let listed = self.engine.world().journal.list(&query).await?;
            query.after = listed.next;
            found.extend(
                listed.listings.into_iter().filter(|one| one.stopped.is_none_or(|ended| !self.is_expired(ended))),
            );
            if found.len() > size {
                found.truncate(size);
                let last = found.last().map(|last| Place(last.started, last.execution.clone()));
                return Ok((found, last));
            }
            if query.after.is_none() {
                return Ok((found, None));
            }
        }
        Ok((found, query.after.map(|(started, arn)| Place(started, arn))))
    }
}

/// The entry of a record; `None` when it is damaged.
pub(super) fn undamaged(record: &Record) -> Result<Option<Entry>, Unreadable> {
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
#[derive(Serialize, Deserialize)]
struct Place(Timestamp, String);

impl Place {
    fn pair(self) -> (Timestamp, String) {
        (self.0, self.1)
    }
}

fn one_of(how_many: &str) -> ApiError {
    ApiError::Validation(format!("Must specify {how_many} of stateMachineArn and mapRunArn"))
}

fn item(listing: &Listing) -> Value {
    let mut item = json!({
        "executionArn": listing.execution,
        "stateMachineArn": listing.machine,
        "name": listing.name,
        "status": listing.status.name(),
        "startDate": epoch(listing.started),
        "redriveCount": 0,
    });
    if let (Some(stopped), Value::Object(members)) = (listing.stopped, &mut item) {
        members.insert("stopDate".into(), epoch(stopped));
    }
    item
}

fn described(execution: &Journalled, data: bool) -> Value {
    let listing = &execution.listing;
    let status = execution.closed.as_ref().map_or(ExecutionStatus::Running, |(closing, _)| status_of(closing));
    let mut answer = Map::new();
    answer.insert("executionArn".into(), listing.execution.as_str().into());
    answer.insert("stateMachineArn".into(), listing.machine.as_str().into());
    answer.insert("name".into(), listing.name.as_str().into());
    answer.insert("status".into(), status.name().into());
    answer.insert("startDate".into(), epoch(listing.started));
    match &execution.opening {
        Some((head, input)) => {
            insert_payload(&mut answer, "input", input, data);
            if let Some(header) = &head.trace_header {
                answer.insert("traceHeader".into(), header.as_str().into());
            }
        }
        None => _ = answer.insert("inputDetails".into(), json!({ "included": false })),
    }
    if let Some((closing, stopped)) = &execution.closed {
        answer.insert("stopDate".into(), epoch(*stopped));
        insert_closing(&mut answer, closing, data);
    }
    answer.insert("redriveCount".into(), 0.into());
    answer.insert("redriveStatus".into(), "NOT_REDRIVABLE".into());
    answer.insert("redriveStatusReason".into(), not_redrivable(status).into());
    Value::Object(answer)
}

/// `output`, or `error` and `cause`.
pub(super) fn insert_closing(answer: &mut Map<String, Value>, closing: &Closing<Payload>, data: bool) {
    match closing {
        Closing::Succeeded { output } => insert_payload(answer, "output", output, data),
        // AWS: a machine's timeout leaves neither here, though its event has the error.
        Closing::TimedOut(_) => {}
        Closing::Failed(failure) | Closing::Aborted(failure) => {
            // AWS: absent when not given.
            if let Some(error) = &failure.error {
                answer.insert("error".into(), error.as_str().into());
            }
            if let (Some(cause), true) = (&failure.cause, data) {
                answer.insert("cause".into(), cause.as_str().into());
            }
        }
    }
}

/// `input` and `inputDetails`, or the same of the output. Without data only the details are there.
pub(super) fn insert_payload(answer: &mut Map<String, Value>, name: &str, payload: &Payload, data: bool) {
    if data {
        answer.insert(name.into(), payload.text().into());
    }
    // AWS: unverified that `included` is false without data.
    answer.insert(format!("{name}Details"), json!({ "included": data }));
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
