//! What one service's API is to a task: how it is called, and how its answers are read.
//!
//! A service is a table entry ([`Api`]) in a file of its own; [`ApiTarget`] is what all of them share. What is sent may
//! have been executed, so it is sent once per attempt; Retry in the definition decides the rest.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use asl::Integration;
use engine::ports::{TaskAnswer, TaskCall};
use serde_json::value::RawValue;

use crate::caller::{Answer, Caller, Request};
use crate::json;
use crate::partition::Home;
use crate::words::{Members, Refusal, Words};

/// The longest a call can take.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);
/// Results beyond 256 KiB fail their task anyhow. Headers and the space between the parts of a JSON text are not theirs.
pub(crate) const ANSWER_LIMIT: usize = 1024 * 1024;

/// The arguments of a task that are not null, by name. AWS: a null is a member that is not sent.
pub(crate) type Arguments<'a> = BTreeMap<String, &'a RawValue>;

/// A service, as its optimised integration uses it.
pub(crate) struct Api {
    pub words: Words,
    /// Actions by the names resources have for them.
    pub actions: &'static [&'static str],
    /// The argument that names what is acted on.
    pub subject: &'static str,
    /// The region that the arguments name, where they do.
    pub region: fn(&Arguments<'_>) -> Option<String>,
    pub request: fn(action: &str, &Arguments<'_>, timeout: Duration) -> Request,
    /// What the answer to a request that was granted says.
    pub members: fn(&Answer) -> Option<Members>,
    pub refusal: fn(&Answer) -> Refusal,
}

/// A service where this installation calls it.
pub(crate) struct ApiTarget {
    api: &'static Api,
    caller: Arc<Caller>,
    home: Home,
    /// Names of what tasks must not touch.
    withheld: Vec<String>,
}

impl ApiTarget {
    pub(crate) fn new(api: &'static Api, caller: Arc<Caller>, home: Home) -> Self {
        Self { api, caller, home, withheld: Vec::new() }
    }

    /// Touches nothing that has one of these names.
    pub(crate) fn withhold(&mut self, names: &[String]) {
        self.withheld.extend_from_slice(names);
    }

    pub(crate) fn performs(&self, integration: &Integration) -> bool {
        self.api.words.service == integration.service && self.api.actions.contains(&integration.action.as_str())
    }

    /// True for what must not be touched, whether it is named by name, ARN or URL. What is no part of any name could only
    /// hide one.
    fn is_withheld(&self, named: &str) -> bool {
        let hides = |letter: char| matches!(letter, '%' | '\\') || letter.is_whitespace() || letter.is_control();
        let separates = |letter: char| !letter.is_ascii_alphanumeric() && !matches!(letter, '-' | '_' | '.');
        let is_own = |part: &str| self.withheld.iter().any(|name| name == part);
        !self.withheld.is_empty() && (named.contains(hides) || named.split(separates).any(is_own))
    }

    /// Calls `action` with the arguments of `call`.
    pub(crate) async fn call(&self, action: &str, call: &TaskCall) -> TaskAnswer {
        let Api { words, subject, region, request, members, refusal, .. } = self.api;
        let mut arguments: Arguments<'_> = json::object(&call.arguments).unwrap_or_default();
        arguments.retain(|_, value| value.get() != "null");
        if let Some(named) =
            arguments.get(*subject).and_then(|value| json::string(value)).filter(|name| self.is_withheld(name))
        {
            return words.withheld(&named);
        }
        let region = region(&arguments).unwrap_or_else(|| self.home.region.clone());
        let request = request(action, &arguments, call.timeout.min(LIMIT));
        let began = Instant::now();
        let result = self.caller.send(words.service, &region, call.role.as_ref(), request).await;
        let status = result.as_ref().map_or(0, |answer| answer.status.as_u16());
        tracing::debug!(
            service = words.service,
            action,
            execution = call.execution,
            state = call.state,
            status,
            milliseconds = began.elapsed().as_millis(),
            "called",
        );
        match result {
            Ok(answer) if answer.status.is_success() => match members(&answer) {
                Some(members) => words.result(members, &answer),
                None => words.unreadable(&answer),
            },
            Ok(answer) => words.refused(&refusal(&answer), status),
            Err(error) => words.no_answer(&error, words.service),
        }
    }
}

/// For services that are called in the region the installation is at home in.
pub(crate) fn at_home(_: &Arguments<'_>) -> Option<String> {
    None
}
