//! Whose name a request is signed in.
//!
//! At AWS: the chain of sources people expect (environment, profile, container, instance), asked at the first call and
//! again shortly before what it gave expires. At an own endpoint: the environment's keys, or well-known dummies, since
//! such endpoints want a signature's form but check nothing. The roles of a Task's `Credentials` are in [`crate::roles`].

use std::pin::Pin;
use std::time::{Duration, SystemTime};

use aws_config::Region;
use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, error::CredentialsError};
use tokio::sync::{Mutex, OnceCell};

/// New credentials are asked for when the present ones have less than this left.
const REFRESH_BEFORE: Duration = Duration::from_secs(300);

/// A source of one's own credentials, asked as rarely as possible.
pub(crate) struct CredentialSource {
    kind: Kind,
    kept: Kept,
}

enum Kind {
    EnvironmentOrDummy,
    Chain { region: String, chain: OnceCell<DefaultCredentialsChain> },
}

type Loading<'a, E> = Pin<Box<dyn Future<Output = Result<Credentials, E>> + Send + 'a>>;

/// Credentials that are good for some minutes, once there are some.
#[derive(Default)]
pub(crate) struct Kept(Mutex<Option<Credentials>>);

impl CredentialSource {
    /// The environment's keys where there are any, dummies elsewhere.
    pub(crate) fn for_own_endpoint() -> Self {
        Self { kind: Kind::EnvironmentOrDummy, kept: Kept::default() }
    }

    /// The default chain. Nothing is loaded before the first use: building it reads files and may ask the network.
    pub(crate) fn for_aws(region: &str) -> Self {
        Self { kind: Kind::Chain { region: region.to_owned(), chain: OnceCell::new() }, kept: Kept::default() }
    }

    pub(crate) async fn credentials(&self) -> Result<Credentials, CredentialsError> {
        self.kept.or(|| Box::pin(self.load())).await
    }

    async fn load(&self) -> Result<Credentials, CredentialsError> {
        match &self.kind {
            Kind::EnvironmentOrDummy => {
                let loaded = EnvironmentVariableCredentialsProvider::new().provide_credentials().await;
                Ok(loaded.unwrap_or_else(|_| Credentials::new("test", "test", None, None, "dummy")))
            }
            Kind::Chain { region, chain } => {
                let built = || DefaultCredentialsChain::builder().region(Region::new(region.clone())).build();
                chain.get_or_init(built).await.provide_credentials().await
            }
        }
    }
}

impl Kept {
    /// What is kept, or else what is loaded: rarely, so every call has a pointer to that only. The lock makes simultaneous
    /// first calls load once.
    pub(crate) async fn or<'a, E>(&'a self, load: impl FnOnce() -> Loading<'a, E>) -> Result<Credentials, E> {
        let mut kept = self.0.lock().await;
        if let Some(fresh) = kept.as_ref().filter(|held| is_fresh(held, SystemTime::now())) {
            return Ok(fresh.clone());
        }
        let loaded = load().await?;
        *kept = Some(loaded.clone());
        Ok(loaded)
    }
}

fn is_fresh(held: &Credentials, now: SystemTime) -> bool {
    held.expiry().is_none_or(|expiry| expiry.duration_since(now).is_ok_and(|left| left > REFRESH_BEFORE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_renewed_some_minutes_before_they_expire() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let cases = [
            (None, true),
            (Some(now + Duration::from_secs(301)), true),
            (Some(now + Duration::from_secs(300)), false),
            (Some(now - Duration::from_secs(1)), false),
        ];
        for (expiry, fresh) in cases {
            let held = Credentials::new("key", "secret", None, expiry, "test");
            assert_eq!(is_fresh(&held, now), fresh, "{expiry:?}");
        }
    }
}
