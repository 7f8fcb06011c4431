//! `$parse`: a value from JSON text. AWS has it in the place of `$eval`.

use std::fmt;

use jsonata_core::evaluator::HostFnResult;
use jsonata_core::value::JValue;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::{World, argument, mismatch, thrown};
use crate::jsonata::convert;

pub(super) fn parse(_: &World, args: &[JValue]) -> HostFnResult {
    let text = match argument(args, 0) {
        JValue::Undefined => return Ok(JValue::Undefined),
        other => other.as_str().ok_or_else(|| mismatch("parse", 1))?,
    };
    let parsed = serde_json::from_str::<Strict>(text);
    parsed.map(|Strict(value)| value).map_err(|_| thrown("D3137: Invalid JSON"))
}

/// JSON of which no object has a key twice.
// AWS: a repeated key is refused, like an empty text and a second value after the first.
struct Strict(JValue);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Strict, D::Error> {
        deserializer.deserialize_any(Reader).map(Strict)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = JValue;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<JValue, E> {
        Ok(JValue::Null)
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<JValue, E> {
        Ok(JValue::Bool(truth))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<JValue, E> {
        Ok(JValue::Number(number as f64))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<JValue, E> {
        Ok(JValue::Number(number as f64))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<JValue, E> {
        Ok(JValue::Number(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<JValue, E> {
        Ok(JValue::string(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<JValue, A::Error> {
        let mut values = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            values.push(item);
        }
        Ok(JValue::array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<JValue, A::Error> {
        let mut members = Vec::new();
        let mut keys = std::collections::BTreeSet::new();
        while let Some((key, Strict(value))) = entries.next_entry::<String, Strict>()? {
            if !keys.insert(key.clone()) {
                return Err(Error::custom("a key is given twice"));
            }
            members.push((key, value));
        }
        Ok(convert::object_of(members.into_iter()))
    }
}
