//! What requests and workflows leave behind, and what they take at most.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use stepwell_tests::client::CallError;
use stepwell_tests::server::Server;
use tempfile::TempDir;

const REFUSED: usize = 39;
/// A definition that AWS takes, near its longest.
const DEFINITION: usize = 1_000_000;
/// What they may leave in memory and on the disk.
const LEFT_MIB: u64 = 64;
const LEFT_ON_DISK: u64 = 4 << 20;

fn resident_mib(server: &Server) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib / 1024)
}

fn bytes_in(directory: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(directory)? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes)
}

/// A definition of so many bytes, different for each number.
fn large(number: usize) -> Value {
    let branch = |name: usize| {
        let state = json!({"Type": "Pass", "Parameters": {"number": name, "of": number}, "End": true});
        (format!("S{name}"), state)
    };
    let mut states: serde_json::Map<String, Value> = (0..DEFINITION / 190).map(branch).collect();
    states.insert("First".to_owned(), json!({"Type": "Pass", "Next": "S0"}));
    // Each state has to be reached by another.
    let names: Vec<String> = states.keys().filter(|name| *name != "First").cloned().collect();
    let choices: Vec<Value> =
        names.iter().map(|name| json!({"Variable": "$.n", "IsPresent": true, "Next": name})).collect();
    states.insert("First".to_owned(), json!({"Type": "Choice", "Choices": choices, "Default": "S0"}));
    json!({"StartAt": "First", "States": states})
}

#[tokio::test(flavor = "multi_thread")]
#[cfg(target_os = "linux")]
async fn machines_that_are_refused_leave_nothing_behind() -> Result<()> {
    let _alone = super::ALONE.lock().await;
    let directory = TempDir::new()?;
    let data = directory.path().join("data");
    let server = Server::start(&data, &[]).await?;
    let client = server.client();
    client.create("taken", &json!({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}})).await?;
    let create = |number| {
        let definition = large(number).to_string();
        json!({"name": "taken", "roleArn": "arn:aws:iam::123456789012:role/any", "definition": definition})
    };
    // The first may leave what the allocator keeps for the next.
    let mut before = (0, 0);
    for number in 0..=REFUSED {
        match client.call("CreateStateMachine", &create(number)).await {
            Err(CallError::Refused { kind, .. }) if kind == "StateMachineAlreadyExists" => {}
            answer => anyhow::bail!("{answer:?}"),
        }
        if number == 0 {
            before = (resident_mib(&server)?, bytes_in(&data)?);
        }
    }
    let after = (resident_mib(&server)?, bytes_in(&data)?);
    println!("{before:?} MiB and bytes before, {after:?} after {REFUSED} refused machines");
    ensure!(after.0 <= before.0 + LEFT_MIB, "{REFUSED} refused machines left {} MiB", after.0 - before.0);
    ensure!(after.1 <= before.1 + LEFT_ON_DISK, "{REFUSED} refused machines left {} bytes", after.1 - before.1);
    Ok(())
}
