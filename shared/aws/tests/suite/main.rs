//! The tests of this crate, one binary: the adapters over DynamoDB and SQS in process.
//!
//! The modules say `cfg(test)` so that the lints know them as tests.

#[cfg(test)]
mod activities;
#[cfg(test)]
mod clock_deaths;
#[cfg(test)]
mod clockwork;
#[cfg(test)]
mod contention;
#[cfg(test)]
mod dead_letters;
#[cfg(test)]
mod deaths;
#[cfg(test)]
mod deletions;
#[cfg(test)]
mod deliveries;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod listing;
#[cfg(test)]
mod logs;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod name_reuse;
#[cfg(test)]
mod queue;
#[cfg(test)]
mod scale;
#[cfg(test)]
mod slow_store;
#[cfg(test)]
mod stops;
#[cfg(test)]
mod table;
