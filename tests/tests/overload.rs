//! More than the server takes: it says so in AWS's words, keeps what it took, stays prompt for others and does not grow.

#![expect(clippy::indexing_slicing, reason = "an index into JSON does not panic; any other that does fails the test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use stepwell_tests::client::{CallError, Client};
use stepwell_tests::lambda_server::{Answer, Dialect, LambdaServer};
use stepwell_tests::modes::{count, long_mode};
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
use stepwell_tests::python::Clients;
use stepwell_tests::raw_http::{Connection, head_of_call};
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
use stepwell_tests::retrying_client::RetryingClient;
use stepwell_tests::server::Server;
use tempfile::TempDir;
use tokio::task::JoinSet;

/// More at a time than the server has hands for, and than it answers at a time.
const CLIENTS: usize = 800;
/// An execution takes two of the server's 10,000 hands.
const INPUT: usize = 20 << 10;
/// The server's memory limit for all of that.
const LARGEST_MIB: u64 = 768;
/// While a call of another client waits for its answer, the server mostly answers fewer of the flood's: each of its clients
/// once. In answers, since what they take in seconds is the machine's, and mostly, since single ones depend on its mood.
const FAIR: usize = CLIENTS;
/// In a flood that goes on, one such round is what any call waits for, even one that asks for nothing.
const FAIR_FOR_LONG: usize = 2 * CLIENTS;
const SETTLE: Duration = Duration::from_secs(120);

/// The answers to the clients.
#[derive(Default)]
struct Told {
    throttled: AtomicUsize,
    /// Calls of the flood that were answered, one way or the other.
    answered: AtomicUsize,
    over: AtomicBool,
}

#[tokio::test(flavor = "multi_thread")]
async fn more_starts_than_it_takes_are_throttled_and_those_it_took_end() -> Result<()> {
    let functions = LambdaServer::start(Dialect::Aws).await?;
    functions.register("Slow", |_, _| Answer::After(Duration::from_millis(300), Box::new(Answer::Returns(json!(1)))));
    let (directory, url) = (TempDir::new()?, functions.url());
    let server = Server::start(&directory.path().join("data"), &["--lambda-endpoint", &url]).await?;
    let client = server.client();
    let function = "arn:aws:lambda:us-east-1:123456789012:function:Slow";
    let definition = json!({"StartAt": "S", "States": {"S": {"Type": "Task", "Resource": function, "ResultPath": null, "Next": "D"}, "D": {"Type": "Pass", "Result": 7, "End": true}}});
    let machine = client.create("slow", &definition).await?;
    let bystander = client.start(&machine, "bystander", &json!({})).await?;

    let told = Arc::new(Told::default());
    let mut flood = JoinSet::new();
    let each = usize::try_from(count("STEPWELL_STARTS", 5, 50))?;
    for number in 0..CLIENTS {
        flood.spawn(starts(Client::new(server.endpoint()), machine.clone(), number, each, Arc::clone(&told)));
    }
    // In a thread of its own: what the flood's own tasks wait for is not the server's.
    let (endpoint, noted) = (server.endpoint().to_owned(), Arc::clone(&told));
    let prompt = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(watch(Client::new(&endpoint), bystander, noted))
    });
    let mut acknowledged = Vec::new();
    while let Some(started) = flood.join_next().await {
        acknowledged.extend(started??);
    }
    told.over.store(true, Ordering::SeqCst);
    let (mut waits, slowest) = prompt.join().ok().context("the other client panicked")??;
    let throttled = told.throttled.load(Ordering::SeqCst);
    let peak = server.peak_mib()?;
    waits.sort_unstable();
    println!(
        "{} starts acknowledged, {throttled} throttled, {} calls of another client during {waits:?} answers and at \
         most {slowest:?}, {peak} MiB",
        acknowledged.len(),
        waits.len()
    );
    ensure!(throttled > 0, "nothing was throttled");
    ensure!(acknowledged.len() > 1_000, "only {} starts were taken", acknowledged.len());
    let mostly = waits.get(waits.len() / 2).copied().context("another client was never answered")?;
    let fair = if long_mode() { FAIR_FOR_LONG } else { FAIR };
    ensure!(mostly < fair, "another client waited while {mostly} calls were answered, for up to {slowest:?}");
    ensure!(peak < LARGEST_MIB, "the server took {peak} MiB");
    for execution in acknowledged {
        let description = client.finished(&execution, SETTLE).await?;
        ensure!(description["status"] == "SUCCEEDED" && description["output"] == "7", "{description}");
    }
    ensure!(!server.log_text().contains("panicked"), "{}", server.log_text());
    Ok(())
}

/// Starts executions as fast as they are answered; those that were acknowledged.
async fn starts(client: Client, machine: String, number: usize, each: usize, told: Arc<Told>) -> Result<Vec<String>> {
    let mut acknowledged = Vec::new();
    for turn in 0..each {
        let input = json!({"padding": "x".repeat(INPUT)}).to_string();
        let members = json!({"stateMachineArn": machine, "name": format!("{number}-{turn}"), "input": input});
        let answer = client.call("StartExecution", &members).await;
        told.answered.fetch_add(1, Ordering::SeqCst);
        match answer {
            Ok(answer) => acknowledged.push(answer["executionArn"].as_str().context("no ARN")?.to_owned()),
            Err(CallError::Refused { status, kind, message }) if kind == "ThrottlingException" => {
                ensure!(status == 400 && message == "Rate exceeded", "{status} {message}");
                told.throttled.fetch_add(1, Ordering::SeqCst);
            }
            Err(error) => bail!("a start was answered with {error}"),
        }
    }
    Ok(acknowledged)
}

/// Calls now and then, as a client outside the flood: each wait for an answer in answers to the flood, and the longest.
/// It is never throttled: starts are what there is too much of.
async fn watch(client: Client, execution: String, told: Arc<Told>) -> Result<(Vec<usize>, Duration)> {
    let (mut waits, mut slowest) = (Vec::new(), Duration::ZERO);
    while !told.over.load(Ordering::SeqCst) {
        let (begun, before) = (Instant::now(), told.answered.load(Ordering::SeqCst));
        client.describe(&execution).await.context("another client")?;
        waits.push(told.answered.load(Ordering::SeqCst) - before);
        slowest = slowest.max(begun.elapsed());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok((waits, slowest))
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[tokio::test(flavor = "multi_thread")]
async fn more_connections_than_it_serves_are_told_so_and_leave_room_when_they_go() -> Result<()> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let most = getrlimit(Resource::RLIMIT_NOFILE)?.1;
    setrlimit(Resource::RLIMIT_NOFILE, most, most)?;
    ensure!(most > 3_000, "this test needs more than {most} open files");
    // First, since it may have to be installed.
    let clients = Clients::find()?;
    let directory = TempDir::new()?;
    let server = Server::start(&directory.path().join("data"), &[]).await?;
    let definition = json!({"StartAt": "S", "States": {"S": {"Type": "Succeed"}}});
    let machine = server.client().create("any", &definition).await?;
    let mut connections = Vec::new();
    // The idle ones are closed after half a minute: until then they hold their places.
    while connections.len() < 2_000 {
        connections.push(Connection::open(server.endpoint()).await?);
    }
    let mut told = None;
    // The server may not have accepted all of them yet.
    let limit = Instant::now() + Duration::from_secs(20);
    while told.is_none() {
        ensure!(Instant::now() < limit, "nobody was turned away");
        let mut one_more = Connection::open(server.endpoint()).await?;
        one_more.send((head_of_call("ListStateMachines", 2) + "{}").as_bytes()).await?;
        match one_more.answer().await? {
            Some(answer) if answer.status == 400 => told = Some(answer),
            _ => connections.push(one_more),
        }
    }
    let answer = told.context("nobody was told")?;
    ensure!(answer.error()? == ("ThrottlingException".to_owned(), "Rate exceeded".to_owned()), "{answer:?}");
    ensure!(answer.head.contains("connection: close"), "{answer:?}");
    let retrying = clients.map(|clients| throttled_boto3(&clients, &server, &machine)).transpose()?;
    drop(connections);
    if let Some(retrying) = retrying {
        let (answers, execution) = retrying.succeeds()?;
        println!("boto3 was answered {answers:?} after it was throttled, and then went on");
        ensure!(server.client().finished(&execution, SETTLE).await?["status"] == "SUCCEEDED", "{execution}");
    }
    let limit = Instant::now() + Duration::from_secs(20);
    while let Err(error) = server.client().call("ListStateMachines", &Value::Object(serde_json::Map::new())).await {
        ensure!(Instant::now() < limit, "{error}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// A boto3 whose first attempt was throttled.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn throttled_boto3(clients: &Clients, server: &Server, machine: &str) -> Result<RetryingClient> {
    let mut retrying = RetryingClient::start(clients, server.endpoint(), machine)?;
    let line = retrying.line()?;
    ensure!(line == "answered 400 ThrottlingException", "{line}");
    Ok(retrying)
}
