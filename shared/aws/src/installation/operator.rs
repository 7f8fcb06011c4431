//! Events of the function `clock`: the schedule's, and operator commands.
//!
//! | `command` in the event | does | answers |
//! |---|---|---|
//! | none, as on the schedule | a tick | null |
//! | `"recover"` | a tick with the daily sweep from its beginning | the tick report; `finished` once the sweep is complete, which otherwise continues each minute |
//! | `"keys"` | | the names of the installation's keys, the signing key first |
//! | `"add-key"` | adds a key, with which tokens can be verified | the names |
//! | `{"use-key": NAME}` | signs with that key | the names |
//! | `{"drop-key": NAME}` | removes the key, and with it the validity of its tokens | the names |
//! | anything else | | `refused`, and the reason |
//!
//! The function `clock` takes these commands because its role has the rights: a principal that may invoke it may run
//! them. Commands can be repeated after a lost answer: at worst there is a key too many. No key ever leaves the table.
//! Deliberately absent: running processes do not learn of a changed key; they read keys once (`table/keys.rs`).

use engine::ports::StoreError;
use interpreter::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Installation;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Command {
    Recover,
    Keys,
    AddKey,
    UseKey(String),
    DropKey(String),
}

impl Installation {
    /// Handles an event of the function `clock` within its time budget, which ends at `until`; the answer.
    pub async fn handle_event(
        &self,
        event: &Value,
        dead_letters: Option<&str>,
        until: Timestamp,
    ) -> Result<Value, StoreError> {
        let Some(command) = event.get("command") else {
            return self.tick(dead_letters, until).await.map(|_| Value::Null);
        };
        let command = match Command::deserialize(command) {
            Ok(command) => command,
            Err(error) => return Ok(refusal(&error.to_string())),
        };
        let changed = match command {
            Command::Recover => {
                self.restart_sweep().await?;
                let report = self.tick(dead_letters, until).await?;
                return Ok(json!({ "found": report, "finished": self.is_swept().await? }));
            }
            Command::Keys => self.table.change_keys(Ok).await?,
            Command::AddKey => {
                let fresh = self.clock.seed();
                self.table.change_keys(|keys| keys.with(fresh)).await?
            }
            Command::UseKey(name) => self.table.change_keys(|keys| keys.led_by(&name)).await?,
            Command::DropKey(name) => self.table.change_keys(|keys| keys.without(&name)).await?,
        };
        match changed {
            Ok(keys) => {
                tracing::info!(keys = ?keys.names(), "operator command: keys stored, functions use them from their next start");
                Ok(json!({ "keys": keys.names() }))
            }
            Err(why) => Ok(refusal(&why)),
        }
    }
}

/// An answer and not an error of the function: alarms stay off.
fn refusal(why: &str) -> Value {
    json!({ "refused": why })
}
