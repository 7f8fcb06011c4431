//! The parts of an engine: the ports of one installation, and the operator's settings.

use std::sync::Arc;
use std::time::Duration;

use crate::activities::ActivityQueue;
use crate::ports::{Clock, Documents, Journal, Logs, Metrics, Queue, Starts, Tasks};
use crate::tokens::Keys;

/// The ports of one installation.
#[derive(Clone)]
pub struct World {
    pub journal: Arc<dyn Journal>,
    pub documents: Arc<dyn Documents>,
    pub starts: Arc<dyn Starts>,
    pub queue: Arc<dyn Queue>,
    pub tasks: Arc<dyn Tasks>,
    pub activities: Arc<dyn ActivityQueue>,
    pub clock: Arc<dyn Clock>,
    pub metrics: Arc<dyn Metrics>,
    /// `None` where logging is not delivered.
    pub logs: Option<Arc<dyn Logs>>,
}

/// The operator's settings.
#[derive(Debug, Clone)]
pub struct Settings {
    pub partition: String,
    pub region: String,
    pub account: String,
    /// The installation's secret: task tokens and pagination tokens are signed with it.
    pub keys: Keys,
    /// How long a closed execution is kept, in days.
    pub retention_days: u32,
    pub deployment: Deployment,
    /// Calls of tasks in flight at a time.
    pub calls: usize,
    /// Executions loaded at a time, about: more starts are throttled. Each counts once, and once more for every 16 KiB of
    /// its input.
    pub max_active_executions: usize,
    /// How long GetActivityTask waits for a task.
    pub activity_poll: Duration,
    /// Bytes of payloads with which a commit takes in nothing more that has happened. With the longest step behind them they
    /// are far from what a store takes as one record.
    pub commit_bytes: usize,
    /// The memory budget of the process, in bytes; see [`crate::memory`].
    pub memory: usize,
    /// Events of a history at most, in Standard executions that start from now on.
    pub events: u64,
    /// The share of its delay that a Wait waits in executions that start from now on, in millionths.
    pub wait_millionths: u64,
    /// The share of its delay that a Retrier waits in executions that start from now on, in millionths.
    pub retry_millionths: u64,
}

impl Settings {
    /// `commit_bytes` where there is no reason for less.
    pub const COMMIT_BYTES: usize = 8 << 20;
    /// `activity_poll` where a client that waits costs nothing.
    // AWS: captured: an empty answer after 60.2 s.
    pub const ACTIVITY_POLL: Duration = Duration::from_secs(60);
}

/// How the processes of an installation share its work, and which part of it this one does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deployment {
    /// Answers API calls only: what is left to do, a worker does, woken by a message.
    ApiOnly,
    /// Answers and performs tasks, beside other processes on the same store: a claim of another process is alive until its
    /// lease is over.
    SharedWorker,
    /// Answers and performs tasks, alone on its store: a claim of another process is a dead one's.
    SingleProcess,
}

impl Deployment {
    /// True when this process calls the targets of tasks itself.
    pub fn performs_tasks(self) -> bool {
        match self {
            Deployment::ApiOnly => false,
            Deployment::SharedWorker | Deployment::SingleProcess => true,
        }
    }

    /// True when other processes write to the same store.
    pub fn has_peers(self) -> bool {
        match self {
            Deployment::ApiOnly | Deployment::SharedWorker => true,
            Deployment::SingleProcess => false,
        }
    }
}
