//! Any intrinsic function over any document.
#![no_main]

stepwell_fuzz::fuzz!("intrinsic");
