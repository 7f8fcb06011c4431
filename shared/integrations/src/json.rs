//! JSON as text: checked and passed on, never rebuilt, so that numbers stay as the other side wrote them.
//!
//! The checks need no recursion, so depth is no danger here.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserializer as _;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

/// `text` if it is one JSON value, without the space around it.
pub(crate) fn value(text: &str) -> Option<&RawValue> {
    serde_json::from_str(text).ok()
}

/// The fields of `text` if it is an object. Of fields that are there twice the last one counts.
pub(crate) fn object(text: &str) -> Option<BTreeMap<String, &RawValue>> {
    serde_json::from_str(text).ok()
}

/// The members of `text`, in their order, if it is an object.
pub(crate) fn members(text: &str) -> Option<Vec<(String, &RawValue)>> {
    struct Ordered;
    impl<'de> Visitor<'de> for Ordered {
        type Value = Vec<(String, &'de RawValue)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::new();
            while let Some(member) = map.next_entry()? {
                members.push(member);
            }
            Ok(members)
        }
    }
    serde_json::Deserializer::from_str(text).deserialize_map(Ordered).ok()
}

/// The items of `value` if it is a list.
pub(crate) fn items(value: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(value.get()).ok()
}

/// `text` as a JSON string.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The string `value` is, if it is one.
pub(crate) fn string(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

/// `value` as a text: what a string says, everything else as JSON.
pub(crate) fn text(value: &RawValue) -> String {
    string(value).unwrap_or_else(|| compact(value))
}

/// `value` without the space between its parts.
pub(crate) fn compact(value: &RawValue) -> String {
    let mut compacted = String::with_capacity(value.get().len());
    let (mut in_string, mut escaped) = (false, false);
    for character in value.get().chars() {
        if in_string {
            in_string = escaped || character != '"';
            escaped = !escaped && character == '\\';
        } else if character.is_ascii_whitespace() {
            continue;
        } else {
            in_string = character == '"';
        }
        compacted.push(character);
    }
    compacted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compacting_leaves_strings_and_numbers_alone() {
        let cases = [
            ("{ \"a\" : [ 1 , 2.50e0 ] }", r#"{"a":[1,2.50e0]}"#),
            (r#""a  b""#, r#""a  b""#),
            (r#"{"a \" b" : "c \\" , "d":" " }"#, r#"{"a \" b":"c \\","d":" "}"#),
            (" 12345678901234567890123 ", "12345678901234567890123"),
            ("[\n\t]\r\n", "[]"),
        ];
        for (text, expected) in cases {
            assert_eq!(value(text).map(compact).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_one_value_is_refused() {
        for text in ["", "  ", "{", "1 2", "{'a':1}", "nul", "\u{feff}1"] {
            assert!(value(text).is_none(), "{text}");
        }
    }

    #[test]
    fn depth_is_no_danger() {
        let deep = "[".repeat(1_000_000) + &"]".repeat(1_000_000);
        assert_eq!(value(&deep).map(|raw| compact(raw).len()), Some(2_000_000));
    }
}
