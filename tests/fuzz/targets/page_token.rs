//! Any pagination token.
#![no_main]

stepwell_fuzz::fuzz!("page_token");
