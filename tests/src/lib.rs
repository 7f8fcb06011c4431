//! The library of the tests of several crates. Nothing here is part of a product.

pub mod client;
pub mod cloud;
pub mod contracts;
pub mod cost_model;
pub mod damage;
pub mod deployment;
pub mod disk;
pub mod dynamo;
pub mod emulators;
pub mod fuzzed;
pub mod golden_journals;
pub mod hand_clock;
pub mod lambda_server;
pub mod load;
pub mod modes;
pub mod parity;
pub mod python;
pub mod raw_http;
pub mod retrying_client;
pub mod runtime_api;
pub mod server;
pub mod simulation;
pub mod sqs;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod trace;
pub mod walk;
pub mod watchdog;

pub use modes::long_mode;
