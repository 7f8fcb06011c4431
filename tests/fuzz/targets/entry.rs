//! Any bytes as a journal entry.
#![no_main]

stepwell_fuzz::fuzz!("entry");
