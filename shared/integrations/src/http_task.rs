//! `http:invoke`: calls an HTTPS API with the authorization of a connection, which the configuration has or EventBridge.
//!
//! AWS: what is sent, how a connection's parameters are merged and what results and errors look like was captured. Redirects
//! are not followed. Plain HTTP, and hosts that are addresses of private networks, are called only where the
//! configuration names them.

pub(crate) mod apigateway;
mod body;
mod connections;
mod declared;
mod destination;

use bytes::Bytes;
use engine::ports::{TaskAnswer, TaskCall};
use http::Method;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RANGE, USER_AGENT};

use crate::exchange::{Answer, CallError};
use crate::json::{self, quoted};
use crate::optimised::{ANSWER_LIMIT, Arguments, LIMIT};
use crate::sdk::{self, AwsServices};
use crate::sdk_v1::{excerpt, failed, too_large};
pub(crate) use connections::Connections;
pub use declared::{ConnectionFile, InvalidConnections};

/// The name of the service in resources.
pub(crate) const SERVICE: &str = "http";
/// AWS: no more of an answer is asked for than a result can hold.
const MOST: &str = "bytes=0-262144";
const JSON: &str = "application/json; charset=UTF-8";

/// A request to an API, but for its body's place in time.
struct Outgoing {
    method: Method,
    url: String,
    headers: Vec<(String, String)>,
    body: Bytes,
}

/// Makes the call.
pub(crate) async fn call(connections: &Connections, services: &AwsServices, call: &TaskCall) -> TaskAnswer {
    let arguments = given(&call.arguments);
    let timeout = call.timeout.min(LIMIT);
    let outgoing = match outgoing(&arguments, connections, services, call).await {
        Ok(outgoing) => outgoing,
        Err(failure) => return failure,
    };
    let sent = tokio::time::timeout(timeout, send(connections, services, outgoing)).await;
    match sent.unwrap_or(Err(CallError::TimedOut)) {
        Ok(answer) => read(&answer),
        Err(CallError::TooLarge { limit: _ }) => too_large(SERVICE),
        // AWS: documented for the time-out of a minute; unverified for the rest and in its cause.
        Err(error) => failed("States.Http.Socket", error.to_string()),
    }
}

/// The arguments that are not null.
fn given(text: &str) -> Arguments<'_> {
    let mut arguments: Arguments<'_> = json::object(text).unwrap_or_default();
    arguments.retain(|_, value| value.get() != "null");
    arguments
}

fn text_of(arguments: &Arguments<'_>, name: &str) -> Option<String> {
    json::string(arguments.get(name)?)
}

async fn outgoing(
    arguments: &Arguments<'_>,
    connections: &Connections,
    services: &AwsServices,
    call: &TaskCall,
) -> Result<Outgoing, TaskAnswer> {
    let unsuitable = |why: String| sdk::unsuitable(&call.arguments, &why);
    let url = text_of(arguments, "ApiEndpoint").unwrap_or_default();
    let url = destination::checked(&url, connections.reachable()).map_err(unsuitable)?;
    let method = method(arguments).map_err(unsuitable)?;
    let connection = match connection_arn(arguments) {
        None => return Err(unsuitable("The field 'Authentication' is required but was missing".to_owned())),
        Some(arn) => connections.find(&arn, services, call).await?,
    };
    let encoding = body::Encoding::of(arguments).map_err(unsuitable)?;
    let body = body::body(arguments, connection.body, encoding).map_err(|why| failed("States.Runtime", why))?;
    let mut headers = merged(pairs(arguments, "Headers"), connection.headers);
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(CONTENT_TYPE.as_str())) {
        headers.push((CONTENT_TYPE.to_string(), JSON.to_owned()));
    }
    let query = merged(pairs(arguments, "QueryParameters"), connection.query);
    Ok(Outgoing { method, url: destination::with_query(&url, &query), headers, body })
}

fn method(arguments: &Arguments<'_>) -> Result<Method, String> {
    const METHODS: [Method; 7] =
        [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS, Method::HEAD];
    let named = text_of(arguments, "Method").unwrap_or_default();
    let known = METHODS.into_iter().find(|method| method.as_str() == named);
    // AWS: unverified wording.
    known.ok_or_else(|| "The value of the field 'Method' has an invalid format".to_owned())
}

fn connection_arn(arguments: &Arguments<'_>) -> Option<String> {
    ["Authentication", "InvocationConfig"].into_iter().find_map(|field| {
        let members = json::object(arguments.get(field)?.get())?;
        json::string(members.get("ConnectionArn")?)
    })
}

/// Names and values of an object; a list is several values of the same name.
fn pairs(arguments: &Arguments<'_>, field: &str) -> Vec<(String, String)> {
    let members = arguments.get(field).and_then(|value| json::members(value.get())).unwrap_or_default();
    let mut pairs = Vec::with_capacity(members.len());
    for (name, value) in members {
        match json::items(value).filter(|_| value.get().starts_with('[')) {
            Some(items) => pairs.extend(items.into_iter().map(|item| (name.clone(), json::text(item)))),
            None => pairs.push((name, json::text(value))),
        }
    }
    pairs
}

/// AWS: values of the connection replace those of exactly the same name.
fn merged(own: Vec<(String, String)>, of_connection: Vec<(String, String)>) -> Vec<(String, String)> {
    let replaced = |name: &String| of_connection.iter().any(|(other, _)| other == name);
    let own: Vec<_> = own.into_iter().filter(|(name, _)| !replaced(name)).collect();
    own.into_iter().chain(of_connection).collect()
}

async fn send(connections: &Connections, services: &AwsServices, outgoing: Outgoing) -> Result<Answer, CallError> {
    let Outgoing { method, url, headers, body } = outgoing;
    let agent = format!("Amazon|StepFunctions|HttpInvoke|{}", services.home.region);
    let mut request = http::Request::builder().method(method).uri(&url).header(USER_AGENT, agent).header(RANGE, MOST);
    // The body's length is what it is.
    for (name, value) in headers.into_iter().filter(|(name, _)| !name.eq_ignore_ascii_case("content-length")) {
        let written = HeaderName::try_from(name.as_str()).ok().zip(HeaderValue::try_from(&value).ok());
        let Some((name, value)) = written else {
            return Err(CallError::NotSent { reason: format!("The header '{}' cannot be sent", excerpt(&name)) });
        };
        request = request.header(name, value);
    }
    let unwritable = |error: http::Error| CallError::NotSent { reason: error.to_string() };
    let request = request.body(body).map_err(unwritable)?;
    connections.to(&url).await?.exchange(request, ANSWER_LIMIT).await
}

fn read(answer: &Answer) -> TaskAnswer {
    let status = answer.status.as_u16();
    if !answer.status.is_success() {
        let said = answer.text();
        // AWS: no cause where there is no body.
        let cause = (!said.is_empty()).then(|| said.into_owned());
        return TaskAnswer::Failed { error: format!("States.Http.StatusCode.{status}"), cause };
    }
    let content = answer.header("content-type").unwrap_or_default();
    let kind = content.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_unsupported = kind == "application/octet-stream"
        || ["image/", "video/", "audio/"].iter().any(|start| kind.starts_with(start));
    let Ok(text) = std::str::from_utf8(&answer.body) else { return unsupported(&kind) };
    if is_unsupported {
        return unsupported(&kind);
    }
    TaskAnswer::Succeeded { output: result(answer, text) }
}

fn unsupported(kind: &str) -> TaskAnswer {
    let list = "Please see documentation for list of unsupported content-types.";
    failed("States.Runtime", format!("Unsupported response content-type '{kind}'. {list}"))
}

/// The result of a call of an API.
fn result(answer: &Answer, text: &str) -> String {
    let mut names: Vec<&HeaderName> = answer.headers.keys().collect();
    names.sort_by_key(|name| name.as_str());
    let headers = names.into_iter().map(|name| {
        let values = answer.headers.get_all(name).iter();
        let values: Vec<String> = values.map(|value| quoted(&String::from_utf8_lossy(value.as_bytes()))).collect();
        format!("{}:[{}]", quoted(name.as_str()), values.join(","))
    });
    let headers = headers.collect::<Vec<_>>().join(",");
    // AWS: an answer without a body has no such member.
    let body = match json::value(text) {
        _ if text.is_empty() => String::new(),
        Some(value) => format!("\"ResponseBody\":{},", json::compact(value)),
        None => format!("\"ResponseBody\":{},", quoted(text)),
    };
    let reason = quoted(answer.status.canonical_reason().unwrap_or_default());
    format!("{{\"Headers\":{{{headers}}},{body}\"StatusCode\":{},\"StatusText\":{reason}}}", answer.status.as_u16())
}
