//! Metrics as log lines in CloudWatch's embedded metric format: no request, no client.
//!
//! | namespace | dimension | metrics |
//! |---|---|---|
//! | `Stepwell` | `StateMachineArn` | `ExecutionsStarted`, `ExecutionsSucceeded`, `ExecutionsFailed`, `ExecutionsTimedOut`, `ExecutionsAborted`, `ExecutionTime`, as AWS names them |
//! | `Stepwell` | `Table` | `DeadLettersHandled`, `DeadLettersRemaining`, `ExecutionsGivenUp`, `ExecutionsStuck`, `ExecutionsUnreadable`, per tick of the scheduler |
//!
//! The namespace is not AWS's own: CloudWatch reserves names that begin with `AWS/`. `ExecutionThrottled` is absent:
//! nothing here throttles. The process that writes a commit counts it, so an execution's start and end are counted once,
//! or not at all if that process dies before its next line or the commit's response was lost.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use engine::ports::{ExecutionStatus, Happening, Metrics};
use interpreter::Timestamp;
use serde_json::{Map, Value, json};

use super::TickReport;

const NAMESPACE: &str = "Stepwell";
const TIME: &str = "ExecutionTime";
/// Values of one metric that a line can have.
const MOST_VALUES: usize = 100;

/// Counts, and writes the counts as lines.
pub struct MetricLines {
    counted: Mutex<BTreeMap<String, Counted>>,
    to: Mutex<Box<dyn Write + Send>>,
}

/// Counts of one state machine since its last line.
#[derive(Default)]
struct Counted {
    counts: BTreeMap<&'static str, u64>,
    /// Durations of closed executions, in milliseconds.
    times: Vec<i64>,
}

impl MetricLines {
    /// Writes lines to `to`: a function's standard output.
    pub fn to(to: impl Write + Send + 'static) -> MetricLines {
        MetricLines { counted: Mutex::default(), to: Mutex::new(Box::new(to)) }
    }

    /// Writes the counts since the last flush: a line per state machine, or none.
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

    /// Writes a tick report.
    pub fn tick(&self, now: Timestamp, table: &str, report: &TickReport) {
        let values = [
            ("DeadLettersHandled", report.handled),
            ("DeadLettersRemaining", report.remaining),
            ("ExecutionsGivenUp", report.given_up),
            ("ExecutionsStuck", report.stuck),
            ("ExecutionsUnreadable", report.unreadable),
        ];
        let values = values.map(|(name, count)| (name, Value::from(count)));
        self.write(&line(now, ("Table", table), values.into()));
    }

    fn write(&self, line: &Value) {
        let mut to = self.to.lock().unwrap_or_else(PoisonError::into_inner);
        // In one write: log lines go to the same stream.
        if let Err(error) = to.write_all(format!("{line}\n").as_bytes()).and_then(|()| to.flush()) {
            tracing::warn!(%error, "metrics: line not written, its counts are lost");
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
