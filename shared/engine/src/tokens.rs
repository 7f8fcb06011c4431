//! Task tokens and pagination tokens, signed so that no client can make one up.

mod keys;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use interpreter::{ThreadPath, Wait};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

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
}

impl TaskToken {
    pub fn wait(&self) -> Wait {
        Wait { path: self.path.clone(), attempt_id: self.attempt_id }
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

    pub fn task_token(&self, execution: &str, wait: &Wait) -> String {
        let token = TaskToken { execution: execution.to_owned(), path: wait.path.clone(), attempt_id: wait.attempt_id };
        self.sign(Purpose::Task, &token)
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
