//! The tests of this crate, one binary: the directory as files, and its queue over paused time.
//!
//! The modules say `cfg(test)` so that the lints know them as tests.

#[cfg(test)]
mod activities;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod directory;
#[cfg(test)]
mod records;
#[cfg(test)]
mod retention;
#[cfg(test)]
mod timers;
