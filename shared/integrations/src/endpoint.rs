//! Endpoints of one's own: where services are called when not at AWS.

use std::fmt;
use std::str::FromStr;

use http::Uri;

/// An `http` or `https` URL with a host, perhaps with a path; no slash at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(String);

/// Where each service is called; at AWS when nothing is said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Endpoints {
    pub lambda: Option<Endpoint>,
    pub dynamodb: Option<Endpoint>,
    pub sns: Option<Endpoint>,
    pub sqs: Option<Endpoint>,
    /// Where roles are assumed for what has the same endpoint.
    pub sts: Option<Endpoint>,
}

/// An endpoint that is no `http` or `https` URL with a host.
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
    /// What the environment says, in the names of Step Functions Local; `AWS_ENDPOINT_URL` is for all that have none.
    pub fn from_environment() -> Result<Self, InvalidEndpoint> {
        let present = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let named =
            |name: &str| present(name).or_else(|| present("AWS_ENDPOINT_URL")).map(|url| url.parse()).transpose();
        Ok(Self {
            lambda: named("LAMBDA_ENDPOINT")?,
            dynamodb: named("DYNAMODB_ENDPOINT")?,
            sns: named("SNS_ENDPOINT")?,
            sqs: named("SQS_ENDPOINT")?,
            sts: named("STS_ENDPOINT")?,
        })
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
