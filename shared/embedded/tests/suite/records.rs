//! Records for the tests of the directory. What the ports promise is tested in `tests/tests/suite/port_contracts.rs` at the top.

use anyhow::{Result, ensure};
use embedded::Directory;
use engine::ports::{Appended, ExecutionStatus, Journal, Listing, Record};
use interpreter::Timestamp;

pub const MACHINE: &str = "arn:aws:states:us-east-1:123456789012:stateMachine:orders";

pub fn arn(name: &str) -> String {
    format!("arn:aws:states:us-east-1:123456789012:execution:orders:{name}")
}

fn listing(name: &str, stopped: Option<i64>) -> Listing {
    Listing {
        execution: arn(name),
        machine: MACHINE.to_owned(),
        name: name.to_owned(),
        status: if stopped.is_some() { ExecutionStatus::Succeeded } else { ExecutionStatus::Running },
        started: Timestamp(1),
        stopped: stopped.map(Timestamp),
        shown: None,
    }
}

/// A record of an open execution with a body of `bytes`; record 0 is its head.
pub fn record(name: &str, sequence: u64, bytes: usize) -> Record {
    Record {
        execution: arn(name),
        sequence,
        nonce: sequence + 1,
        full: 0,
        due: None,
        open: true,
        listing: (sequence == 0).then(|| listing(name, None)),
        body: (0..bytes).map(|at| (at as u64 ^ sequence) as u8).collect(),
    }
}

/// The record that closes an execution.
pub fn close(name: &str, sequence: u64, stopped: i64) -> Record {
    Record { open: false, listing: Some(listing(name, Some(stopped))), ..record(name, sequence, 10) }
}

pub async fn write(directory: &Directory, record: Record) -> Result<()> {
    stepwell_tests::watchdog::watch();
    let sequence = record.sequence;
    let outcome = directory.append(record).await?;
    ensure!(outcome == Appended::Written, "record {sequence} was not written: {outcome:?}");
    Ok(())
}
