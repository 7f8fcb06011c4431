//! Documents of state machines kept in memory, so that a start need not read its machine.
//!
//! Only a process that is alone on its store ([`Deployment::SingleProcess`]) keeps any: elsewhere another process may have
//! changed what is stored.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use engine::Deployment;

use crate::document::Machine;

/// Documents in memory at most.
const MOST: usize = 1024;

/// A machine and the version of its document.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub machine: Arc<Machine>,
    pub version: u64,
}

pub(crate) struct Cache(Option<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    found: HashMap<String, Found>,
    changes: Changes,
}

/// Counts changes: what was read before one is not kept after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Changes(u64);

impl Cache {
    pub fn new(deployment: Deployment) -> Cache {
        Cache((!deployment.has_peers()).then(Mutex::default))
    }

    /// The kept document of that ARN; or the changes so far, for [`Cache::keep`].
    pub fn get(&self, arn: &str) -> Result<Found, Changes> {
        let Some(kept) = self.lock() else { return Err(Changes::default()) };
        kept.found.get(arn).cloned().ok_or(kept.changes)
    }

    /// Keeps what was read, unless something was changed since `before`.
    pub fn keep(&self, arn: &str, found: &Found, before: Changes) {
        let Some(mut kept) = self.lock() else { return };
        if kept.changes != before {
            return;
        }
        if kept.found.len() >= MOST {
            kept.found.clear();
        }
        kept.found.insert(arn.to_owned(), found.clone());
    }

    /// A change of that document was tried.
    pub fn drop(&self, arn: &str) {
        let Some(mut kept) = self.lock() else { return };
        kept.changes = Changes(kept.changes.0.wrapping_add(1));
        kept.found.remove(arn);
    }

    fn lock(&self) -> Option<MutexGuard<'_, Kept>> {
        let kept = self.0.as_ref()?;
        Some(kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
