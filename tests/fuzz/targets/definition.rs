//! Any text as a definition.
#![no_main]

stepwell_fuzz::fuzz!("definition");
