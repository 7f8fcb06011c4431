//! Messages of the work queue.
//!
//! A message names an execution and is a reason to load it, never a fact. The one message with content is the start of
//! an asynchronous Express execution, which is stored nowhere else. Messages are small JSON with a format number, for
//! they outlive a deployment.

use std::borrow::Cow;
use std::fmt;

use engine::ports::WakeUp;
use engine::tokens::TaskToken;
use engine::worker::Message;
use interpreter::Timestamp;
use serde::{Deserialize, Serialize};

/// A message that this version cannot read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreadable {
    /// A newer version can read it: leave it on the queue.
    Newer { format: u64 },
    /// No version can read it.
    Damaged { why: String },
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newer { format } => {
                write!(f, "the message has format {format}; this version of Stepwell reads up to {FORMAT}")
            }
            Self::Damaged { why } => write!(f, "the message makes no sense: {why}"),
        }
    }
}

impl std::error::Error for Unreadable {}

/// The format this code writes, and the newest it reads.
const FORMAT: u64 = 1;

/// A message as it is written: `execution` with what belongs to it, or `start`.
#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    v: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    execution: Option<Cow<'a, str>>,
    /// In milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    due: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    announces: Option<u64>,
    /// Since jobs: an older program only looks what is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended: Option<TaskToken>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    start: Option<Cow<'a, str>>,
}

/// The body of a message.
pub fn write(message: &Message) -> Result<String, serde_json::Error> {
    let stored = match message {
        Message::WakeUp(WakeUp { execution, due, announces, ended }) => Stored {
            v: FORMAT,
            execution: Some(execution.into()),
            due: *due,
            announces: *announces,
            ended: ended.clone(),
            start: None,
        },
        Message::Start(body) => {
            let start = Some(body.into());
            Stored { v: FORMAT, execution: None, due: None, announces: None, ended: None, start }
        }
    };
    let text = serde_json::to_string(&stored)?;
    // JSON allows these two, SQS does not. They can be within strings only, where an escape says the same.
    Ok(text.replace('\u{FFFE}', "\\ufffe").replace('\u{FFFF}', "\\uffff"))
}

/// Reads the body of a message.
pub fn read(text: &str) -> Result<Message, Unreadable> {
    #[derive(Deserialize)]
    struct Version {
        v: u64,
    }
    let damaged = |error: serde_json::Error| Unreadable::Damaged { why: error.to_string() };
    let Version { v } = serde_json::from_str(text).map_err(damaged)?;
    if v > FORMAT {
        return Err(Unreadable::Newer { format: v });
    }
    let stored: Stored<'_> = serde_json::from_str(text).map_err(damaged)?;
    let Stored { due, announces, ended, .. } = stored;
    match (stored.execution, stored.start) {
        (Some(execution), None) => {
            let execution = execution.into_owned();
            Ok(Message::WakeUp(WakeUp { execution, due, announces, ended }))
        }
        (None, Some(start)) => Ok(Message::Start(start.into_owned())),
        (Some(_), Some(_)) | (None, None) => Err(Unreadable::Damaged { why: "it asks for nothing".to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(execution: &str) -> Message {
        Message::WakeUp(WakeUp::of(execution, None))
    }

    fn a_wait() -> TaskToken {
        let wait = interpreter::Wait { path: interpreter::ThreadPath(vec![3]), attempt_id: 7 };
        TaskToken::of(("x", Timestamp(5)), &wait)
    }

    #[test]
    fn messages_look_like_this() {
        assert_eq!(write(&look("arn:aws:states:x")).expect("is written"), r#"{"v":1,"execution":"arn:aws:states:x"}"#);
        let announced = WakeUp { execution: "x".to_owned(), due: Some(Timestamp(5)), announces: Some(7), ended: None };
        let expected = r#"{"v":1,"execution":"x","due":5,"announces":7}"#;
        assert_eq!(write(&Message::WakeUp(announced)).expect("is written"), expected);
        let ended = WakeUp { ended: Some(a_wait()), ..WakeUp::of("x", None) };
        let expected = r#"{"v":1,"execution":"x","ended":{"e":"x","p":[3],"t":7,"s":5}}"#;
        assert_eq!(write(&Message::WakeUp(ended)).expect("is written"), expected);
        let start = Message::Start(r#"{"a":"b"}"#.to_owned());
        assert_eq!(write(&start).expect("is written"), r#"{"v":1,"start":"{\"a\":\"b\"}"}"#);
    }

    #[test]
    fn what_is_written_is_read() {
        let body = "\u{0}\u{7f}\u{FFFE}\u{FFFF}\u{1F980}\n\"\\".to_owned();
        let announced = WakeUp { execution: "x".to_owned(), due: Some(Timestamp(5)), announces: Some(7), ended: None };
        let ended = WakeUp { ended: Some(a_wait()), ..WakeUp::of("x", None) };
        let wake_ups = [look("a \"quoted\" one"), Message::WakeUp(announced), Message::WakeUp(ended)];
        for message in wake_ups.into_iter().chain([Message::Start(body)]) {
            let text = write(&message).expect("is written");
            let allowed = |c: char| c >= ' ' && !('\u{FFFE}'..='\u{FFFF}').contains(&c);
            assert!(text.chars().all(allowed), "SQS takes {text:?}");
            assert_eq!(read(&text), Ok(message));
        }
    }

    #[test]
    fn what_is_newer_is_told_from_damage() {
        assert_eq!(read(r#"{"v":2,"other":[]}"#), Err(Unreadable::Newer { format: 2 }));
        for text in ["", "{}", "[1]", r#"{"v":1}"#, r#"{"v":-1,"execution":"a"}"#, r#"{"v":1,"execution":7}"#] {
            assert!(matches!(read(text), Err(Unreadable::Damaged { .. })), "{text}");
        }
    }
}
