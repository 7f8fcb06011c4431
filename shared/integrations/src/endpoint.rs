//! Own endpoints: the places of services that are not called at AWS.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use http::Uri;

use crate::optimised::Service;
use crate::roles;

/// An `http` or `https` URL with a host, perhaps with a path; no slash at the end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint(String);

/// The own endpoints of services, by the services' names in resources (`sqs`, `secretsmanager`). Services without one are
/// called at AWS. `sts` is where roles are assumed for the tasks of services with the same endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Endpoints {
    by_service: BTreeMap<String, Endpoint>,
    /// The endpoint of services that have none of their own.
    of_others: Option<Endpoint>,
}

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
    /// The environment's endpoints: in the names of Step Functions Local (`SQS_ENDPOINT`), else in those of the SDKs
    /// (`AWS_ENDPOINT_URL_SECRETS_MANAGER`); `AWS_ENDPOINT_URL` is that of all other services.
    pub fn from_environment() -> Result<Self, InvalidEndpoint> {
        Self::from_variables(std::env::vars().collect())
    }

    fn from_variables(variables: Vec<(String, String)>) -> Result<Self, InvalidEndpoint> {
        let given = || variables.iter().filter(|(_, url)| !url.is_empty());
        let mut endpoints = Self::default();
        for (name, url) in given() {
            if let Some(service) = name.strip_prefix("AWS_ENDPOINT_URL_") {
                endpoints = endpoints.with(&service.replace('_', "").to_ascii_lowercase(), url.parse()?);
            } else if name == "AWS_ENDPOINT_URL" {
                endpoints.of_others = Some(url.parse()?);
            }
        }
        let performed = asl::performed_actions().map(|(service, _)| service).chain([roles::SERVICE]);
        for service in performed.collect::<BTreeSet<&str>>() {
            let own = format!("{}_ENDPOINT", service.to_ascii_uppercase());
            if let Some((_, url)) = given().find(|(name, _)| *name == own) {
                endpoints = endpoints.with(service, url.parse()?);
            }
        }
        Ok(endpoints)
    }

    /// These, with `endpoint` as the place of a service.
    pub fn with(mut self, service: &str, endpoint: Endpoint) -> Self {
        self.by_service.insert(Service::known_as(service).to_owned(), endpoint);
        self
    }

    /// These, with `endpoint` as the place of all services that have none.
    pub fn with_others_at(self, endpoint: Endpoint) -> Self {
        Self { of_others: Some(endpoint), ..self }
    }

    pub(crate) fn get(&self, service: &str) -> Option<&Endpoint> {
        self.by_service.get(Service::known_as(service)).or(self.of_others.as_ref())
    }

    /// Every endpoint there is; one that several services share may be there several times.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Endpoint> {
        self.by_service.values().chain(&self.of_others)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_variable_of_the_environment_counts() {
        let variables = [
            ("AWS_ENDPOINT_URL", "http://all"),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://secrets"),
            ("AWS_ENDPOINT_URL_SQS", "http://far"),
            ("SQS_ENDPOINT", "http://near"),
            ("SNS_ENDPOINT", ""),
        ];
        let variables = variables.map(|(name, url)| (name.to_owned(), url.to_owned()));
        let endpoints = Endpoints::from_variables(variables.into()).unwrap();
        for (service, url) in
            [("secretsmanager", "http://secrets"), ("sqs", "http://near"), ("sns", "http://all"), ("s3", "http://all")]
        {
            assert_eq!(endpoints.get(service).map(Endpoint::as_str), Some(url), "{service}");
        }
        let events = Endpoints::default().with("events", "http://events".parse().unwrap());
        assert_eq!(events.get("eventbridge").map(Endpoint::as_str), Some("http://events"));
        let unset = Endpoints::from_variables(Vec::new()).unwrap();
        assert_eq!(unset.get("sqs"), None);
    }

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
