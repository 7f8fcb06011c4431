//! What tests of several crates share. Nothing here is part of a product.

pub mod contracts;
pub mod lambda_server;
