//! Whether a state machine is deleted while its executions still run: they stop at their next transition.
//!
//! An actor asks at each round of an execution that is stored already; one that is just started has been started by a call that
//! read the machine. A process that is alone on its store reads the document of a machine once and is told of every change;
//! beside others what was read counts for [`FRESH_MS`].

use std::collections::HashMap;
use std::sync::Arc;

use interpreter::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ports::{Documents, StoreError};
use crate::{Deployment, Guarded};

/// How long a status counts where other processes may change it. DeleteStateMachine is asynchronous on AWS, too.
const FRESH_MS: i64 = 5_000;
/// Machines whose status is kept at most.
const MOST: usize = 4_096;

/// The status of a state machine, as its document has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum MachineStatus {
    Active,
    Deleting,
}

impl MachineStatus {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            MachineStatus::Active => "ACTIVE",
            MachineStatus::Deleting => "DELETING",
        }
    }
}

/// The part of a machine's document that the engine reads.
#[derive(Deserialize)]
struct Shown {
    status: MachineStatus,
}

/// The status of the machines whose executions this process drives.
pub struct MachineStatuses {
    documents: Arc<dyn Documents>,
    has_peers: bool,
    known: Guarded<Known>,
}

#[derive(Default)]
struct Known {
    statuses: HashMap<String, (MachineStatus, Timestamp)>,
    /// Counts changes: what was read before one is not kept after it.
    changes: u64,
}

impl MachineStatuses {
    pub(crate) fn new(documents: Arc<dyn Documents>, deployment: Deployment) -> MachineStatuses {
        MachineStatuses { documents, has_peers: deployment.has_peers(), known: Guarded::default() }
    }

    /// True when the machine of that ARN is being deleted. One without a document says nothing.
    pub(crate) async fn is_deleted(&self, arn: &str, now: Timestamp) -> Result<bool, StoreError> {
        let before = {
            let known = self.known.lock();
            match known.statuses.get(arn) {
                Some((status, at)) if !self.has_peers || now < at.plus_millis(FRESH_MS) => {
                    return Ok(*status == MachineStatus::Deleting);
                }
                _ => known.changes,
            }
        };
        let document = self.documents.get(arn).await?;
        let shown = document.map(|document| serde_json::from_str::<Shown>(&document.body));
        let status = match shown {
            Some(Ok(shown)) => shown.status,
            // What cannot be read is the API's to report.
            Some(Err(_)) | None => MachineStatus::Active,
        };
        let mut known = self.known.lock();
        if known.changes == before {
            if known.statuses.len() >= MOST {
                known.statuses.clear();
            }
            known.statuses.insert(arn.to_owned(), (status, now));
        }
        Ok(status == MachineStatus::Deleting)
    }

    /// The machine's document was changed, or may have been.
    pub fn changed(&self, arn: &str) {
        let mut known = self.known.lock();
        known.changes = known.changes.wrapping_add(1);
        known.statuses.remove(arn);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_trait::async_trait;

    use super::*;
    use crate::ports::Document;

    /// One machine's document, which counts how often it is read.
    #[derive(Default)]
    struct OneMachine {
        status: Guarded<&'static str>,
        reads: AtomicUsize,
    }

    #[async_trait]
    impl Documents for OneMachine {
        async fn get(&self, key: &str) -> Result<Option<Document>, StoreError> {
            self.reads.fetch_add(1, Ordering::Relaxed);
            let body = format!(r#"{{"v":1,"name":"m","status":"{}"}}"#, *self.status.lock());
            Ok((key == "m").then(|| Document { key: key.to_owned(), version: 1, body }))
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
            Ok(None)
        }
    }

    fn statuses(deployment: Deployment) -> (Arc<OneMachine>, MachineStatuses) {
        let machine = Arc::new(OneMachine { status: Guarded::new("ACTIVE"), reads: AtomicUsize::new(0) });
        (machine.clone(), MachineStatuses::new(machine, deployment))
    }

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    #[tokio::test]
    async fn alone_on_its_store_a_process_reads_a_machine_once_and_again_after_a_change() {
        let (machine, statuses) = statuses(Deployment::SingleProcess);
        for late in [0, 1, 1_000_000] {
            assert!(!statuses.is_deleted("m", NOW.plus_seconds(late)).await.unwrap());
        }
        assert_eq!(machine.reads.load(Ordering::Relaxed), 1);
        *machine.status.lock() = "DELETING";
        statuses.changed("m");
        assert!(statuses.is_deleted("m", NOW).await.unwrap());
        assert!(!statuses.is_deleted("another", NOW).await.unwrap(), "it has no document");
    }

    #[tokio::test]
    async fn beside_others_a_process_sees_a_deletion_within_five_seconds() {
        let (machine, statuses) = statuses(Deployment::SharedWorker);
        assert!(!statuses.is_deleted("m", NOW).await.unwrap());
        *machine.status.lock() = "DELETING";
        assert!(!statuses.is_deleted("m", NOW.plus_millis(FRESH_MS - 1)).await.unwrap());
        assert_eq!(machine.reads.load(Ordering::Relaxed), 1);
        assert!(statuses.is_deleted("m", NOW.plus_millis(FRESH_MS)).await.unwrap());
    }
}
