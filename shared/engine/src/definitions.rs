//! Definitions of the machines that executions are pinned to, parsed once and kept while they are in use.

use std::collections::HashMap;
use std::sync::Arc;

use asl::StateMachine;
use sha2::{Digest, Sha256};

use crate::Guarded;
use crate::entry::Unreadable;
use crate::ports::{Documents, StoreError};

/// How many times its text a parsed definition weighs, about.
const WEIGHT: usize = 40;
/// What a small one weighs in any case.
const LEAST_WEIGHT: usize = 4 << 10;

/// The hash a revision is addressed by.
pub fn revision_hash(definition: &str) -> String {
    Sha256::digest(definition.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub struct Definitions {
    machines: Arc<dyn Documents>,
    parsed: Guarded<Parsed>,
    /// Bytes that parsed definitions may weigh, about; one that weighs more is kept alone.
    most: usize,
}

/// Parsed definitions by their hash.
#[derive(Default)]
struct Parsed {
    machines: HashMap<String, Kept>,
    weight: usize,
    /// Counts uses.
    uses: u64,
}

struct Kept {
    machine: Arc<StateMachine>,
    weight: usize,
    last_use: u64,
}

impl Parsed {
    fn used(&mut self, hash: &str) -> Option<Arc<StateMachine>> {
        self.uses = self.uses.saturating_add(1);
        let kept = self.machines.get_mut(hash)?;
        kept.last_use = self.uses;
        Some(kept.machine.clone())
    }

    /// Gives up those that were not used for longest, until there is room.
    fn make_room(&mut self, weight: usize, most: usize) {
        while self.weight.saturating_add(weight) > most {
            let oldest = self.machines.iter().min_by_key(|(_, kept)| kept.last_use).map(|(hash, _)| hash.clone());
            let Some(given_up) = oldest.and_then(|hash| self.machines.remove(&hash)) else { return };
            self.weight = self.weight.saturating_sub(given_up.weight);
        }
    }
}

/// Why a definition is not at hand.
#[derive(Debug)]
pub enum Missing {
    Store(StoreError),
    Unreadable(Unreadable),
}

impl Definitions {
    /// Keeps parsed definitions that weigh about `most` bytes.
    pub fn new(machines: Arc<dyn Documents>, most: usize) -> Definitions {
        Definitions { machines, parsed: Guarded::default(), most }
    }

    /// The definition with that hash.
    pub async fn get(&self, hash: &str) -> Result<Arc<StateMachine>, Missing> {
        if let Some(machine) = self.parsed.lock().used(hash) {
            return Ok(machine);
        }
        let text = self.machines.revision(hash).await.map_err(Missing::Store)?;
        let text = text.ok_or_else(|| Missing::Unreadable(Unreadable::Damaged(format!("revision {hash} is gone"))))?;
        let machine = asl::load(&text).map_err(|error| {
            // A stored revision was valid for the version that stored it, and this version reads those of earlier ones.
            let message = format!("revision {hash} is not valid for this version of Stepwell: {error}");
            Missing::Unreadable(Unreadable::Newer(message))
        })?;
        Ok(self.keep(hash, Arc::new(machine), text.len()))
    }

    /// Keeps a definition that has just been parsed, of a text of so many bytes.
    pub fn keep(&self, hash: &str, machine: Arc<StateMachine>, bytes: usize) -> Arc<StateMachine> {
        let mut parsed = self.parsed.lock();
        if let Some(kept) = parsed.used(hash) {
            return kept;
        }
        let weight = bytes.saturating_mul(WEIGHT).max(LEAST_WEIGHT);
        parsed.make_room(weight, self.most);
        let last_use = parsed.uses;
        parsed.weight = parsed.weight.saturating_add(weight);
        parsed.machines.insert(hash.to_owned(), Kept { machine: machine.clone(), weight, last_use });
        machine
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
        let machine = Definitions::new(Arc::new(OneRevision(refused)), 1 << 20).get("hash").await.unwrap();
        assert!(machine.states.iter().all(|state| state.unusable.is_some()));
        assert!(Definitions::new(Arc::new(OneRevision("{}")), 1 << 20).get("hash").await.is_err());
    }

    #[test]
    fn parsed_definitions_are_bounded_by_what_they_weigh_and_the_last_used_stay() {
        let definitions = Definitions::new(Arc::new(OneRevision("{}")), (100 * WEIGHT) << 10);
        let machine = || {
            let definition = r#"{"StartAt":"A","States":{"A":{"Type":"Pass","End":true}}}"#;
            Arc::new(asl::load(definition).expect("is a definition"))
        };
        let kept = |hash: &str| definitions.parsed.lock().machines.contains_key(hash);
        let first = definitions.keep("first", machine(), 40 << 10);
        definitions.keep("second", machine(), 40 << 10);
        assert!(Arc::ptr_eq(&definitions.keep("first", machine(), 40 << 10), &first), "it is kept, and used again");
        definitions.keep("third", machine(), 40 << 10);
        assert!(kept("first") && !kept("second") && kept("third"));
        definitions.keep("huge", machine(), 1 << 20);
        assert!(!kept("first") && !kept("third") && kept("huge"));
        definitions.keep("small", machine(), 10);
        assert!(!kept("huge") && kept("small"));
        assert_eq!(definitions.parsed.lock().weight, LEAST_WEIGHT);
    }
}
