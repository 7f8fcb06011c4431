//! The detail object of an event as JSON, from the shape that the event declares: in histories and in log records.

use interpreter::{Member, Payload};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// The detail object of an event.
pub struct EventDetails<'m> {
    pub members: &'m [Member<'m, Payload>],
    pub audience: Audience,
    /// `includeExecutionData`.
    pub data: bool,
}

/// What the object is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// GetExecutionHistory's answer.
    History,
    /// A log record. AWS: all its numbers are texts.
    Log,
}

impl EventDetails<'_> {
    /// The arguments of a call are shown.
    fn has_parameters(&self) -> bool {
        match self.audience {
            Audience::History => true,
            // AWS: unverified; what a log is to have no data of is not logged.
            Audience::Log => self.data,
        }
    }
}

impl Serialize for EventDetails<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for member in self.members {
            match member {
                Member::Text(name, text) => map.serialize_entry(name, text)?,
                Member::Number(name, number) => match self.audience {
                    Audience::History => map.serialize_entry(name, number)?,
                    Audience::Log => map.serialize_entry(name, &number.to_string())?,
                },
                Member::Parameters(name, payload) if self.has_parameters() => {
                    map.serialize_entry(name, payload.text())?;
                }
                Member::Object(name, (inner, text)) => map.serialize_entry(name, &Single(inner, text))?,
                Member::Data(name, details, payload) if self.data => {
                    map.serialize_entry(name, payload.text())?;
                    map.serialize_entry(details, &Single("truncated", &false))?;
                }
                Member::Variables(name, details, payload) if self.data => {
                    map.serialize_entry(name, &Variables(payload))?;
                    map.serialize_entry(details, &Single("truncated", &false))?;
                }
                Member::Data(..) | Member::Variables(..) | Member::Parameters(..) => {}
            }
        }
        map.end()
    }
}

/// An object of one member.
struct Single<'v, V>(&'static str, &'v V);

impl<V: Serialize> Serialize for Single<'_, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(self.0, self.1)?;
        map.end()
    }
}

/// Assigned variables: each value as a JSON text.
struct Variables<'p>(&'p Payload);

impl Serialize for Variables<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let assigned = self.0.value().as_object();
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in assigned.into_iter().flatten() {
            map.serialize_entry(name, &expressions::json::to_text(value))?;
        }
        map.end()
    }
}
