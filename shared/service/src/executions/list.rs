//! ListExecutions: the executions of a machine, of a version or of an alias, newest first.

use asl::MachineType;
use engine::ports::{Direction, ExecutionStatus, ListQuery, Listing};
use engine::shown::Shown;
use interpreter::Timestamp;
use serde::{Deserialize, Serialize};

use super::undamaged;
use crate::action::{Action, answered};
use crate::answer::{Date, epoch};
use crate::arn::{self, Qualifier};
use crate::error::ApiError;
use crate::paging;
use crate::request::Request;
use crate::service::Service;
use crate::shapes::{ARN, PAGE_SIZE, STATUS, one_of, optional, text};

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

/// Pages of a list that are read at most in search of executions that are not expired.
const MOST_PAGES: usize = 10;
/// Heads that are read at most for a page: those of executions that a program began which listed neither version nor alias.
const MOST_HEADS: usize = 1000;

/// A list of executions.
struct Wanted {
    machine: String,
    /// Started by this version, or by an alias that routed to it.
    version: Option<u64>,
    /// Started by this alias.
    alias: Option<String>,
    status: Option<ExecutionStatus>,
    /// The machine has versions, so its executions may have been started by one.
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
    redrive_date: Option<Date>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_date: Option<Date>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_machine_version_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_machine_alias_arn: Option<String>,
}

impl Item {
    fn of(listing: &Listing, shown: Shown) -> Item {
        let Shown { version, alias, redriven } = shown;
        Item {
            execution_arn: listing.execution.clone(),
            state_machine_arn: listing.machine.clone(),
            name: listing.name.clone(),
            status: listing.status.name(),
            start_date: epoch(listing.started),
            redrive_count: redriven.map_or(0, |(count, _)| count),
            redrive_date: redriven.map(|(_, at)| epoch(at)),
            stop_date: listing.stopped.map(epoch),
            state_machine_version_arn: version.map(|number| arn::version(&listing.machine, number)),
            state_machine_alias_arn: alias.map(|name| arn::alias(&listing.machine, &name)),
        }
    }
}

impl Service {
    async fn list_executions(&self, request: Request) -> Result<Executions, ApiError> {
        let asked = listed(&request)?;
        let status = request.text("statusFilter");
        let wanted = self.wanted(asked, status.and_then(ExecutionStatus::from_name)).await?;
        // Tokens of earlier versions name a third filter, which is none now.
        let query = (asked.to_owned(), status.map(str::to_owned), None::<String>);
        let after: Option<Place> = paging::place(&self.seal, &request, &query)?;
        let (executions, next) = self.page(&wanted, after, paging::size(&request)).await?;
        Ok(Executions { executions, next_token: next.map(|next| paging::token(&self.seal, query, next)) })
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
                let shown = match Shown::read(listing.shown.as_deref()) {
                    Some(shown) => shown,
                    None if wanted.qualified => {
                        heads = heads.saturating_add(1);
                        self.shown_by_head(&listing.execution).await?
                    }
                    None => Shown::default(),
                };
                let item = Item::of(&listing, shown);
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

    /// What its store does not list.
    async fn shown_by_head(&self, execution: &str) -> Result<Shown, ApiError> {
        let first = self.engine.world().journal.read(execution, 0, Direction::Ascending, 1).await?;
        let entry = first.first().map(undamaged).transpose()?.flatten();
        let head = entry.and_then(|entry| entry.head);
        Ok(head.map(|(head, _)| Shown::of(&head)).unwrap_or_default())
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
    // AWS: both are for the executions of a Map Run (documented); unverified texts.
    if request.text("statusFilter") == Some("PENDING_REDRIVE") {
        return Err(only_of_map_runs("A statusFilter of PENDING_REDRIVE"));
    }
    if request.text("redriveFilter").is_some() {
        return Err(only_of_map_runs("A redriveFilter"));
    }
    Ok(arn)
}

fn only_of_map_runs(what: &str) -> ApiError {
    ApiError::Validation(format!("{what} is not supported with stateMachineArn"))
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
