//! The versions of a state machine: copies of its revisions under numbers that only grow.
//!
//! They are members of the machine's document, so that publishing, deleting and an alias's routing exclude one another by
//! the compare-and-swap of that document.

use interpreter::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Logging, Machine};
use crate::encryption::CustomerKey;
use crate::error::ApiError;

/// Versions of one state machine.
// AWS: documented as a quota.
const MOST: usize = 1000;

/// The part of a machine that an execution is pinned to, and that a version keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Revision {
    pub role_arn: String,
    /// The hash of its definition.
    pub definition: String,
    /// What UpdateStateMachine called this revision; the first has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    pub updated: Timestamp,
    #[serde(default, skip_serializing_if = "Logging::is_default")]
    pub logging: Logging,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tracing: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<CustomerKey>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Version {
    pub number: u64,
    pub created: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub revision: Revision,
}

/// `publish` and `versionDescription` of the call that created the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Publication {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

impl Machine {
    /// Publishes the current revision. One that is published is answered as it is, whatever the description.
    pub fn publish(&mut self, description: Option<&str>, now: Timestamp) -> Result<Version, ApiError> {
        if let Some(known) = self.versions.iter().find(|version| version.revision.id == self.revision_id) {
            return Ok(known.clone());
        }
        if self.versions.len() >= MOST {
            // AWS: unverified.
            let text = format!("A state machine can have {MOST} versions at most.");
            return Err(ApiError::ServiceQuotaExceeded(text));
        }
        self.last_version = self.last_version.saturating_add(1);
        let version = Version {
            number: self.last_version,
            created: now,
            description: description.map(str::to_owned),
            revision: self.current(),
        };
        self.versions.push(version.clone());
        Ok(version)
    }

    /// Removes a version that no alias routes to; one that is not there is removed already.
    pub fn remove_version(&mut self, number: u64) -> Result<(), ApiError> {
        let routed = |alias: &&super::Alias| alias.routes.iter().any(|route| route.version == number);
        let aliases: Vec<&str> = self.aliases.iter().filter(routed).map(|alias| &*alias.name).collect();
        if !aliases.is_empty() {
            return Err(ApiError::Conflict(format!(
                "Version to be deleted must not be referenced by an alias. \
                 Current list of aliases referencing this version: [{}]",
                aliases.join(", ")
            )));
        }
        self.versions.retain(|version| version.number != number);
        Ok(())
    }

    pub fn version(&self, number: u64) -> Option<&Version> {
        self.versions.iter().find(|version| version.number == number)
    }

    /// The revision to which an unqualified start is pinned.
    pub fn current(&self) -> Revision {
        Revision {
            role_arn: self.role_arn.clone(),
            definition: self.revision.clone(),
            id: self.revision_id.clone(),
            updated: self.updated,
            logging: self.logging.clone(),
            tracing: self.tracing,
            encryption: self.encryption.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use asl::MachineType;
    use engine::ports::Document;

    use super::super::{Alias, FORMAT, Route};
    use super::*;

    fn machine() -> Machine {
        Machine::new("m", MachineType::Standard, "arn:aws:iam::1:role/r", "hash".into(), Timestamp(5))
    }

    fn read(body: String) -> Result<Machine, ApiError> {
        Machine::read(&Document { key: "arn".into(), version: 1, body })
    }

    fn alias(version: u64) -> Alias {
        let routes = vec![Route { version, weight: 100 }];
        Alias { name: "live".into(), description: None, routes, created: Timestamp(7), updated: None }
    }

    #[test]
    fn a_revision_has_one_version_and_a_number_is_never_given_twice() {
        let mut machine = machine();
        let first = machine.publish(Some("d"), Timestamp(6)).unwrap();
        assert_eq!((first.number, first.revision.clone()), (1, machine.current()));
        assert_eq!(machine.publish(Some("other"), Timestamp(7)), Ok(first));
        machine.remove_version(1).unwrap();
        assert_eq!(machine.publish(None, Timestamp(8)).unwrap().number, 2);
        machine.revision_id = Some("next".into());
        assert_eq!(machine.publish(None, Timestamp(9)).unwrap().number, 3);
    }

    #[test]
    fn a_version_that_an_alias_routes_to_stays() {
        let mut machine = machine();
        machine.publish(None, Timestamp(6)).unwrap();
        machine.add_alias(alias(1)).unwrap();
        let text = "Version to be deleted must not be referenced by an alias. \
                    Current list of aliases referencing this version: [live]";
        assert_eq!(machine.remove_version(1), Err(ApiError::Conflict(text.into())));
        assert_eq!(machine.remove_version(2), Ok(()));
        assert!(machine.version(1).is_some());
    }

    #[test]
    fn only_a_machine_with_versions_is_written_as_the_newer_format() {
        let plain = machine();
        let body = plain.written().unwrap();
        assert!(body.starts_with(r#"{"v":1,"#) && !body.contains("version") && !body.contains("alias"), "{body}");
        assert_eq!(read(body).unwrap(), plain);
        let mut published = machine();
        published.publish(None, Timestamp(6)).unwrap();
        published.add_alias(alias(1)).unwrap();
        let body = published.written().unwrap();
        assert!(body.starts_with(r#"{"v":2,"#), "{body}");
        let back = read(body.clone()).unwrap();
        assert_eq!((back.versions, back.aliases, back.last_version), (published.versions, published.aliases, 1));
        let newer = body.replacen(r#""v":2"#, &format!(r#""v":{}"#, FORMAT + 1), 1);
        assert_eq!(read(newer), Err(ApiError::Internal));
    }
}
