//! The tests of this crate, one binary: what is written down of an execution, and what becomes of any result.
//!
//! The modules say `cfg(test)` so that the lints know them as tests.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails that way")]

#[cfg(test)]
mod any_result;
#[cfg(test)]
mod entries;
#[cfg(test)]
#[path = "../../../interpreter/tests/suite/execution.rs"]
mod execution;
#[cfg(test)]
mod journal;
#[cfg(test)]
#[path = "../../../interpreter/tests/suite/any_machine/machines.rs"]
mod machines;
#[cfg(test)]
#[path = "../../../interpreter/tests/suite/any_machine/world.rs"]
mod world;
