//! The tests of this crate, one binary: targets over the wire.
//!
//! The modules say `cfg(test)` so that the lints know them as tests.

#[cfg(test)]
mod lambda_target;
#[cfg(test)]
mod sdk_calls;
#[cfg(test)]
mod services;
#[cfg(test)]
mod wire;
