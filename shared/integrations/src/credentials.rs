//! The credentials that sign requests.
//!
//! At AWS: those of the program that performs tasks. A function finds its keys in its [`environment`]; on a developer's
//! machine they are searched for in the SDK's usual places ([`chain`]). They are two functions and no switch, so that the
//! chain, which brings a client of STS and more along, is not part of the functions' binaries. Either is asked at the
//! first call and again shortly before its credentials expire. At an own endpoint: the environment's keys, or well-known
//! dummies, since such endpoints want a signature's form but check nothing. The roles of a Task's `Credentials` are in
//! [`crate::roles`].

use std::pin::Pin;
use std::time::{Duration, SystemTime};

use aws_config::Region;
use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future};
use tokio::sync::{Mutex, OnceCell};

/// New credentials are asked for when the present ones have less than this left.
const REFRESH_BEFORE: Duration = Duration::from_secs(300);

/// The keys that are in the process's environment.
pub fn environment() -> SharedCredentialsProvider {
    SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new())
}

/// The SDK's chain of sources: environment, profile, container, instance.
pub fn chain(region: &str) -> SharedCredentialsProvider {
    SharedCredentialsProvider::new(Chain { region: Region::new(region.to_owned()), built: OnceCell::new() })
}

/// Nothing is loaded before the first use: building it reads files and may ask the network.
#[derive(Debug)]
struct Chain {
    region: Region,
    built: OnceCell<DefaultCredentialsChain>,
}

impl ProvideCredentials for Chain {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async move {
            let build = || DefaultCredentialsChain::builder().region(self.region.clone()).build();
            self.built.get_or_init(build).await.provide_credentials().await
        })
    }
}

/// A source of the program's own credentials, asked as rarely as possible.
pub(crate) struct CredentialSource {
    provider: SharedCredentialsProvider,
    /// Taken where there are none.
    dummies: Option<Credentials>,
    kept: Kept,
}

type Loading<'a, E> = Pin<Box<dyn Future<Output = Result<Credentials, E>> + Send + 'a>>;

/// Credentials that are good for some minutes, once there are some.
#[derive(Default)]
pub(crate) struct Kept(Mutex<Option<Credentials>>);

impl CredentialSource {
    /// The environment's keys where there are any, dummies elsewhere.
    pub(crate) fn for_own_endpoint() -> Self {
        let dummies = Credentials::new("test", "test", None, None, "dummy");
        Self { provider: environment(), dummies: Some(dummies), kept: Kept::default() }
    }

    pub(crate) fn for_aws(provider: SharedCredentialsProvider) -> Self {
        Self { provider, dummies: None, kept: Kept::default() }
    }

    pub(crate) async fn credentials(&self) -> Result<Credentials, CredentialsError> {
        self.kept.or(|| Box::pin(self.load())).await
    }

    async fn load(&self) -> Result<Credentials, CredentialsError> {
        match (self.provider.provide_credentials().await, &self.dummies) {
            (Err(_), Some(dummies)) => Ok(dummies.clone()),
            (loaded, _) => loaded,
        }
    }
}

impl Kept {
    /// The kept credentials, or else loaded ones: rarely, so every call has a pointer to that only. The lock makes simultaneous
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
