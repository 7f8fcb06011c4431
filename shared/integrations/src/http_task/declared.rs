//! The file of connections: what EventBridge is told to make them, `CreateConnection`'s own input.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

/// The content of a file of connections.
#[derive(Debug, Default)]
pub struct ConnectionFile {
    pub(super) by_name: BTreeMap<String, HttpConnection>,
    /// Hosts, perhaps with ports, that tasks reach although they are private or speak plain HTTP.
    pub(super) reachable: Vec<String>,
}

/// A text that is no file of connections.
#[derive(Debug)]
pub struct InvalidConnections(String);

impl fmt::Display for InvalidConnections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidConnections {}

/// What a connection adds to a request.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct HttpConnection {
    pub authorization: Authorization,
    pub headers: Vec<(String, String)>,
    pub query: Vec<(String, String)>,
    pub body: Vec<(String, String)>,
}

#[derive(Clone, Default, PartialEq, Eq)]
pub(super) enum Authorization {
    #[default]
    None,
    Basic {
        user: String,
        password: String,
    },
    ApiKey {
        name: String,
        value: String,
    },
    OAuth(OAuth),
}

/// The client credentials of OAuth, and where they are exchanged for a token.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct OAuth {
    pub endpoint: String,
    pub method: String,
    pub client_id: String,
    pub client_secret: String,
    pub headers: Vec<(String, String)>,
    pub query: Vec<(String, String)>,
    pub body: Vec<(String, String)>,
}

/// Secrets stand in no log.
impl fmt::Debug for HttpConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.authorization.fmt(f)
    }
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Basic { .. } => "Basic",
            Self::ApiKey { .. } => "ApiKey",
            Self::OAuth(_) => "OAuth",
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct File {
    connections: Vec<Declared>,
    #[serde(default)]
    reachable_hosts: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Declared {
    name: String,
    #[serde(default, rename = "Description")]
    _description: Option<String>,
    authorization_type: Kind,
    auth_parameters: AuthParameters,
}

#[derive(Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Kind {
    Basic,
    ApiKey,
    OauthClientCredentials,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct AuthParameters {
    basic_auth_parameters: Option<Basic>,
    api_key_auth_parameters: Option<ApiKey>,
    #[serde(rename = "OAuthParameters")]
    oauth_parameters: Option<OAuthParameters>,
    #[serde(default)]
    invocation_http_parameters: HttpParameters,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Basic {
    username: String,
    password: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ApiKey {
    api_key_name: String,
    api_key_value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct OAuthParameters {
    authorization_endpoint: String,
    http_method: String,
    client_parameters: Client,
    #[serde(default, rename = "OAuthHttpParameters")]
    http_parameters: HttpParameters,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Client {
    #[serde(rename = "ClientID")]
    id: String,
    #[serde(rename = "ClientSecret")]
    secret: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
struct HttpParameters {
    header_parameters: Vec<Parameter>,
    query_string_parameters: Vec<Parameter>,
    body_parameters: Vec<Parameter>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Parameter {
    key: String,
    value: String,
    #[serde(default, rename = "IsValueSecret")]
    _is_value_secret: bool,
}

impl ConnectionFile {
    /// Reads the text of a file.
    pub fn parse(text: &str) -> Result<Self, InvalidConnections> {
        // The parser's errors name members and places, and no values of texts.
        let file: File = serde_json::from_str(text).map_err(|error| InvalidConnections(error.to_string()))?;
        let mut by_name = BTreeMap::new();
        for declared in file.connections {
            let name = declared.name.clone();
            let connection = connection(declared)?;
            if by_name.insert(name.clone(), connection).is_some() {
                return Err(InvalidConnections(format!("there are two connections '{name}'")));
            }
        }
        Ok(Self { by_name, reachable: file.reachable_hosts })
    }
}

fn connection(declared: Declared) -> Result<HttpConnection, InvalidConnections> {
    let Declared { name, _description, authorization_type, auth_parameters } = declared;
    let AuthParameters { basic_auth_parameters, api_key_auth_parameters, oauth_parameters, invocation_http_parameters } =
        auth_parameters;
    let missing = |field: &str| InvalidConnections(format!("the connection '{name}' needs {field}"));
    let authorization = match authorization_type {
        Kind::Basic => {
            let Basic { username, password } = basic_auth_parameters.ok_or_else(|| missing("BasicAuthParameters"))?;
            Authorization::Basic { user: username, password }
        }
        Kind::ApiKey => {
            let key = api_key_auth_parameters.ok_or_else(|| missing("ApiKeyAuthParameters"))?;
            Authorization::ApiKey { name: key.api_key_name, value: key.api_key_value }
        }
        Kind::OauthClientCredentials => {
            Authorization::OAuth(oauth(oauth_parameters.ok_or_else(|| missing("OAuthParameters"))?))
        }
    };
    let HttpParameters { header_parameters, query_string_parameters, body_parameters } = invocation_http_parameters;
    let (headers, query) = (pairs(header_parameters), pairs(query_string_parameters));
    Ok(HttpConnection { authorization, headers, query, body: pairs(body_parameters) })
}

fn oauth(parameters: OAuthParameters) -> OAuth {
    let OAuthParameters { authorization_endpoint, http_method, client_parameters, http_parameters } = parameters;
    let HttpParameters { header_parameters, query_string_parameters, body_parameters } = http_parameters;
    OAuth {
        endpoint: authorization_endpoint,
        method: http_method,
        client_id: client_parameters.id,
        client_secret: client_parameters.secret,
        headers: pairs(header_parameters),
        query: pairs(query_string_parameters),
        body: pairs(body_parameters),
    }
}

fn pairs(parameters: Vec<Parameter>) -> Vec<(String, String)> {
    parameters.into_iter().map(|Parameter { key, value, _is_value_secret }| (key, value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_the_input_of_create_connection() {
        let text = r#"{
          "Connections": [
            { "Name": "stripe", "AuthorizationType": "API_KEY",
              "AuthParameters": { "ApiKeyAuthParameters": { "ApiKeyName": "X-Key", "ApiKeyValue": "k" },
                "InvocationHttpParameters": { "HeaderParameters": [{ "Key": "a", "Value": "b", "IsValueSecret": true }] } } },
            { "Name": "basic", "AuthorizationType": "BASIC",
              "AuthParameters": { "BasicAuthParameters": { "Username": "u", "Password": "p" } } }
          ],
          "ReachableHosts": ["127.0.0.1:9000"]
        }"#;
        let file = ConnectionFile::parse(text).unwrap();
        assert_eq!(file.reachable, ["127.0.0.1:9000"]);
        let stripe = &file.by_name["stripe"];
        assert_eq!(stripe.authorization, Authorization::ApiKey { name: "X-Key".into(), value: "k".into() });
        assert_eq!(stripe.headers, [("a".to_owned(), "b".to_owned())]);
        let shown = format!("{file:?}");
        assert!(shown.contains("stripe") && !shown.contains("X-Key") && !shown.contains("IsValueSecret"), "{shown}");
    }

    #[test]
    fn a_file_that_is_none_is_refused_with_the_reason() {
        let one = |kind: &str, parameters: &str| {
            format!(
                r#"{{"Connections":[{{"Name":"n","AuthorizationType":"{kind}","AuthParameters":{{{parameters}}}}}]}}"#
            )
        };
        let cases = [
            (one("BASIC", ""), "the connection 'n' needs BasicAuthParameters"),
            (one("MAGIC", ""), "unknown variant `MAGIC`"),
            (one("BASIC", r#""Basic":{}"#), "unknown field `Basic`"),
            ("{}".to_owned(), "missing field `Connections`"),
        ];
        for (text, why) in cases {
            let error = ConnectionFile::parse(&text).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
