//! What Stepwell **offers**: AWS's actions by name, JSON in and JSON out, over an [`engine::Engine`] and without HTTP.
//!
//! [`Service::answer`] finds the row of an action ([`action`]), parses a body once, checks it against the action's shape
//! ([`shapes`]), runs the action and words the answer. Actions live in one file per family, each with its row and the
//! structures it answers with; [`events`] is the one place that knows how events look on the wire, [`error`] the one that
//! knows errors. Absent: distributed Maps and redrive; and authentication, which belongs to the
//! HTTP server.

mod action;
mod activities;
mod answer;
mod arn;
mod cache;
mod callbacks;
mod document;
mod encryption;
mod error;
mod events;
mod executions;
mod express;
mod history;
mod machines;
mod map_runs;
mod names;
mod own_api;
mod paging;
mod registry;
mod request;
mod service;
mod shapes;
mod start;
mod state_tests;
mod tags;
mod trace_header;
mod validation;
pub mod wire;

pub use answer::Answer;
pub use error::ApiError;
pub use service::{Call, Service};

use answer::epoch;
