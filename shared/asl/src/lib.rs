//! The Amazon States Language: the types of a state machine, its parser and its diagnostics.
//!
//! [`parse`] reads a definition at creation, where every path, template and intrinsic is compiled and anything wrong refuses
//! it; [`load`] reads it for its executions, also if an earlier version accepted more. [`source`] finds the text a diagnostic speaks of, and reads
//! YAML. Nothing here runs a workflow, knows the time or the world.

mod about;
mod arguments;
mod catch;
mod choice_rules;
mod cursor;
mod data_flow;
mod defined;
mod definition;
mod diagnostics;
mod distributed;
mod fields;
mod flow;
mod hints;
mod jsonata;
mod levels;
mod machine;
mod optimised;
mod place;
mod reach;
mod reading;
mod resource;
mod retry;
mod sdk;
pub mod source;

mod state;
mod state_type;
mod states;
mod variables;

pub use about::About;
pub use arguments::unsupported as unsupported_field;
pub use cursor::MOST_SECONDS;
pub use definition::{LONE_STATE, Parsed, load, parse, parse_for_test, parse_state, parse_with};
pub use diagnostics::{Code, Diagnostic, Severity, invalid_definition_message};
pub use machine::*;
pub use optimised::{error_prefix, performed_actions};
pub use resource::*;
pub use sdk::{AnyService, Required, SdkServices, UnknownCall};
pub use state_type::StateType;
