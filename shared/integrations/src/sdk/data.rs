//! The arguments of a call through the SDK, held against the shapes of its operation: what every protocol writes.
//!
//! Texts, numbers and structures are told apart here, in the words of AWS where they are not what the service takes. Nulls
//! are members that are not sent. Required members are not asked for: the service says what it misses.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::value::RawValue;

use super::model::{Kind, Member, Model, Scalar, Shape, ShapeId, Stamp, Version};
use crate::json;

/// Values within each other; services nest far less.
const DEEPEST: usize = 128;

/// A value of a shape.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Data<'m> {
    Structure(Vec<(&'m Member, Data<'m>)>),
    List(Vec<Data<'m>>),
    Map(Vec<(String, Data<'m>)>),
    Text(String),
    /// A number or a boolean, as JSON writes it.
    Literal(String),
    Time(jiff::Timestamp, Option<Stamp>),
    Bytes(Vec<u8>),
    /// Any JSON, compact.
    Document(String),
}

impl PartialEq for Member {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

/// Why arguments cannot be sent: AWS's sentence about one field.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unsuitable(pub String);

/// The arguments, a JSON text, as the structure `id`.
pub(crate) fn arguments<'m>(
    model: &'m Model,
    id: ShapeId,
    text: &str,
    token: Option<&str>,
    version: Version,
) -> Result<Data<'m>, Unsuitable> {
    let (reading, members) = (Reading { model, version }, model.members(id));
    let mut found = reading.members(members, json::members(text).unwrap_or_default(), 0)?;
    if let Some(token) = token {
        let absent = |member: &&Member| member.idempotency_token && !found.iter().any(|(given, _)| given == member);
        let absent: Vec<&Member> = members.iter().filter(absent).collect();
        found.extend(absent.into_iter().map(|member| (member, Data::Text(token.to_owned()))));
    }
    Ok(Data::Structure(found))
}

struct Reading<'m> {
    model: &'m Model,
    version: Version,
}

impl<'m> Reading<'m> {
    fn members(
        &self,
        members: &'m [Member],
        given: Vec<(String, &RawValue)>,
        depth: usize,
    ) -> Result<Vec<(&'m Member, Data<'m>)>, Unsuitable> {
        let mut found = Vec::with_capacity(given.len());
        for (name, value) in given {
            let member = members.iter().find(|member| self.model.shown(member, self.version) == name);
            let member = member.ok_or_else(|| Unsuitable(asl::unsupported_field(&name)))?;
            if let Some(data) = self.member(member, &name, value, depth)? {
                found.push((member, data));
            }
        }
        Ok(found)
    }

    fn member(
        &self,
        member: &'m Member,
        name: &str,
        value: &RawValue,
        depth: usize,
    ) -> Result<Option<Data<'m>>, Unsuitable> {
        if self.model.streams(member) {
            // AWS: a streamed body is the value's JSON, a text with its quotes, and null the four letters.
            return Ok(Some(Data::Bytes(json::compact(value).into_bytes())));
        }
        let data = self.value(member.shape, name, value, depth)?;
        Ok(data.map(|data| match data {
            Data::Time(time, stamp) => Data::Time(time, member.stamp.or(stamp)),
            other => other,
        }))
    }

    /// A value of the shape; `None` for what counts as not given.
    fn value(&self, id: ShapeId, name: &str, value: &RawValue, depth: usize) -> Result<Option<Data<'m>>, Unsuitable> {
        if value.get() == "null" {
            return Ok(None);
        }
        if depth > DEEPEST {
            return Err(Unsuitable(format!("The value of the field '{name}' has an invalid format")));
        }
        let shape: &'m Shape = self.model.shape(id);
        if shape.document {
            return Ok(Some(Data::Document(json::compact(value))));
        }
        let data = match &shape.kind {
            Kind::Structure { members, .. } => {
                let given = json::members(value.get()).ok_or_else(|| no_structure(name))?;
                Some(Data::Structure(self.members(members, given, depth + 1)?))
            }
            Kind::List { item, .. } => {
                let given = json::items(value).ok_or_else(|| no_structure(name))?;
                let items = given.into_iter().map(|given| self.value(*item, name, given, depth + 1));
                Some(Data::List(items.filter_map(Result::transpose).collect::<Result<_, _>>()?))
            }
            Kind::Map { value: of, .. } => {
                let given = json::members(value.get()).ok_or_else(|| no_structure(name))?;
                let entry = |(key, value): (String, &RawValue)| {
                    let read = self.value(*of, &key, value, depth + 1).transpose()?;
                    Some(read.map(|data| (key, data)))
                };
                Some(Data::Map(given.into_iter().filter_map(entry).collect::<Result<_, _>>()?))
            }
            Kind::Scalar(scalar) => scalar_of(*scalar, shape.stamp, name, value, self.version)?,
        };
        Ok(data)
    }
}

pub(super) fn scalar_of(
    scalar: Scalar,
    stamp: Option<Stamp>,
    name: &str,
    value: &RawValue,
    version: Version,
) -> Result<Option<Data<'static>>, Unsuitable> {
    let given = Given::of(value);
    let wrong = |kind: &str| Unsuitable(format!("The value for the field '{name}' must be {kind}"));
    Ok(Some(match (scalar, given) {
        (Scalar::String, Given::Text(text)) => Data::Text(text),
        // AWS: `Input` of sfn:startExecution may be an object, which is sent as its JSON.
        (Scalar::String, Given::Structure) => Data::Text(json::compact(value)),
        (Scalar::String, Given::Number | Given::Boolean) => return Err(wrong("a STRING")),
        (Scalar::Integer | Scalar::Long, Given::Number) if is_whole(value) => Data::Literal(value.get().to_owned()),
        (Scalar::Integer, _) => return Err(wrong("an INTEGER")),
        // AWS: unverified for the three.
        (Scalar::Long, _) => return Err(wrong("a LONG")),
        (Scalar::Double | Scalar::Float, Given::Number) => Data::Literal(value.get().to_owned()),
        (Scalar::Double, _) => return Err(wrong("a DOUBLE")),
        (Scalar::Float, _) => return Err(wrong("a FLOAT")),
        (Scalar::Boolean, _) => return boolean(value),
        (Scalar::Timestamp, given) => {
            let time = time(value, given, version);
            Data::Time(time.ok_or_else(|| wrong("a TIMESTAMP"))?, stamp)
        }
        // AWS: unverified; the first SDK reads base64, which is how bytes travel.
        (Scalar::Blob, Given::Text(text)) if version == Version::One => Data::Text(text),
        // AWS: bytes are the UTF-8 of a text, never base64; anything else is its JSON.
        (Scalar::Blob, Given::Text(text)) => Data::Bytes(text.into_bytes()),
        (Scalar::Blob, Given::Structure | Given::Number | Given::Boolean) => {
            Data::Bytes(json::compact(value).into_bytes())
        }
    }))
}

enum Given {
    Text(String),
    Number,
    Boolean,
    /// An object or a list.
    Structure,
}

impl Given {
    fn of(value: &RawValue) -> Self {
        match value.get().as_bytes().first() {
            // An unpaired surrogate is no text that a service could be sent.
            Some(b'"') => Self::Text(json::string(value).unwrap_or_default()),
            Some(b'{' | b'[') => Self::Structure,
            Some(b't' | b'f') => Self::Boolean,
            _ => Self::Number,
        }
    }
}

fn is_whole(value: &RawValue) -> bool {
    value.get().bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
}

/// AWS: true and false, as texts, too, in one size of letters but for the first, and numbers, of which 0 is false; an empty
/// text is none.
fn boolean(value: &RawValue) -> Result<Option<Data<'static>>, Unsuitable> {
    let start = "Cannot deserialize value of type `java.lang.Boolean` from";
    let literal = |truth: bool| Ok(Some(Data::Literal(truth.to_string())));
    match (value.get(), Given::of(value)) {
        ("true", _) => literal(true),
        ("false", _) => literal(false),
        (_, Given::Text(text)) => match text.trim() {
            "true" | "True" | "TRUE" => literal(true),
            "false" | "False" | "FALSE" => literal(false),
            "" | "null" => Ok(None),
            _ => Err(Unsuitable(format!(
                "{start} String {}: only \"true\" or \"false\" recognized",
                json::quoted(&text)
            ))),
        },
        (number, Given::Number) if is_whole(value) => literal(number.bytes().any(|digit| matches!(digit, b'1'..=b'9'))),
        (_, Given::Number) => {
            Err(Unsuitable(format!("{start} Floating-point value (token `JsonToken.VALUE_NUMBER_FLOAT`)")))
        }
        // AWS: unverified.
        (_, Given::Boolean | Given::Structure) => {
            Err(Unsuitable(format!("{start} Object value (token `JsonToken.START_OBJECT`)")))
        }
    }
}

/// A time in ISO 8601, or in seconds since 1970; in milliseconds where results have those.
fn time(value: &RawValue, given: Given, version: Version) -> Option<jiff::Timestamp> {
    match (given, version) {
        (Given::Text(text), _) => text.parse().ok(),
        (Given::Number, Version::One) => jiff::Timestamp::from_millisecond(value.get().parse().ok()?).ok(),
        (Given::Number, Version::Two) => seconds(value.get()),
        (Given::Boolean | Given::Structure, _) => None,
    }
}

/// The time so many seconds after 1970, to the millisecond.
pub(super) fn seconds(number: &str) -> Option<jiff::Timestamp> {
    let millis = (number.parse::<f64>().ok()? * 1_000.0).round();
    #[expect(clippy::cast_possible_truncation, reason = "numbers beyond what a time can be are refused by jiff")]
    let millis = millis as i64;
    jiff::Timestamp::from_millisecond(millis).ok()
}

/// AWS: this form is on record for apigateway:invoke; unverified here.
pub(super) fn no_structure(name: &str) -> Unsuitable {
    Unsuitable(format!("The value of the field '{name}' has an invalid format"))
}

impl Data<'_> {
    /// A scalar as text, for headers, paths, queries, forms and XML. Times are written in `usual` where their shape says
    /// nothing.
    pub(crate) fn text(&self, usual: Stamp) -> String {
        match self {
            Self::Text(text) | Self::Literal(text) | Self::Document(text) => text.clone(),
            Self::Time(time, stamp) => stamped(*time, stamp.unwrap_or(usual)),
            Self::Bytes(bytes) => BASE64.encode(bytes),
            Self::Structure(_) | Self::List(_) | Self::Map(_) => String::new(),
        }
    }
}

/// A time as one of the three kinds of text.
pub(crate) fn stamped(time: jiff::Timestamp, stamp: Stamp) -> String {
    match stamp {
        Stamp::Iso8601 => iso8601(time),
        Stamp::UnixTimestamp => {
            let millis = time.as_millisecond();
            if millis % 1_000 == 0 { (millis / 1_000).to_string() } else { fraction(millis) }
        }
        Stamp::Rfc822 => jiff::fmt::rfc2822::DateTimePrinter::new()
            .timestamp_to_rfc9110_string(&time)
            .unwrap_or_else(|_| time.to_string()),
    }
}

/// A time in UTC, with a fraction of three, six or nine digits where there is one.
pub(super) fn iso8601(time: jiff::Timestamp) -> String {
    match time.subsec_nanosecond() {
        0 => format!("{time:.0}"),
        nanos if nanos % 1_000_000 == 0 => format!("{time:.3}"),
        nanos if nanos % 1_000 == 0 => format!("{time:.6}"),
        _ => format!("{time:.9}"),
    }
}

/// Milliseconds as seconds with a fraction.
fn fraction(millis: i64) -> String {
    let sign = if millis < 0 { "-" } else { "" };
    let magnitude = millis.unsigned_abs();
    let behind = format!("{:03}", magnitude % 1_000);
    format!("{sign}{}.{}", magnitude / 1_000, behind.trim_end_matches('0'))
}
