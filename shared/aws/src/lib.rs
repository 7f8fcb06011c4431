//! The engine's ports on DynamoDB and SQS.
//!
//! | module | |
//! |---|---|
//! | [`table`] | the store: the ports `Journal` and `Documents` on one DynamoDB table, and what the scheduler reads of it |
//! | [`queue`] | the ports `Queue` and `Starts` on one SQS queue, and the messages on it |
//! | [`installation`] | the parts joined, and what the functions do with them: a batch of a worker, a tick of the scheduler, an operator command, dead letters, metrics |
//! | [`clients`], [`create`], [`logs`] | the SDK's clients, making table and queue without a template, the functions' logs |
//!
//! The same contract suite holds these and the one-process adapters to the same promises.
//!
//! # Storage layout
//!
//! [`layout`] lists every key, attribute and index, each with its reason. In short: an execution is one partition, its
//! records are items that are written once, the number of a record is its sort key, and a commit is one conditional
//! put. `table/retention.rs` says how items expire: by DynamoDB's time to live, in any order, which is why readers and
//! not the deletion decide when an execution is gone.
//!
//! # Failures
//!
//! The clients retry throttling and transient server errors with jitter, for a few seconds in all ([`clients`]); after
//! that the caller gets a `StoreError` that says whether a retry may help. Nothing here ever becomes an error of a
//! workflow. Error messages name the operation and the table's answer, never the data.
//!
//! # Deliberately absent
//!
//! The content of a record's body; any decision about an execution; receiving messages (Lambda's event source does that
//! in production, but for dead letters); the production table itself, which the template makes from the same definition
//! as [`create`].

pub mod clients;
pub mod create;
mod failure;
pub mod installation;
pub mod logs;
pub mod queue;
pub mod table;

pub use installation::{
    Delivery, Environment, Installation, MetricLines, NoTargets, SetupError, TickReport, work_until,
};
pub use queue::{WorkQueue, message};
pub use table::{Cursor, Table, WakePage, layout};
