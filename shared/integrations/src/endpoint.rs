//! Own endpoints: the places of services that are not called at AWS.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use http::Uri;

use crate::roles;

/// An `http` or `https` URL with a host, perhaps with a path; no slash at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(String);

/// The own endpoints of services, by the services' names in resources (`sqs`). Services without one are called at AWS.
/// `sts` is where roles are assumed for the tasks of services with the same endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Endpoints(BTreeMap<String, Endpoint>);

/// A text that is no [`Endpoint`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidEndpoint {
    pub url: String,
}

impl fmt::Display for InvalidEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' is not an endpoint: it should look like http://127.0.0.1:9000", self.url)
    }
}

impl std::error::Error for InvalidEndpoint {}

impl Endpoint {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Endpoint {
    type Err = InvalidEndpoint;

    fn from_str(url: &str) -> Result<Self, InvalidEndpoint> {
        let invalid = || InvalidEndpoint { url: url.to_owned() };
        let parsed: Uri = url.parse().map_err(|_| invalid())?;
        let known = matches!(parsed.scheme_str(), Some("http" | "https"));
        if !known || parsed.host().is_none_or(str::is_empty) || parsed.query().is_some() {
            return Err(invalid());
        }
        Ok(Self(url.trim_end_matches('/').to_owned()))
    }
}

impl Endpoints {
    /// The environment's endpoints, in the names of Step Functions Local: `SQS_ENDPOINT`; `AWS_ENDPOINT_URL` is that of
    /// all other services.
    pub fn from_environment() -> Result<Self, InvalidEndpoint> {
        let present = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let performed = asl::performed_actions().map(|(service, _)| service).chain([roles::SERVICE]);
        let mut endpoints = Self::default();
        for service in performed.collect::<BTreeSet<&str>>() {
            let own = format!("{}_ENDPOINT", service.to_ascii_uppercase());
            if let Some(url) = present(&own).or_else(|| present("AWS_ENDPOINT_URL")) {
                endpoints = endpoints.with(service, url.parse()?);
            }
        }
        Ok(endpoints)
    }

    /// These, with `endpoint` as the place of a service.
    pub fn with(mut self, service: &str, endpoint: Endpoint) -> Self {
        self.0.insert(service.to_owned(), endpoint);
        self
    }

    pub(crate) fn get(&self, service: &str) -> Option<&Endpoint> {
        self.0.get(service)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_an_http_url_with_a_host() {
        let cases = [
            ("http://127.0.0.1:9000", true),
            ("http://localhost:9000/", true),
            ("https://lambda.example/base", true),
            ("127.0.0.1:9000", false),
            ("ftp://127.0.0.1", false),
            ("http://h/?q=1", false),
            ("/functions", false),
            ("", false),
        ];
        for (url, valid) in cases {
            assert_eq!(url.parse::<Endpoint>().is_ok(), valid, "{url}");
        }
    }
}
