//! The functions that workflows under fire call: that write down every attempt and take their time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::ledger::{Attempt, Ledger};
use crate::lambda_server::{Answer, LambdaServer};

/// A question that waits for its answer.
#[derive(Debug)]
pub struct Asked {
    pub execution: String,
    pub token: String,
    /// No two questions have the same.
    pub answer: u64,
}

/// Registers `Work`, `Ask` and `Quick`; the questions of `Ask` come out at the other end.
pub fn register(functions: &LambdaServer, ledger: &Arc<Mutex<Ledger>>) -> mpsc::UnboundedReceiver<Asked> {
    let (ask, asked) = mpsc::unbounded_channel();
    let noted = Arc::clone(ledger);
    functions.register("Work", move |event, _| {
        let attempt = note(&noted, event);
        let chance = mixed(&attempt);
        if attempt.retry == 0 && chance.is_multiple_of(6) {
            return after(chance, Answer::raises("Flaky", "the first time only"));
        }
        after(chance, Answer::Returns(json!({"did": attempt.state})))
    });
    let noted = Arc::clone(ledger);
    functions.register("Ask", move |event, _| {
        let attempt = note(&noted, event);
        let chance = mixed(&attempt);
        let token = event["token"].as_str().unwrap_or_default().to_owned();
        // The answer is on its way at once, so many overtake the call's own return.
        let _nobody_listens_any_more = ask.send(Asked { execution: attempt.execution, token, answer: chance });
        after(chance, Answer::Returns(Value::Null))
    });
    let noted = Arc::clone(ledger);
    functions.register("Quick", move |event, _| {
        let execution = event["execution"].as_str().unwrap_or_default().to_owned();
        noted.lock().unwrap_or_else(PoisonError::into_inner).quick.insert(execution);
        after(20, Answer::Returns(Value::Null))
    });
    asked
}

fn note(ledger: &Mutex<Ledger>, event: &Value) -> Attempt {
    let attempt = Attempt {
        execution: event["execution"].as_str().unwrap_or_default().to_owned(),
        state: event["state"].as_str().unwrap_or_default().to_owned(),
        item: event["item"].as_u64(),
        retry: event["retry"].as_u64().unwrap_or(u64::MAX),
    };
    *ledger.lock().unwrap_or_else(PoisonError::into_inner).attempts.entry(attempt.clone()).or_default() += 1;
    attempt
}

/// Up to 80 ms, so that at any moment some calls are in flight.
fn after(chance: u64, answer: Answer) -> Answer {
    Answer::After(Duration::from_millis(chance % 80), Box::new(answer))
}

/// The same attempt gets the same number in every run (FNV-1a).
fn mixed(attempt: &Attempt) -> u64 {
    let text = format!("{attempt:?}");
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)) >> 8
}
