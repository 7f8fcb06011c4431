//! Asynchronous Express executions in a fleet: they run at least once from beginning to end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use engine::ports::{ExecutionStatus, Happening, Metrics};
use serde_json::{Value, json};

use super::clients::Clients;
use super::functions::{Reply, Says, Script, is_express};
use super::installation::Installation;

const MACHINE: &str = "quick";
const ARN: &str = "arn:aws:states:us-east-1:123456789012:stateMachine:quick";

/// Milliseconds that an express execution has.
const TIME: i64 = 300_000;

/// Counts express executions whose time was over before they came to their end, and those that were given up because their
/// processes died: the calls that there may be were others'.
#[derive(Default)]
pub struct Overdue(AtomicU64);

impl Metrics for Overdue {
    fn count(&self, happening: Happening<'_>) {
        match happening {
            Happening::Ended { machine: ARN, status: ExecutionStatus::TimedOut, millis } if millis >= TIME => {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
            Happening::Ended { machine: ARN, status: ExecutionStatus::Failed, .. } => {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
            Happening::Started { .. } | Happening::Ended { .. } => {}
        }
    }
}

/// Express executions of one machine with two tasks.
pub struct Express {
    count: u64,
    /// Their starts are acknowledged.
    started: AtomicU64,
    pub overdue: Arc<Overdue>,
}

impl Express {
    pub fn new(count: u64, script: &mut Script) -> Express {
        let reply = Reply::after(300, Says::Echoes);
        let states = ["First", "Last"].map(|state| (state.to_owned(), vec![reply.clone()]));
        script.replies.insert(MACHINE.to_owned(), BTreeMap::from(states));
        Express { count, started: AtomicU64::new(0), overdue: Arc::default() }
    }

    /// Starts them, until that is acknowledged, and waits until they have come to their ends.
    pub async fn until_done(&self, clients: &Clients, installation: &Installation) {
        if self.count == 0 {
            return;
        }
        let task = |next: Value| {
            let mut task = json!({
                "Type": "Task",
                "Resource": "arn:aws:lambda:us-east-1:123456789012:function:work",
            });
            if let (Value::Object(task), Value::Object(next)) = (&mut task, next) {
                task.extend(next);
            }
            task
        };
        let definition = json!({
            "StartAt": "First",
            "States": { "First": task(json!({ "Next": "Last" })), "Last": task(json!({ "End": true })) },
        });
        let create = json!({
            "name": MACHINE, "type": "EXPRESS", "definition": definition.to_string(),
            "roleArn": "arn:aws:iam::123456789012:role/simulated",
        });
        clients.ask("CreateStateMachine", &create, None, None).await;
        for number in self.started.load(Ordering::Relaxed)..self.count {
            let start = json!({ "stateMachineArn": ARN, "input": json!({ "item": number }).to_string() });
            let invocation = format!("00000000-0000-4000-9000-{number:012}");
            clients.ask("StartExecution", &start, Some(invocation), None).await;
            self.started.store(number + 1, Ordering::Relaxed);
        }
        while !self.are_done(installation) {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    fn are_done(&self, installation: &Installation) -> bool {
        self.missing(installation).len() as u64 <= self.overdue.0.load(Ordering::Relaxed)
    }

    /// The executions that have not reached their last state.
    fn missing(&self, installation: &Installation) -> Vec<u64> {
        let outside = installation.outside.lock();
        let reached = |number: &u64| {
            let mut calls = outside.calls.iter().filter(|call| is_express(&call.execution));
            calls.any(|call| call.state == "Last" && call.arguments == number.to_string())
        };
        (0..self.count).filter(|number| !reached(number)).collect()
    }

    pub fn check(&self, installation: &Installation) -> Result<()> {
        ensure!(
            self.are_done(installation),
            "express executions never came to their end: {:?}",
            self.missing(installation)
        );
        Ok(())
    }
}
