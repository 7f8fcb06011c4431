//! Activities on the real server: workers that wait, workers that hang up, and workers beside `kill -9`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use stepwell_tests::client::{CallError, Client, text, types};
use stepwell_tests::server::Server;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

const PATIENCE: Duration = Duration::from_secs(60);

async fn activity(client: &Client, name: &str) -> Result<String> {
    text(&client.call("CreateActivity", &json!({ "name": name })).await?, "activityArn")
}

fn machine(activity: &str) -> Value {
    let retry =
        json!([{ "ErrorEquals": ["States.Timeout"], "IntervalSeconds": 1, "MaxAttempts": 20, "BackoffRate": 1.0 }]);
    let task = json!({ "Type": "Task", "Resource": activity, "HeartbeatSeconds": 3, "Retry": retry, "End": true });
    json!({ "StartAt": "Ask", "States": { "Ask": task } })
}

/// The next task of an activity.
async fn task(client: &Client, activity: &str, worker: &str) -> Result<Value, CallError> {
    client.call("GetActivityTask", &json!({ "activityArn": activity, "workerName": worker })).await
}

/// Sends a request and nothing more, then hangs up.
async fn hangs_up(endpoint: &str, activity: &str, after: Duration) -> Result<()> {
    let address = endpoint.strip_prefix("http://").context("an endpoint")?;
    let body = json!({ "activityArn": activity }).to_string();
    let mut stream = TcpStream::connect(address).await?;
    let head = format!(
        "POST / HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/x-amz-json-1.0\r\n\
         x-amz-target: AWSStepFunctions.GetActivityTask\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    tokio::time::sleep(after).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_leased_for_workers_that_have_hung_up() -> Result<()> {
    let home = TempDir::new()?;
    let server = Server::start(&home.path().join("data"), &[]).await?;
    let client = server.client();
    let activity = activity(client, "hung-up").await?;
    for _ in 0..20 {
        hangs_up(server.endpoint(), &activity, Duration::from_millis(20)).await?;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let machine = client.create("hung-up", &machine(&activity)).await?;
    let execution = client.start(&machine, "one", &json!({})).await?;
    let found = task(client, &activity, "there").await?;
    client.call("SendTaskSuccess", &json!({ "taskToken": found["taskToken"], "output": "{}" })).await?;
    client.finished(&execution, PATIENCE).await?;
    let history = client.history(&execution).await?;
    let started: Vec<&Value> = history.iter().filter(|event| event["type"] == "ActivityStarted").collect();
    ensure!(started.len() == 1 && started[0]["activityStartedEventDetails"]["workerName"] == "there", "{history:#?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_that_wait_are_let_go_when_the_server_stops() -> Result<()> {
    let home = TempDir::new()?;
    let server = Server::start(&home.path().join("data"), &[]).await?;
    let activity = activity(server.client(), "stopping").await?;
    let mut workers = JoinSet::new();
    for _ in 0..5 {
        let (client, activity) = (server.client().clone(), activity.clone());
        workers.spawn(async move { task(&client, &activity, "waits").await });
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let began = Instant::now();
    ensure!(server.stop().await?.success());
    ensure!(began.elapsed() < Duration::from_secs(3), "it took {:?}", began.elapsed());
    while let Some(answer) = workers.join_next().await {
        assert_eq!(answer??, json!({}), "an empty answer");
    }
    Ok(())
}

/// A task as a worker got it: its execution, and its token.
type Taken = (String, String);

/// The workers of one activity, through restarts of the server.
#[derive(Default)]
struct Crew {
    taken: Mutex<Vec<Taken>>,
    done: AtomicUsize,
    over: AtomicBool,
}

impl Crew {
    /// Takes tasks and answers them until it is over, whatever becomes of the server.
    async fn work(&self, home: &Path, activity: &str, worker: usize) {
        while !self.over.load(Ordering::Relaxed) {
            let Ok(endpoint) = std::fs::read_to_string(home.join("endpoint")) else { continue };
            let client = Client::new(&endpoint);
            while !self.over.load(Ordering::Relaxed) {
                let Ok(found) = task(&client, activity, &format!("worker-{worker}")).await else { break };
                let Some(token) = found["taskToken"].as_str() else { continue };
                let input: Value = serde_json::from_str(found["input"].as_str().unwrap_or("{}")).unwrap_or_default();
                let name = input["name"].as_str().unwrap_or_default().to_owned();
                self.taken.lock().unwrap_or_else(PoisonError::into_inner).push((name, token.to_owned()));
                let answer = json!({ "taskToken": token, "output": "{}" });
                if client.call("SendTaskSuccess", &answer).await.is_ok() {
                    self.done.fetch_add(1, Ordering::Relaxed);
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// An execution's attempts: each has started at most once, and one after the other.
fn check_attempts(name: &str, history: &[Value]) -> Result<usize> {
    let mut open = false;
    let mut starts = 0;
    for kind in types(history) {
        match kind {
            "ActivityStarted" => {
                ensure!(!open, "{name}: two workers at a time: {:?}", types(history));
                (open, starts) = (true, starts + 1);
            }
            "ActivityScheduled" => ensure!(!open, "{name}: scheduled while a worker has it"),
            "ActivitySucceeded" | "ActivityTimedOut" | "ActivityFailed" => {
                ensure!(open, "{name}: ended without a start: {:?}", types(history));
                open = false;
            }
            _ => {}
        }
    }
    Ok(starts)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_task_is_leased_once_at_a_time_and_ends_though_the_server_is_killed() -> Result<()> {
    const WORKERS: usize = 40;
    const TASKS: usize = 400;
    const KILLS: usize = 3;
    let home = TempDir::new()?;
    let data = home.path().join("data");
    let mut server = Server::start(&data, &[]).await?;
    let activity = activity(server.client(), "crew").await?;
    let machine = server.client().create("crew", &machine(&activity)).await?;
    let crew = Arc::new(Crew::default());
    std::fs::write(home.path().join("endpoint"), server.endpoint())?;
    let mut workers = JoinSet::new();
    for worker in 0..WORKERS {
        let (crew, home, activity) = (crew.clone(), home.path().to_owned(), activity.clone());
        workers.spawn(async move { crew.work(&home, &activity, worker).await });
    }
    let mut executions = BTreeMap::new();
    for number in 0..TASKS {
        if number % (TASKS / (KILLS + 1)) == TASKS / (KILLS + 1) - 1 && executions.len() < TASKS - 1 {
            server.kill()?;
            server = Server::start(&data, &[]).await?;
            std::fs::write(home.path().join("endpoint"), server.endpoint())?;
        }
        let name = format!("task-{number}");
        let arn = server.client().start(&machine, &name, &json!({ "name": name })).await?;
        executions.insert(name, arn);
    }
    let mut starts = 0;
    for (name, arn) in &executions {
        let description = server.client().finished(arn, PATIENCE).await?;
        ensure!(description["status"] == "SUCCEEDED", "{description:#}");
        starts += check_attempts(name, &server.client().history(arn).await?)?;
    }
    crew.over.store(true, Ordering::Relaxed);
    drop(server);
    while workers.join_next().await.is_some() {}
    let taken = crew.taken.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let tokens: BTreeSet<&String> = taken.iter().map(|(_, token)| token).collect();
    ensure!(tokens.len() == taken.len(), "a token was given out twice");
    ensure!(taken.len() <= starts, "{} tasks were given out, {starts} were started", taken.len());
    let names: BTreeSet<&String> = taken.iter().map(|(name, _)| name).collect();
    ensure!(names.len() == TASKS, "{} of {TASKS} executions had a worker", names.len());
    Ok(())
}
