//! The service's ports on DynamoDB and SQS.
//!
//! [`Table`] is the store: the ports `Journal` and `Documents` on one DynamoDB table, and what the clock needs of it.
//! [`WorkQueue`] is the ports `Queue` and `Starts` on one SQS queue; [`message`] is how its messages are written.
//! The same contract suite holds these and the one-process adapters to the same promises.
//!
//! # The table
//!
//! [`layout`] lists every key, attribute and index, each with its reason. In short: an execution is one partition, its
//! records are items that are written once, the number of a record is its sort key, and a commit is one conditional
//! put. `retention` says how items go: by DynamoDB's time to live, in any order, which is why readers and not the
//! deletion decide when an execution is gone.
//!
//! # An installation
//!
//! [`Environment`] joins these parts to a service as the functions do; [`Installation::work`] is what a worker does with a
//! batch of messages, and [`Installation::heed`] is the clock's.
//!
//! # Failures
//!
//! The clients wait out throttling and a store's bad moments with jitter, a few seconds in all ([`clients`]); what is
//! left is a `StoreError` that says whether asking again may help. Nothing here ever becomes an error of a workflow.
//! Messages of errors name the operation and the table's answer, never what was to be stored.
//!
//! # Deliberately absent
//!
//! What a record's body says; any decision about an execution; receiving messages (Lambda's event source does that in
//! production, but for dead letters); the production table itself, which the template makes from the same definition as [`create`].

mod batch;
mod cells;
mod chunks;
pub mod clients;
mod clockwork;
pub mod create;
mod dead_letters;
mod failure;
mod installation;
mod item;
mod journal;
mod keys;
pub mod layout;
mod list;
pub mod logs;
mod machines;
pub mod message;
mod metrics;
mod orders;
mod pack;
mod queue;
mod retention;
mod starts;
mod sweep;
mod table;
mod term;
mod wake;
mod words;

pub use batch::Delivery;
pub use clockwork::Tally;
pub use installation::{Environment, Installation, SetupError};
pub use metrics::MetricLines;
pub use queue::WorkQueue;
pub use table::Table;
pub use term::until;
pub use wake::{Cursor, WakePage};
