//! A boto3 that starts an execution and does by itself what it does when it is refused: `python/retrying_client.py`.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Stdio};

use anyhow::{Context, Result, ensure};

use crate::python::Clients;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/python");

/// Its process. Only on a runtime of several threads: reading what it says blocks one.
#[derive(Debug)]
pub struct RetryingClient {
    process: Child,
    said: BufReader<ChildStdout>,
}

impl RetryingClient {
    /// Starts an execution of `machine` at `endpoint`, with every setting that boto3 has by default.
    pub fn start(clients: &Clients, endpoint: &str, machine: &str) -> Result<RetryingClient> {
        crate::watchdog::watch();
        let mut python = clients.python(endpoint);
        python.arg("retrying_client.py").env("STEPWELL_MACHINE", machine).current_dir(FOLDER);
        let mut process = python.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn()?;
        let said = BufReader::new(process.stdout.take().context("no output")?);
        Ok(RetryingClient { process, said })
    }

    /// Its next line; empty when it has ended.
    pub fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        tokio::task::block_in_place(|| self.said.read_line(&mut line))?;
        Ok(line.trim_end().to_owned())
    }

    /// How its other attempts were answered, and the execution that it started.
    pub fn succeeds(mut self) -> Result<(Vec<String>, String)> {
        let mut answers = Vec::new();
        loop {
            let line = self.line()?;
            ensure!(!line.is_empty(), "boto3 gave up after {answers:?}");
            match line.strip_prefix("started ") {
                Some(execution) => return Ok((answers, execution.to_owned())),
                None => answers.push(line),
            }
        }
    }
}

impl Drop for RetryingClient {
    fn drop(&mut self) {
        // It may have ended by itself; a test can do nothing about one that cannot be ended.
        let _ended = self.process.kill().and_then(|()| self.process.wait());
    }
}
