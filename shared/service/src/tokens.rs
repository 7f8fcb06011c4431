//! Task tokens and pagination tokens: what we gave out and get back, sealed so that nobody can make one up.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use interpreter::{ThreadPath, Wait};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

const SEAL_BYTES: usize = 16;
const LONGEST: usize = 4096;

/// Seals with an installation's key.
#[derive(Clone)]
pub struct Seal {
    key: [u8; 32],
}

/// What a task token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskToken {
    #[serde(rename = "e")]
    pub execution: String,
    #[serde(rename = "p")]
    pub path: ThreadPath,
    #[serde(rename = "t")]
    pub turn: u64,
}

impl TaskToken {
    pub fn wait(&self) -> Wait {
        Wait { path: self.path.clone(), turn: self.turn }
    }
}

/// What a token is for: one kind is never taken for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Task,
    Page,
}

impl Seal {
    pub fn new(key: [u8; 32]) -> Seal {
        Seal { key }
    }

    pub fn task_token(&self, execution: &str, wait: &Wait) -> String {
        let token = TaskToken { execution: execution.to_owned(), path: wait.path.clone(), turn: wait.turn };
        self.seal(Purpose::Task, &token)
    }

    /// `content` and a seal over it, in URL-safe letters.
    pub fn seal(&self, purpose: Purpose, content: &impl Serialize) -> String {
        let mut bytes = serde_json::to_vec(content).unwrap_or_default();
        if let Some(mac) = self.mac(purpose, &bytes) {
            bytes.extend_from_slice(mac.finalize().into_bytes().get(..SEAL_BYTES).unwrap_or_default());
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// What was sealed; `None` for anything that we did not seal for this purpose.
    pub fn open<T: DeserializeOwned>(&self, purpose: Purpose, token: &str) -> Option<T> {
        if token.len() > LONGEST {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (content, seal) = bytes.split_at_checked(bytes.len().checked_sub(SEAL_BYTES)?)?;
        self.mac(purpose, content)?.verify_truncated_left(seal).ok()?;
        serde_json::from_slice(content).ok()
    }

    fn mac(&self, purpose: Purpose, content: &[u8]) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).ok()?;
        mac.update(match purpose {
            Purpose::Task => b"task\0",
            Purpose::Page => b"page\0",
        });
        mac.update(content);
        Some(mac)
    }
}
