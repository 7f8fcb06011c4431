//! An activity as it is stored, and the activities of an installation: found, created, changed by compare-and-swap, listed
//! and removed.
//!
//! A member that an older program can do without comes without a new number; see [`engine::entry`].

use std::sync::Arc;

use engine::activities::{DOCUMENTS, document_key};
use engine::ports::{Document, Documents};
use interpreter::Timestamp;
use serde::{Deserialize, Serialize};

use crate::encryption::CustomerKey;
use crate::error::ApiError;

const FORMAT: u32 = 1;
/// Attempts of a change against others that change the same activity.
const RACES: usize = 8;

/// The body of an activity's document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Activity {
    v: u32,
    pub name: String,
    pub created: Timestamp,
    pub tags: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<CustomerKey>,
}

impl Activity {
    pub fn new(name: &str, now: Timestamp, tags: Vec<(String, String)>, key: Option<CustomerKey>) -> Activity {
        Activity { v: FORMAT, name: name.to_owned(), created: now, tags, key }
    }

    fn read(document: &Document) -> Result<Activity, ApiError> {
        let unreadable = |error: &dyn std::fmt::Display| {
            tracing::error!(activity = document.key, %error, "activity unreadable; API call answered as an internal failure");
            ApiError::Internal
        };
        let activity: Activity = serde_json::from_str(&document.body).map_err(|error| unreadable(&error))?;
        if activity.v > FORMAT {
            let newer = format!("it has format {}, and this version reads up to {FORMAT}", activity.v);
            return Err(unreadable(&newer));
        }
        Ok(activity)
    }

    fn document(&self, arn: &str, version: u64) -> Result<Document, ApiError> {
        let body = serde_json::to_string(self).map_err(|error| {
            tracing::error!(%error, "activity not written; API call answered as an internal failure");
            ApiError::Internal
        })?;
        Ok(Document { key: document_key(arn), version, body })
    }
}

/// The activities of an installation.
pub(crate) struct Activities {
    documents: Arc<dyn Documents>,
}

impl Activities {
    pub fn new(documents: Arc<dyn Documents>) -> Activities {
        Activities { documents }
    }

    /// The activity of that ARN, or `ActivityDoesNotExist`.
    pub async fn get(&self, arn: &str) -> Result<Activity, ApiError> {
        let document = self.documents.get(&document_key(arn)).await?;
        Activity::read(&document.ok_or_else(|| ApiError::ActivityDoesNotExist(arn.to_owned()))?)
    }

    /// Stores a new activity; the one of that ARN if there is one.
    pub async fn create(&self, arn: &str, activity: &Activity) -> Result<Option<Activity>, ApiError> {
        for _ in 0..RACES {
            if self.documents.put(activity.document(arn, 1)?).await? {
                return Ok(None);
            }
            if let Some(document) = self.documents.get(&document_key(arn)).await? {
                return Activity::read(&document).map(Some);
            }
        }
        Err(busy())
    }

    /// Changes an activity: `change` is applied to what is stored until no other change came in between.
    pub async fn change(
        &self,
        arn: &str,
        change: impl Fn(&mut Activity) -> Result<(), ApiError>,
    ) -> Result<(), ApiError> {
        for _ in 0..RACES {
            let document = self.documents.get(&document_key(arn)).await?;
            let document = document.ok_or_else(|| ApiError::ActivityDoesNotExist(arn.to_owned()))?;
            let before = Activity::read(&document)?;
            let mut activity = before.clone();
            change(&mut activity)?;
            let version = document.version.saturating_add(1);
            if activity == before || self.documents.put(activity.document(arn, version)?).await? {
                return Ok(());
            }
        }
        Err(busy())
    }

    /// Removes an activity if there is one.
    pub async fn delete(&self, arn: &str) -> Result<(), ApiError> {
        let key = document_key(arn);
        for _ in 0..RACES {
            let Some(document) = self.documents.get(&key).await? else { return Ok(()) };
            if self.documents.remove(&key, document.version).await? {
                return Ok(());
            }
        }
        Err(busy())
    }

    /// Activities in the order of their ARNs, after `after`, at most `limit`.
    pub async fn list(&self, after: Option<&str>, limit: usize) -> Result<Vec<(String, Activity)>, ApiError> {
        let after = after.map(document_key);
        let items = self.documents.list(DOCUMENTS, after.as_deref(), limit).await?;
        let arn = |document: &Document| document.key.strip_prefix(DOCUMENTS).unwrap_or(&document.key).to_owned();
        items.iter().map(|item| Ok((arn(item), Activity::read(item)?))).collect()
    }
}

fn busy() -> ApiError {
    tracing::warn!("activity: changed by too many requests at a time; API call answered as a busy store");
    ApiError::Unavailable
}
