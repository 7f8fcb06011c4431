//! Any JSONPath over any document.
#![no_main]

stepwell_fuzz::fuzz!("path");
