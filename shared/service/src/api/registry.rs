//! State machines as they are stored: the document behind the port `Documents`, read, kept and changed.
//!
//! A start reads its machine, so documents are kept in memory where nobody else can change them ([`Deployment::SingleProcess`]). A
//! deleted machine whose executions still run stays as `DELETING`; whoever meets it next, or the sweep, removes it once
//! they have ended. Revisions of definitions are items of their own and stay.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use interpreter::Timestamp;
use serde::{Deserialize, Serialize};

use super::error::ApiError;
use engine::ports::{Document, Documents, ExecutionStatus, Journal, ListQuery};
use engine::{Deployment, World};

/// The newest shape of the document, and the one that is written.
const FORMAT: u32 = 1;
/// How many documents are kept in memory at most.
const KEPT: usize = 1024;
/// How the keys of state machines begin: a machine's document lies under its ARN.
const MACHINES: &str = "arn:";
/// Attempts of a change against others that change the same machine.
const RACES: usize = 8;

/// A state machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Machine {
    v: u32,
    pub name: String,
    #[serde(rename = "type")]
    pub kind: WorkflowType,
    pub role_arn: String,
    /// The hash of its definition.
    pub revision: String,
    /// What UpdateStateMachine called this revision; the first has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision_id: Option<String>,
    pub created: Timestamp,
    pub updated: Timestamp,
    pub status: MachineStatus,
    pub logging: Logging,
    pub tracing: bool,
    pub tags: Vec<(String, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum WorkflowType {
    Standard,
    Express,
}

impl WorkflowType {
    pub fn named(name: Option<&str>) -> WorkflowType {
        if name == Some("EXPRESS") { WorkflowType::Express } else { WorkflowType::Standard }
    }

    pub fn name(self) -> &'static str {
        match self {
            WorkflowType::Standard => "STANDARD",
            WorkflowType::Express => "EXPRESS",
        }
    }

    pub fn asl(self) -> asl::MachineType {
        match self {
            WorkflowType::Standard => asl::MachineType::Standard,
            WorkflowType::Express => asl::MachineType::Express,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum MachineStatus {
    Active,
    Deleting,
}

impl MachineStatus {
    pub fn name(self) -> &'static str {
        match self {
            MachineStatus::Active => "ACTIVE",
            MachineStatus::Deleting => "DELETING",
        }
    }
}

/// `loggingConfiguration`. Accepted and shown; Stepwell delivers nothing to CloudWatch Logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Logging {
    pub level: String,
    pub include_execution_data: bool,
    /// ARNs of log groups.
    pub destinations: Vec<String>,
}

impl Default for Logging {
    fn default() -> Self {
        Logging { level: "OFF".to_owned(), include_execution_data: false, destinations: Vec::new() }
    }
}

impl Machine {
    /// A machine that is just created.
    pub fn new(name: &str, kind: WorkflowType, role_arn: &str, revision: String, now: Timestamp) -> Machine {
        Machine {
            v: FORMAT,
            name: name.to_owned(),
            kind,
            role_arn: role_arn.to_owned(),
            revision,
            revision_id: None,
            created: now,
            updated: now,
            status: MachineStatus::Active,
            logging: Logging::default(),
            tracing: false,
            tags: Vec::new(),
        }
    }
}

/// A machine and the version of its item.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub machine: Arc<Machine>,
    version: u64,
}

pub(super) struct Registry {
    documents: Arc<dyn Documents>,
    journal: Arc<dyn Journal>,
    /// `None` where others may change what is stored.
    kept: Option<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    found: HashMap<String, Found>,
    /// Counts changes: what was read before one is not kept after it.
    changes: u64,
}

impl Registry {
    pub fn new(world: &World, deployment: Deployment) -> Registry {
        let kept = match deployment {
            Deployment::SingleProcess => Some(Mutex::default()),
            Deployment::ApiOnly | Deployment::SharedWorker => None,
        };
        Registry { documents: world.documents.clone(), journal: world.journal.clone(), kept }
    }

    /// The machine of that ARN; one whose deletion is complete is removed and not found.
    pub async fn find(&self, arn: &str) -> Result<Option<Found>, ApiError> {
        let Some(found) = self.read(arn).await? else { return Ok(None) };
        match found.machine.status {
            MachineStatus::Active => Ok(Some(found)),
            MachineStatus::Deleting if self.is_running(arn).await? => Ok(Some(found)),
            MachineStatus::Deleting => {
                self.remove(arn, found.version).await?;
                Ok(None)
            }
        }
    }

    /// The machine of that ARN, or `StateMachineDoesNotExist`.
    pub async fn get(&self, arn: &str) -> Result<Arc<Machine>, ApiError> {
        let found = self.find(arn).await?;
        found.map(|found| found.machine).ok_or_else(|| ApiError::StateMachineDoesNotExist(arn.to_owned()))
    }

    /// The machine of that ARN, if it can be used.
    pub async fn usable(&self, arn: &str) -> Result<Arc<Machine>, ApiError> {
        let machine = self.get(arn).await?;
        match machine.status {
            MachineStatus::Active => Ok(machine),
            MachineStatus::Deleting => Err(ApiError::StateMachineDeleting(arn.to_owned())),
        }
    }

    /// Stores a new machine; false when there is one of that ARN.
    pub async fn create(&self, arn: &str, machine: &Machine) -> Result<bool, ApiError> {
        self.put(arn, machine, 1).await
    }

    /// Changes a machine: `change` is applied to what is stored until nobody else changed it in between.
    pub async fn change<T>(
        &self,
        arn: &str,
        mut change: impl FnMut(&mut Machine) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        for _ in 0..RACES {
            let found = self.find(arn).await?.ok_or_else(|| ApiError::StateMachineDoesNotExist(arn.to_owned()))?;
            let mut machine = Machine::clone(&found.machine);
            let answer = change(&mut machine)?;
            if machine == *found.machine || self.put(arn, &machine, found.version.saturating_add(1)).await? {
                return Ok(answer);
            }
        }
        Err(ApiError::Conflict("The state machine is being changed by too many requests at a time.".to_owned()))
    }

    /// Machines in the order of their ARNs, after `after`, at most `limit`.
    pub async fn list(&self, after: Option<&str>, limit: usize) -> Result<Vec<(String, Machine)>, ApiError> {
        let items = self.documents.list(MACHINES, after, limit).await?;
        items.into_iter().map(|item| Ok((item.key.clone(), read(&item)?))).collect()
    }

    /// Removes machines whose deletion is complete.
    pub async fn sweep_deleting(&self) -> Result<(), ApiError> {
        let mut after: Option<String> = None;
        loop {
            let page = self.list(after.as_deref(), 100).await?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = Some(last.clone());
            for (arn, machine) in page {
                if machine.status == MachineStatus::Deleting {
                    self.find(&arn).await?;
                }
            }
        }
    }

    async fn is_running(&self, arn: &str) -> Result<bool, ApiError> {
        let status = Some(ExecutionStatus::Running);
        let mut query = ListQuery { machine: arn.to_owned(), status, after: None, limit: 1 };
        loop {
            let page = self.journal.list(&query).await?;
            match page.next {
                _ if !page.listings.is_empty() => return Ok(true),
                None => return Ok(false),
                next => query.after = next,
            }
        }
    }

    async fn read(&self, arn: &str) -> Result<Option<Found>, ApiError> {
        let changes = match &self.kept {
            None => 0,
            Some(kept) => {
                let kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(found) = kept.found.get(arn) {
                    return Ok(Some(found.clone()));
                }
                kept.changes
            }
        };
        let Some(item) = self.documents.get(arn).await? else { return Ok(None) };
        let found = Found { machine: Arc::new(read(&item)?), version: item.version };
        if let Some(kept) = &self.kept {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.changes == changes {
                if kept.found.len() >= KEPT {
                    kept.found.clear();
                }
                kept.found.insert(arn.to_owned(), found.clone());
            }
        }
        Ok(Some(found))
    }

    async fn put(&self, arn: &str, machine: &Machine, version: u64) -> Result<bool, ApiError> {
        let body = serde_json::to_string(machine).map_err(|error| {
            tracing::error!(%error, "a state machine cannot be written down");
            ApiError::Internal
        })?;
        let written = self.documents.put(Document { key: arn.to_owned(), version, body }).await;
        // After an error nothing is known: what is kept may be outdated either way.
        self.drop_kept(arn);
        Ok(written?)
    }

    async fn remove(&self, arn: &str, version: u64) -> Result<(), ApiError> {
        let removed = self.documents.remove(arn, version).await;
        self.drop_kept(arn);
        removed?;
        Ok(())
    }

    fn drop_kept(&self, arn: &str) {
        if let Some(kept) = &self.kept {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.changes = kept.changes.wrapping_add(1);
            kept.found.remove(arn);
        }
    }
}

fn read(item: &Document) -> Result<Machine, ApiError> {
    let damaged = |error: &dyn std::fmt::Display| {
        tracing::error!(machine = item.key, %error, "a state machine cannot be read");
        ApiError::Internal
    };
    let machine: Machine = serde_json::from_str(&item.body).map_err(|error| damaged(&error))?;
    if machine.v > FORMAT {
        return Err(damaged(&format!("it has format {}, and this version reads up to {FORMAT}", machine.v)));
    }
    Ok(machine)
}
