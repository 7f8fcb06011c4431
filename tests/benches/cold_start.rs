//! What the functions are before they do anything: the size of their binaries, and the time until they ask for work.
//! `cargo bench --workspace --bench cold_start`. Figures, not assertions.
//!
//! A runtime API that counts the milliseconds from the start of a process to its first `/next`, with the clients of
//! DynamoDB and SQS built and the installation's secret read from a table that answers at once. What Lambda adds before a
//! process starts is not in it.

#![allow(clippy::print_stdout, reason = "a benchmark is there to print")]

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use stepwell_tests::server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const FUNCTIONS: [&str; 3] = ["api", "worker", "clock"];
const STARTS: usize = 30;
const PATIENCE: Duration = Duration::from_secs(20);
/// The secret that the table holds.
const SECRET: &str = r#"{"Item":{"v":{"N":"1"},"body":{"B":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}}}"#;

#[tokio::main]
async fn main() -> Result<()> {
    println!(
        "{:<10} {:>10} {:>14} {:>14} {:>14} {:>14}",
        "", "MB", "start p50 ms", "worst ms", "CPU p50 ms", "resident MiB"
    );
    for name in FUNCTIONS {
        let program = server::program(name)?;
        let size = std::fs::metadata(&program)?.len() as f64 / 1e6;
        let mut starts = Vec::new();
        for _ in 0..STARTS {
            starts.push(start(&program).await?);
        }
        let of = |value: fn(&Start) -> f64| {
            let mut values: Vec<f64> = starts.iter().map(value).collect();
            values.sort_by(f64::total_cmp);
            let at = |place: usize| values.get(place).copied().unwrap_or_default();
            (at(STARTS / 2), at(STARTS - 1))
        };
        let (wall, cpu, resident) =
            (of(|start| start.wall_ms), of(|start| start.cpu_ms), of(|start| start.resident_mib));
        println!("{name:<10} {size:>10.1} {:>14.1} {:>14.1} {:>14.1} {:>14.1}", wall.0, wall.1, cpu.0, resident.0);
    }
    Ok(())
}

/// What a start took.
struct Start {
    wall_ms: f64,
    cpu_ms: f64,
    resident_mib: f64,
}

async fn start(program: &Path) -> Result<Start> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let begun = Instant::now();
    let mut function = Function(command(program, listener.local_addr()?).spawn()?);
    let asked = tokio::time::timeout(PATIENCE, until_next(&listener)).await;
    let wall_ms = begun.elapsed().as_secs_f64() * 1e3;
    if let Some(status) = function.0.try_wait()? {
        ensure!(status.success(), "{}: {status}", program.display());
    }
    let _open = asked.with_context(|| format!("{} asks for nothing", program.display()))??;
    let process = format!("/proc/{}", function.0.id());
    // Nanoseconds on a processor, of all threads there are.
    let mut cpu_ms = 0.0;
    for thread in std::fs::read_dir(format!("{process}/task"))? {
        let told = std::fs::read_to_string(thread?.path().join("schedstat"))?;
        cpu_ms += told.split_whitespace().next().context("no schedstat")?.parse::<f64>()? / 1e6;
    }
    let status = std::fs::read_to_string(format!("{process}/status"))?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let resident_mib = resident.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0;
    // Before the connection, whose end it would complain about.
    drop(function);
    Ok(Start { wall_ms, cpu_ms, resident_mib })
}

/// Answers what the function asks of its table until it asks the runtime for work.
/// That question stays open: a function that is not heard ends.
async fn until_next(listener: &TcpListener) -> Result<TcpStream> {
    loop {
        let (mut caller, _) = listener.accept().await?;
        let request = head(&mut caller).await?;
        if request.starts_with("GET ") && request.contains("/runtime/invocation/next") {
            return Ok(caller);
        }
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.0\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{SECRET}",
            SECRET.len()
        );
        caller.write_all(answer.as_bytes()).await?;
    }
}

/// The head of a request, and what came with it.
async fn head(caller: &mut TcpStream) -> Result<String> {
    let (mut read, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let length = caller.read(&mut piece).await?;
        read.extend_from_slice(piece.get(..length).unwrap_or_default());
        let text = String::from_utf8_lossy(&read);
        if length == 0 || text.contains("\r\n\r\n") {
            return Ok(text.into_owned());
        }
    }
}

fn command(program: &Path, address: SocketAddr) -> Command {
    let mut command = Command::new(program);
    let endpoint = format!("http://{address}");
    command.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit()).envs([
        ("AWS_LAMBDA_RUNTIME_API", address.to_string().as_str()),
        ("AWS_LAMBDA_FUNCTION_NAME", "cold"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "cold"),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "cold"),
        ("AWS_ENDPOINT_URL", &endpoint),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("STEPWELL_TABLE", "stepwell"),
        ("STEPWELL_QUEUE", "http://127.0.0.1/queue"),
        ("STEPWELL_PARTITION", "aws"),
        ("STEPWELL_ACCOUNT", "123456789012"),
        ("STEPWELL_RETENTION_DAYS", "90"),
    ]);
    command
}

/// A process that ends with its measurement.
struct Function(Child);

impl Drop for Function {
    fn drop(&mut self) {
        // It may have ended before; then there is nothing to do.
        let _ended = self.0.kill().and_then(|()| self.0.wait());
    }
}
