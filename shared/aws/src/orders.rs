//! What the clock's function does with an event, and what an operator can ask of it beside the schedule.
//!
//! | `order` in the event | does | answers |
//! |---|---|---|
//! | none, as on the schedule | a minute's work | null |
//! | `"recover"` | a minute's work, and in it the daily sweep from its beginning | what it found; `finished` when the sweep is through, which else goes on each minute |
//! | `"keys"` | | the names of the installation's keys, first the one that seals |
//! | `"add-key"` | makes a key, which opens what others will seal | the names |
//! | `{"use-key": NAME}` | lets that one seal | the names |
//! | `{"drop-key": NAME}` | forgets it, and what it sealed | the names |
//! | what makes no sense | | `refused`, and why |
//!
//! Asked of the clock because it has the rights: whoever may invoke it may do this. Who got no answer asks again: at worst there
//! is a key too many. No key ever leaves the table. Deliberately absent: that processes learn of a changed key; they read keys once (`keys.rs`).

use engine::ports::StoreError;
use interpreter::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Installation;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Order {
    Recover,
    Keys,
    AddKey,
    UseKey(String),
    DropKey(String),
}

impl Installation {
    /// Does what an event asks for, given up when `until` is near; the answer.
    pub async fn heed(&self, event: &Value, dead_letters: Option<&str>, until: Timestamp) -> Result<Value, StoreError> {
        let Some(order) = event.get("order") else {
            return self.tick(dead_letters, until).await.map(|_| Value::Null);
        };
        let order = match Order::deserialize(order) {
            Ok(order) => order,
            Err(error) => return Ok(refusal(&error.to_string())),
        };
        let changed = match order {
            Order::Recover => {
                self.sweep_anew().await?;
                let tally = self.tick(dead_letters, until).await?;
                return Ok(json!({ "found": tally, "finished": self.is_swept().await? }));
            }
            Order::Keys => self.table.change_keys(Ok).await?,
            Order::AddKey => {
                let fresh = self.clock.seed();
                self.table.change_keys(|keys| keys.with(fresh)).await?
            }
            Order::UseKey(name) => self.table.change_keys(|keys| keys.led_by(&name)).await?,
            Order::DropKey(name) => self.table.change_keys(|keys| keys.without(&name)).await?,
        };
        match changed {
            Ok(keys) => {
                tracing::info!(keys = ?keys.names(), "the installation's keys");
                Ok(json!({ "keys": keys.names() }))
            }
            Err(why) => Ok(refusal(&why)),
        }
    }
}

/// An answer, not an error of the function: nobody has to be alarmed.
fn refusal(why: &str) -> Value {
    json!({ "refused": why })
}
