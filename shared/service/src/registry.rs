//! The state machines of an installation: found, created, changed by compare-and-swap, listed and removed.
//!
//! A deleted machine whose executions still run stays as `DELETING`; the next call that reads it after they have ended, or
//! the sweep, removes it. Revisions of definitions are items of their own and stay.

use std::sync::Arc;

use engine::Engine;
use engine::deliver::Deliver;
use engine::ports::{Document, Documents, ExecutionStatus, Journal, ListQuery};

use crate::cache::{Cache, Found};
use crate::document::{Machine, MachineStatus};
use crate::error::ApiError;

/// How the keys of state machines begin: a machine's document lies under its ARN.
const MACHINES: &str = "arn:";
/// Attempts of a change against others that change the same machine.
const RACES: usize = 8;

pub(crate) struct Registry {
    documents: Arc<dyn Documents>,
    journal: Arc<dyn Journal>,
    deliver: Arc<Deliver>,
    cache: Cache,
}

impl Registry {
    pub fn new(engine: &Engine) -> Registry {
        let (documents, journal) = (engine.world().documents.clone(), engine.world().journal.clone());
        Registry {
            documents,
            journal,
            deliver: engine.deliver().clone(),
            cache: Cache::new(engine.settings().deployment),
        }
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

    /// Changes a machine: `change` is applied to what is stored until no other change came in between.
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
        items.into_iter().map(|item| Ok((item.key.clone(), Machine::read(&item)?))).collect()
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
        let before = match self.cache.get(arn) {
            Ok(found) => return Ok(Some(found)),
            Err(changes) => changes,
        };
        let Some(document) = self.documents.get(arn).await? else { return Ok(None) };
        let found = Found { machine: Arc::new(Machine::read(&document)?), version: document.version };
        self.cache.keep(arn, &found, before);
        Ok(Some(found))
    }

    async fn put(&self, arn: &str, machine: &Machine, version: u64) -> Result<bool, ApiError> {
        let document = Document { key: arn.to_owned(), version, body: machine.written()? };
        let written = self.documents.put(document).await;
        // After an error nothing is known: what is kept may be outdated either way.
        self.forget(arn);
        Ok(written?)
    }

    /// What is kept of a machine's document, here and by the engine.
    fn forget(&self, arn: &str) {
        self.cache.drop(arn);
        self.deliver.statuses().changed(arn);
    }

    async fn remove(&self, arn: &str, version: u64) -> Result<(), ApiError> {
        let removed = self.documents.remove(arn, version).await;
        self.forget(arn);
        removed?;
        Ok(())
    }
}
