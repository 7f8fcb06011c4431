//! Any JSONata over any document.
#![no_main]

stepwell_fuzz::fuzz!("jsonata");
