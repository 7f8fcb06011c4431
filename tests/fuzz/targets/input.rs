//! Any input through machines that look at every part of it.
#![no_main]

stepwell_fuzz::fuzz!("input");
