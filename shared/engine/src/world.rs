//! What an engine is made of: the ports of one installation, and what the operator decided.

use std::sync::Arc;

use crate::ports::{Clock, Journal, Machines, Metrics, Queue, Starts, Tasks};
use crate::tokens::Keys;

/// The ports of one installation.
#[derive(Clone)]
pub struct World {
    pub journal: Arc<dyn Journal>,
    pub machines: Arc<dyn Machines>,
    pub starts: Arc<dyn Starts>,
    pub queue: Arc<dyn Queue>,
    pub tasks: Arc<dyn Tasks>,
    pub clock: Arc<dyn Clock>,
    pub metrics: Arc<dyn Metrics>,
}

/// What the operator decided.
#[derive(Debug, Clone)]
pub struct Settings {
    pub partition: String,
    pub region: String,
    pub account: String,
    /// The installation's secret: task tokens and pagination tokens are sealed with it.
    pub keys: Keys,
    /// How long a closed execution is kept, in days.
    pub retention_days: u32,
    pub role: Role,
    /// Calls of tasks in flight at a time.
    pub calls: usize,
    /// Executions in hand at a time, about: more starts are throttled. Each counts once, and once more for every 16 KiB of
    /// its input.
    pub hands: usize,
    /// Bytes of payloads with which a commit takes in nothing more that has happened. With the longest step behind them they
    /// are far from what a store takes as one record.
    pub commit_bytes: usize,
    /// Events of a history at most, in Standard executions that start from now on.
    pub events: u64,
    /// What share of its delay a Wait waits in executions that start from now on, in millionths.
    pub wait_millionths: u64,
}

impl Settings {
    /// What `commit_bytes` is where nobody has a reason for less.
    pub const COMMIT_BYTES: usize = 8 << 20;
}

/// What this process does besides answering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Answers only: what is left to do is somebody else's, who is sent a message.
    Answers,
    /// Does everything, beside others on the same store: a claim of another process is alive until its lease is over.
    Shares,
    /// Does everything, alone: a claim of another process is a dead one's.
    Alone,
}
