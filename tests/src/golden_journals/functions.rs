//! The one function that all stories call, over Lambda's API and in process: its event says what it does.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use engine::ports::{TaskAnswer, TaskCall, Tasks};
use serde_json::{Value, json};

use crate::lambda_server::{Answer, LambdaServer};

/// The longest a call may take: a call that hangs outlives the telling of all stories.
const LIMIT: Duration = Duration::from_secs(800);

/// A task token that a client outside was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub execution: String,
    pub item: Value,
    pub token: String,
}

/// The function, and what it was asked.
#[derive(Debug, Default)]
pub struct Functions {
    asked: Mutex<Vec<Asked>>,
    calls: Mutex<Vec<String>>,
    /// From now on nothing fails or hangs any more.
    well: AtomicBool,
}

enum Says {
    Returns(Value),
    Fails,
    Hangs,
}

impl Functions {
    /// One that fails and hangs where a story wants it.
    pub fn troubled() -> Arc<Functions> {
        Arc::default()
    }

    /// One that does neither.
    pub fn well() -> Arc<Functions> {
        Arc::new(Functions { well: AtomicBool::new(true), ..Functions::default() })
    }

    /// Answers calls over Lambda's API, too.
    pub fn register(self: &Arc<Self>, server: &LambdaServer) {
        let functions = Arc::clone(self);
        server.register("Story", move |event, _| match functions.says(event) {
            Says::Returns(value) => Answer::Returns(value),
            Says::Fails => Answer::raises("Flaky", "as asked"),
            Says::Hangs => Answer::Hangs,
        });
    }

    fn says(&self, event: &Value) -> Says {
        let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(text("execution"));
        let well = self.well.load(Ordering::SeqCst);
        match text("does").as_str() {
            "ask" => {
                let item = event.get("item").cloned().unwrap_or_default();
                let asked = Asked { execution: text("execution"), item, token: text("token") };
                self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
                Says::Returns(Value::Null)
            }
            "fail" if !well => Says::Fails,
            "hang" if !well => Says::Hangs,
            _ => Says::Returns(event.clone()),
        }
    }

    /// The tokens given out so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often it was called for an execution.
    pub fn calls(&self, execution: &str) -> usize {
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.iter().filter(|call| *call == execution).count()
    }
}

#[async_trait]
impl Tasks for Functions {
    async fn call(&self, call: TaskCall) -> TaskAnswer {
        if let Some(test) = call.test {
            return TaskAnswer::Concluded { output: json!({"call": test.number}).to_string() };
        }
        let arguments: Value = serde_json::from_str(&call.arguments).unwrap_or_default();
        let says = self.says(arguments.get("Payload").unwrap_or(&arguments));
        match says {
            Says::Returns(value) => TaskAnswer::Succeeded { output: value.to_string() },
            Says::Fails => TaskAnswer::Failed { error: "Flaky".to_owned(), cause: Some("as asked".to_owned()) },
            Says::Hangs => std::future::pending().await,
        }
    }

    async fn limit(&self, _call: &TaskCall) -> Duration {
        LIMIT
    }
}
