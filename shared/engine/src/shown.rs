//! What lists show of an execution beside its name, status and times, in the shape in which stores keep it.
//!
//! A list reads no entry, so what it shows is kept with each record that changes it, as one JSON text that stores do not look
//! into: what an index of DynamoDB holds cannot change, and so this text is what grows. Members that a program does not
//! know are passed over. It is no more than what is shown: the entries are what counts, and a text that cannot be read
//! is as good as none.

use interpreter::{Redriven, Timestamp};
use serde::{Deserialize, Serialize};

use crate::entry::Head;

/// What is shown. Absent members were not there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// The number of the version it was started with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// The name of the alias that routed it to the version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// How often it was redriven, and when last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redriven: Option<(u32, Timestamp)>,
}

impl Shown {
    /// Of an execution that was never redriven.
    pub fn of(head: &Head) -> Shown {
        Shown { version: head.version, alias: head.alias.clone(), redriven: None }
    }

    /// The same of an execution that was redriven, if it was.
    pub fn with_redrive(self, last: Option<Redriven>) -> Shown {
        Shown { redriven: last.map(|last| (last.count, last.at)), ..self }
    }

    /// As it is stored.
    pub fn written(&self) -> String {
        // Its members are all of kinds that JSON has.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// What a store kept; `None` when a program of before kept nothing, or it is damaged.
    pub fn read(stored: Option<&str>) -> Option<Shown> {
        serde_json::from_str(stored?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_tables_hold_are_read() {
        let all = Shown { version: Some(3), alias: Some("live".to_owned()), redriven: Some((2, Timestamp(7))) };
        let cases = [
            (r#"{}"#, Some(Shown::default())),
            (r#"{"version":3,"alias":"live","redriven":[2,7]}"#, Some(all)),
            (r#"{"later":[1]}"#, Some(Shown::default())),
            (r#"{"version":"3"}"#, None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(Shown::read(Some(text)), expected, "{text}");
            if let Some(shown) = expected.filter(|_| !text.contains("later")) {
                assert_eq!(shown.written(), text);
            }
        }
        assert_eq!(Shown::read(None), None);
    }
}
