//! The ledger of acknowledged requests and of calls, and the promises that both are held to.

#![expect(clippy::indexing_slicing, reason = "an index into JSON does not panic; any other that does fails the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Result, ensure};

use super::Kind;
use crate::client::{Client, parsed};

/// The time within which a restart finds lost calls.
const MOMENT: Duration = Duration::from_secs(10);

/// A call of a function, as the function saw it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attempt {
    pub execution: String,
    pub state: String,
    pub item: Option<u64>,
    pub retry: u64,
}

/// The requests that the server acknowledged.
#[derive(Debug, Clone)]
pub enum Acknowledged {
    Started { kind: Kind, execution: String },
    Answered { execution: String, answer: u64 },
    Stopped { execution: String },
}

/// The memory of a load.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// How often each attempt was started.
    pub attempts: BTreeMap<Attempt, u64>,
    /// Express executions whose function was called, once or more often.
    pub quick: BTreeSet<String>,
    /// In order, with the tick each was seen at.
    pub acknowledged: Vec<(u64, Acknowledged)>,
}

/// The findings in the histories.
#[derive(Debug, Default)]
pub struct Findings {
    /// Each a promise that was broken.
    pub breaches: Vec<String>,
    pub executions: usize,
    pub answers: usize,
    /// Attempts whose worker was killed.
    pub lost_attempts: usize,
}

impl Ledger {
    /// Holds a server, on which nothing is open any more, to all its promises.
    pub async fn audit(&self, client: &Client) -> Result<Findings> {
        let mut findings = Findings::default();
        for (attempt, times) in self.attempts.iter().filter(|(_, times)| **times > 1) {
            findings.breaches.push(format!("started {times} times: {attempt:?}"));
        }
        let mut called: BTreeMap<&str, usize> = BTreeMap::new();
        for attempt in self.attempts.keys() {
            *called.entry(&attempt.execution).or_default() += 1;
        }
        for (_, acknowledged) in &self.acknowledged {
            match acknowledged {
                Acknowledged::Started { kind: Kind::Express, execution } => {
                    if !self.quick.contains(execution) {
                        findings.breaches.push(format!("never ran: {execution}"));
                    }
                }
                Acknowledged::Started { kind, execution } => {
                    let calls = called.get(execution.as_str()).copied().unwrap_or_default();
                    findings.executions += 1;
                    if let Err(error) = findings.examine(client, *kind, execution, calls).await {
                        findings.breaches.push(format!("{execution}: {error:#}"));
                    }
                }
                Acknowledged::Answered { execution, answer } => {
                    findings.answers += 1;
                    let described = client.describe(execution).await?;
                    if !parsed(&described["output"]).is_ok_and(|output| output["answer"] == *answer) {
                        findings.breaches.push(format!("the answer {answer} is lost: {described}"));
                    }
                }
                Acknowledged::Stopped { execution } => {
                    let described = client.describe(execution).await?;
                    if described["status"] != "ABORTED" {
                        findings.breaches.push(format!("stopped and not aborted: {described}"));
                    }
                }
            }
        }
        Ok(findings)
    }

    /// Holds a server that lost its power after `tick` to what it had acknowledged by then.
    ///
    /// Asynchronous Express starts are left out: they are forgotten when they are over, so that one is gone says nothing.
    pub async fn audit_survival(&self, client: &Client, tick: u64) -> Result<Vec<String>> {
        let mut breaches = Vec::new();
        for (_, acknowledged) in self.acknowledged.iter().filter(|(seen, _)| *seen <= tick) {
            if let Err(error) = acknowledged.survived(client).await {
                breaches.push(format!("{acknowledged:?}: {error:#}"));
            }
        }
        Ok(breaches)
    }
}

impl Acknowledged {
    async fn survived(&self, client: &Client) -> Result<()> {
        let (execution, expected) = match self {
            Self::Started { kind: Kind::Express, .. } => return Ok(()),
            Self::Started { execution, .. } => (execution, None),
            // An answer that overtook its call's return counts when the call is known to be lost, which takes a moment.
            Self::Answered { execution, .. } => (execution, Some("SUCCEEDED")),
            Self::Stopped { execution } => (execution, Some("ABORTED")),
        };
        let described = match expected {
            None => client.describe(execution).await?,
            Some(_) => client.finished(execution, MOMENT).await?,
        };
        ensure!(expected.is_none_or(|status| described["status"] == status), "{described}");
        client.history(execution).await.map(drop)
    }
}

impl Findings {
    /// One execution: how it ended, its history without gaps, and that it fits the calls that were made.
    async fn examine(&mut self, client: &Client, kind: Kind, execution: &str, calls: usize) -> Result<()> {
        let expected = if kind == Kind::Stopped { "ABORTED" } else { "SUCCEEDED" };
        let described = client.describe(execution).await?;
        if described["status"] != expected {
            self.breaches.push(format!("not {expected}: {described}"));
        }
        let history = client.history(execution).await?;
        let count = |ends: &[&str]| {
            let kinds = history.iter().filter_map(|event| event["type"].as_str());
            kinds.filter(|kind| ends.iter().any(|end| kind == end)).count()
        };
        let scheduled = count(&["LambdaFunctionScheduled", "TaskScheduled"]);
        let succeeded = count(&["LambdaFunctionSucceeded", "TaskSucceeded"]);
        let failed = count(&["LambdaFunctionFailed", "TaskFailed"]);
        if scheduled != succeeded + failed {
            self.breaches.push(format!("{execution}: {scheduled} attempts, {succeeded} succeeded, {failed} failed"));
        }
        if calls < succeeded || calls > scheduled {
            self.breaches.push(format!("{execution}: {calls} calls for {scheduled} attempts, {succeeded} succeeded"));
        }
        let lost = history.iter().filter(|event| event.to_string().contains("worker performing this attempt was lost"));
        self.lost_attempts +=
            lost.filter(|event| event["type"].as_str().is_some_and(|kind| kind.ends_with("Failed"))).count();
        Ok(())
    }
}
