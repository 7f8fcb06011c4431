//! The aliases of a state machine: names that route starts to one version, or to two by weights.

use interpreter::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Machine;
use crate::error::ApiError;

/// Aliases of one state machine.
// AWS: documented as a quota.
const MOST: usize = 100;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Alias {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub routes: Vec<Route>,
    pub created: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Route {
    pub version: u64,
    /// In percent.
    pub weight: u64,
}

impl Alias {
    /// The version that a start is routed to. The same start, sent again, is routed to the same version: it is drawn from
    /// the execution's ARN and the id of the call.
    pub fn drawn(&self, execution: &str, invocation: Option<&str>) -> Option<u64> {
        let hash = Sha256::new()
            .chain_update(execution)
            .chain_update([0])
            .chain_update(invocation.unwrap_or_default())
            .finalize();
        let drawn = hash.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes) % 100);
        let mut below = 0u64;
        let chosen = self.routes.iter().find(|route| {
            below = below.saturating_add(route.weight);
            drawn < below
        });
        chosen.or(self.routes.last()).map(|route| route.version)
    }
}

impl Machine {
    pub fn alias(&self, name: &str) -> Option<&Alias> {
        self.aliases.iter().find(|alias| alias.name == name)
    }

    /// Adds an alias. The same one again is answered with the one there is.
    pub fn add_alias(&mut self, alias: Alias) -> Result<Alias, ApiError> {
        if let Some(known) = self.alias(&alias.name) {
            // AWS: the text is the same when only the description differs.
            if known.routes != alias.routes || known.description != alias.description {
                let text = "Failed to create alias because an alias with the same name and a different routing configuration \
                            already exists.";
                return Err(ApiError::Conflict(text.to_owned()));
            }
            return Ok(known.clone());
        }
        if self.aliases.len() >= MOST {
            // AWS: unverified.
            return Err(ApiError::ServiceQuotaExceeded(format!("A state machine can have {MOST} aliases at most.")));
        }
        self.aliases.push(alias.clone());
        Ok(alias)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alias(weights: [u64; 2]) -> Alias {
        let routes = vec![Route { version: 1, weight: weights[0] }, Route { version: 2, weight: weights[1] }];
        Alias { name: "live".into(), description: None, routes, created: Timestamp(0), updated: None }
    }

    #[test]
    fn starts_are_routed_by_weight_and_the_same_start_always_to_the_same_version() {
        for (weights, least, most) in [([100, 0], 1000, 1000), ([0, 100], 0, 0), ([90, 10], 860, 940)] {
            let alias = alias(weights);
            let draw = |number: usize| alias.drawn(&format!("arn:execution:{number}"), Some("call"));
            let first = (0..1000).filter(|number| draw(*number) == Some(1)).count();
            assert!((least..=most).contains(&first), "{weights:?}: {first}");
            assert_eq!(draw(7), draw(7));
        }
    }
}
