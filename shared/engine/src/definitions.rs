//! Definitions of the machines that executions are pinned to, parsed once and kept while they are in use.

use std::collections::HashMap;
use std::sync::Arc;

use asl::StateMachine;
use sha2::{Digest, Sha256};

use crate::Guarded;
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
    parsed: Guarded<HashMap<String, Arc<StateMachine>>>,
}

/// Why a definition is not at hand.
#[derive(Debug)]
pub enum Missing {
    Store(StoreError),
    Unreadable(Unreadable),
}

impl Definitions {
    pub fn new(machines: Arc<dyn Documents>) -> Definitions {
        Definitions { machines, parsed: Guarded::default() }
    }

    /// The definition with that hash.
    pub async fn get(&self, hash: &str) -> Result<Arc<StateMachine>, Missing> {
        if let Some(machine) = self.parsed.lock().get(hash) {
            return Ok(machine.clone());
        }
        let text = self.machines.revision(hash).await.map_err(Missing::Store)?;
        let text = text.ok_or_else(|| Missing::Unreadable(Unreadable::Damaged(format!("revision {hash} is gone"))))?;
        let machine = asl::load(&text).map_err(|error| {
            // A stored revision was valid for the version that stored it, and this version reads those of earlier ones.
            let message = format!("revision {hash} is not valid for this version of Stepwell: {error}");
            Missing::Unreadable(Unreadable::Newer(message))
        })?;
        Ok(self.keep(hash, Arc::new(machine)))
    }

    /// Keeps a definition that has just been parsed.
    pub fn keep(&self, hash: &str, machine: Arc<StateMachine>) -> Arc<StateMachine> {
        let mut parsed = self.parsed.lock();
        if parsed.len() >= KEPT
            && let Some(any) = parsed.keys().next().cloned()
        {
            parsed.remove(&any);
        }
        parsed.entry(hash.to_owned()).or_insert(machine).clone()
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::ports::Document;

    /// A store with one revision.
    struct OneRevision(&'static str);

    #[async_trait]
    impl Documents for OneRevision {
        async fn get(&self, _: &str) -> Result<Option<Document>, StoreError> {
            Ok(None)
        }

        async fn put(&self, _: Document) -> Result<bool, StoreError> {
            Ok(false)
        }

        async fn remove(&self, _: &str, _: u64) -> Result<bool, StoreError> {
            Ok(false)
        }

        async fn list(&self, _: &str, _: Option<&str>, _: usize) -> Result<Vec<Document>, StoreError> {
            Ok(Vec::new())
        }

        async fn put_revision(&self, _: &str, _: &str) -> Result<(), StoreError> {
            Ok(())
        }

        async fn revision(&self, _: &str) -> Result<Option<String>, StoreError> {
            Ok(Some(self.0.to_owned()))
        }
    }

    #[tokio::test]
    async fn a_revision_that_an_earlier_version_accepted_is_readable() {
        let refused = r#"{"StartAt":"A","States":{"A":{"Type":"Pass","OutputPath":"$.[","End":true}}}"#;
        assert_eq!(asl::parse(refused, asl::MachineType::Standard).machine, None);
        let machine = Definitions::new(Arc::new(OneRevision(refused))).get("hash").await.unwrap();
        assert!(machine.states.iter().all(|state| state.unusable.is_some()));
        assert!(Definitions::new(Arc::new(OneRevision("{}"))).get("hash").await.is_err());
    }
}
