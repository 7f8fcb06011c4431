//! Values from documents: JSONPath, intrinsic functions, payload templates, Choice conditions, and [`jsonata`].
//!
//! Everything here is compiled once from a definition and then read against a [`Scope`] without touching
//! the world: the same expression, scope and seed give the same bytes. Deliberately absent: fields of states (the `asl`
//! crate) and the order in which a state applies them (the interpreter).

mod chance;
mod condition;
mod cursor;
mod error;
mod expression;
mod fuel;
mod intrinsic;
mod java_order;
pub mod json;
pub mod jsonata;
mod number;
mod path;
mod reference_path;
mod scope;
mod template;
pub mod time;

pub use chance::Chance;
pub use condition::{Comparison, Condition};
pub use error::{EvaluationError, Invalid};
pub use expression::Expression;
pub use fuel::{Fuel, Work};
pub use intrinsic::Intrinsic;
pub use java_order::hash_ordered;
pub use json::JsonError;
pub use path::{Path, PathError, Root};
pub use reference_path::ReferencePath;
pub use scope::{ContextObject, Scope, Variables};
pub use template::{Template, TemplateFinding};
