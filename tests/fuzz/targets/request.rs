//! Any requests to the API.
#![no_main]

stepwell_fuzz::fuzz!("request");
