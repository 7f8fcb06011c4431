//! The targets of tasks: what a Task state calls, behind the port [`service::ports::Tasks`].
//!
//! For now there is one target, Lambda, by its Invoke API. [`Caller`] signs and sends one request to any AWS service
//! (or to an own endpoint that speaks like one) and is what further services will be built on. [`Mocked`] stands before the targets and answers out of a file. Deliberately absent:
//! retries of what may have happened (Retry in the definition decides), proxies, redirects, and AWS SDK clients.

mod caller;
mod connection;
mod credentials;
mod lambda;
mod mocks;
mod partition;
mod targets;

pub use caller::{Answer, CallError, Caller, InvalidEndpoint, Request};
pub use lambda::{LambdaTarget, check_arguments};
pub use mocks::{InvalidMocks, Mocked, Mocks};
pub use partition::Home;
pub use targets::Targets;
