//! AWS JSON 1.0 over HTTP/1.1 between a connection and `Service::answer`.
//!
//! | file | does |
//! |---|---|
//! | [`connections`] | accepts connections, closes slow ones, stops the server |
//! | [`routes`] | refuses requests of web pages, answers `/health`, passes calls to the service |
//! | [`body`] | reads a request's body within limits of time and size |
//! | [`limits`] | bounds what the server holds at a time |
//! | [`write_deadline`] | ends connections whose client does not read |
//!
//! Any signature is accepted; absent: TLS, HTTP/2, authentication.

mod body;
mod connections;
mod limits;
mod routes;
mod write_deadline;

pub use connections::{Stop, serve};
pub use routes::{AllowedHosts, Routes};
