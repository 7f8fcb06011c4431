//! Task tokens and pagination tokens, signed so that no client can make one up.

mod keys;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use interpreter::{ThreadPath, Timestamp, Wait};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use keys::KEY_BYTES;
pub use keys::Keys;

const SIGNATURE_BYTES: usize = 16;
const LONGEST: usize = 4096;

/// Signs with an installation's keys.
#[derive(Clone)]
pub struct Signer {
    keys: Keys,
}

/// The content of a task token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskToken {
    #[serde(rename = "e")]
    pub execution: String,
    #[serde(rename = "p")]
    pub path: ThreadPath,
    #[serde(rename = "t")]
    pub attempt_id: u64,
    /// When the execution started: a later one of the same name has other tokens. Absent in tokens of earlier versions of
    /// Stepwell, which are good for any execution of the name.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// The ARN of the activity whose worker has it; absent for other tasks.
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    pub activity: Option<String>,
}

impl TaskToken {
    /// That of a wait of the execution that started then.
    pub fn of((execution, started): (&str, Timestamp), wait: &Wait) -> TaskToken {
        let (execution, path) = (execution.to_owned(), wait.path.clone());
        TaskToken { execution, path, attempt_id: wait.attempt_id, started: Some(started), activity: None }
    }

    pub fn wait(&self) -> Wait {
        Wait { path: self.path.clone(), attempt_id: self.attempt_id }
    }

    /// A UUID that follows from the attempt, of the fourth version by its looks.
    pub fn uuid(&self) -> String {
        let content = serde_json::to_vec(self).unwrap_or_default();
        let bytes = Sha256::digest(content);
        let number = bytes.iter().take(16).fold(0u128, |number, byte| (number << 8) | u128::from(*byte));
        let number = number & !(0xf000 << 64 | 0xc000 << 48) | 0x4000 << 64 | 0x8000 << 48;
        let digits = format!("{number:032x}");
        let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| digits.get(part).unwrap_or_default());
        parts.join("-")
    }
}

/// The use of a token: one kind is never taken for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Task,
    Page,
}

impl Signer {
    pub fn new(keys: Keys) -> Signer {
        Signer { keys }
    }

    /// The token of a wait of the execution that started then.
    pub fn task_token(&self, (execution, started): (&str, Timestamp), wait: &Wait) -> String {
        self.sign_task(&TaskToken::of((execution, started), wait))
    }

    pub fn sign_task(&self, token: &TaskToken) -> String {
        self.sign(Purpose::Task, token)
    }

    /// `content` and a signature over it, in URL-safe letters.
    pub fn sign(&self, purpose: Purpose, content: &impl Serialize) -> String {
        let mut bytes = serde_json::to_vec(content).unwrap_or_default();
        if let Some(mac) = mac(self.keys.first(), purpose, &bytes) {
            bytes.extend_from_slice(mac.finalize().into_bytes().get(..SIGNATURE_BYTES).unwrap_or_default());
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The content of a token; `None` for anything that was not signed for this purpose.
    pub fn verified<T: DeserializeOwned>(&self, purpose: Purpose, token: &str) -> Option<T> {
        if token.len() > LONGEST {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (content, signature) = bytes.split_at_checked(bytes.len().checked_sub(SIGNATURE_BYTES)?)?;
        let ours = |key| mac(key, purpose, content).is_some_and(|mac| mac.verify_truncated_left(signature).is_ok());
        if self.keys.all().any(ours) { serde_json::from_slice(content).ok() } else { None }
    }
}

fn mac(key: &[u8; KEY_BYTES], purpose: Purpose, content: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(match purpose {
        Purpose::Task => b"task\0",
        Purpose::Page => b"page\0",
    });
    mac.update(content);
    Some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_token_says_which_execution_of_a_name_it_is_for() {
        let (by, wait) = (signer(&[[1; KEY_BYTES]]), Wait { path: ThreadPath::root(), attempt_id: 7 });
        let read = |token: &str| by.verified::<TaskToken>(Purpose::Task, token);
        let token = by.task_token(("arn", Timestamp(5)), &wait);
        let expected = TaskToken {
            execution: "arn".to_owned(),
            path: wait.path.clone(),
            attempt_id: 7,
            started: Some(Timestamp(5)),
            activity: None,
        };
        assert_eq!(read(&token), Some(expected.clone()));
        assert_ne!(token, by.task_token(("arn", Timestamp(6)), &wait));
        let before = by.sign(Purpose::Task, &serde_json::json!({ "e": "arn", "p": wait.path, "t": 7 }));
        assert_eq!(read(&before), Some(TaskToken { started: None, ..expected }), "as earlier versions gave them out");
    }

    #[test]
    fn an_attempt_has_one_uuid_and_no_other_attempt_has_it() {
        let wait = Wait { path: ThreadPath(vec![3]), attempt_id: 7 };
        let token = TaskToken::of(("arn", Timestamp(5)), &wait);
        let others = [
            TaskToken { attempt_id: 8, ..token.clone() },
            TaskToken { path: ThreadPath::root(), ..token.clone() },
            TaskToken { started: Some(Timestamp(6)), ..token.clone() },
            TaskToken { execution: "other".to_owned(), ..token.clone() },
        ];
        let uuid = token.uuid();
        assert_eq!(uuid, token.clone().uuid());
        assert!(others.iter().all(|other| other.uuid() != uuid));
        let lengths: Vec<usize> = uuid.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert_eq!(&uuid[14..15], "4");
        assert!("89ab".contains(&uuid[19..20]), "{uuid}");
    }

    fn signer(keys: &[[u8; KEY_BYTES]]) -> Signer {
        Signer::new(Keys::read(&keys.concat()).expect("keys"))
    }

    #[test]
    fn every_key_verifies_and_the_first_signs() {
        let (old, new) = ([1; KEY_BYTES], [2; KEY_BYTES]);
        let (before, learnt, moved, after) = (signer(&[old]), signer(&[old, new]), signer(&[new, old]), signer(&[new]));
        let verifies = |by: &Signer, signer: &Signer| {
            let token = signer.sign(Purpose::Task, &"what is in it");
            by.verified::<String>(Purpose::Page, &token).is_none()
                && by.verified::<String>(Purpose::Task, &token).is_some()
        };
        for (verifier, verified, not) in [
            (&before, vec![&before, &learnt], vec![&moved, &after]),
            (&learnt, vec![&before, &learnt, &moved, &after], vec![]),
            (&moved, vec![&before, &learnt, &moved, &after], vec![]),
            (&after, vec![&moved, &after], vec![&before, &learnt]),
        ] {
            assert!(verified.into_iter().all(|signer| verifies(verifier, signer)), "{:?}", verifier.keys);
            assert!(!not.into_iter().any(|signer| verifies(verifier, signer)), "{:?}", verifier.keys);
        }
    }
}
