//! The directory of `serve` as a golden: what `kill -9` left, as SQL that people can read, and a process that opens it
//! again at any time.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use async_trait::async_trait;
use embedded::{ActivityTasks, Directory, Options, TimerQueue};
use engine::ports::{Clock, Journal, Queue, Uncounted, WakeUp};
use engine::tokens::Keys;
use engine::{Deployment, Engine, Settings, World as Ports};
use interpreter::{Limits, Timestamp};
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use serde_json::Value;
use service::Service;
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::{Expected, Functions, Place, Shapes, Story, World, version};
use crate::client::Client;
use crate::lambda_server::{Dialect, LambdaServer};
use crate::server::{ACCOUNT, Server};
use crate::simulation::VirtualClock;

const DATABASE: &str = "stepwell.db";
const PAUSE: Duration = Duration::from_millis(20);
/// The file's header, in front of its tables.
const PRAGMAS: [&str; 4] = ["page_size", "auto_vacuum", "application_id", "user_version"];

#[async_trait(?Send)]
impl World for Client {
    async fn call(&self, action: &str, members: Value) -> Result<Value> {
        Ok(Client::call(self, action, &members).await?)
    }

    async fn settle(&self) -> Result<()> {
        tokio::time::sleep(PAUSE).await;
        Ok(())
    }
}

/// Tells all stories to a real server and kills it in the middle: the SQL of what it left, and what has to be found there.
pub async fn told() -> Result<(String, Expected)> {
    let (home, functions) = (TempDir::new()?, Functions::troubled());
    let lambda = LambdaServer::start(Dialect::Aws).await?;
    functions.register(&lambda);
    let (stories, mocks) = (Story::all(Place::Serve)?, home.path().join("mocks.json"));
    fs::write(&mocks, Story::mocks(&stories).to_string())?;
    let (data, url) = (home.path().join("data"), lambda.url());
    let flags = ["--lambda-endpoint", &url, "--mock-config", mocks.to_str().context("no name")?];
    let server = Server::start(&data, &flags).await?;
    let mut told = Vec::new();
    for story in stories {
        let telling = story.tell(server.client(), &functions).await;
        let (execution, machine) = telling.with_context(|| story.name.clone())?;
        told.push((story, execution, machine));
    }
    let at = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
    let expected = Expected::of(server.client(), &functions, told, at).await?;
    server.kill()?;
    Ok((dumped(&data.join(DATABASE))?, expected))
}

/// Everything in a database: its own statements, and a line for each row.
fn dumped(database: &Path) -> Result<String> {
    let connection = Connection::open(database)?;
    let mut sql = String::new();
    for pragma in PRAGMAS {
        let value: i64 = connection.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0))?;
        writeln!(sql, "PRAGMA {pragma} = {value};")?;
    }
    let statements = "SELECT name, type, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid";
    let mut statements = connection.prepare(statements)?;
    let mut rows = statements.query([])?;
    while let Some(row) = rows.next()? {
        let (name, kind, statement): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        writeln!(sql, "{statement};")?;
        if kind == "table" {
            dump_rows(&connection, &name, &mut sql)?;
        }
    }
    Ok(sql)
}

fn dump_rows(connection: &Connection, table: &str, sql: &mut String) -> Result<()> {
    let mut all = connection.prepare(&format!("SELECT * FROM {table}"))?;
    let columns = all.column_count();
    let mut rows = all.query([])?;
    while let Some(row) = rows.next()? {
        let values: Result<Vec<String>> = (0..columns).map(|column| literal(row.get_ref(column)?)).collect();
        writeln!(sql, "INSERT INTO {table} VALUES ({});", values?.join(", "))?;
    }
    Ok(())
}

/// A value as SQL writes it; bytes that are text as text.
fn literal(value: ValueRef<'_>) -> Result<String> {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    Ok(match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(text) => quoted(std::str::from_utf8(text)?),
        ValueRef::Blob(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) if !text.contains('\0') => format!("CAST({} AS BLOB)", quoted(text)),
            _ => bytes.iter().fold("X'".to_owned(), |hex, byte| format!("{hex}{byte:02x}")) + "'",
        },
    })
}

/// The directory that a golden's SQL tells of, in a folder of its own.
pub fn restored(sql: &str) -> Result<TempDir> {
    let home = TempDir::new()?;
    let connection = Connection::open(home.path().join(DATABASE))?;
    // In one transaction, but for what is said before there are tables.
    connection.execute_batch(&sql.replacen("CREATE", "BEGIN; CREATE", 1))?;
    connection.execute_batch("COMMIT")?;
    Ok(home)
}

/// The shapes of a directory's rows.
pub fn shapes(home: &Path) -> Result<Shapes> {
    let connection = Connection::open(home.join(DATABASE))?;
    let directory: u64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let mut shapes = Shapes::from([("a directory", directory)]);
    for (what, table) in [("an entry", "records"), ("a machine", "machines"), ("an Express start", "starts")] {
        let mut bodies = connection.prepare(&format!("SELECT CAST(body AS BLOB) FROM {table}"))?;
        let mut bodies = bodies.query([])?;
        while let Some(row) = bodies.next()? {
            shapes.insert((what, version(row.get_ref(0)?.as_blob()?)?));
        }
    }
    Ok(shapes)
}

/// Makes what an execution has written look as if a newer version of Stepwell had, and with it every machine of that name
/// and every Express start.
pub fn leave_newer(home: &Path, execution: &str, machine: &str) -> Result<()> {
    let connection = Connection::open(home.join(DATABASE))?;
    let newer = "json_set(CAST(body AS TEXT), '$.v', 999)";
    let rows = [
        ("records", "place >> 24 = (SELECT id FROM executions WHERE execution = ?1)", execution),
        ("machines", "arn = ?1", machine),
        ("starts", "id <> ?1", ""),
    ];
    for (table, which, value) in rows {
        let body = if table == "records" { format!("CAST({newer} AS BLOB)") } else { newer.to_owned() };
        let update = format!("UPDATE {table} SET digest = NULL, body = {body} WHERE {which}");
        anyhow::ensure!(connection.execute(&update, [value])? > 0, "{table} has no such row");
    }
    Ok(())
}

/// What `serve` is, with time by hand: a process that opened a directory.
pub struct Reopened {
    service: Arc<Service>,
    _duties: JoinSet<()>,
}

impl Reopened {
    /// Opens the directory when it is `now`, and takes up what was open.
    pub async fn at(home: PathBuf, now: Timestamp, functions: &Arc<Functions>) -> Result<Reopened> {
        let directory = Arc::new(Directory::open(&home, &Options::default())?);
        let clock = Arc::new(VirtualClock::new(now, 7));
        let queue = Arc::new(TimerQueue::new(clock.clone()));
        let settings = Settings {
            partition: "aws".to_owned(),
            region: "us-east-1".to_owned(),
            account: ACCOUNT.to_owned(),
            keys: Keys::one(directory.key()),
            retention_days: 90,
            deployment: Deployment::SingleProcess,
            calls: 1_000,
            max_active_executions: 10_000,
            activity_poll: Settings::ACTIVITY_POLL,
            commit_bytes: Settings::COMMIT_BYTES,
            memory: usize::MAX,
            events: Limits::STANDARD.events,
            wait_millionths: Limits::STANDARD.wait_millionths,
            retry_millionths: Limits::STANDARD.retry_millionths,
        };
        let world = Ports {
            journal: directory.clone(),
            documents: directory.clone(),
            starts: directory.clone(),
            queue: queue.clone(),
            tasks: functions.clone(),
            activities: Arc::new(ActivityTasks::new(clock.clone())),
            clock: clock.clone(),
            metrics: Arc::new(Uncounted),
            logs: None,
        };
        let service = Service::new(Engine::new(world, settings));
        for (execution, due) in directory.open(None, 1_000).await?.executions {
            queue.send(WakeUp::of(&execution, due.filter(|due| *due > clock.now()))).await?;
        }
        service.engine().express().resume().await.map_err(|error| anyhow::anyhow!("{error}"))?;
        let mut duties = JoinSet::new();
        let looking = service.clone();
        duties.spawn(async move {
            loop {
                let told = queue.next().await;
                let service = looking.clone();
                // The test finds what it could not do.
                tokio::spawn(async move { service.engine().deliver().wake(&told.execution).await.map(drop) });
            }
        });
        Ok(Reopened { service, _duties: duties })
    }
}

#[async_trait(?Send)]
impl World for Reopened {
    async fn call(&self, action: &str, members: Value) -> Result<Value> {
        crate::cloud::call(&self.service, action, members).await
    }

    async fn settle(&self) -> Result<()> {
        tokio::time::sleep(PAUSE).await;
        Ok(())
    }
}
