//! The services of the table, at the places where this installation calls them, and the requests that go there.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use engine::ports::{OwnAnswer, OwnApi, OwnCall, TaskCall};
use http::StatusCode;
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue};

use super::checksum;
use super::model::{Model, Operation};
use super::place::{self, Place, Variant};
use super::request::Outline;
use super::table::Table;
use crate::aws_json;
use crate::caller::{Caller, Destination, Signing};
use crate::callers::{AwsCalls, Callers};
use crate::exchange::{Answer, CallError, Request};
use crate::optimised::{ANSWER_LIMIT, LIMIT};
use crate::partition::Home;
use crate::withheld::Withheld;

/// The service that this installation offers itself, by its name in resources.
const OWN: &str = "sfn";

/// Sends calls to services.
pub(crate) struct AwsServices {
    pub callers: Callers,
    pub home: Home,
    variant: Variant,
    withheld: Withheld,
    allowed: AwsCalls,
    /// Step Functions of this installation.
    own: OnceLock<Arc<dyn OwnApi>>,
}

impl AwsServices {
    pub(crate) fn new(callers: Callers, home: Home) -> Self {
        Self {
            callers,
            home,
            variant: Variant::from_environment(),
            withheld: Withheld::default(),
            allowed: AwsCalls::None,
            own: OnceLock::new(),
        }
    }

    /// Refuses calls that name one of these.
    pub(crate) fn withhold(&mut self, names: &[String]) {
        self.withheld.0.extend_from_slice(names);
    }

    /// Lets calls of these services go to AWS in the program's own name.
    pub(crate) fn allow_aws(&mut self, allowed: AwsCalls) {
        self.allowed = allowed;
    }

    /// The text or key in arguments that names something of the installation's own.
    pub(crate) fn own_named_in(&self, arguments: &str) -> Option<String> {
        self.withheld.named_in(arguments)
    }

    /// True if one name, an ARN or a URL is something of the installation's own, or could hide that it is.
    pub(crate) fn is_own(&self, named: &str) -> bool {
        self.withheld.hides_in(named)
    }

    /// Brings the installation's own Step Functions; the first one stays.
    pub(crate) fn bind(&self, own: Arc<dyn OwnApi>) {
        let _first_stays = self.own.set(own);
    }

    /// True if a task may call a service: it is here, at an own endpoint, in a role, or because it is allowed.
    pub(crate) fn may_call(&self, service: &str, call: &TaskCall) -> bool {
        (service == OWN && self.own.get().is_some()) || self.may_leave(service, call)
    }

    /// True if a call of a service may leave the installation.
    fn may_leave(&self, service: &str, call: &TaskCall) -> bool {
        !self.callers.of(service).is_aws() || call.role.is_some() || self.allowed.allows(service)
    }

    /// Sends one request to a service, in the installation's region or another.
    pub(crate) async fn send(
        &self,
        (service, model, operation): (&str, &Model, &Operation),
        region: Option<String>,
        outline: Outline,
        call: &TaskCall,
    ) -> Result<Answer, CallError> {
        let began = Instant::now();
        if let Some(own) = self.own.get().filter(|_| service == OWN) {
            let answer = ask_own(&**own, model.text(operation.name), &outline, call).await?;
            // What is not here is elsewhere, where calls may go there.
            if !is_elsewhere(&answer) || !self.may_leave(service, call) {
                return Ok(answer);
            }
        }
        let caller = self.callers.of(service);
        let region = region.as_deref().unwrap_or(&self.home.region);
        let result = self.send_to(caller, (model, operation), region, outline, call).await;
        let status = result.as_ref().map_or(0, |answer| answer.status.as_u16());
        tracing::debug!(
            service,
            operation = model.text(operation.name),
            execution = call.execution,
            state = call.state,
            status,
            milliseconds = began.elapsed().as_millis(),
            "task called its service",
        );
        result
    }

    async fn send_to(
        &self,
        caller: &Caller,
        (model, operation): (&Model, &Operation),
        region: &str,
        outline: Outline,
        call: &TaskCall,
    ) -> Result<Answer, CallError> {
        let Outline { mut path, mut headers, body, host_prefix } = outline;
        let Some(place) = place::place(Table::get(), model, region, self.variant) else {
            return Err(CallError::NotSent { reason: format!("{} has no endpoint in {region}", model.client) });
        };
        let Place { mut host, signing_region, signing_name } = place;
        host.insert_str(0, &host_prefix);
        let signing = match (operation.unsigned, signing_name.as_str()) {
            (true, _) => Signing::None,
            (false, "s3") => Signing::S3,
            (false, _) => Signing::Usual,
        };
        if signing == Signing::S3 && caller.is_aws() {
            (host, path) = at_bucket(model, operation, host, path);
        }
        headers.extend(checksum::headers(operation, &headers, &body));
        let request = Request {
            method: operation.method.clone(),
            path,
            headers,
            body,
            timeout: call.timeout.min(LIMIT),
            answer_limit: ANSWER_LIMIT,
        };
        let destination = Destination { service: &signing_name, region: &signing_region, host: Some(&host), signing };
        caller.send(&destination, call.role.as_ref(), request).await
    }
}

/// Asks the installation's own Step Functions.
async fn ask_own(own: &dyn OwnApi, action: &str, outline: &Outline, call: &TaskCall) -> Result<Answer, CallError> {
    let parent = (call.resource.is_job() && action == "StartExecution").then(|| call.attempt.clone());
    let (action, body) = (action.to_owned(), outline.body.to_vec());
    let asked = OwnCall { action, body, invocation: Some(call.attempt.uuid()), parent };
    let answering = tokio::time::timeout(call.timeout.min(LIMIT), own.answer(asked));
    let OwnAnswer { status, body, request_id } = answering.await.map_err(|_| CallError::TimedOut)?;
    let mut headers = HeaderMap::new();
    let length = body.len().to_string();
    let date = jiff::Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    for (name, value) in [
        (HeaderName::from_static("x-amzn-requestid"), request_id.as_str()),
        (CONNECTION, "keep-alive"),
        (CONTENT_LENGTH, length.as_str()),
        (DATE, date.as_str()),
        (CONTENT_TYPE, "application/x-amz-json-1.0"),
    ] {
        headers.extend(HeaderValue::from_str(value).ok().map(|value| (name, value)));
    }
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Ok(Answer { status, headers, body: body.into() })
}

/// True when the installation has not what a call is about.
fn is_elsewhere(answer: &Answer) -> bool {
    let error = (!answer.status.is_success()).then(|| aws_json::error(answer).exception).flatten();
    error.is_some_and(|error| error.ends_with("DoesNotExist"))
}

/// S3's buckets have hosts of their own; those with dots in their names do not, for the certificate.
fn at_bucket(model: &Model, operation: &Operation, host: String, path: String) -> (String, String) {
    let uri = operation.uri.map(|uri| model.text(uri)).unwrap_or_default();
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let named = uri.strip_prefix("/{Bucket}").and_then(|_| path.strip_prefix('/'));
    let Some(rest) = named else { return (host, path) };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (bucket, behind) = rest.split_at(end);
    if !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(plain) {
        return (host, path);
    }
    let behind = if behind.starts_with('/') { behind.to_owned() } else { format!("/{behind}") };
    (format!("{bucket}.{host}"), behind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_of_s3_has_a_host_of_its_own() {
        let model = Table::get().service("s3").unwrap();
        let cases = [
            ("getObject", "/bucket/a/b", "bucket.s3.host", "/a/b"),
            ("getObject", "/my.bucket/a", "s3.host", "/my.bucket/a"),
            ("getObject", "/b%2Fc/a", "s3.host", "/b%2Fc/a"),
            ("listObjectsV2", "/bucket?list-type=2", "bucket.s3.host", "/?list-type=2"),
            ("headBucket", "/bucket", "bucket.s3.host", "/"),
            ("listBuckets", "/", "s3.host", "/"),
        ];
        for (action, path, host, rest) in cases {
            let operation = model.operation(action).unwrap();
            let found = at_bucket(&model, operation, "s3.host".to_owned(), path.to_owned());
            assert_eq!((found.0.as_str(), found.1.as_str()), (host, rest), "{action} {path}");
        }
    }
}
