//! An installation as its functions find it: the ports on the table and the queue that the environment names.
//!
//! | variable | |
//! |---|---|
//! | `STEPWELL_TABLE` | the table's name |
//! | `STEPWELL_QUEUE` | the work queue's URL |
//! | `STEPWELL_DEAD_LETTERS` | the URL of the queue of its dead letters; the clock only |
//! | `STEPWELL_PARTITION`, `STEPWELL_ACCOUNT`, `AWS_REGION` | what ARNs are made of |
//! | `STEPWELL_RETENTION_DAYS` | days that closed executions are kept |
//!
//! The variables that the SDK has for itself are in [`clients::config`]; where tasks call what they call is said to
//! `integrations::Endpoints`.

use std::env;
use std::fmt;
use std::sync::Arc;

use engine::ports::{Clock, StoreError, Tasks};
use engine::{Deployment, Engine, Settings, SystemClock, World};

use crate::{MetricLines, Table, WorkQueue, clients};

/// Calls of tasks in flight in one process.
const CALLS: usize = 128;

/// What the environment says.
#[derive(Debug, Clone)]
pub struct Environment {
    pub table: String,
    pub queue: String,
    pub dead_letters: Option<String>,
    pub partition: String,
    pub region: String,
    pub account: String,
    pub retention_days: u32,
}

/// Why a function cannot begin.
#[derive(Debug)]
pub enum SetupError {
    /// A variable is missing, or makes no sense.
    Variable {
        name: &'static str,
        problem: &'static str,
    },
    /// The operating system has no chance to give.
    Chance,
    Store(StoreError),
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable { name, problem } => write!(f, "the environment variable {name} {problem}"),
            Self::Chance => f.write_str("the operating system has no random numbers to give"),
            Self::Store(error) => write!(f, "the installation's table cannot be used: {error}"),
        }
    }
}

impl std::error::Error for SetupError {}

/// The parts of an installation, joined.
pub struct Installation {
    pub engine: Arc<Engine>,
    pub table: Table,
    pub queue: WorkQueue,
    pub sqs: aws_sdk_sqs::Client,
    pub clock: Arc<dyn Clock>,
    pub metrics: Arc<MetricLines>,
}

impl Environment {
    pub fn read() -> Result<Environment, SetupError> {
        let days = required("STEPWELL_RETENTION_DAYS")?;
        let wrong = SetupError::Variable { name: "STEPWELL_RETENTION_DAYS", problem: "is no number of days" };
        Ok(Environment {
            table: required("STEPWELL_TABLE")?,
            queue: required("STEPWELL_QUEUE")?,
            dead_letters: present("STEPWELL_DEAD_LETTERS"),
            partition: required("STEPWELL_PARTITION")?,
            region: required("AWS_REGION")?,
            account: required("STEPWELL_ACCOUNT")?,
            retention_days: days.parse().map_err(|_| wrong)?,
        })
    }

    /// The names of what is the installation's own: of its table, and of its queues, as they end their URLs.
    pub fn own_names(&self) -> Vec<String> {
        let urls = std::iter::once(&self.queue).chain(&self.dead_letters);
        let queues = urls.map(|url| url.rsplit('/').next().unwrap_or(url));
        queues.chain([self.table.as_str()]).filter(|name| !name.is_empty()).map(str::to_owned).collect()
    }

    /// Joins the parts, as the environment of a function has them.
    pub async fn installation(
        &self,
        deployment: Deployment,
        tasks: Arc<dyn Tasks>,
    ) -> Result<Installation, SetupError> {
        let clock = Arc::new(SystemClock::new().map_err(|_| SetupError::Chance)?);
        let clients = (
            clients::dynamodb(&clients::config(&self.region, "DYNAMODB")),
            clients::sqs(&clients::config(&self.region, "SQS")),
        );
        self.joined(clients, clock, deployment, tasks, Arc::new(MetricLines::default())).await
    }

    /// The same with these clients, this clock, and metrics that go there.
    pub async fn joined(
        &self,
        (dynamodb, sqs): (aws_sdk_dynamodb::Client, aws_sdk_sqs::Client),
        clock: Arc<dyn Clock>,
        deployment: Deployment,
        tasks: Arc<dyn Tasks>,
        metrics: Arc<MetricLines>,
    ) -> Result<Installation, SetupError> {
        let table = Table::new(dynamodb, &self.table, clock.clone(), self.retention_days);
        let queue = WorkQueue::new(sqs.clone(), &self.queue, clock.clone());
        let fresh = clock.seed();
        let settings = Settings {
            partition: self.partition.clone(),
            region: self.region.clone(),
            account: self.account.clone(),
            keys: table.keys(fresh).await.map_err(SetupError::Store)?,
            retention_days: self.retention_days,
            deployment,
            calls: CALLS,
            // The event source mapping bounds what comes in.
            max_active_executions: usize::MAX,
            commit_bytes: Settings::COMMIT_BYTES,
            events: interpreter::Limits::STANDARD.events,
            wait_millionths: interpreter::Limits::STANDARD.wait_millionths,
            retry_millionths: interpreter::Limits::STANDARD.retry_millionths,
        };
        let world = World {
            journal: Arc::new(table.clone()),
            documents: Arc::new(table.clone()),
            starts: Arc::new(queue.clone()),
            queue: Arc::new(queue.clone()),
            tasks,
            clock: clock.clone(),
            metrics: metrics.clone(),
        };
        Ok(Installation { engine: Engine::new(world, settings), table, queue, sqs, clock, metrics })
    }
}

/// What a variable says, unless that is nothing.
pub(crate) fn present(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn required(name: &'static str) -> Result<String, SetupError> {
    present(name).ok_or(SetupError::Variable { name, problem: "is missing" })
}
