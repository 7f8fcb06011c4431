//! The stored shape of a cell: what was said to one wait, beside the journal.
//!
//! An execution that many answer at once is a race for its next entry, which one wins. Who has lost three writes its
//! answer into the cell of its wait and is done: the first answer there counts, every loader reads cells, and nobody lets
//! such a wait pass its time without writing into its cell that it is over, which fails when an answer is there. So a
//! check of several items at once is not needed, and any number of waits can time out in one commit. Heartbeats are
//! written over each other in the cell and never into the journal, which learns of the last one when the deadline before
//! it comes: an entry per `HeartbeatSeconds`, however often somebody beats.
//!
//! | cell | is written | over |
//! |---|---|---|
//! | `Beat` | by a heartbeat | a beat |
//! | `Answered` | by an answer that lost its races | a beat |
//! | `Over` | by who lets the wait time out | a beat that it has seen, or any when the wait's whole time is over |
//! | `Over` | by whom the call failed that was to tell the token, before that ends the wait | a beat |
//! | `Over` | by who has taken an answer into the journal | that answer |
//!
//! A cell stays for a quarter of an hour after its wait: longer than any call of the API that saw the wait open can last.
//! Of an answer by the journal and another by the cell, the journal's counts, and the other is refused (`deliver/left.rs`).

use interpreter::{Answer, Payload, ThreadPath, Timestamp, Wait};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::entry::Unreadable;
use crate::ports::Cell;

/// The newest shape this code reads, and the one it writes.
const FORMAT: u32 = 1;

/// What a cell says.
#[derive(Debug, Clone, PartialEq)]
pub enum Word {
    Answered(Answer<Payload>),
    Beat,
    Over,
}

/// A cell, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Note {
    pub wait: Wait,
    pub at: Timestamp,
    pub word: Word,
    pub nonce: u64,
    pub key: String,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    v: u32,
    at: Timestamp,
    path: ThreadPath,
    turn: u64,
    word: StoredWord,
}

#[derive(Serialize, Deserialize)]
enum StoredWord {
    Answered(Answer<Box<RawValue>>),
    Beat,
    Over,
}

/// The key of a wait's cell. With the start of its execution: another of the same name has other cells.
pub fn key(started: Timestamp, wait: &Wait) -> String {
    format!("{:015}/{:010}", started.0.max(0), wait.turn)
}

/// True when a cell is one of the execution that started then.
pub fn belongs(cell: &Cell, started: Timestamp) -> bool {
    cell.key.starts_with(&format!("{:015}/", started.0.max(0)))
}

/// Writes down what is said to a wait of the execution that started then.
pub fn encode(
    execution: (&str, Timestamp),
    (wait, at): (&Wait, Timestamp),
    word: &Word,
    nonce: u64,
) -> Result<Cell, Unreadable> {
    let raw = |payload: &Payload| {
        RawValue::from_string(payload.text().to_owned()).map_err(|error| Unreadable::of("an answer", &error))
    };
    let stored = match word {
        Word::Answered(Answer::Succeeded { output }) => {
            StoredWord::Answered(Answer::Succeeded { output: raw(output)? })
        }
        Word::Answered(Answer::Failed(failure)) => StoredWord::Answered(Answer::Failed(failure.clone())),
        Word::Beat => StoredWord::Beat,
        Word::Over => StoredWord::Over,
    };
    let stored = Stored { v: FORMAT, at, path: wait.path.clone(), turn: wait.turn, word: stored };
    let (last, calls) = match word {
        Word::Answered(_) => (true, true),
        Word::Over => (true, false),
        Word::Beat => (false, false),
    };
    let body = serde_json::to_vec(&stored).map_err(|error| Unreadable::of("a cell", &error))?;
    Ok(Cell { execution: execution.0.to_owned(), key: key(execution.1, wait), nonce, last, calls, body })
}

/// Reads a cell.
pub fn decode(cell: &Cell) -> Result<Note, Unreadable> {
    #[derive(Deserialize)]
    struct Version {
        v: u32,
    }
    let damaged = |error: serde_json::Error| Unreadable::of("a cell", &error);
    let Version { v } = serde_json::from_slice(&cell.body).map_err(damaged)?;
    if v > FORMAT {
        return Err(Unreadable::Newer(format!("a cell has format {v}; this version of Stepwell reads up to {FORMAT}")));
    }
    let stored: Stored = serde_json::from_slice(&cell.body).map_err(damaged)?;
    let word = match stored.word {
        StoredWord::Answered(Answer::Succeeded { output }) => {
            Word::Answered(Answer::Succeeded { output: Payload::from_json_text(Box::<str>::from(output)) })
        }
        StoredWord::Answered(Answer::Failed(failure)) => Word::Answered(Answer::Failed(failure)),
        StoredWord::Beat => Word::Beat,
        StoredWord::Over => Word::Over,
    };
    let wait = Wait { path: stored.path, turn: stored.turn };
    Ok(Note { wait, at: stored.at, word, nonce: cell.nonce, key: cell.key.clone() })
}

#[cfg(test)]
mod tests {
    use interpreter::Failure;

    use super::*;

    #[test]
    fn cells_are_stored_like_this() {
        let wait = Wait { path: ThreadPath::root(), turn: 7 };
        let output = Payload::from_json_text("{ \"a\": 1 }");
        let cases = [
            (Word::Beat, r#""Beat""#, (false, false)),
            (Word::Over, r#""Over""#, (true, false)),
            (
                Word::Answered(Answer::Succeeded { output }),
                r#"{"Answered":{"Succeeded":{"output":{ "a": 1 }}}}"#,
                (true, true),
            ),
            (
                Word::Answered(Answer::Failed(Failure::of(Some("No".into()), None))),
                r#"{"Answered":{"Failed":{"error":"No"}}}"#,
                (true, true),
            ),
        ];
        for (word, text, flags) in cases {
            let cell = encode(("arn", Timestamp(5)), (&wait, Timestamp(9)), &word, 3).expect("is written");
            let path = serde_json::to_string(&wait.path).expect("is written");
            let expected = format!(r#"{{"v":1,"at":9,"path":{path},"turn":7,"word":{text}}}"#);
            assert_eq!(String::from_utf8_lossy(&cell.body), expected);
            assert_eq!((cell.key.as_str(), cell.last, cell.calls), ("000000000000005/0000000007", flags.0, flags.1));
            assert!(belongs(&cell, Timestamp(5)) && !belongs(&cell, Timestamp(6)));
            let key = cell.key.clone();
            assert_eq!(decode(&cell), Ok(Note { wait: wait.clone(), at: Timestamp(9), word, nonce: 3, key }));
        }
        let newer = Cell {
            body: br#"{"v":2}"#.to_vec(),
            ..encode(("a", Timestamp(1)), (&wait, Timestamp(1)), &Word::Beat, 1).expect("is written")
        };
        assert!(matches!(decode(&newer), Err(Unreadable::Newer(_))));
    }
}
