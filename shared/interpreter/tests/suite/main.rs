//! The tests of this crate, one binary: bounds, what a step may cost, and properties of random machines.
//!
//! The modules say `cfg(test)` so that the lints know them as tests.

#[cfg(test)]
mod any_machine;
#[cfg(test)]
mod bounds;
#[cfg(test)]
mod execution;
#[cfg(test)]
mod jobs;
#[cfg(test)]
mod work;
