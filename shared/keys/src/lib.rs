//! Access keys of an installation: AWS's Signature Version 4 verified against secrets of our own, and policies of IAM's shape.
//!
//! The crate is pure: time comes in as a number, keys from its caller. [`signature`] reads an `Authorization` header and verifies
//! it, over [`canonical`], which spells a request as AWS does; [`secret`] derives secrets; [`policy`] decides about
//! what [`access`] says an action is about. Deliberately absent: where keys are kept, and the HTTP server that asks.

pub mod access;
pub mod canonical;
pub mod policy;
pub mod secret;
pub mod signature;
