//! The targets of tasks, behind the port [`engine::ports::Tasks`].
//!
//! Lambda has its own way ([`lambda`]); the other services are rows ([`optimised`]) over the two protocols that they
//! speak. [`Caller`] signs and sends one request to any of them, at AWS or at an own endpoint that speaks like it;
//! [`sdk_v1`] has the shapes of results and errors. [`Mocked`] stands before the targets and answers out of a file.
//! Deliberately absent: retries of requests that may have been executed (Retry in the definition decides), proxies,
//! redirects, and AWS SDK clients.
//!
//! A new service of the optimised integrations takes its row in `asl`'s `optimised.rs`, with the fields of its arguments,
//! a file in [`optimised`], and its entry in the list there.

mod aws_json;
mod caller;
mod callers;
mod connection;
pub mod credentials;
mod endpoint;
mod exchange;
mod json;
mod lambda;
mod mocks;
mod optimised;
mod partition;
mod query;
mod roles;
mod sdk;
mod sdk_v1;
mod targets;
mod withheld;

pub use caller::{Caller, Destination, Signing};
pub use callers::AwsCalls;
pub use endpoint::{Endpoint, Endpoints, InvalidEndpoint};
pub use exchange::{Answer, CallError, Request};
pub use mocks::{InvalidMocks, Mocked, Mocks};
pub use partition::Home;
pub use sdk::Catalogue;
pub use targets::Targets;
