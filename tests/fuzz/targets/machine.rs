//! Any machine with any input.
#![no_main]

stepwell_fuzz::fuzz!("machine");
