//! A call through the SDK as a request: method, path, headers and body, as the protocol of the service wants them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};

use super::data::{self, Data, Unsuitable};
use super::model::{Kind, Location, Member, Model, Operation, Protocol, Stamp, Version};
use super::write::{self, Element, FormWriter};
use crate::caller::percent_encoded;
use crate::query::Form;

/// A request, but for the place it goes to.
#[derive(Debug)]
pub(crate) struct Outline {
    pub path: String,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub body: Bytes,
    /// Labels before the host, with their dots; often none.
    pub host_prefix: String,
}

/// Why there is no request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// A field has a value that the service does not take: AWS's sentence.
    Unsuitable(String),
    /// A value cannot stand where it has to, as in a path; nothing like it reaches the service.
    Unwritable(String),
}

impl From<Unsuitable> for Refused {
    fn from(Unsuitable(sentence): Unsuitable) -> Self {
        Self::Unsuitable(sentence)
    }
}

type Given<'m> = Vec<(&'m Member, Data<'m>)>;

/// The request that calls an operation with these arguments, a JSON text. `token` is the value of members by which the
/// service recognises repeated requests, where they are not given.
pub(crate) fn request(
    model: &Model,
    operation: &Operation,
    arguments: &str,
    token: Option<&str>,
    version: Version,
) -> Result<Outline, Refused> {
    let given = match operation.input {
        Some(input) => data::arguments(model, input, arguments, token, version)?,
        None => Data::Structure(Vec::new()),
    };
    let Data::Structure(members) = given else { return Err(unwritable("the arguments")) };
    let host_prefix = host_prefix(model, operation, &members)?;
    let (path, headers, body) = match model.protocol {
        Protocol::Json => json(model, operation, &members)?,
        Protocol::Query | Protocol::Ec2 => form(model, operation, members),
        Protocol::RestJson | Protocol::RestXml => rest(model, operation, &members)?,
    };
    Ok(Outline { path, headers, body, host_prefix })
}

type Parts = (String, Vec<(HeaderName, HeaderValue)>, Bytes);

fn json(model: &Model, operation: &Operation, members: &Given<'_>) -> Result<Parts, Refused> {
    let content = format!("application/x-amz-json-{}", model.json_version);
    let target = format!("{}.{}", model.target_prefix, model.text(operation.name));
    let mut headers = vec![header("content-type", &content)?, header("x-amz-target", &target)?];
    if model.query_compatible {
        headers.push(header("x-amzn-query-mode", "true")?);
    }
    let body = write::json_members(model, &members.iter().collect::<Vec<_>>());
    Ok(("/".to_owned(), headers, Bytes::from(body)))
}

fn form(model: &Model, operation: &Operation, members: Given<'_>) -> Parts {
    let form = Form::new(model.text(operation.name), &model.api_version);
    let mut writer = FormWriter { model, is_ec2: model.protocol == Protocol::Ec2, form };
    if let Some(input) = operation.input {
        writer.write(&Data::Structure(members), input, "", false);
    }
    let content = HeaderValue::from_static("application/x-www-form-urlencoded; charset=utf-8");
    ("/".to_owned(), vec![(CONTENT_TYPE, content)], writer.form.into_bytes())
}

fn rest(model: &Model, operation: &Operation, members: &Given<'_>) -> Result<Parts, Refused> {
    let uri = operation.uri.map_or("/", |uri| model.text(uri));
    let (template, fixed) = uri.split_once('?').unwrap_or((uri, ""));
    let path = path(model, template, members)?;
    let mut query: Vec<String> = fixed.split('&').filter(|part| !part.is_empty()).map(with_equals).collect();
    let mut headers = Vec::new();
    for (member, data) in members {
        match member.location {
            Location::Query => add_to_query(model, member, data, &mut query),
            Location::Header => headers.extend(own_header(model, member, data)?),
            Location::Headers => add_headers(model, member, data, &mut headers)?,
            Location::Body | Location::Uri | Location::Status => {}
        }
    }
    let (body, content) = rest_body(model, operation, members);
    if let Some(content) = content.filter(|_| !headers.iter().any(|(name, _)| name == CONTENT_TYPE)) {
        headers.push((CONTENT_TYPE, HeaderValue::from_static(content)));
    }
    let path = if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) };
    Ok((path, headers, body))
}

fn with_equals(part: &str) -> String {
    if part.contains('=') { part.to_owned() } else { format!("{part}=") }
}

/// The path with its labels filled in. A label that is missing, empty or made of dots would name another path.
fn path(model: &Model, template: &str, members: &Given<'_>) -> Result<String, Refused> {
    let mut path = String::new();
    let mut rest = template;
    while let Some((before, behind)) = rest.split_once('{') {
        let (label, after) = behind.split_once('}').unwrap_or((behind, ""));
        let (name, greedy) = label.strip_suffix('+').map_or((label, false), |name| (name, true));
        let value = labelled(model, members, name).unwrap_or_default();
        let segments: Vec<&str> = if greedy { value.split('/').collect() } else { vec![&value] };
        if value.is_empty() || segments.iter().any(|segment| matches!(*segment, "." | "..")) {
            return Err(unwritable(name));
        }
        path.push_str(before);
        path.push_str(&segments.into_iter().map(percent_encoded).collect::<Vec<_>>().join("/"));
        rest = after;
    }
    path.push_str(rest);
    Ok(path)
}

/// The value of the member that a label of the path names.
fn labelled(model: &Model, members: &Given<'_>, name: &str) -> Option<String> {
    let is_meant = |member: &Member| member.location == Location::Uri && model.wire(member) == name;
    let (_, data) = members.iter().find(|(member, _)| is_meant(member))?;
    Some(data.text(Stamp::Iso8601))
}

/// The labels before the host, where the operation has them: values of members have to be labels of DNS.
fn host_prefix(model: &Model, operation: &Operation, members: &Given<'_>) -> Result<String, Refused> {
    let Some(template) = operation.host_prefix.map(|prefix| model.text(prefix)) else { return Ok(String::new()) };
    let mut prefix = String::new();
    let mut rest = template;
    while let Some((before, behind)) = rest.split_once('{') {
        let (name, after) = behind.split_once('}').unwrap_or((behind, ""));
        let is_meant = |member: &Member| member.host_label && model.name(member) == name;
        let value = members.iter().find(|(member, _)| is_meant(member)).map(|(_, data)| data.text(Stamp::Iso8601));
        let value = value.filter(|value| is_host_label(value)).ok_or_else(|| unwritable(name))?;
        prefix.push_str(before);
        prefix.push_str(&value);
        rest = after;
    }
    prefix.push_str(rest);
    Ok(prefix)
}

fn is_host_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=63).contains(&text.len()) && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

fn add_to_query(model: &Model, member: &Member, data: &Data<'_>, query: &mut Vec<String>) {
    let mut add = |name: &str, data: &Data<'_>| {
        query.push(format!("{}={}", percent_encoded(name), percent_encoded(&data.text(Stamp::Iso8601))));
    };
    let name = model.wire(member);
    match data {
        Data::Map(entries) => {
            for (key, value) in entries {
                match value {
                    Data::List(items) => items.iter().for_each(|item| add(key, item)),
                    single => add(key, single),
                }
            }
        }
        Data::List(items) => items.iter().for_each(|item| add(name, item)),
        single => add(name, single),
    }
}

fn own_header(model: &Model, member: &Member, data: &Data<'_>) -> Result<Option<(HeaderName, HeaderValue)>, Refused> {
    let value = match data {
        Data::List(items) if items.is_empty() => return Ok(None),
        Data::List(items) => {
            items.iter().map(|item| within_list(&item.text(Stamp::Rfc822))).collect::<Vec<_>>().join(",")
        }
        text if member.json_value => BASE64.encode(text.text(Stamp::Rfc822)),
        single => single.text(Stamp::Rfc822),
    };
    header(model.wire(member), &value).map(Some)
}

fn within_list(item: &str) -> String {
    if item.contains([',', '"']) { format!("\"{}\"", item.replace('"', "\\\"")) } else { item.to_owned() }
}

fn add_headers(
    model: &Model,
    member: &Member,
    data: &Data<'_>,
    headers: &mut Vec<(HeaderName, HeaderValue)>,
) -> Result<(), Refused> {
    let Data::Map(entries) = data else { return Ok(()) };
    for (key, value) in entries {
        headers.push(header(&format!("{}{key}", model.wire(member)), &value.text(Stamp::Rfc822))?);
    }
    Ok(())
}

/// The body and its usual type.
fn rest_body(model: &Model, operation: &Operation, members: &Given<'_>) -> (Bytes, Option<&'static str>) {
    let Some(input) = operation.input else { return (Bytes::new(), None) };
    let is_json = model.protocol == Protocol::RestJson;
    let content = is_json.then_some("application/json");
    let declared = model.members(input);
    let in_body: Vec<&(&Member, Data<'_>)> =
        members.iter().filter(|(member, _)| member.location == Location::Body).collect();
    if let Kind::Structure { payload: Some(payload), .. } = model.shape(input).kind {
        let Some(payload) = declared.get(payload) else { return (Bytes::new(), None) };
        let structured = matches!(model.shape(payload.shape).kind, Kind::Structure { .. });
        return match in_body.iter().find(|(member, _)| *member == payload) {
            None if is_json && structured => (Bytes::from_static(b"{}"), content),
            None => (Bytes::new(), None),
            Some((member, Data::Bytes(bytes))) => {
                // AWS: seen at S3, whose objects get this type by default.
                (Bytes::from(bytes.clone()), model.streams(member).then_some("text/plain; charset=UTF-8"))
            }
            Some((_, Data::Text(text))) => (Bytes::from(text.clone()), None),
            Some((_, data)) if is_json => (Bytes::from(write::json(model, data)), content),
            Some((member, data)) => {
                let mut out = String::new();
                write::xml(model, data, member.shape, Element::of(model, member), &mut out);
                (Bytes::from(out), Some("application/xml"))
            }
        };
    }
    if is_json {
        let has_body = declared.iter().any(|member| member.location == Location::Body);
        let body = if has_body { write::json_members(model, &in_body).into() } else { Bytes::new() };
        return (body, content.filter(|_| has_body));
    }
    if in_body.is_empty() {
        return (Bytes::new(), None);
    }
    let (root, namespace) = operation.root.map_or((operation.name, None), |(root, uri)| (root, Some(uri)));
    let uri = namespace.map(|uri| model.text(uri)).filter(|uri| !uri.is_empty()).unwrap_or(&model.xml_namespace);
    let element = Element { tag: model.text(root), namespace: (uri, ""), flattened: false };
    let body: Given<'_> = in_body.into_iter().map(|(member, data)| (*member, data.clone())).collect();
    let mut out = String::new();
    write::xml(model, &Data::Structure(body), input, element, &mut out);
    (Bytes::from(out), Some("application/xml"))
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), Refused> {
    let written = HeaderName::try_from(name.to_ascii_lowercase()).ok().zip(HeaderValue::from_str(value).ok());
    // The signer takes visible letters of ASCII alone.
    written.filter(|(_, value)| value.to_str().is_ok()).ok_or_else(|| unwritable(name))
}

/// AWS: unverified wording.
fn unwritable(name: &str) -> Refused {
    Refused::Unwritable(format!("The value of '{name}' cannot be sent."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sdk::table::Table;

    fn outline(call: &str, arguments: &str) -> Result<Outline, Refused> {
        let (service, action) = call.split_once(':').unwrap();
        let model = Table::get().service(service).unwrap();
        request(&model, model.operation(action).unwrap(), arguments, Some("a-token"), Version::Two)
    }

    #[test]
    fn a_value_never_names_another_path_or_host() {
        let cases = [
            ("s3:getObject", r#"{"Bucket":"b","Key":"a/b c"}"#, Some("/b/a/b%20c ")),
            ("s3:getObject", r#"{"Bucket":"b/../other","Key":"k"}"#, Some("/b%2F..%2Fother/k ")),
            ("s3:getObject", r#"{"Bucket":"b"}"#, None),
            ("s3:getObject", r#"{"Bucket":"","Key":"k"}"#, None),
            ("s3:getObject", r#"{"Bucket":"..","Key":"k"}"#, None),
            ("s3:getObject", r#"{"Bucket":"b","Key":"a/../../other"}"#, None),
            ("scheduler:getSchedule", r#"{"Name":"a?b#c"}"#, Some("/schedules/a%3Fb%23c ")),
            ("sfn:startSyncExecution", r#"{"StateMachineArn":"a"}"#, Some("/ sync-")),
            ("s3control:listJobs", r#"{"AccountId":"123456789012"}"#, Some("/v20180820/jobs 123456789012.")),
            ("s3control:listJobs", r#"{"AccountId":"evil.example/"}"#, None),
            ("s3control:listJobs", r#"{"AccountId":"-"}"#, None),
            ("s3control:listJobs", "{}", None),
        ];
        for (call, arguments, expected) in cases {
            let made = outline(call, arguments).map(|made| format!("{} {}", made.path, made.host_prefix));
            assert_eq!(made.as_deref().ok(), expected, "{call} {arguments}");
        }
        let header = outline("s3:putObject", r#"{"Bucket":"b","Key":"k","ContentType":"a\r\nx-evil: b"}"#);
        assert!(matches!(header, Err(Refused::Unwritable(_))), "{header:?}");
    }

    #[test]
    fn a_member_that_recognises_repeated_requests_is_filled_unless_it_is_given() {
        for (arguments, token) in [("{}", "a-token"), (r#"{"ClientRequestToken":"own"}"#, "own")] {
            let made = outline("secretsmanager:createSecret", arguments).unwrap();
            let body: serde_json::Value = serde_json::from_slice(&made.body).unwrap();
            assert_eq!(body["ClientRequestToken"], token);
        }
    }

    #[test]
    fn numbers_keep_their_digits_and_null_is_not_sent() {
        let made = outline(
            "dynamodb:putItem",
            r#"{"TableName":"t","Item":{"a":{"N":"1"},"b":{"Nul":true},"c":{"Bool":false}},"ReturnValues":null}"#,
        )
        .unwrap();
        assert_eq!(made.body, r#"{"TableName":"t","Item":{"a":{"N":"1"},"b":{"NULL":true},"c":{"BOOL":false}}}"#);
        let made = outline("cloudwatch:putMetricAlarm", r#"{"Threshold":1234567890.12345678901}"#).unwrap();
        assert_eq!(made.body, r#"{"Threshold":1234567890.12345678901}"#);
    }
}
