//! The targets of tasks: what a Task state calls, behind the port [`engine::ports::Tasks`].
//!
//! Lambda has its own way ([`lambda`]); DynamoDB, SNS and SQS are entries of one table ([`api`]) over the two protocols
//! that AWS's services speak. [`Caller`] signs and sends one request to any of them, at AWS or at an own endpoint that
//! speaks like it; how AWS names errors and dresses results is in [`words`]. [`Mocked`] stands before the targets and
//! answers out of a file. Deliberately absent: retries of what may have happened (Retry in the definition decides),
//! proxies, redirects, and AWS SDK clients.

mod api;
mod aws_json;
mod caller;
mod connection;
pub mod credentials;
mod dynamodb;
mod endpoint;
mod json;
mod lambda;
mod mocks;
mod partition;
mod query;
mod roles;
mod sns;
mod sqs;
mod targets;
mod words;

pub use caller::{Answer, CallError, Caller, Request};
pub use endpoint::{Endpoint, Endpoints, InvalidEndpoint};
pub use mocks::{InvalidMocks, Mocked, Mocks};
pub use partition::Home;
pub use targets::Targets;
