//! Random replies of functions and clients, in place of a script: they answer soon, late or never, with results or
//! errors; clients besides may overtake the call that told them, send heartbeats, answer twice, or contradict each other.

use std::sync::{Mutex, PoisonError};

use serde_json::json;

use super::{Chance, Reply, Says};

/// Functions whose answers are drawn.
pub struct RandomReplies(Mutex<Drawn>);

struct Drawn {
    chance: Chance,
    /// Every answer is another, so that it can be told where it came from.
    said: u64,
}

impl RandomReplies {
    pub fn new(seed: u64) -> RandomReplies {
        RandomReplies(Mutex::new(Drawn { chance: Chance::new(seed), said: 0 }))
    }

    /// The reply of a function that was called; a client outside may have its task token then.
    pub fn reply(&self, has_token: bool) -> Reply {
        let mut drawn = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let then_somebody = (has_token && drawn.chance.up_to(5) > 1).then(|| Box::new(drawn.somebody()));
        let says = match drawn.chance.up_to(40) {
            1 => Says::Panics,
            _ => drawn.says(),
        };
        let after_ms = match drawn.chance.up_to(16) {
            1 => 30_000,
            2..=3 => 8_000,
            4..=8 => 1_500,
            _ => 40,
        };
        let after_ms = drawn.chance.up_to(after_ms);
        Reply { then_somebody, ..Reply::after(after_ms, says) }
    }
}

impl Drawn {
    fn says(&mut self) -> Says {
        self.said += 1;
        let cause = Some(format!("answer {}", self.said));
        match self.chance.up_to(10) {
            1..=2 => Says::Fails { error: "Own".into(), cause },
            3 => Says::Fails { error: "Another".into(), cause },
            _ => Says::Returns(json!({ "answered": self.said, "items": [1, 2] })),
        }
    }

    fn somebody(&mut self) -> Reply {
        let most = match self.chance.up_to(8) {
            1 => 20_000,
            2..=3 => 4_000,
            4..=6 => 1_000,
            _ => 20,
        };
        let beats_every_ms = (self.chance.up_to(2) == 1).then(|| 700 + self.chance.up_to(2_500));
        let again = (self.chance.up_to(3) == 1).then(|| Box::new(self.says()));
        let rival = (self.chance.up_to(4) == 1).then(|| Box::new(self.says()));
        Reply { beats_every_ms, again, rival, ..Reply::after(self.chance.up_to(most), self.says()) }
    }
}
