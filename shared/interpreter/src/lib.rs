//! The semantics of state machines: `step(machine, snapshot, stimulus, moment)`.
//!
//! The crate is total and pure. It knows no clock, no randomness, no I/O and no errors of its own: time and chance come
//! in with the [`Moment`], an outside occurrence is a [`Stimulus`], and a workflow's failure is data. The waits of an
//! execution are read off its [`Snapshot`] ([`Snapshot::unclaimed`], [`Snapshot::due`], [`Snapshot::ready`]); there is no
//! second list of effects that could disagree with it.
//!
//! A stimulus addresses one [`Wait`]: a thread and the number of its wait. Numbers are never used twice in an
//! execution, so an answer that comes late or twice finds nothing and changes nothing.

mod context;
mod data;
mod evaluation;
mod event;
mod failure;
mod frame;
mod holdings;
mod moment;
mod numbers;
mod payload;
mod probe;
mod recovery;
mod redrive;
mod run;
mod snapshot;
mod states;
mod step;
mod stimulus;
mod threads;

pub use event::*;
pub use failure::Failure;
pub use frame::*;
pub use moment::*;
pub use payload::*;
pub use probe::{Inspection, Mock, StateTest, TestOutcome, TestRun, is_within_map};
pub use snapshot::*;
pub use step::*;
pub use stimulus::*;
