//! The stored shape of a cell: an answer, a heartbeat or the closing of one wait, beside the journal.
//!
//! Many clients that answer one execution at once race for its next entry, which one of them wins. An API process that has
//! lost three races writes its answer into the cell of its wait and is done: the first answer there counts, every load reads
//! the cells, and no worker lets such a wait time out without closing its cell, which fails when an answer is there. So a
//! check of several items at once is not needed, and any number of waits can time out in one commit. Heartbeats are
//! written over each other in the cell and never into the journal, which learns of the last one when the deadline before
//! it comes: an entry per `HeartbeatSeconds`, however many heartbeats clients send.
//!
//! | content | stored as | is written by | over |
//! |---|---|---|---|
//! | `Heartbeat` | `Beat` | a heartbeat | a heartbeat |
//! | `Answered` | `Answered` | an answer that lost its races | a heartbeat |
//! | `Closed` | `Over` | a process that lets the wait time out | a heartbeat that it has read, or any when the wait's whole time is over |
//! | `Closed` | `Over` | a worker whose call failed that had the token, before that ends the wait | a heartbeat |
//! | `Closed` | `Over` | a worker that has taken an answer into the journal | that answer |
//!
//! An execution has one more, for the wish that it be stopped (`deliver/stop_wish.rs`).
//!
//! A cell stays for a quarter of an hour after its wait: longer than any call of the API that saw the wait open can last.
//! Of an answer by the journal and another by the cell, the journal's counts, and the other is refused (`deliver/cell_answers.rs`).

use interpreter::{Answer, Failure, Payload, ThreadPath, Timestamp, Wait};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::entry::Unreadable;
use crate::payload_format;
use crate::ports::Cell;

/// The newest shape this code reads: an answer that a worker of format 1 takes for `null` is written as format 2, all else
/// as the first.
const FORMAT: u32 = 2;

/// The content of a cell.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    Answered(Answer<Payload>),
    Heartbeat,
    Closed,
}

/// A cell, read.
#[derive(Debug, Clone, PartialEq)]
pub struct CellRead {
    pub wait: Wait,
    pub at: Timestamp,
    pub content: Content,
    pub nonce: u64,
    pub key: String,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    v: u32,
    at: Timestamp,
    path: ThreadPath,
    #[serde(rename = "turn")]
    attempt_id: u64,
    #[serde(rename = "word")]
    content: StoredContent,
}

#[derive(Serialize, Deserialize)]
enum StoredContent {
    Answered(Answer<Box<RawValue>>),
    #[serde(rename = "Beat")]
    Heartbeat,
    #[serde(rename = "Over")]
    Closed,
}

/// The shape of the cell of a wish to stop. A worker of before leaves the execution to others.
const STOP_FORMAT: u32 = 3;

/// The wish that an execution be stopped.
#[derive(Debug, Clone, PartialEq)]
pub struct StopWish {
    pub failure: Failure,
    pub at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct StoredStop {
    v: u32,
    at: Timestamp,
    stop: Failure,
}

/// The key of the cell with the wish to stop the execution that started then.
pub fn stop_key(started: Timestamp) -> String {
    format!("{:015}/stop", started.0.max(0))
}

/// Writes down the wish to stop the execution that started then.
pub fn encode_stop(execution: (&str, Timestamp), wish: &StopWish, nonce: u64) -> Result<Cell, Unreadable> {
    let stored = StoredStop { v: STOP_FORMAT, at: wish.at, stop: wish.failure.clone() };
    let body = serde_json::to_vec(&stored).map_err(|error| Unreadable::of("a cell", &error))?;
    let (execution, key) = (execution.0.to_owned(), stop_key(execution.1));
    Ok(Cell { execution, key, nonce, is_final: true, needs_wakeup: true, body })
}

/// Reads the wish to stop.
pub fn decode_stop(cell: &Cell) -> Result<StopWish, Unreadable> {
    let stored: StoredStop = checked(cell, STOP_FORMAT)?;
    Ok(StopWish { failure: stored.stop, at: stored.at })
}

/// The key of a wait's cell. With the start of its execution: another of the same name has other cells.
pub fn key(started: Timestamp, wait: &Wait) -> String {
    format!("{:015}/{:010}", started.0.max(0), wait.attempt_id)
}

/// True when a cell is one of the execution that started then.
pub fn belongs(cell: &Cell, started: Timestamp) -> bool {
    cell.key.starts_with(&format!("{:015}/", started.0.max(0)))
}

/// Writes down what is said to a wait of the execution that started then.
pub fn encode(
    execution: (&str, Timestamp),
    (wait, at): (&Wait, Timestamp),
    content: &Content,
    nonce: u64,
) -> Result<Cell, Unreadable> {
    let raw = |payload: &Payload| {
        RawValue::from_string(payload.text().to_owned()).map_err(|error| Unreadable::of("an answer", &error))
    };
    let stored_content = match content {
        Content::Answered(Answer::Succeeded { output }) => {
            StoredContent::Answered(Answer::Succeeded { output: raw(output)? })
        }
        Content::Answered(Answer::Failed(failure)) => StoredContent::Answered(Answer::Failed(failure.clone())),
        Content::Heartbeat => StoredContent::Heartbeat,
        Content::Closed => StoredContent::Closed,
    };
    let payload = match content {
        Content::Answered(Answer::Succeeded { output }) => Some(output.text()),
        Content::Answered(Answer::Failed(_)) | Content::Heartbeat | Content::Closed => None,
    };
    let v = payload_format::lowest(payload);
    let stored = Stored { v, at, path: wait.path.clone(), attempt_id: wait.attempt_id, content: stored_content };
    let (is_final, needs_wakeup) = match content {
        Content::Answered(_) => (true, true),
        Content::Closed => (true, false),
        Content::Heartbeat => (false, false),
    };
    let body = serde_json::to_vec(&stored).map_err(|error| Unreadable::of("a cell", &error))?;
    Ok(Cell { execution: execution.0.to_owned(), key: key(execution.1, wait), nonce, is_final, needs_wakeup, body })
}

/// Reads a cell.
pub fn decode(cell: &Cell) -> Result<CellRead, Unreadable> {
    let stored: Stored = checked(cell, FORMAT)?;
    let content = match stored.content {
        StoredContent::Answered(Answer::Succeeded { output }) => {
            Content::Answered(Answer::Succeeded { output: Payload::from_json_text(Box::<str>::from(output)) })
        }
        StoredContent::Answered(Answer::Failed(failure)) => Content::Answered(Answer::Failed(failure)),
        StoredContent::Heartbeat => Content::Heartbeat,
        StoredContent::Closed => Content::Closed,
    };
    let wait = Wait { path: stored.path, attempt_id: stored.attempt_id };
    Ok(CellRead { wait, at: stored.at, content, nonce: cell.nonce, key: cell.key.clone() })
}

/// What a cell holds, if its format is known.
fn checked<T: serde::de::DeserializeOwned>(cell: &Cell, known: u32) -> Result<T, Unreadable> {
    #[derive(Deserialize)]
    struct Version {
        v: u32,
    }
    let damaged = |error: serde_json::Error| Unreadable::of("a cell", &error);
    let Version { v } = serde_json::from_slice(&cell.body).map_err(damaged)?;
    if v > known {
        return Err(Unreadable::Newer(format!("a cell has format {v}; this version of Stepwell reads up to {known}")));
    }
    serde_json::from_slice(&cell.body).map_err(damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_stored_like_this() {
        let wait = Wait { path: ThreadPath::root(), attempt_id: 7 };
        let output = Payload::from_json_text("{ \"a\": 1 }");
        let cases = [
            (Content::Heartbeat, r#""Beat""#, (false, false)),
            (Content::Closed, r#""Over""#, (true, false)),
            (
                Content::Answered(Answer::Succeeded { output }),
                r#"{"Answered":{"Succeeded":{"output":{ "a": 1 }}}}"#,
                (true, true),
            ),
            (
                Content::Answered(Answer::Failed(Failure::of(Some("No".into()), None))),
                r#"{"Answered":{"Failed":{"error":"No"}}}"#,
                (true, true),
            ),
        ];
        for (content, text, flags) in cases {
            let cell = encode(("arn", Timestamp(5)), (&wait, Timestamp(9)), &content, 3).expect("is written");
            let path = serde_json::to_string(&wait.path).expect("is written");
            let expected = format!(r#"{{"v":1,"at":9,"path":{path},"turn":7,"word":{text}}}"#);
            assert_eq!(String::from_utf8_lossy(&cell.body), expected);
            assert_eq!(
                (cell.key.as_str(), cell.is_final, cell.needs_wakeup),
                ("000000000000005/0000000007", flags.0, flags.1)
            );
            assert!(belongs(&cell, Timestamp(5)) && !belongs(&cell, Timestamp(6)));
            let key = cell.key.clone();
            assert_eq!(decode(&cell), Ok(CellRead { wait: wait.clone(), at: Timestamp(9), content, nonce: 3, key }));
        }
        let wish = StopWish { failure: Failure::of(Some("No".into()), None), at: Timestamp(9) };
        let stop = encode_stop(("arn", Timestamp(5)), &wish, 3).expect("is written");
        assert_eq!(String::from_utf8_lossy(&stop.body), r#"{"v":3,"at":9,"stop":{"error":"No"}}"#);
        assert_eq!((stop.key.as_str(), stop.is_final, stop.needs_wakeup), ("000000000000005/stop", true, true));
        assert!(belongs(&stop, Timestamp(5)));
        assert_eq!(decode_stop(&stop), Ok(wish));
        assert!(matches!(decode(&stop), Err(Unreadable::Newer(_))), "as a program of before does");
        let newer = Cell {
            body: br#"{"v":3}"#.to_vec(),
            ..encode(("a", Timestamp(1)), (&wait, Timestamp(1)), &Content::Heartbeat, 1).expect("is written")
        };
        assert!(matches!(decode(&newer), Err(Unreadable::Newer(_))));
    }
}
