//! The optimised integrations but Lambda: how each service is called, and how its answers are read.
//!
//! A service is one row ([`Service`]) in a file of its own; [`ServiceTarget`] makes the calls of all of them. Which
//! services and actions there are, and their arguments, is in the rows of `asl`; [`crate::targets`] tests that the two
//! agree. A request may have been executed once it is sent, so it is sent once per attempt; Retry in the definition
//! decides the rest.

mod dynamodb;
mod sns;
mod sqs;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use asl::Integration;
use engine::ports::{TaskAnswer, TaskCall};
use serde_json::value::RawValue;

use crate::caller::{Caller, Destination};
use crate::exchange::{Answer, Request};
use crate::json;
use crate::partition::Home;
use crate::sdk_v1::{Members, SdkV1, ServiceError};

/// The rows of all services here.
pub(crate) const SERVICES: [&Service; 3] = [&dynamodb::SERVICE, &sns::SERVICE, &sqs::SERVICE];

/// The longest a call can take.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);
/// Bytes of an answer's body. Results beyond 256 KiB fail their task anyhow; headers and the space between the parts of a
/// JSON text are no part of a result.
pub(crate) const ANSWER_LIMIT: usize = 1024 * 1024;

/// The arguments of a task that are not null, by name. AWS: a null is a member that is not sent.
pub(crate) type Arguments<'a> = BTreeMap<String, &'a RawValue>;

/// A service, as its optimised integration uses it.
pub(crate) struct Service {
    pub names: SdkV1,
    /// The argument that names the resource: a table, a topic, a queue.
    pub subject: &'static str,
    /// The region that the arguments name, where they do.
    pub region: fn(&Arguments<'_>) -> Option<String>,
    pub request: fn(action: &str, &Arguments<'_>, timeout: Duration) -> Request,
    /// The members of an answer whose status is a success; `None` where it cannot be read.
    pub members: fn(&Answer) -> Option<Members>,
    pub error: fn(&Answer) -> ServiceError,
}

/// A service at the place where this installation calls it.
pub(crate) struct ServiceTarget {
    service: &'static Service,
    caller: Arc<Caller>,
    home: Home,
    /// Names of the installation's own resources, which tasks must not touch.
    withheld: Vec<String>,
}

impl ServiceTarget {
    pub(crate) fn new(service: &'static Service, caller: Arc<Caller>, home: Home) -> Self {
        Self { service, caller, home, withheld: Vec::new() }
    }

    /// Refuses calls whose subject has one of these names.
    pub(crate) fn withhold(&mut self, names: &[String]) {
        self.withheld.extend_from_slice(names);
    }

    pub(crate) fn performs(&self, integration: &Integration) -> bool {
        self.service.names.service == integration.service
    }

    /// True if `named`, a name, an ARN or a URL, has a withheld name in it. A character that is part of no name could only
    /// hide one.
    fn is_withheld(&self, named: &str) -> bool {
        let hides = |letter: char| matches!(letter, '%' | '\\') || letter.is_whitespace() || letter.is_control();
        let separates = |letter: char| !letter.is_ascii_alphanumeric() && !matches!(letter, '-' | '_' | '.');
        let is_own = |part: &str| self.withheld.iter().any(|name| name == part);
        !self.withheld.is_empty() && (named.contains(hides) || named.split(separates).any(is_own))
    }

    /// Calls `action` with the arguments of `call`.
    pub(crate) async fn call(&self, action: &str, call: &TaskCall) -> TaskAnswer {
        let Service { names, subject, region, request, members, error } = self.service;
        let mut arguments: Arguments<'_> = json::object(&call.arguments).unwrap_or_default();
        arguments.retain(|_, value| value.get() != "null");
        if let Some(named) =
            arguments.get(*subject).and_then(|value| json::string(value)).filter(|name| self.is_withheld(name))
        {
            return names.withheld(&named);
        }
        let region = region(&arguments).unwrap_or_else(|| self.home.region.clone());
        let request = request(action, &arguments, call.timeout.min(LIMIT));
        let began = Instant::now();
        let result = self.caller.send(&Destination::usual(names.service, &region), call.role.as_ref(), request).await;
        let status = result.as_ref().map_or(0, |answer| answer.status.as_u16());
        tracing::debug!(
            service = names.service,
            action,
            execution = call.execution,
            state = call.state,
            status,
            milliseconds = began.elapsed().as_millis(),
            "task called its service",
        );
        match result {
            Ok(answer) if answer.status.is_success() => match members(&answer) {
                Some(members) => names.result(members, &answer),
                None => names.unreadable(&answer),
            },
            Ok(answer) => names.service_failed(&error(&answer), status),
            Err(error) => names.call_failed(&error, names.service),
        }
    }
}

/// The region of services that are called in the installation's own.
pub(crate) fn at_home(_: &Arguments<'_>) -> Option<String> {
    None
}
