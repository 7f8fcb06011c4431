//! A state machine as it is stored: the body of its document, which lies under its ARN.
//!
//! # When the shape changes
//!
//! A member that an older program can do without comes without a new number; see [`engine::entry`]. Versions and aliases
//! are a number of their own, since an older program would drop them when it changes the machine: a machine that has none
//! is still written as the number before.

mod aliases;
mod versions;

use asl::MachineType;
use engine::log_records::LogLevel;
use engine::ports::Document;
use interpreter::Timestamp;
use serde::{Deserialize, Serialize};

use crate::encryption::CustomerKey;
use crate::error::ApiError;

pub(crate) use aliases::{Alias, Route};
pub(crate) use engine::MachineStatus;
pub(crate) use versions::{Publication, Revision, Version};

/// The shape of a machine without versions and aliases.
const PLAIN: u32 = 1;
/// The newest shape: with versions and aliases.
const FORMAT: u32 = 2;

/// A state machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Machine {
    v: u32,
    pub name: String,
    #[serde(rename = "type", with = "workflow_type")]
    pub kind: MachineType,
    pub role_arn: String,
    /// The hash of its definition.
    pub revision: String,
    /// What UpdateStateMachine called this revision; the first has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision_id: Option<String>,
    pub created: Timestamp,
    pub updated: Timestamp,
    pub status: MachineStatus,
    pub logging: Logging,
    pub tracing: bool,
    /// The customer's key, where one was given. A program that does not know this member drops it when it changes the
    /// machine, which then shows none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<CustomerKey>,
    pub tags: Vec<(String, String)>,
    /// Oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<Version>,
    /// The number of the newest version there ever was.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub last_version: u64,
    /// Oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<Alias>,
    /// Present when the call that created the machine published it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<Publication>,
}

/// `loggingConfiguration`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Logging {
    pub level: String,
    pub include_execution_data: bool,
    /// ARNs of log groups.
    pub destinations: Vec<String>,
}

impl Default for Logging {
    fn default() -> Self {
        Logging { level: "OFF".to_owned(), include_execution_data: false, destinations: Vec::new() }
    }
}

impl Logging {
    /// What an execution that starts with it logs; `None` when that is nothing.
    pub fn delivered(&self) -> Option<engine::log_records::Logging> {
        let (level, log_group) = (LogLevel::named(&self.level)?, self.destinations.first()?.clone());
        let include_execution_data = self.include_execution_data;
        Some(engine::log_records::Logging { level, include_execution_data, log_group })
    }

    fn is_default(&self) -> bool {
        *self == Logging::default()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Machine {
    /// A machine that is just created.
    pub fn new(name: &str, kind: MachineType, role_arn: &str, revision: String, now: Timestamp) -> Machine {
        Machine {
            v: PLAIN,
            name: name.to_owned(),
            kind,
            role_arn: role_arn.to_owned(),
            revision,
            revision_id: None,
            created: now,
            updated: now,
            status: MachineStatus::Active,
            logging: Logging::default(),
            tracing: false,
            encryption: None,
            tags: Vec::new(),
            versions: Vec::new(),
            last_version: 0,
            aliases: Vec::new(),
            published: None,
        }
    }

    pub fn read(document: &Document) -> Result<Machine, ApiError> {
        let unreadable = |error: &dyn std::fmt::Display| {
            tracing::error!(machine = document.key, %error, "state machine unreadable; API call answered as an internal failure");
            ApiError::Internal
        };
        let machine: Machine = serde_json::from_str(&document.body).map_err(|error| unreadable(&error))?;
        if machine.v > FORMAT {
            let newer = format!("it has format {}, and this version reads up to {FORMAT}", machine.v);
            return Err(unreadable(&newer));
        }
        Ok(machine)
    }

    /// The body of its document.
    pub fn written(&self) -> Result<String, ApiError> {
        let plain = self.last_version == 0 && self.published.is_none();
        let written = Machine { v: if plain { PLAIN } else { FORMAT }, ..self.clone() };
        serde_json::to_string(&written).map_err(|error| {
            tracing::error!(%error, "state machine not written; API call answered as an internal failure");
            ApiError::Internal
        })
    }
}

/// The type of a workflow, by its name on the wire and in stores.
pub(crate) mod workflow_type {
    use asl::MachineType;
    use serde::de::{Deserialize, Deserializer, Error};
    use serde::ser::Serializer;

    use crate::request::Request;

    pub(crate) fn name(kind: MachineType) -> &'static str {
        match kind {
            MachineType::Standard => "STANDARD",
            MachineType::Express => "EXPRESS",
        }
    }

    fn named(name: &str) -> Option<MachineType> {
        [MachineType::Standard, MachineType::Express].into_iter().find(|kind| self::name(*kind) == name)
    }

    /// The type that a request names; STANDARD unless it does.
    pub(crate) fn asked(request: &Request) -> MachineType {
        request.text("type").and_then(named).unwrap_or_default()
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    pub(super) fn serialize<S: Serializer>(kind: &MachineType, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(name(*kind))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<MachineType, D::Error> {
        let name = String::deserialize(deserializer)?;
        named(&name).ok_or_else(|| D::Error::custom("a type that is neither STANDARD nor EXPRESS"))
    }
}
