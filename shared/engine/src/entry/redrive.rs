//! The stored shape of what a redrive needs: the threads that an unsuccessful end leaves, and what is known of redrives.
//!
//! The threads stand in the closing entry, as changes of those that the tail before it has: a program that does not know the
//! member passes it over. Every entry since a redrive says which it was, in format 3: a program of before would reckon
//! with the first deadline.

use std::collections::BTreeSet;

use interpreter::{Frame, Payload, Redriven, Snapshot, ThreadPath, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Slot, Table, Unreadable};

/// The tokens of RedriveExecution that are remembered. AWS: the last 10 (service model).
const REMEMBERED: usize = 10;
/// How long each is. AWS: 15 minutes (service model).
const REMEMBERED_MS: i64 = 15 * 60 * 1_000;

/// The threads that a redrive of a closed execution goes on with.
#[derive(Serialize, Deserialize)]
pub(super) struct Resume {
    /// True when `frames` are all of them; otherwise they are the changes of the threads before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub full: bool,
    pub frames: Vec<(ThreadPath, Option<Frame<Slot>>)>,
}

impl Resume {
    /// Of an execution that has just ended; `None` when nothing was kept.
    pub fn of(
        snapshot: &Snapshot,
        changed: &BTreeSet<ThreadPath>,
        full: bool,
        table: &mut Table,
    ) -> Result<Option<Resume>, Unreadable> {
        let kept = snapshot.kept();
        if kept.len() == 0 {
            return Ok(None);
        }
        let full = full || kept.len() <= changed.len();
        let mut frames = Vec::new();
        let mut stored = |frame: Frame<Payload>| frame.try_map(&mut |payload| table.slot(payload));
        if full {
            for (path, frame) in kept {
                frames.push((path.clone(), Some(stored(frame.clone())?)));
            }
        } else {
            for path in changed {
                frames.push((path.clone(), snapshot.kept_frame(path).cloned().map(&mut stored).transpose()?));
            }
        }
        Ok(Some(Resume { full, frames }))
    }
}

/// The last redrive, and the deadline that it gave the execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reopening {
    #[serde(flatten)]
    pub redriven: Redriven,
    pub deadline: Timestamp,
}

impl Reopening {
    pub(super) fn of(snapshot: &Snapshot) -> Option<Reopening> {
        snapshot.redriven.map(|redriven| Reopening { redriven, deadline: snapshot.deadline })
    }
}

/// The client's token of a redrive. Only its hash is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientToken {
    pub hash: String,
    /// When it redrove the execution.
    pub at: Timestamp,
}

impl ClientToken {
    /// When the token of that hash redrove the execution, if that is remembered.
    pub fn find(known: &[ClientToken], hash: &str, now: Timestamp) -> Option<Timestamp> {
        let found = known.iter().find(|token| token.hash == hash)?;
        (now.0.saturating_sub(found.at.0) <= REMEMBERED_MS).then_some(found.at)
    }

    /// Remembers a token, and forgets the oldest of too many.
    pub fn remember(known: &mut Vec<ClientToken>, token: ClientToken) {
        known.retain(|old| old.hash != token.hash);
        known.push(token);
        known.drain(..known.len().saturating_sub(REMEMBERED));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ten_tokens_are_remembered_for_a_quarter_of_an_hour() {
        let mut known = Vec::new();
        for number in 0..12 {
            ClientToken::remember(&mut known, ClientToken { hash: number.to_string(), at: Timestamp(number) });
        }
        for (hash, now, found) in [
            ("1", 11, None),
            ("2", 11, Some(Timestamp(2))),
            ("2", 2 + REMEMBERED_MS, Some(Timestamp(2))),
            ("2", 3 + REMEMBERED_MS, None),
            ("11", 11, Some(Timestamp(11))),
            ("12", 11, None),
        ] {
            assert_eq!(ClientToken::find(&known, hash, Timestamp(now)), found, "{hash} at {now}");
        }
    }
}
