//! The real server under attack, measured: what a client or a workflow can take of its time, its memory and its places. A
//! binary of its own, since each test needs the machine for itself, and one test after the other.

#[cfg(test)]
mod express;
#[cfg(test)]
mod fairness;
#[cfg(test)]
mod memory;

#[cfg(test)]
use tokio::sync::Mutex;

/// Held by the test that measures.
#[cfg(test)]
static ALONE: Mutex<()> = Mutex::const_new(());
