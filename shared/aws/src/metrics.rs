//! What is counted, as lines that CloudWatch makes metrics of (its embedded metric format): no request, no client.
//!
//! | namespace | dimension | metrics |
//! |---|---|---|
//! | `Stepwell` | `StateMachineArn` | `ExecutionsStarted`, `ExecutionsSucceeded`, `ExecutionsFailed`, `ExecutionsTimedOut`, `ExecutionsAborted`, `ExecutionTime`, as AWS names them |
//! | `Stepwell` | `Table` | `DeadLettersBuried`, `DeadLettersLeft`, `ExecutionsGivenUp`, `ExecutionsStuck`, `ExecutionsUnreadable`: what the clock found |
//!
//! The namespace is ours, because CloudWatch keeps those that begin with `AWS/` to itself. `ExecutionThrottled` is absent:
//! nothing here throttles. Whoever writes a commit counts it, so an execution's start and end are counted once, or not at
//! all when that process dies before its next line or never learnt that its commit was written.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use engine::ports::{ExecutionStatus, Happening, Metrics};
use interpreter::Timestamp;
use serde_json::{Map, Value, json};

use crate::clockwork::Tally;

const NAMESPACE: &str = "Stepwell";
const TIME: &str = "ExecutionTime";
/// Values of one metric that a line can have.
const MOST_VALUES: usize = 100;

/// Counts, and writes what it counted as lines.
pub struct MetricLines {
    counted: Mutex<BTreeMap<String, Counted>>,
    to: Mutex<Box<dyn Write + Send>>,
}

/// What happened to a machine's executions since the last line.
#[derive(Default)]
struct Counted {
    counts: BTreeMap<&'static str, u64>,
    /// Of those that ended, in milliseconds.
    times: Vec<i64>,
}

impl MetricLines {
    /// Lines go to `to`, which is a function's standard output.
    pub fn to(to: impl Write + Send + 'static) -> MetricLines {
        MetricLines { counted: Mutex::default(), to: Mutex::new(Box::new(to)) }
    }

    /// Writes what was counted since the last time: a line per state machine, or none.
    pub fn flush(&self, now: Timestamp) {
        for (machine, Counted { counts, times }) in std::mem::take(&mut *self.counted()) {
            let dimension = ("StateMachineArn", machine.as_str());
            let mut values: Vec<(&str, Value)> =
                counts.into_iter().map(|(name, count)| (name, Value::from(count))).collect();
            for times in times.chunks(MOST_VALUES) {
                values.push((TIME, times.into()));
                self.write(&line(now, dimension, std::mem::take(&mut values)));
            }
            if !values.is_empty() {
                self.write(&line(now, dimension, values));
            }
        }
    }

    /// Writes what the clock did in a minute.
    pub fn minute(&self, now: Timestamp, table: &str, tally: &Tally) {
        let values = [
            ("DeadLettersBuried", tally.buried),
            ("DeadLettersLeft", tally.dead),
            ("ExecutionsGivenUp", tally.given_up),
            ("ExecutionsStuck", tally.stuck),
            ("ExecutionsUnreadable", tally.unreadable),
        ];
        let values = values.map(|(name, count)| (name, Value::from(count)));
        self.write(&line(now, ("Table", table), values.into()));
    }

    fn write(&self, line: &Value) {
        let mut to = self.to.lock().unwrap_or_else(PoisonError::into_inner);
        // In one piece: other lines are written to the same place.
        if let Err(error) = to.write_all(format!("{line}\n").as_bytes()).and_then(|()| to.flush()) {
            tracing::warn!(%error, "metrics could not be written");
        }
    }

    fn counted(&self) -> MutexGuard<'_, BTreeMap<String, Counted>> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MetricLines {
    fn default() -> Self {
        MetricLines::to(io::stdout())
    }
}

impl Metrics for MetricLines {
    fn count(&self, happening: Happening<'_>) {
        let (machine, name, time) = match happening {
            Happening::Started { machine } => (machine, "ExecutionsStarted", None),
            Happening::Ended { machine, status, millis } => {
                let Some(name) = ending(status) else { return };
                (machine, name, Some(millis))
            }
        };
        let mut counted = self.counted();
        let of_machine = counted.entry(machine.to_owned()).or_default();
        *of_machine.counts.entry(name).or_default() += 1;
        of_machine.times.extend(time);
    }
}

fn ending(status: ExecutionStatus) -> Option<&'static str> {
    match status {
        ExecutionStatus::Running => None,
        ExecutionStatus::Succeeded => Some("ExecutionsSucceeded"),
        ExecutionStatus::Failed => Some("ExecutionsFailed"),
        ExecutionStatus::TimedOut => Some("ExecutionsTimedOut"),
        ExecutionStatus::Aborted => Some("ExecutionsAborted"),
    }
}

/// A line in the embedded metric format.
fn line(now: Timestamp, (dimension, of): (&str, &str), values: Vec<(&str, Value)>) -> Value {
    let unit = |name: &str| if name == TIME { "Milliseconds" } else { "Count" };
    let metrics: Vec<Value> = values.iter().map(|(name, _)| json!({ "Name": name, "Unit": unit(name) })).collect();
    let directive = json!({ "Namespace": NAMESPACE, "Dimensions": [[dimension]], "Metrics": metrics });
    let mut line = Map::new();
    line.insert("_aws".to_owned(), json!({ "Timestamp": now.0, "CloudWatchMetrics": [directive] }));
    line.insert(dimension.to_owned(), of.into());
    line.extend(values.into_iter().map(|(name, value)| (name.to_owned(), value)));
    Value::Object(line)
}
