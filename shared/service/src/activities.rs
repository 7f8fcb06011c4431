//! CreateActivity, DescribeActivity, ListActivities and DeleteActivity; GetActivityTask has a file of its own.

mod document;
pub(crate) mod task;

use serde::Serialize;

use crate::action::{Action, answered};
use crate::answer::{Date, Nothing, epoch};
use crate::arn::{self, Kind};
use crate::encryption::{self, Shown};
use crate::error::ApiError;
use crate::request::Request;
use crate::service::Service;
use crate::shapes::{ARN, ENCRYPTION, NAME, PAGE_SIZE, PAGE_TOKEN, TAGS, optional, required};
use crate::{names, paging, tags};

pub(crate) use document::{Activities, Activity};

pub(crate) const CREATE_ACTIVITY: Action = Action {
    name: "CreateActivity",
    shape: &[required("name", NAME), optional("tags", TAGS), optional("encryptionConfiguration", ENCRYPTION)],
    run: |asked| answered(async move { asked.service.create_activity(asked.request).await }),
};

pub(crate) const DESCRIBE_ACTIVITY: Action = Action {
    name: "DescribeActivity",
    shape: &[required("activityArn", ARN)],
    run: |asked| answered(async move { asked.service.describe_activity(asked.request).await }),
};

pub(crate) const LIST_ACTIVITIES: Action = Action {
    name: "ListActivities",
    shape: &[optional("maxResults", PAGE_SIZE), optional("nextToken", PAGE_TOKEN)],
    run: |asked| answered(async move { asked.service.list_activities(asked.request).await }),
};

pub(crate) const DELETE_ACTIVITY: Action = Action {
    name: "DeleteActivity",
    shape: &[required("activityArn", ARN)],
    run: |asked| answered(async move { asked.service.delete_activity(asked.request).await }),
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Created {
    activity_arn: String,
    creation_date: Date,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    activity_arn: String,
    name: String,
    creation_date: Date,
    encryption_configuration: Shown,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    activities: Vec<Item>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    activity_arn: String,
    name: String,
    creation_date: Date,
}

impl Item {
    fn of((activity_arn, activity): (String, Activity)) -> Item {
        Item { activity_arn, name: activity.name, creation_date: epoch(activity.created) }
    }
}

impl Service {
    async fn create_activity(&self, request: Request) -> Result<Created, ApiError> {
        let name = request.required("name");
        names::check(name)?;
        let key = encryption::customer_key(&request, &self.home)?;
        let arn = self.home.activity(name);
        let tags = tags::merged(&arn, Vec::new(), request.list("tags").unwrap_or_default())?;
        let activity = Activity::new(name, self.now(), tags, key);
        let found = self.activities.create(&arn, &activity).await?;
        // AWS: different tags are ignored (documented); another key is another activity.
        match found {
            Some(found) if found.key != activity.key => Err(ApiError::ActivityAlreadyExists(arn)),
            found => {
                let creation_date = epoch(found.unwrap_or(activity).created);
                Ok(Created { activity_arn: arn, creation_date })
            }
        }
    }

    async fn describe_activity(&self, request: Request) -> Result<Described, ApiError> {
        let arn = asked(&request)?;
        let Activity { name, created, key, .. } = self.activities.get(arn).await?;
        Ok(Described {
            activity_arn: arn.to_owned(),
            name,
            creation_date: epoch(created),
            encryption_configuration: Shown::of(key),
        })
    }

    async fn list_activities(&self, request: Request) -> Result<Listed, ApiError> {
        let (size, query) = (paging::size(&request), "activities".to_owned());
        let after: Option<String> = paging::place(&self.seal, &request, &query)?;
        let mut found = self.activities.list(after.as_deref(), size.saturating_add(1)).await?;
        let more = found.len() > size;
        found.truncate(size);
        let last = found.last().filter(|_| more).map(|(arn, _)| arn.clone());
        Ok(Listed {
            activities: found.into_iter().map(Item::of).collect(),
            next_token: last.map(|last| paging::token(&self.seal, query, last)),
        })
    }

    // AWS: an activity that does not exist is deleted successfully (recorded).
    // AWS: unverified: tasks that wait for a worker go on waiting, and are given out when there is one of that name again.
    async fn delete_activity(&self, request: Request) -> Result<Nothing, ApiError> {
        self.activities.delete(asked(&request)?).await.map(|()| Nothing {})
    }
}

/// The ARN of the activity that is asked for.
fn asked(request: &Request) -> Result<&str, ApiError> {
    let arn = request.required("activityArn");
    arn::expect(arn, &[Kind::Activity])?;
    Ok(arn)
}
