//! The tests of this crate, one binary: the `stepwell` command from outside.
//!
//! The modules say `cfg(test)` so that the lints know them as tests.

#[cfg(test)]
mod command_line;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod limited;
#[cfg(test)]
mod validate;
