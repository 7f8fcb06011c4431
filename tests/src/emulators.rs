//! Emulators of AWS that others wrote, as processes of a test binary: moto and ministack, each started at most once.
//!
//! `python/emulator.py` starts them. A process ends when its standard input does, with the test binary, whatever becomes of
//! that. Deliberately absent: what is in them; tests that share one make what they need under names of their own.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context, Result, bail, ensure};

use crate::{python, watchdog};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/python/emulator.py");

/// A running emulator.
#[derive(Debug)]
pub struct Emulator {
    endpoint: String,
    process: Child,
}

impl Emulator {
    /// Starts moto with a Python that has it.
    pub fn moto(python: Command) -> Result<Self> {
        Self::start(python, "moto")
    }

    fn start(mut python: Command, name: &str) -> Result<Self> {
        let (endpoint, process) = serving(python.arg(SCRIPT).arg(name))?;
        let endpoint = endpoint.trim_end().to_owned();
        ensure!(endpoint.starts_with("http://"), "{name} says {endpoint}");
        Ok(Self { endpoint, process })
    }

    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        // It may have ended by itself; a test can do nothing about one that cannot be waited for.
        let _ended = self.process.wait();
    }
}

/// The endpoint of moto, for all tests of a binary. `None`, after saying why, where it cannot be had.
pub fn moto() -> Result<Option<&'static str>> {
    static MOTO: OnceLock<Result<Option<Emulator>, String>> = OnceLock::new();
    shared(&MOTO, "moto")
}

/// As [`moto`]. Requests with an access key of twelve digits are of that account.
pub fn ministack() -> Result<Option<&'static str>> {
    static MINISTACK: OnceLock<Result<Option<Emulator>, String>> = OnceLock::new();
    shared(&MINISTACK, "ministack")
}

fn shared(place: &'static OnceLock<Result<Option<Emulator>, String>>, name: &str) -> Result<Option<&'static str>> {
    let start = || {
        let Some(tools) = python::deploy_tools()? else { return Ok(None) };
        Emulator::start(Command::new(tools.join("python")), name).map(Some)
    };
    let started = place.get_or_init(|| start().map_err(|error: anyhow::Error| format!("{error:#}")));
    match started {
        Ok(emulator) => Ok(emulator.as_ref().map(Emulator::endpoint)),
        Err(error) => bail!("there is no {name}: {error}"),
    }
}

/// Starts what serves until its standard input ends, and waits for the line it prints when it is ready.
pub(crate) fn serving(command: &mut Command) -> Result<(String, Child)> {
    // `deploy.py` builds before it says anything.
    watchdog::watch_for(watchdog::LIMIT_OF_BUILDS);
    let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut line = String::new();
    BufReader::new(process.stdout.take().context("no output")?).read_line(&mut line)?;
    if line.is_empty() {
        let mut why = String::new();
        process.stderr.take().context("no errors")?.read_to_string(&mut why)?;
        bail!("{}: {why}", process.wait()?);
    }
    Ok((line, process))
}
