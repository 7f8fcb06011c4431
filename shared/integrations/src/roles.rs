//! The roles that tasks act in where their states say so (`Credentials.RoleArn`), or their state machines' where the
//! installation says so: assumed at STS in the program's own name,
//! and kept until shortly before they end.
//!
//! AWS: STS is told the state machine's ARN as external id, so a role may trust a single state machine. The caller
//! of STS is not the state machine's role, as it would be on AWS, but the process that performs tasks: a role has to trust
//! its identity, which needs `sts:AssumeRole` on the role. AWS: unverified what else than a refusal STS answers for, and the session's name.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use engine::ports::TaskRole;
use http::StatusCode;
use roxmltree::Document;

use crate::credentials::Kept;
use crate::exchange::{Answer, CallError, Request};
use crate::query::{self, Form};

pub(crate) const SERVICE: &str = "sts";
const ANSWER_LIMIT: usize = 64 << 10;
/// A state machine may name a role for every item of its input; beyond so many, all are forgotten.
const MOST: usize = 1_000;
/// Letters of a session's name.
const LONGEST_NAME: usize = 64;

/// The roles that were assumed, by role and state machine.
pub(crate) struct Roles {
    region: String,
    policy: SessionPolicy,
    assumed: Mutex<BTreeMap<(String, String), Arc<Kept>>>,
}

impl Roles {
    /// Those of STS in a region.
    pub(crate) fn in_region(region: &str, policy: SessionPolicy) -> Self {
        Self { region: region.to_owned(), policy, assumed: Mutex::default() }
    }

    pub(crate) fn region(&self) -> &str {
        &self.region
    }

    /// The credentials that are kept of a role; there may be none yet.
    pub(crate) fn kept(&self, role: &TaskRole) -> Arc<Kept> {
        let mut roles = self.assumed.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (role.arn.clone(), role.machine.clone());
        if roles.len() >= MOST && !roles.contains_key(&key) {
            roles.clear();
        }
        roles.entry(key).or_default().clone()
    }
}

/// What roles may not do while tasks act in them: touch the installation's own resources, whatever the roles allow.
#[derive(Clone, Default)]
pub(crate) struct SessionPolicy(Arc<OnceLock<String>>);

impl SessionPolicy {
    /// Denies everything on these, ARNs or patterns of such. What is denied first stays.
    pub(crate) fn deny(&self, resources: &[String]) {
        if !resources.is_empty() {
            let policy = serde_json::json!({
                "Version": "2012-10-17",
                "Statement": [
                    { "Effect": "Allow", "Action": "*", "Resource": "*" },
                    { "Effect": "Deny", "Action": "*", "Resource": resources },
                ],
            });
            self.0.get_or_init(|| policy.to_string());
        }
    }
}

/// The request to STS.
pub(crate) fn request(role: &TaskRole, roles: &Roles, timeout: Duration) -> Request {
    let mut form = Form::new("AssumeRole", "2011-06-15");
    form.add("RoleArn", &role.arn);
    form.add("RoleSessionName", &session(&role.machine));
    form.add("ExternalId", &role.machine);
    if let Some(policy) = roles.policy.0.get() {
        form.add("Policy", policy);
    }
    form.request(timeout, ANSWER_LIMIT)
}

/// The session is named after the state machine, as far as STS takes its letters.
fn session(machine: &str) -> String {
    let name = machine.rsplit(':').next().unwrap_or_default();
    let taken = |letter: char| if letter.is_ascii_alphanumeric() || "_+=,.@-".contains(letter) { letter } else { '-' };
    // A name of one letter is too short.
    format!("{:->2}", name.chars().take(LONGEST_NAME).map(taken).collect::<String>())
}

/// The credentials that STS answers with.
pub(crate) fn read(role: &TaskRole, answer: &Answer) -> Result<Credentials, CallError> {
    let untold = |why: String| CallError::NotSent { reason: format!("The role {} was not assumed: {why}", role.arn) };
    if answer.status.is_success() {
        return credentials(&answer.text()).ok_or_else(|| untold("STS's answer cannot be read".to_owned()));
    }
    let error = query::error(answer);
    let (code, message) = (error.code.unwrap_or_default(), error.message.unwrap_or_default());
    // A role that is not there is refused like one that does not trust the caller.
    match (answer.status, code.as_str()) {
        (StatusCode::FORBIDDEN, "AccessDenied") | (StatusCode::BAD_REQUEST, "ValidationError") => {
            tracing::warn!(role = role.arn, machine = role.machine, message, "STS refused a role, its task fails");
            Err(CallError::RoleRefused { role: role.clone() })
        }
        (status, _) => Err(untold(format!("{status}, {code}: {message}"))),
    }
}

fn credentials(text: &str) -> Option<Credentials> {
    let document = Document::parse(text).ok()?;
    let said = |name: &str| query::element(&document, name).map(|node| query::content(&node).to_owned());
    let expiry: jiff::Timestamp = said("Expiration")?.parse().ok()?;
    let (key, secret, token) = (said("AccessKeyId")?, said("SecretAccessKey")?, said("SessionToken"));
    Some(Credentials::new(key, secret, token, Some(SystemTime::from(expiry)), "role"))
}
