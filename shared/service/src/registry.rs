//! The state machines of an installation: found, created, changed by compare-and-swap, listed and removed.
//!
//! A deleted machine whose executions still run stays as `DELETING`; the next call that reads it after they have ended, or
//! the sweep, removes it. Revisions of definitions are items of their own and stay.

use std::collections::HashMap;
use std::sync::Arc;

use engine::deliver::Deliver;
use engine::ports::{Clock, Document, Documents, ExecutionStatus, Journal, ListQuery};
use engine::{Engine, Guarded};
use interpreter::Timestamp;

use crate::cache::{Cache, Found};
use crate::document::{Machine, MachineStatus};
use crate::error::ApiError;

/// How the keys of state machines begin: a machine's document lies under its ARN.
const MACHINES: &str = "arn:";
const HOUR_MS: i64 = 60 * 60 * 1_000;
/// Listings of one step of a search for running executions.
const LISTED: usize = 100;
/// Steps of such a search that a sweep makes at most.
const STEPS: usize = 64;
/// Searches that are remembered at most.
const SEARCHES: usize = 1_000;
/// Attempts of a change against others that change the same machine.
const RACES: usize = 8;

pub(crate) struct Registry {
    documents: Arc<dyn Documents>,
    journal: Arc<dyn Journal>,
    deliver: Arc<Deliver>,
    cache: Cache,
    /// By ARN, how far the search for running executions of machines in deletion has come.
    deletions: Guarded<HashMap<String, Search>>,
    clock: Arc<dyn Clock>,
    /// Between two sweeps, in milliseconds, and when the last one began.
    pause: i64,
    swept: Guarded<Option<Timestamp>>,
}

/// A search for a running execution, newest start first. None starts any more.
#[derive(Debug, Clone, Default)]
struct Search {
    after: Option<(Timestamp, String)>,
    /// The one that was found last.
    running: Option<String>,
    /// It has come to the end. The list may have been behind when it was read: its beginning is looked at once more.
    ended: bool,
}

impl Registry {
    pub fn new(engine: &Engine) -> Registry {
        let (world, deployment) = (engine.world(), engine.settings().deployment);
        Registry {
            documents: world.documents.clone(),
            journal: world.journal.clone(),
            deliver: engine.deliver().clone(),
            cache: Cache::new(deployment),
            deletions: Guarded::default(),
            clock: world.clock.clone(),
            // A sweep reads all machines, which costs nothing where they are in one process's store.
            pause: if deployment.has_peers() { HOUR_MS } else { 0 },
            swept: Guarded::default(),
        }
    }

    /// The machine of that ARN; one whose deletion is complete is removed and not found.
    pub async fn find(&self, arn: &str) -> Result<Option<Found>, ApiError> {
        let Some(found) = self.read(arn).await? else { return Ok(None) };
        match found.machine.status {
            MachineStatus::Active => Ok(Some(found)),
            MachineStatus::Deleting if self.may_be_running(arn).await? => Ok(Some(found)),
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

    /// Removes machines whose deletion is complete; on a shared store once an hour, however often it is called.
    pub async fn sweep_deleting(&self) -> Result<(), ApiError> {
        let now = self.clock.now();
        let last = self.swept.lock().replace(now);
        if last.is_some_and(|last| now.0.saturating_sub(last.0) < self.pause) {
            *self.swept.lock() = last;
            return Ok(());
        }
        let mut after: Option<String> = None;
        loop {
            let page = self.list(after.as_deref(), 100).await?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = Some(last.clone());
            for (arn, machine) in page {
                let mut steps = 0;
                while machine.status == MachineStatus::Deleting && steps < STEPS && self.find(&arn).await?.is_some() {
                    steps = if self.is_known_to_run(&arn) { STEPS } else { steps + 1 };
                }
            }
        }
    }

    /// Goes on with the search for a running execution, a bounded step of it; false when there is none. Whether the one that
    /// was found last still runs is a read of two records.
    async fn may_be_running(&self, arn: &str) -> Result<bool, ApiError> {
        let mut search = self.deletions.lock().get(arn).cloned().unwrap_or_default();
        if let Some(execution) = &search.running
            && let Some((_, last)) = self.journal.ends(execution).await?
            && last.open
        {
            return Ok(true);
        }
        let whole = search.ended || search.after.is_none();
        let status = Some(ExecutionStatus::Running);
        let query = ListQuery { machine: arn.to_owned(), status, after: search.after.take(), limit: LISTED };
        let page = self.journal.list(&query).await?;
        let running = page.listings.into_iter().next();
        let over = running.is_none() && (page.next.is_none() || search.ended);
        search.ended = over;
        search.after = running.as_ref().map(|listing| (listing.started, listing.execution.clone())).or(page.next);
        search.running = running.map(|listing| listing.execution);
        let mut deletions = self.deletions.lock();
        if deletions.len() >= SEARCHES {
            deletions.clear();
        }
        if over && whole {
            deletions.remove(arn);
            return Ok(false);
        }
        search.after = search.after.filter(|_| !over);
        deletions.insert(arn.to_owned(), search);
        Ok(true)
    }

    /// An execution of a machine in deletion was running when it was looked at last.
    fn is_known_to_run(&self, arn: &str) -> bool {
        self.deletions.lock().get(arn).is_some_and(|search| search.running.is_some())
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
