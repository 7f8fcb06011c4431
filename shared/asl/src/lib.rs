//! What a state machine **is**: the Amazon States Language as types, its parser and its diagnostics.
//!
//! [`parse`] reads a definition once, at creation: every path, template and intrinsic is compiled here, so that the
//! interpreter only ever meets definitions that make sense. [`source`] finds the text a diagnostic speaks of, and reads
//! YAML. Nothing here runs a workflow, knows the time or the world.

mod arguments;
mod catch;
mod choice_rules;
mod cursor;
mod data_flow;
mod definition;
mod diagnostics;
mod distributed;
mod fields;
mod flow;
mod hints;
mod jsonata;
mod machine;
mod optimised;
mod place;
mod reach;
mod resource;
mod retry;
pub mod source;

mod state;
mod states;
mod variables;

pub use arguments::unsupported as unsupported_field;
pub use definition::{Parsed, parse};
pub use diagnostics::{Code, Diagnostic, Severity, invalid_definition_message};
pub use machine::*;
pub use optimised::{error_prefix, performed_actions};
pub use resource::*;
