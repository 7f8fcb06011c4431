//! What `stepwell serve` does in a second: `cargo bench -p stepwell-tests --bench serve`. Figures, not assertions.
//!
//! A Rust client on 64 keep-alive connections, fsync on. The disk's own fsync and an empty durable commit stand beside
//! the figures, since they bound what is possible.

#![allow(clippy::print_stdout, reason = "a benchmark is there to print")]

use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use embedded::{Directory, Options};
use engine::ports::{ExecutionStatus, Journal, Listing, Record};
use futures_util::future::try_join_all;
use serde_json::{Value, json};
use stepwell_tests::client::Client;
use stepwell_tests::server::Server;

const CONNECTIONS: usize = 64;
const LOAD: Duration = Duration::from_secs(10);
const QUICK: Duration = Duration::from_secs(3);
const WAITS: usize = 1_000;
const CALLS: usize = 3_000;
const WAIT_SECONDS: f64 = 2.0;
/// Clock ticks a second in /proc/PID/stat, on every Linux there is.
const TICKS: f64 = 100.0;

#[tokio::main]
async fn main() -> Result<()> {
    let scratch = tempfile::tempdir()?;
    println!("{:<58} {:>12.0} /s", "disk: append 4 KiB and sync", fsyncs(scratch.path())?);
    for tasks in [1, CONNECTIONS] {
        let rate = commits(&scratch.path().join(format!("commits-{tasks}")), tasks).await?;
        println!("{:<58} {rate:>12.0} /s", format!("store: empty durable commits, {tasks} at a time"));
    }
    // Not part of the start-up: cargo may have to build it.
    stepwell_tests::server::binary()?;
    let started = Instant::now();
    let server = Server::start(&scratch.path().join("data"), &[]).await?;
    println!("{:<58} {:>12.0} ms", "serve: start-up to the first healthy answer", millis(started.elapsed()));
    println!("{:<58} {:>12.1} MiB", "serve: idle memory (resident)", resident(&server)?);
    executions(&server).await?;
    synchronous(&server).await?;
    waits(&server).await?;
    println!("{:<58} {:>12.1} MiB", "serve: memory after all that (resident)", resident(&server)?);
    Ok(())
}

fn fsyncs(directory: &std::path::Path) -> Result<f64> {
    let mut file = File::create(directory.join("synced"))?;
    let (block, begin) = ([7u8; 4096], Instant::now());
    let mut count = 0u32;
    while begin.elapsed() < QUICK {
        file.write_all(&block)?;
        file.sync_data()?;
        count += 1;
    }
    Ok(f64::from(count) / begin.elapsed().as_secs_f64())
}

/// Heads of executions with empty bodies, through the port.
async fn commits(path: &std::path::Path, tasks: usize) -> Result<f64> {
    let directory = Arc::new(Directory::open(path, &Options::default())?);
    let (next, begin) = (Arc::new(AtomicU64::new(0)), Instant::now());
    let running = (0..tasks).map(|_| {
        let (directory, next) = (directory.clone(), next.clone());
        async move {
            while begin.elapsed() < QUICK {
                directory.append(head(next.fetch_add(1, Ordering::Relaxed))).await?;
            }
            anyhow::Ok(())
        }
    });
    try_join_all(running).await?;
    Ok(next.load(Ordering::Relaxed) as f64 / begin.elapsed().as_secs_f64())
}

fn head(number: u64) -> Record {
    let execution = format!("arn:aws:states:us-east-1:123456789012:execution:bench:{number}");
    let started = interpreter::Timestamp(1_700_000_000_000);
    let listing = Listing {
        execution: execution.clone(),
        machine: "arn:aws:states:us-east-1:123456789012:stateMachine:bench".into(),
        name: number.to_string(),
        status: ExecutionStatus::Succeeded,
        started,
        stopped: Some(started),
        shown: None,
    };
    Record {
        execution,
        sequence: 0,
        nonce: number,
        full: 0,
        due: None,
        open: false,
        listing: Some(listing),
        body: Vec::new(),
    }
}

/// StartExecution to the durable end: the answer comes when the last event is on disk.
async fn executions(server: &Server) -> Result<()> {
    let three = json!({ "StartAt": "A", "States": {
        "A": { "Type": "Pass", "Result": { "a": 1 }, "ResultPath": "$.a", "Next": "B" },
        "B": { "Type": "Pass", "Parameters": { "b.$": "$.a.a", "c": "d" }, "Next": "C" },
        "C": { "Type": "Pass", "End": true } } });
    load(server, "three states", &three, r#"{"order":{"id":"o-1","items":[1,2,3]}}"#, 3).await?;
    let counting = json!({ "StartAt": "Count", "States": {
        "Count": { "Type": "Pass", "Parameters": { "n.$": "States.MathAdd($.n, 1)" }, "Next": "More" },
        "More": { "Type": "Choice", "Default": "Done",
            "Choices": [{ "Variable": "$.n", "NumericLessThan": 50, "Next": "Count" }] },
        "Done": { "Type": "Succeed" } } });
    load(server, "101 states", &counting, r#"{"n":0}"#, 101).await
}

async fn load(server: &Server, what: &str, definition: &Value, input: &str, transitions: u32) -> Result<()> {
    let machine = server.client().create(&what.replace(' ', "-"), definition).await?;
    let call = json!({ "stateMachineArn": machine, "input": input });
    let (cpu, begin) = (cpu_seconds(server)?, Instant::now());
    let counts = try_join_all((0..CONNECTIONS).map(|_| starts(server.endpoint(), &call, begin))).await?;
    let (elapsed, done) = (begin.elapsed().as_secs_f64(), counts.iter().sum::<usize>() as f64);
    let cpu = cpu_seconds(server)? - cpu;
    let running = json!({ "stateMachineArn": machine, "statusFilter": "RUNNING" });
    let running = server.client().call("ListExecutions", &running).await?;
    anyhow::ensure!(running.get("executions") == Some(&json!([])), "an execution is still running");
    let rate = format!("serve: durable executions of {what}, 64 connections");
    println!("{rate:<58} {:>12.0} /s", done / elapsed);
    let cost = format!("serve: CPU per transition of {what}, all included");
    println!("{cost:<58} {:>12.1} µs", cpu * 1e6 / (done * f64::from(transitions)));
    Ok(())
}

async fn starts(endpoint: &str, call: &Value, begin: Instant) -> Result<usize> {
    let (client, mut count) = (Client::new(endpoint), 0);
    while begin.elapsed() < LOAD {
        client.call("StartExecution", call).await?;
        count += 1;
    }
    Ok(count)
}

async fn synchronous(server: &Server) -> Result<()> {
    let definition = json!({ "StartAt": "A", "States": {
        "A": { "Type": "Pass", "Next": "B" }, "B": { "Type": "Pass", "Next": "C" }, "C": { "Type": "Pass", "End": true } } });
    let machine = server.client().create_as("three-express", "EXPRESS", &definition).await?;
    let mut times = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let begin = Instant::now();
        server.client().call("StartSyncExecution", &json!({ "stateMachineArn": machine, "input": "{}" })).await?;
        times.push(millis(begin.elapsed()));
    }
    show_spread("serve: StartSyncExecution of three states", &mut times);
    Ok(())
}

/// How late Waits end, as their histories tell.
async fn waits(server: &Server) -> Result<()> {
    let definition = json!({ "StartAt": "W", "States": { "W": { "Type": "Wait", "Seconds": 2, "End": true } } });
    let machine = server.client().create("waiting", &definition).await?;
    let mut started = Vec::new();
    for number in 0..WAITS {
        started.push(server.client().start(&machine, &format!("w{number}"), &json!({})).await?);
    }
    let mut late = Vec::new();
    for execution in &started {
        server.client().finished(execution, Duration::from_secs(30)).await?;
        let events = server.client().history(execution).await?;
        let at = |name: &str| {
            events.iter().find(|event| event.get("type").is_some_and(|found| found == name))?.get("timestamp")?.as_f64()
        };
        let (entered, exited) = at("WaitStateEntered").zip(at("WaitStateExited")).context("no Wait in the history")?;
        late.push((exited - entered - WAIT_SECONDS) * 1000.0);
    }
    show_spread("serve: a Wait ends late by", &mut late);
    Ok(())
}

fn show_spread(what: &str, times: &mut [f64]) {
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times.get((times.len() as f64 * share) as usize).copied().unwrap_or_default();
    println!("{:<58} {:>12.3} ms p50, {:.3} ms p99", what, at(0.5), at(0.99));
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn cpu_seconds(server: &Server) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.pid()))?;
    let after_name = stat.rsplit(") ").next().context("no stat")?;
    let ticks =
        |at: usize| after_name.split(' ').nth(at).and_then(|ticks| ticks.parse::<f64>().ok()).context("no ticks");
    Ok((ticks(11)? + ticks(12)?) / TICKS)
}

fn resident(server: &Server) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid()))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS")).context("no VmRSS")?;
    let kib: f64 = line.split_whitespace().nth(1).context("no size")?.parse()?;
    Ok(kib / 1024.0)
}
