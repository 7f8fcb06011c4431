//! One signed request to an AWS service, or to an own endpoint that speaks like one.
//!
//! Sent once per call, whatever happens; see [`crate::connection`] for the one exception. The service's own module reads
//! the answer. Payloads never reach a log: the signer is given their hash.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningInstructions, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use engine::ports::TaskRole;
use http::header::USER_AGENT;
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

use crate::connection::Connection;
use crate::credentials::CredentialSource;
use crate::endpoint::Endpoint;
use crate::exchange::{Answer, CallError, Request};
use crate::partition::{Home, dns_suffix};
use crate::roles::{self, Roles, SessionPolicy};

/// Where a request goes at AWS, and how it is signed there and at own endpoints.
#[derive(Debug, Clone, Copy)]
pub struct Destination<'a> {
    /// The name that requests are signed for.
    pub service: &'a str,
    pub region: &'a str,
    /// The host at AWS; `None` is `SERVICE.REGION` in the domain of the partition.
    pub host: Option<&'a str>,
    pub signing: Signing,
}

/// How a request is signed with Signature Version 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signing {
    Usual,
    /// The path is encoded once, and the body's hash is a header.
    S3,
    None,
}

impl<'a> Destination<'a> {
    /// A service at its usual host.
    pub fn usual(service: &'a str, region: &'a str) -> Self {
        Self { service, region, host: None, signing: Signing::Usual }
    }
}

impl Signing {
    fn settings(self) -> SigningSettings {
        let mut settings = SigningSettings::default();
        if self == Self::S3 {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        settings
    }
}

/// Signs requests and sends them.
pub struct Caller {
    place: Place,
    credentials: CredentialSource,
    connection: OnceCell<Connection>,
}

enum Place {
    /// Everything goes here. An endpoint that checks no signatures has no roles.
    Own {
        endpoint: Endpoint,
        roles: Option<Roles>,
    },
    Aws {
        dns_suffix: &'static str,
        roles: Roles,
    },
}

impl Caller {
    /// Sends everything to `endpoint`, signed with the environment's keys or with dummies, in no role.
    pub fn at_endpoint(endpoint: Endpoint) -> Self {
        Self::at_own(endpoint, None)
    }

    /// Sends everything to `endpoint`, where STS is, too; that is asked in `region`.
    pub(crate) fn at_endpoint_with_roles(endpoint: Endpoint, region: &str, policy: SessionPolicy) -> Self {
        Self::at_own(endpoint, Some(Roles::in_region(region, policy)))
    }

    fn at_own(endpoint: Endpoint, roles: Option<Roles>) -> Self {
        Self {
            place: Place::Own { endpoint, roles },
            credentials: CredentialSource::for_own_endpoint(),
            connection: OnceCell::new(),
        }
    }

    /// Sends to AWS. Credentials and certificates are loaded at the first call, so that this costs nothing.
    pub(crate) fn at_aws(home: &Home, credentials: SharedCredentialsProvider, policy: SessionPolicy) -> Self {
        Self {
            place: Place::Aws {
                dns_suffix: dns_suffix(&home.partition),
                roles: Roles::in_region(&home.region, policy),
            },
            credentials: CredentialSource::for_aws(credentials),
            connection: OnceCell::new(),
        }
    }

    /// True when requests go to AWS itself.
    pub fn is_aws(&self) -> bool {
        matches!(self.place, Place::Aws { .. })
    }

    /// Sends `request` once: in the role, where there are roles, else in the program's own name.
    pub async fn send(
        &self,
        destination: &Destination<'_>,
        role: Option<&TaskRole>,
        request: Request,
    ) -> Result<Answer, CallError> {
        let timeout = request.timeout;
        let sending = async {
            let credentials = match destination.signing {
                Signing::None => None,
                Signing::Usual | Signing::S3 => Some(self.credentials_of(role, timeout).await?),
            };
            self.sign_and_send(destination, request, credentials).await
        };
        tokio::time::timeout(timeout, sending).await.unwrap_or(Err(CallError::TimedOut))
    }

    /// Those of the role, or the program's own.
    async fn credentials_of(&self, role: Option<&TaskRole>, timeout: Duration) -> Result<Credentials, CallError> {
        let roles = match &self.place {
            Place::Own { roles, .. } => roles.as_ref(),
            Place::Aws { roles, .. } => Some(roles),
        };
        let Some((role, roles)) = role.zip(roles) else { return self.own_credentials().await };
        roles.kept(role).or(|| Box::pin(self.assume(role, roles, timeout))).await
    }

    async fn own_credentials(&self) -> Result<Credentials, CallError> {
        self.credentials.credentials().await.map_err(|error| not_sent("No AWS credentials", &error))
    }

    async fn assume(&self, role: &TaskRole, roles: &Roles, timeout: Duration) -> Result<Credentials, CallError> {
        let (request, own) = (roles::request(role, roles, timeout), self.own_credentials().await?);
        let answer = self.sign_and_send(&Destination::usual(roles::SERVICE, roles.region()), request, Some(own)).await;
        // STS alone was called: the task's own call was not made.
        let answer = answer.map_err(|error| CallError::NotSent { reason: error.to_string() })?;
        roles::read(role, &answer)
    }

    async fn sign_and_send(
        &self,
        destination: &Destination<'_>,
        request: Request,
        credentials: Option<Credentials>,
    ) -> Result<Answer, CallError> {
        let Destination { service, region, host, .. } = destination;
        let url = match (&self.place, host) {
            (Place::Own { endpoint, .. }, _) => format!("{}{}", endpoint.as_str(), request.path),
            (Place::Aws { .. }, Some(host)) => format!("https://{host}{}", request.path),
            (Place::Aws { dns_suffix, .. }, None) => format!("https://{service}.{region}.{dns_suffix}{}", request.path),
        };
        let connection = self
            .connection
            .get_or_try_init(|| async {
                if url.starts_with("https:") { Connection::tls() } else { Ok(Connection::plain()) }
            })
            .await?;
        let limit = request.answer_limit;
        let signed = signed(destination, &url, request, credentials)?;
        connection.exchange(signed, limit).await
    }
}

fn signed(
    destination: &Destination<'_>,
    url: &str,
    request: Request,
    credentials: Option<Credentials>,
) -> Result<http::Request<Bytes>, CallError> {
    let instructions = match credentials {
        Some(credentials) => Some(instructions(destination, url, &request, credentials)?),
        None => None,
    };
    let mut built = http::Request::builder()
        .method(request.method)
        .uri(url)
        .header(USER_AGENT, concat!("stepwell/", env!("CARGO_PKG_VERSION")));
    for (name, value) in request.headers {
        built = built.header(name, value);
    }
    for (name, value) in instructions.iter().flat_map(|instructions| instructions.headers()) {
        built = built.header(name, value);
    }
    built.body(request.body).map_err(|error| not_sent("The request could not be written", &error))
}

/// The headers that sign a request.
fn instructions(
    destination: &Destination<'_>,
    url: &str,
    request: &Request,
    credentials: Credentials,
) -> Result<SigningInstructions, CallError> {
    let identity = credentials.into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(destination.region)
        .name(destination.service)
        .time(SystemTime::now())
        .settings(destination.signing.settings())
        .build()
        .map_err(|error| not_sent("The request could not be signed", &error))?
        .into();
    let hash = SignableBody::Precomputed(hex(&Sha256::digest(&request.body)));
    let headers = request.headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    let signable = SignableRequest::new(request.method.as_str(), url, headers, hash)
        .map_err(|error| not_sent("The request could not be signed", &error))?;
    let signed = sign(signable, &parameters).map_err(|error| not_sent("The request could not be signed", &error))?;
    Ok(signed.into_parts().0)
}

fn not_sent(what: &str, error: &dyn std::error::Error) -> CallError {
    let why = error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"));
    CallError::NotSent { reason: format!("{what}: {why}") }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `text` as one segment of a path or one value of a query: everything but unreserved characters is encoded.
pub(crate) fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_but_unreserved_characters_is_encoded() {
        let cases = [
            ("plain-Name_0.~", "plain-Name_0.~"),
            ("arn:aws:lambda:x:1:function:f", "arn%3Aaws%3Alambda%3Ax%3A1%3Afunction%3Af"),
            ("$LATEST", "%24LATEST"),
            ("../a?b#c d", "..%2Fa%3Fb%23c%20d"),
            ("é", "%C3%A9"),
        ];
        for (text, encoded) in cases {
            assert_eq!(percent_encoded(text), encoded);
        }
    }
}
