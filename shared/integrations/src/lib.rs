//! The targets of tasks, behind the port [`engine::ports::Tasks`].
//!
//! A table of AWS's services says how each is called ([`sdk`]); the optimised integrations are rows over it ([`optimised`]),
//! with the words of [`sdk_v1`]. Lambda has its own way ([`lambda`]), and so have APIs that are called by their URLs
//! ([`http_task`]). [`Caller`] signs and sends one request, at AWS or at an own endpoint that speaks like it. [`Mocked`] stands before the targets and answers out of a file.
//! Deliberately absent: retries of requests that may have been executed (Retry in the definition decides), proxies,
//! redirects, and AWS SDK clients.
//!
//! A new service of the optimised integrations takes its row in `asl`'s `optimised.rs`, and one in [`optimised`].

mod aws_json;
mod caller;
mod callers;
mod connection;
pub mod credentials;
mod endpoint;
mod exchange;
mod http_task;
mod jobs;
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
pub use http_task::{ConnectionFile, InvalidConnections};
pub use mocks::{InvalidMocks, Mocked, Mocks};
pub use partition::Home;
pub use sdk::Catalogue;
pub use targets::Targets;
