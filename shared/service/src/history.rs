//! GetExecutionHistory: the journal's events, a page at a time, in either direction.
//!
//! History is read, never recomputed. A page ends at `maxResults` events, or earlier when it has become large: AWS
//! allows a page to have fewer.

use engine::entry::Head;
use engine::ports::Direction;
use interpreter::{Detail, Event, Payload};
use serde::ser::{Error, SerializeSeq, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::action::{Action, answered};
use crate::error::ApiError;
use crate::events::Shown;
use crate::executions::{alias_of, undamaged, version_of};
use crate::request::Request;
use crate::service::Service;
use crate::shapes::{ARN, PAGE_SIZE, PAGE_TOKEN, Shape, optional, required};
use crate::{arn, paging};

pub(crate) const GET_EXECUTION_HISTORY: Action = Action {
    name: "GetExecutionHistory",
    shape: &[
        required("executionArn", ARN),
        optional("maxResults", PAGE_SIZE),
        optional("reverseOrder", Shape::Flag),
        optional("nextToken", PAGE_TOKEN),
        optional("includeExecutionData", Shape::Flag),
    ],
    run: |asked| answered(async move { asked.service.get_execution_history(asked.request).await }),
};

/// Bytes of payloads after which a page ends.
const LARGE: usize = 4 << 20;
/// Entries read at a time.
const BATCH: usize = 16;

/// The query of a page: the execution, and whether the order is reversed and data are included.
type Query = (String, bool, bool);

/// Where the next page begins: an entry, and the id of the first event.
#[derive(Serialize, Deserialize)]
struct Place {
    sequence: u64,
    event: u64,
}

#[derive(Serialize)]
struct Page {
    events: Events,
    #[serde(rename = "nextToken", skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

struct Events {
    events: Vec<Event<Payload>>,
    data: bool,
    qualified: Qualified,
}

/// The members of ExecutionStarted that the head has.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Qualified {
    #[serde(skip_serializing_if = "Option::is_none")]
    state_machine_alias_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_machine_version_arn: Option<String>,
}

impl Qualified {
    fn of(head: &Head) -> Qualified {
        Qualified { state_machine_alias_arn: alias_of(head), state_machine_version_arn: version_of(head) }
    }

    /// ExecutionStarted with them.
    fn started(&self, event: Shown<'_>) -> serde_json::Result<Value> {
        let mut shown = serde_json::to_value(&event)?;
        let details = shown.get_mut("executionStartedEventDetails").and_then(Value::as_object_mut);
        if let (Some(details), Value::Object(own)) = (details, serde_json::to_value(self)?) {
            details.extend(own);
        }
        Ok(shown)
    }
}

impl Serialize for Events {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.events.len()))?;
        for event in &self.events {
            let shown = Shown { event, data: self.data };
            match &event.detail {
                Detail::ExecutionStarted { .. } if self.qualified.state_machine_version_arn.is_some() => {
                    list.serialize_element(&self.qualified.started(shown).map_err(S::Error::custom)?)?;
                }
                _ => list.serialize_element(&shown)?,
            }
        }
        list.end()
    }
}

impl Service {
    async fn get_execution_history(&self, request: Request) -> Result<Page, ApiError> {
        let arn = request.required("executionArn");
        arn::execution(arn)?;
        let reverse = request.flag("reverseOrder").unwrap_or(false);
        let data = request.flag("includeExecutionData").unwrap_or(true);
        let query: Query = (arn.to_owned(), reverse, data);
        let place: Option<Place> = paging::place(&self.seal, &request, &query)?;
        let execution = self.journalled(arn).await?;
        let place = place.unwrap_or(match reverse {
            false => Place { sequence: 0, event: 1 },
            true => Place { sequence: execution.last_sequence, event: execution.last_event },
        });
        let (events, last) = self.events(arn, place, reverse, paging::size(&request)).await?;
        let next = match (reverse, events.last()) {
            (false, Some(event)) if event.id < execution.last_event => Some(event.id.saturating_add(1)),
            (true, Some(event)) if event.id > 1 => Some(event.id.saturating_sub(1)),
            _ => None,
        };
        let next_token = next.map(|event| paging::token(&self.seal, query, Place { sequence: last, event }));
        let qualified = execution.opening.map(|(head, _)| Qualified::of(&head)).unwrap_or_default();
        Ok(Page { events: Events { events, data, qualified }, next_token })
    }

    /// Events from a place on, and the sequence of the entry that has the last of them.
    async fn events(
        &self,
        arn: &str,
        place: Place,
        reverse: bool,
        size: usize,
    ) -> Result<(Vec<Event<Payload>>, u64), ApiError> {
        let direction = if reverse { Direction::Descending } else { Direction::Ascending };
        let (mut events, mut bytes) = (Vec::new(), 0usize);
        let mut last = place.sequence;
        let mut from = Some(place.sequence);
        while let Some(first) = from {
            let records = self.engine.world().journal.read(arn, first, direction, BATCH).await?;
            let full = records.len() == BATCH;
            for record in records {
                // A damaged entry is left out, so that the rest can be read.
                let mut entry = undamaged(&record)?.map(|entry| entry.events).unwrap_or_default();
                if reverse {
                    entry.reverse();
                }
                for event in entry {
                    let before = if reverse { event.id > place.event } else { event.id < place.event };
                    if before {
                        continue;
                    }
                    bytes = bytes.saturating_add(event.bytes());
                    events.push(event);
                    last = record.sequence;
                    if events.len() == size || bytes >= LARGE {
                        return Ok((events, last));
                    }
                }
                from = if reverse { record.sequence.checked_sub(1) } else { record.sequence.checked_add(1) };
            }
            if !full {
                break;
            }
        }
        Ok((events, last))
    }
}
