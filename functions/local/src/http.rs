//! AWS JSON 1.0 over HTTP/1.1 between a connection and `Service::answer`.
//!
//! | file | does |
//! |---|---|
//! | [`connections`] | accepts connections, closes slow ones, stops the server |
//! | [`guard`] | asks for keys: verifies signatures and decides by policies; [`refusals`] lists what it refuses |
//! | [`routes`] | refuses requests of web pages, answers `/health`, passes calls to the service |
//! | [`body`] | reads a request's body within limits of time and size |
//! | [`limits`] | bounds what the server holds at a time |
//! | [`write_deadline`] | ends connections whose client does not read |
//!
//! Absent: TLS, HTTP/2.

mod body;
mod connections;
mod guard;
mod limits;
mod refusals;
mod routes;
mod write_deadline;

pub use connections::{Stop, serve};
pub use guard::Guard;
pub use routes::{AllowedHosts, Routes};
