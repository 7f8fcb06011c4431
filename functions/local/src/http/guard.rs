//! Who may: verifies that a request is signed by a key of the installation, and asks the key's policy.
//!
//! The order of work lets a flood of nonsense cost little: the syntax of the signature, its date, the key in memory, then the
//! body. `keys.json` is looked at for each request and read again when it is another, so that a key is ended by the next
//! request. Once keys were asked for they stay asked for, also when the file is gone or makes no sense: then nothing is let in.
//!
//! Each refused call and each allowed one that may change something is a line of the log's target `audit`, without payloads.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use http::request::Parts;
use integrations::Home;
use keys::access::{self, About};
use keys::canonical::Signed;
use keys::signature::{self, Claimed, Refusal, Scope};
use serde_json::{Map, Value};
use service::wire::refused;
use service::{Answer, ApiError, Call, wire};

use super::refusals::Refusals;
use crate::access_keys::{Held, KeyFile, Ring};

const SERVICE: &str = "states";
/// Longer texts name nothing that there is: AWS's ARNs have 2,000 characters at most.
const MOST_RESOURCE: usize = 2_000;
/// Characters of a resource in errors and in the audit.
const SHOWN: usize = 300;

/// The keys of a server.
pub struct Guard {
    directory: PathBuf,
    region: String,
    account: String,
    /// `arn:PARTITION:states:REGION:ACCOUNT:`
    prefix: String,
    /// Whether requests need a key.
    asks: AtomicBool,
    read: Mutex<Read>,
    refusals: Refusals,
}

/// The keys as last read, and what the file looked like.
struct Read {
    stamp: Option<Stamp>,
    ring: Arc<Ring>,
}

/// A file that is replaced has another of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    changed: Option<SystemTime>,
    length: u64,
    file: u64,
}

/// A request, as far as the audit names it.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    pub address: IpAddr,
    pub request: &'a str,
}

/// A request that says it is signed by a key there is.
pub struct Claim {
    ring: Arc<Ring>,
    claimed: Claimed,
    headers: Vec<(String, String)>,
}

/// The key that signed a request.
pub struct Caller {
    ring: Arc<Ring>,
    key: String,
}

impl Guard {
    /// Reads the keys of a data directory. Without any, requests need one only if `required`.
    pub fn new(directory: PathBuf, home: &Home, required: bool) -> anyhow::Result<Guard> {
        let stamp = stamp(&directory);
        let file = KeyFile::read(&directory)?;
        let asks = AtomicBool::new(required || file.is_some());
        let ring = Arc::new(file.as_ref().map_or_else(|| Ok(Ring::without_keys()), Ring::of)?);
        Ok(Guard {
            directory,
            region: home.region.clone(),
            account: home.account.clone(),
            prefix: format!("arn:{}:{SERVICE}:{}:{}:", home.partition, home.region, home.account),
            asks,
            read: Mutex::new(Read { stamp, ring }),
            refusals: Refusals::default(),
        })
    }

    /// Whether requests need a key.
    pub fn asks(&self) -> bool {
        self.asks.load(Ordering::Relaxed)
    }

    fn scope(&self) -> Scope<'_> {
        Scope { region: &self.region, service: SERVICE }
    }

    /// The keys as the file has them now; `None` where none are asked for.
    fn ring(&self) -> Option<Arc<Ring>> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = stamp(&self.directory);
        if stamp != read.stamp {
            let ring = KeyFile::read(&self.directory).and_then(|file| file.as_ref().map(Ring::of).transpose());
            *read = Read { stamp, ring: Arc::new(self.taken(ring)) };
            self.asks.store(true, Ordering::Relaxed);
        }
        self.asks().then(|| read.ring.clone())
    }

    fn taken(&self, ring: anyhow::Result<Option<Ring>>) -> Ring {
        match ring {
            Ok(Some(ring)) => {
                tracing::info!(keys = ring.keys.len(), "server: access keys read again, requests need one of them");
                ring
            }
            Ok(None) => {
                tracing::error!("server: keys.json is gone, every request is refused");
                Ring::without_keys()
            }
            Err(error) => {
                tracing::error!(%error, "server: access keys not read, every request is refused");
                Ring::without_keys()
            }
        }
    }

    /// What a request's head says of its key, before its body is read; `None` where no key is asked for.
    pub fn claim(&self, head: &Parts, now: i64) -> Result<Option<Claim>, Refusal> {
        let Some(ring) = self.ring() else { return Ok(None) };
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let headers: Vec<(String, String)> =
            head.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes()))).collect();
        let claimed = signature::claimed(&signed(head, &headers, &[]), self.scope(), now)?;
        let known = ring.keys.get(&claimed.key).is_some_and(|held| held.is_valid(now));
        if known { Ok(Some(Claim { ring, claimed, headers })) } else { Err(Refusal::unknown_key()) }
    }

    /// Verifies a claim once the body is there. What was received is hashed.
    pub fn verify(&self, claim: Claim, head: &Parts, body: &[u8]) -> Result<Caller, Refusal> {
        let Claim { ring, claimed, headers } = claim;
        let secret = ring.master.secret(&claimed.key);
        claimed.verify(&signed(head, &headers, body), &secret, self.scope(), &[head.uri.path()])?;
        Ok(Caller { ring, key: claimed.key })
    }

    /// Asks the policy of a key about a call; `execution` opens a task token. The invocation id of the call becomes one of the
    /// key's own, so that no key gets the answer to another's call.
    pub fn authorize(
        &self,
        caller: &Caller,
        call: &mut Call,
        source: Source<'_>,
        execution: impl Fn(&str) -> Option<String>,
    ) -> Result<(), ApiError> {
        // A key is on the ring on which it was found.
        let Some(held) = caller.ring.keys.get(&caller.key) else { return Err(ApiError::Internal) };
        let (resource, denied) = self.decided(held, call, execution);
        let shown: String = resource.chars().take(SHOWN).collect();
        let (key, name, action) = (&caller.key, &held.name, &call.action);
        let Source { address, request } = source;
        if let Some(reason) = denied {
            let action: String = action.chars().take(SHOWN).collect();
            tracing::warn!(target: "audit", %key, name, action, resource = shown, %address, request, "call denied");
            let user = format!("arn:aws:iam::{}:user/{name}", self.account);
            return Err(ApiError::AccessDenied(format!(
                "User: {user} is not authorized to perform: {SERVICE}:{action} on resource: {shown} {reason}"
            )));
        }
        if access::changes(action) {
            tracing::info!(target: "audit", %key, name, action, resource = shown, %address, request, "call allowed");
        }
        call.invocation = call.invocation.take().and_then(|id| wire::invocation_within(&caller.key, &id));
        Ok(())
    }

    /// What a call is about, and why the key may not.
    fn decided(
        &self,
        held: &Held,
        call: &Call,
        execution: impl Fn(&str) -> Option<String>,
    ) -> (String, Option<String>) {
        let action = format!("{SERVICE}:{}", call.action);
        let Some(about) = access::about(&call.action) else {
            return ("*".to_owned(), Some(format!("because there is no {} action", shown(&action))));
        };
        let members = match about {
            About::Everything => Map::new(),
            About::Member(_) | About::NewMachine | About::NewActivity | About::Token => members(&call.body),
        };
        let token = members.get("taskToken").and_then(Value::as_str).and_then(execution);
        let named = about.resource(&members, &self.prefix, token.as_deref());
        let resource = if named.chars().count() > MOST_RESOURCE { "*".to_owned() } else { named };
        let decision = held.policy.decide(&action, &resource);
        let denied = (!decision.is_allowed()).then(|| decision.reason(&action));
        (resource, denied)
    }

    /// The answer to a request that is refused before its key is known, which the audit lists or counts.
    pub fn refuse(&self, refusal: &Refusal, action: &str, source: Source<'_>) -> Answer {
        self.refusals.note(refusal.name, &shown(action), source);
        refused(400, refusal.name, &refusal.text)
    }
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

/// The members of a request as the service reads them; what is no object has none, and the service says so.
fn members(body: &[u8]) -> Map<String, Value> {
    serde_json::from_slice(body).unwrap_or_default()
}

fn signed<'a>(head: &'a Parts, headers: &'a [(String, String)], body: &'a [u8]) -> Signed<'a> {
    let (path, query) = (head.uri.path(), head.uri.query().unwrap_or_default());
    Signed { method: head.method.as_str(), path, query, headers, body }
}

fn stamp(directory: &std::path::Path) -> Option<Stamp> {
    let about = std::fs::metadata(KeyFile::path(directory)).ok()?;
    #[cfg(unix)]
    let file = std::os::unix::fs::MetadataExt::ino(&about);
    #[cfg(not(unix))]
    let file = 0;
    Some(Stamp { changed: about.modified().ok(), length: about.len(), file })
}

#[cfg(test)]
mod tests;
