//! Activities: the queues of tasks that wait for their workers, as a port, and where an activity's document lies.
//!
//! A task in a queue is a hint, never a fact: it is queued before the commit that schedules it, and a worker has it once
//! a commit of its execution says so ([`Deliver::lease`](crate::deliver::Deliver::lease)). So a task may be received that
//! is not scheduled yet, or whose execution has gone on; it is put back, or removed.

use async_trait::async_trait;
use interpreter::{Timestamp, Wait};

use crate::ports::StoreError;

/// The key of an activity's document in [`crate::ports::Documents`].
pub fn document_key(arn: &str) -> String {
    format!("{DOCUMENTS}{arn}")
}

/// How the keys of activities begin.
pub const DOCUMENTS: &str = "activity/";

/// A task of an activity, as its queue has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivityTask {
    /// The activity's ARN.
    pub activity: String,
    /// The execution's ARN.
    pub execution: String,
    pub wait: Wait,
    /// When it was queued.
    pub queued: Timestamp,
}

/// The queues of activities.
#[async_trait]
pub trait ActivityQueue: Send + Sync + 'static {
    /// When this returns, every task will be received by some worker that asks, however often processes crash, until one
    /// removes it. The same task may be queued again.
    async fn enqueue(&self, tasks: Vec<ActivityTask>) -> Result<(), StoreError>;

    /// The next task of an activity, in about the order in which they were queued: waits for one until `until`. Of several
    /// callers no two get the same task unless one of them lets it go. A caller that is dropped takes none.
    async fn receive(&self, activity: &str, until: Timestamp) -> Result<Option<Box<dyn ReceivedTask>>, StoreError>;

    /// The task need not be received any more: it is over. A queue may leave it to its receivers to find that out.
    fn withdraw(&self, _task: &ActivityTask) {}
}

/// A task that one caller has received, and no other gets meanwhile. When it is dropped, or its process crashes, another
/// caller gets it: at once or some time later.
#[async_trait]
pub trait ReceivedTask: Send + Sync {
    fn task(&self) -> &ActivityTask;

    /// No caller gets it any more.
    async fn remove(self: Box<Self>) -> Result<(), StoreError>;

    /// Another caller gets it, not before `at`.
    async fn put_back(self: Box<Self>, at: Timestamp) -> Result<(), StoreError>;
}
