//! An installation: the ports on the table and the queue that the environment of a function names, and its work.
//!
//! | variable | |
//! |---|---|
//! | `STEPWELL_TABLE` | the table's name |
//! | `STEPWELL_QUEUE` | the work queue's URL |
//! | `STEPWELL_DEAD_LETTERS` | the URL of its dead letter queue; the function `clock` only |
//! | `STEPWELL_PARTITION`, `STEPWELL_ACCOUNT`, `AWS_REGION` | the parts of ARNs |
//! | `STEPWELL_RETENTION_DAYS` | days that closed executions are kept |
//! | `STEPWELL_ACTIVITY_POLL_SECONDS` | how long GetActivityTask waits for a task: 20 unless it is set; the function `api` only |
//!
//! [`clients::config`] lists the variables of the SDK; `integrations::Endpoints` those of task targets.

mod batch;
mod dead_letters;
mod metrics;
mod operator;
mod scheduler;
mod sweep;
mod time_budget;

use std::convert::Infallible;
use std::env;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use engine::ports::{Clock, StoreError, TaskAnswer, TaskCall, Tasks};
use engine::{Deployment, Engine, Settings, SystemClock, World};

use crate::{Table, WorkQueue, clients};

pub use batch::Delivery;
pub use metrics::MetricLines;
pub use scheduler::TickReport;
pub use time_budget::work_until;

/// Calls of tasks in flight in one process.
const CALLS: usize = 128;
const ACTIVITY_POLL: &str = "STEPWELL_ACTIVITY_POLL_SECONDS";
/// In seconds: less than API Gateway waits for a function, and each is billed.
const DEFAULT_ACTIVITY_POLL: &str = "20";

/// The settings in a function's environment.
#[derive(Debug, Clone)]
pub struct Environment {
    pub table: String,
    pub queue: String,
    pub dead_letters: Option<String>,
    pub partition: String,
    pub region: String,
    pub account: String,
    pub retention_days: u32,
    pub activity_poll: Duration,
}

/// Why a function cannot start.
#[derive(Debug)]
pub enum SetupError {
    /// A variable is missing or invalid.
    Variable {
        name: &'static str,
        problem: &'static str,
    },
    /// The operating system gives no random numbers.
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

impl Error for SetupError {}

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
        let poll = present(ACTIVITY_POLL).unwrap_or_else(|| DEFAULT_ACTIVITY_POLL.to_owned());
        let no_poll = SetupError::Variable { name: ACTIVITY_POLL, problem: "is no number of seconds from 1 to 60" };
        let poll = poll.parse().ok().filter(|seconds| (1..=60).contains(seconds)).ok_or(no_poll)?;
        Ok(Environment {
            table: required("STEPWELL_TABLE")?,
            queue: required("STEPWELL_QUEUE")?,
            dead_letters: present("STEPWELL_DEAD_LETTERS"),
            partition: required("STEPWELL_PARTITION")?,
            region: required("AWS_REGION")?,
            account: required("STEPWELL_ACCOUNT")?,
            retention_days: days.parse().map_err(|_| wrong)?,
            activity_poll: Duration::from_secs(poll),
        })
    }

    /// The names of the installation's own table and queues (the last parts of their URLs), which tasks must not use.
    pub fn own_names(&self) -> Vec<String> {
        let urls = std::iter::once(&self.queue).chain(&self.dead_letters);
        let queues = urls.map(|url| url.rsplit('/').next().unwrap_or(url));
        queues.chain([self.table.as_str()]).filter(|name| !name.is_empty()).map(str::to_owned).collect()
    }

    /// The same as ARNs, with the installation's functions: what the roles of tasks must not touch.
    pub fn own_arns(&self) -> Vec<String> {
        let Self { partition, region, account, table, .. } = self;
        let arn = |service: &str, rest: String| format!("arn:{partition}:{service}:{region}:{account}:{rest}");
        let queues = self.own_names().into_iter().filter(|name| name != table).map(|name| arn("sqs", name));
        let tables = ["", "/*"].map(|end| arn("dynamodb", format!("table/{table}{end}")));
        let functions = present("STEPWELL_STACK").map(|stack| {
            ["Api", "Worker", "Clock"].map(|function| arn("lambda", format!("function:{stack}-{function}-*")))
        });
        queues.chain(tables).chain(functions.into_iter().flatten()).collect()
    }

    /// True if tasks act in the roles of their state machines (`STEPWELL_MACHINE_ROLES`).
    pub fn in_machine_roles(&self) -> bool {
        present("STEPWELL_MACHINE_ROLES").is_some_and(|value| value == "true")
    }

    /// The start of every function: begins to log, reads the environment and joins the parts; `targets` makes the task
    /// targets.
    pub async fn start<T, E>(
        deployment: Deployment,
        targets: impl FnOnce(&Environment) -> Result<T, E>,
    ) -> Result<(Environment, Arc<Installation>), Box<dyn Error + Send + Sync>>
    where
        T: Tasks,
        E: Error + Send + Sync + 'static,
    {
        crate::logs::begin();
        let environment = Environment::read()?;
        let tasks = Arc::new(targets(&environment)?);
        let installation = environment.installation(deployment, tasks).await?;
        Ok((environment, Arc::new(installation)))
    }

    /// Joins the parts, as the environment of a function has them.
    async fn installation(&self, deployment: Deployment, tasks: Arc<dyn Tasks>) -> Result<Installation, SetupError> {
        let clock = Arc::new(SystemClock::new().map_err(|_| SetupError::Chance)?);
        let clients = (
            clients::dynamodb(&clients::config(&self.region, "DYNAMODB")),
            clients::sqs(&clients::config(&self.region, "SQS")),
        );
        self.joined(clients, clock, deployment, tasks, Arc::new(MetricLines::default())).await
    }

    /// The same with these clients, this clock and these metrics.
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
            activity_poll: self.activity_poll,
            commit_bytes: Settings::COMMIT_BYTES,
            memory: function_memory(),
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
            activities: Arc::new(table.clone()),
            clock: clock.clone(),
            metrics: metrics.clone(),
            logs: None,
        };
        Ok(Installation { engine: Engine::new(world, settings), table, queue, sqs, clock, metrics })
    }
}

/// The task targets of the scheduler, which makes no calls: it drives dead letters without a time budget, in which no
/// call fits.
pub struct NoTargets;

impl NoTargets {
    pub fn of(_environment: &Environment) -> Result<NoTargets, Infallible> {
        Ok(NoTargets)
    }
}

#[async_trait]
impl Tasks for NoTargets {
    async fn call(&self, call: TaskCall) -> TaskAnswer {
        let (execution, state) = (&call.execution, &call.state);
        tracing::error!(execution, state, "scheduler: task call failed, this process has no task targets");
        let cause = "the scheduler has no task targets".to_owned();
        TaskAnswer::Failed { error: "States.Runtime".to_owned(), cause: Some(cause) }
    }

    /// Longer than any time budget, so that no call is claimed.
    async fn limit(&self, _call: &TaskCall) -> Duration {
        Duration::MAX
    }
}

/// A variable's value, unless it is empty.
pub(crate) fn present(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn required(name: &'static str) -> Result<String, SetupError> {
    present(name).ok_or(SetupError::Variable { name, problem: "is missing" })
}
/// The bytes that the function has; outside Lambda there is no bound.
fn function_memory() -> usize {
    let mib = env::var("AWS_LAMBDA_FUNCTION_MEMORY_SIZE").ok().and_then(|mib| mib.parse::<usize>().ok());
    mib.map_or(usize::MAX, |mib| mib.saturating_mul(1 << 20))
}
