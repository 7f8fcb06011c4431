//! Any task token.
#![no_main]

stepwell_fuzz::fuzz!("task_token");
