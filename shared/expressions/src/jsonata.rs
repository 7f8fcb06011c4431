//! JSONata: `{% … %}`, compiled once from a definition and evaluated as AWS does.
//!
//! An adapter around the `jsonata-core` engine, which follows the reference implementation. AWS's own rules live here:
//! the data an expression may see, the functions AWS added or took away, its bounds, and its words.

mod carried;
mod convert;
mod engine;
mod expression;
mod free_variables;
mod functions;
mod guards;
mod messages;
mod nodes;
mod refusals;
mod scope;
mod slots;
mod template;
mod unexpected;
mod witness;

pub use expression::{Jsonata, Refused, Sees, Unseen};
pub use scope::{Converted, Scope};
pub use template::{Finding, Template};
pub use unexpected::unexpected_type;
