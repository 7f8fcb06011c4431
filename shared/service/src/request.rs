//! A request's body, parsed once: its members by name.
//!
//! [`super::shapes`] has checked types and constraints before an action sees it, so readers here give `None` for what is
//! absent or null and never complain. Unknown members are ignored, as AWS does.

use serde_json::{Map, Value};

use crate::error::ApiError;
use crate::shapes::{self, Member};

/// The members of a request.
pub(crate) struct Request {
    members: Map<String, Value>,
}

impl Request {
    /// Parses a body and checks it against the shape of its action. An empty body is an empty object.
    pub fn parse(body: &[u8], shape: &'static [Member]) -> Result<Request, ApiError> {
        let value = if body.is_empty() {
            Value::Object(Map::new())
        } else {
            serde_json::from_slice(body).map_err(|error| ApiError::Serialization(not_json(&error)))?
        };
        let Value::Object(members) = value else {
            return Err(ApiError::Serialization(shapes::not_a_structure(&value)));
        };
        shapes::check(&members, shape)?;
        Ok(Request { members })
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.members.get(name)?.as_str()
    }

    /// A member that the shape requires.
    pub fn required(&self, name: &str) -> &str {
        self.text(name).unwrap_or_default()
    }

    /// Takes a text out, because it may be large.
    pub fn take(&mut self, name: &str) -> Option<String> {
        match self.members.get_mut(name)?.take() {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    pub fn integer(&self, name: &str) -> Option<u64> {
        self.members.get(name).and_then(shapes::integer).and_then(|number| u64::try_from(number).ok())
    }

    pub fn flag(&self, name: &str) -> Option<bool> {
        self.members.get(name)?.as_bool()
    }

    pub fn object(&self, name: &str) -> Option<&Map<String, Value>> {
        self.members.get(name)?.as_object()
    }

    pub fn list(&self, name: &str) -> Option<&[Value]> {
        self.members.get(name)?.as_array().map(Vec::as_slice)
    }

    /// `includedData: METADATA_ONLY`.
    pub fn wants_data(&self) -> bool {
        self.text("includedData") != Some("METADATA_ONLY")
    }
}

// AWS: unverified: the texts of the front end for a body that is no JSON are not recorded anywhere.
fn not_json(error: &serde_json::Error) -> String {
    if error.is_eof() {
        "Unexpected end of the request body".to_owned()
    } else {
        format!("Malformed request body: {error}")
    }
}
