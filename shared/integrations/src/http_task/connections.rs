//! The connections of tasks that call APIs: those of the configuration, else those of EventBridge; and the way to the APIs.
//!
//! A token of OAuth is asked for when it is first needed, and kept until shortly before it expires. AWS: it is asked for when
//! the connection is made; the request is as captured, but for its user agent.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use engine::ports::{TaskAnswer, TaskCall};
use http::Method;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::Value;
use tokio::sync::{Mutex, OnceCell};

use super::declared::{Authorization, ConnectionFile, HttpConnection, OAuth};
use super::destination;
use crate::caller::percent_encoded;
use crate::connection::Connection;
use crate::exchange::CallError;
use crate::optimised::ANSWER_LIMIT;
use crate::sdk::model::Version;
use crate::sdk::table::Table;
use crate::sdk::{AwsServices, request};
use crate::sdk_v1::failed;

/// A token is renewed when it has less than this left.
const RENEWED_BEFORE: Duration = Duration::from_secs(60);
/// How long a token counts that does not say so.
const USUAL_LIFE: Duration = Duration::from_secs(300);

/// The connections of an installation.
pub(crate) struct Connections {
    file: ConnectionFile,
    /// Tokens of OAuth by the names of their connections.
    tokens: Mutex<BTreeMap<String, (String, Instant)>>,
    plain: Connection,
    tls: OnceCell<Connection>,
}

impl Connections {
    pub(crate) fn new(file: ConnectionFile) -> Self {
        Self { file, tokens: Mutex::default(), plain: Connection::plain(), tls: OnceCell::new() }
    }

    /// Hosts that are reached although they are private or speak plain HTTP.
    pub(super) fn reachable(&self) -> &[String] {
        &self.file.reachable
    }

    /// The pool of connections for a URL.
    pub(super) async fn to(&self, url: &str) -> Result<&Connection, CallError> {
        if url.starts_with("https:") {
            self.tls.get_or_try_init(|| async { Connection::tls() }).await
        } else {
            Ok(&self.plain)
        }
    }

    /// The connection of an ARN, with its authorization among its headers.
    pub(super) async fn find(
        &self,
        arn: &str,
        services: &AwsServices,
        call: &TaskCall,
    ) -> Result<HttpConnection, TaskAnswer> {
        // arn:aws:events:REGION:ACCOUNT:connection/NAME/ID
        let name = arn.split(":connection/").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or(arn);
        let declared = match self.file.by_name.get(name) {
            Some(declared) => declared.clone(),
            None => of_event_bridge(name, services, call).await?,
        };
        let header = match &declared.authorization {
            Authorization::None => None,
            Authorization::Basic { user, password } => {
                let pair = BASE64.encode(format!("{user}:{password}"));
                Some((AUTHORIZATION.to_string(), format!("Basic {pair}")))
            }
            Authorization::ApiKey { name, value } => Some((name.clone(), value.clone())),
            Authorization::OAuth(oauth) => {
                let token = self.token(name, oauth).await.map_err(|error| {
                    tracing::warn!(connection = name, %error, "http task: no token from the connection's endpoint, task fails");
                    // AWS: unverified.
                    failed("Events.ConnectionResource.AuthorizationFailed", format!("No token for the connection: {error}"))
                })?;
                Some((AUTHORIZATION.to_string(), format!("Bearer {token}")))
            }
        };
        let headers = header.into_iter().chain(declared.headers).collect();
        Ok(HttpConnection { headers, ..declared })
    }

    async fn token(&self, name: &str, oauth: &OAuth) -> Result<String, CallError> {
        let mut tokens = self.tokens.lock().await;
        if let Some((token, until)) = tokens.get(name)
            && Instant::now() + RENEWED_BEFORE < *until
        {
            return Ok(token.clone());
        }
        let (token, life) = self.new_token(oauth).await?;
        tokens.insert(name.to_owned(), (token.clone(), Instant::now() + life));
        Ok(token)
    }

    async fn new_token(&self, oauth: &OAuth) -> Result<(String, Duration), CallError> {
        let unwritable = |why: String| CallError::NotSent { reason: why };
        let endpoint = destination::checked(&oauth.endpoint, self.reachable()).map_err(unwritable)?;
        let own = [("client_secret", &oauth.client_secret), ("client_id", &oauth.client_id)];
        let fields = oauth.body.iter().map(|(name, value)| (name.as_str(), value)).chain(own);
        let form: Vec<String> =
            fields.map(|(name, value)| format!("{}={}", percent_encoded(name), percent_encoded(value))).collect();
        let method = Method::try_from(oauth.method.as_str()).map_err(|error| unwritable(error.to_string()))?;
        let url = destination::with_query(&endpoint, &oauth.query);
        let mut built = http::Request::builder().method(method).uri(&url);
        built = built.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        for (name, value) in &oauth.headers {
            built = built.header(name, value);
        }
        let request = built.body(Bytes::from(form.join("&"))).map_err(|error| unwritable(error.to_string()))?;
        let answer = self.to(&url).await?.exchange(request, ANSWER_LIMIT).await?;
        let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let token = said.get("access_token").and_then(Value::as_str).filter(|_| answer.status.is_success());
        let token =
            token.ok_or_else(|| unwritable(format!("the endpoint answered {} without a token", answer.status)))?;
        let life = said.get("expires_in").and_then(Value::as_u64).map_or(USUAL_LIFE, Duration::from_secs);
        Ok((token.to_owned(), life))
    }
}

/// A connection that EventBridge has, and the secret behind it.
async fn of_event_bridge(name: &str, services: &AwsServices, call: &TaskCall) -> Result<HttpConnection, TaskAnswer> {
    let described =
        ask(("eventbridge", "describeConnection"), &serde_json::json!({ "Name": name }), services, call).await;
    let Some(described) = described else {
        tracing::warn!(connection = name, "http task: connection not configured and not at EventBridge, task fails");
        // AWS: the same for a connection that is not there and for one that may not be read.
        let cause = "No permissions to call RetrieveConnectionCredentials on the connection resource.";
        return Err(failed("Events.ConnectionResource.AccessDenied", cause.to_owned()));
    };
    let secret = described.get("SecretArn").cloned().unwrap_or_default();
    let secret =
        ask(("secretsmanager", "getSecretValue"), &serde_json::json!({ "SecretId": secret }), services, call).await;
    let text = secret.as_ref().and_then(|secret| secret.get("SecretString")?.as_str());
    let Some(secret) = text.and_then(|text| serde_json::from_str::<Value>(text).ok()) else {
        let cause = "No permissions to call DescribeSecret and/or GetSecretValue on the secret associated with the connection resource.";
        return Err(failed("Events.ConnectionResource.AccessDenied", cause.to_owned()));
    };
    Ok(of_secret(&secret))
}

/// What a connection's secret says. AWS: its members' names are unverified.
fn of_secret(secret: &Value) -> HttpConnection {
    let text = |name: &str| secret.get(name).and_then(Value::as_str).map(str::to_owned);
    let authorization = match (text("api_key_name"), text("username"), text("client_id")) {
        (Some(name), _, _) => Authorization::ApiKey { name, value: text("api_key_value").unwrap_or_default() },
        (_, Some(user), _) => Authorization::Basic { user, password: text("password").unwrap_or_default() },
        (_, _, Some(client_id)) => {
            let own = secret.get("oauth_http_parameters");
            Authorization::OAuth(OAuth {
                endpoint: text("authorization_endpoint").unwrap_or_default(),
                method: text("http_method").unwrap_or_else(|| "POST".to_owned()),
                client_id,
                client_secret: text("client_secret").unwrap_or_default(),
                headers: parameters(own, "header_parameters"),
                query: parameters(own, "query_string_parameters"),
                body: parameters(own, "body_parameters"),
            })
        }
        (None, None, None) => Authorization::None,
    };
    let own = secret.get("invocation_http_parameters");
    HttpConnection {
        authorization,
        headers: parameters(own, "header_parameters"),
        query: parameters(own, "query_string_parameters"),
        body: parameters(own, "body_parameters"),
    }
}

fn parameters(of: Option<&Value>, name: &str) -> Vec<(String, String)> {
    let listed = of.and_then(|of| of.get(name)?.as_array()).into_iter().flatten();
    let text = |parameter: &Value, name: &str| parameter.get(name).and_then(Value::as_str).map(str::to_owned);
    listed.filter_map(|parameter| Some((text(parameter, "key")?, text(parameter, "value")?))).collect()
}

/// The answer of a service, or `None` where it may not be asked or refuses.
async fn ask(
    (service, action): (&str, &str),
    arguments: &Value,
    services: &AwsServices,
    call: &TaskCall,
) -> Option<Value> {
    if !services.may_call(service, call) {
        return None;
    }
    let model = Table::get().service(service)?;
    let operation = model.operation(action)?;
    let outline = request::request(&model, operation, &arguments.to_string(), None, Version::Two).ok()?;
    let answer = services.send((service, &model, operation), None, outline, call).await.ok()?;
    if !answer.status.is_success() {
        return None;
    }
    serde_json::from_slice(&answer.body).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_secret_of_a_connection_is_its_authorization_and_its_parameters() {
        let secret = json!({
            "username": "u", "password": "p",
            "invocation_http_parameters": {"header_parameters": [{"key": "a", "value": "b", "is_value_secret": false}]},
        });
        let HttpConnection { authorization, headers, query, body } = of_secret(&secret);
        assert_eq!(authorization, Authorization::Basic { user: "u".into(), password: "p".into() });
        assert_eq!((headers, query, body), (vec![("a".into(), "b".into())], vec![], vec![]));
        let key = of_secret(&json!({"api_key_name": "k", "api_key_value": "v"}));
        assert_eq!(key.authorization, Authorization::ApiKey { name: "k".into(), value: "v".into() });
        assert_eq!(of_secret(&json!({})), HttpConnection::default());
    }
}
