//! The tests of this crate, one binary: diagnostics as case tables under `cases/`, and machines as they are loaded.
//!
//! The modules say `cfg(test)` so that the lints know them as tests.

#[cfg(test)]
mod diagnostics;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod load;
#[cfg(test)]
mod lone_state;
#[cfg(test)]
mod machine;
#[cfg(test)]
mod placeholders;
#[cfg(test)]
mod source;
