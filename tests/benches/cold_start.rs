//! Cold starts of the functions: the size of their binaries, and the time until they ask for work.
//! `cargo bench --workspace --bench cold_start`, or with `-- DIR` those that are in DIR, as `cargo lambda build` and
//! `sam build` leave them there (`DIR/api/bootstrap`). Figures beside their bars, not assertions.
//!
//! The milliseconds are those from the start of a process to its first `/next`, with the clients of DynamoDB and SQS
//! built and the installation's secret read from a table that answers at once. What Lambda adds before a process starts
//! is not in it. Times depend on what else the machine does, which is printed.

#![allow(clippy::print_stdout, reason = "a benchmark is there to print")]

use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use aws::{clients, create};
use stepwell_tests::dynamo::Dynamo;
use stepwell_tests::runtime_api::{self, Function, TABLE};
use stepwell_tests::sqs::Sqs;

const FUNCTIONS: [&str; 3] = ["api", "worker", "clock"];
const STARTS: usize = 30;
const MOST_MB: f64 = 10.0;
const MOST_MS: f64 = 30.0;

#[tokio::main]
async fn main() -> Result<()> {
    let (dynamo, sqs) = (Dynamo::new()?, Sqs::default());
    create::create_table(&clients::dynamodb(&dynamo.config()), TABLE).await?;
    println!("before: {} processes want to run, on average of a minute", load()?);
    println!(
        "{:<8} {:>8} {:>14} {:>10} {:>12} {:>14}",
        "", "MB", "start p50 ms", "worst ms", "CPU p50 ms", "resident MiB"
    );
    println!("{:<8} {MOST_MB:>8.1} {MOST_MS:>14.1}", "bar");
    for name in FUNCTIONS {
        let program = runtime_api::program(name)?;
        let size = std::fs::metadata(&program)?.len() as f64 / 1e6;
        let mut starts = Vec::new();
        for _ in 0..STARTS {
            starts.push(start(&program, &dynamo, &sqs).await?);
        }
        let sorted = |value: fn(&Start) -> f64| {
            let mut values: Vec<f64> = starts.iter().map(value).collect();
            values.sort_by(f64::total_cmp);
            move |place: usize| values.get(place).copied().unwrap_or_default()
        };
        let (wall, cpu, resident) =
            (sorted(|start| start.wall_ms), sorted(|start| start.cpu_ms), sorted(|start| start.resident_mib));
        let (half, last) = (STARTS / 2, STARTS - 1);
        println!(
            "{name:<8} {size:>8.1} {:>14.1} {:>10.1} {:>12.1} {:>14.1}",
            wall(half),
            wall(last),
            cpu(half),
            resident(half)
        );
        if size > MOST_MB {
            println!("{:<8} {:>8.1} over its bar", "", size - MOST_MB);
        }
    }
    Ok(())
}

fn load() -> Result<String> {
    let told = std::fs::read_to_string("/proc/loadavg")?;
    Ok(told.split(' ').next().unwrap_or_default().to_owned())
}

/// The cost of a start.
struct Start {
    wall_ms: f64,
    cpu_ms: f64,
    resident_mib: f64,
}

async fn start(program: &Path, dynamo: &Dynamo, sqs: &Sqs) -> Result<Start> {
    let begun = Instant::now();
    let function = Function::start(program, dynamo, sqs, &[]).await?;
    let wall_ms = begun.elapsed().as_secs_f64() * 1e3;
    Ok(Start { wall_ms, cpu_ms: function.cpu()?.as_secs_f64() * 1e3, resident_mib: function.memory()?.resident })
}
