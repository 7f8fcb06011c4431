//! The callers of all services: one for AWS, and one for each own endpoint, so that services there share connections.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws_credential_types::provider::SharedCredentialsProvider;

use crate::caller::Caller;
use crate::endpoint::{Endpoint, Endpoints};
use crate::optimised::Service;
use crate::partition::Home;
use crate::roles::{self, SessionPolicy};

/// The services that tasks may call through the SDK at AWS in the name of the program that performs them. Calls in a role
/// of the task's own (`Credentials`) need no permission here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum AwsCalls {
    #[default]
    None,
    /// By their names in resources.
    Services(BTreeSet<String>),
    All,
}

impl AwsCalls {
    /// `STEPWELL_ALLOW_AWS`.
    pub fn from_environment() -> Self {
        let Ok(allowed) = std::env::var("STEPWELL_ALLOW_AWS").unwrap_or_default().parse();
        allowed
    }

    pub(crate) fn allows(&self, service: &str) -> bool {
        match self {
            Self::None => false,
            Self::Services(services) => services.contains(service),
            Self::All => true,
        }
    }
}

impl std::str::FromStr for AwsCalls {
    type Err = std::convert::Infallible;

    /// `all`, or names with commas between; nothing is none.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        let services: BTreeSet<String> = names.map(Service::known_as).map(str::to_owned).collect();
        Ok(match (services.contains("all"), services.is_empty()) {
            (true, _) => Self::All,
            (false, true) => Self::None,
            (false, false) => Self::Services(services),
        })
    }
}

pub(crate) struct Callers {
    aws: Arc<Caller>,
    own: BTreeMap<Endpoint, Arc<Caller>>,
    endpoints: Endpoints,
    /// What the roles of tasks may not do.
    pub policy: SessionPolicy,
}

impl Callers {
    pub(crate) fn new(endpoints: Endpoints, home: &Home, credentials: SharedCredentialsProvider) -> Self {
        let policy = SessionPolicy::default();
        let caller = |place: &Endpoint| {
            // A role of one place means nothing at another.
            if endpoints.get(roles::SERVICE) == Some(place) {
                Caller::at_endpoint_with_roles(place.clone(), &home.region, policy.clone())
            } else {
                Caller::at_endpoint(place.clone())
            }
        };
        let own = endpoints.all().map(|place| (place.clone(), Arc::new(caller(place)))).collect();
        Self { aws: Arc::new(Caller::at_aws(home, credentials, policy.clone())), own, endpoints, policy }
    }

    /// The caller of a service, by its name in resources, without `aws-sdk:`.
    pub(crate) fn of(&self, service: &str) -> &Arc<Caller> {
        self.endpoints.get(service).and_then(|place| self.own.get(place)).unwrap_or(&self.aws)
    }
}
