//! The tests of this crate, one binary: case tables under `cases/`, and properties of any input.
//!
//! The modules say `cfg(test)` so that the lints know them as tests.

#[cfg(test)]
mod any_input;
#[cfg(test)]
mod any_jsonata;
#[cfg(test)]
mod carried;
#[cfg(test)]
mod conditions;
#[cfg(test)]
mod fuel;
#[cfg(test)]
mod intrinsics;
#[cfg(test)]
mod jayway;
#[cfg(test)]
mod json_texts;
#[cfg(test)]
mod jsonata;
#[cfg(test)]
mod paths;
#[cfg(test)]
mod templates;
#[cfg(test)]
mod world;
