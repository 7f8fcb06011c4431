//! Definitions of the machines that executions are pinned to, parsed once and kept while they are in use.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use asl::{MachineType, StateMachine};
use sha2::{Digest, Sha256};

use crate::entry::Unreadable;
use crate::ports::{Documents, StoreError};

/// How many parsed definitions are kept at most.
const KEPT: usize = 256;

/// The hash a revision is addressed by.
pub fn revision_hash(definition: &str) -> String {
    Sha256::digest(definition.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub struct Definitions {
    machines: Arc<dyn Documents>,
    parsed: Mutex<HashMap<String, Arc<StateMachine>>>,
}

/// Why a definition is not at hand.
#[derive(Debug)]
pub enum Missing {
    Store(StoreError),
    Unreadable(Unreadable),
}

impl Definitions {
    pub fn new(machines: Arc<dyn Documents>) -> Definitions {
        Definitions { machines, parsed: Mutex::new(HashMap::new()) }
    }

    /// The definition with that hash.
    pub async fn get(&self, hash: &str) -> Result<Arc<StateMachine>, Missing> {
        if let Some(machine) = self.lock().get(hash) {
            return Ok(machine.clone());
        }
        let text = self.machines.revision(hash).await.map_err(Missing::Store)?;
        let text = text.ok_or_else(|| Missing::Unreadable(Unreadable::Damaged(format!("revision {hash} is gone"))))?;
        // The restrictions of Express were checked at creation; a type only adds refusals.
        let machine = asl::parse(&text, MachineType::Standard).machine;
        let machine = machine.ok_or_else(|| {
            // What is stored was valid for the version that stored it.
            Missing::Unreadable(Unreadable::Newer(format!("revision {hash} is not valid for this version of Stepwell")))
        })?;
        Ok(self.keep(hash, Arc::new(machine)))
    }

    /// Keeps a definition that has just been parsed.
    pub fn keep(&self, hash: &str, machine: Arc<StateMachine>) -> Arc<StateMachine> {
        let mut parsed = self.lock();
        if parsed.len() >= KEPT
            && let Some(any) = parsed.keys().next().cloned()
        {
            parsed.remove(&any);
        }
        parsed.entry(hash.to_owned()).or_insert(machine).clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<StateMachine>>> {
        self.parsed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
