//! What AWS recorded, replayed against an installation by `parity/run.py`, which decides which recordings count.
//!
//! The recordings are no part of this repository: where they are not beside the checkout a test says so and passes, also
//! in CI, for a clone need not have them.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use crate::python::Clients;

const RUN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/parity/run.py");
const SERVICES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/parity/services.py");
/// The recordings' folder, seen from this package.
const CORPUS: &str = "../../shared/parity";

/// The recordings. `None`, after saying so, where they are not.
pub fn corpus() -> Result<Option<PathBuf>> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join(CORPUS);
    if corpus.join("replay.py").is_file() {
        return Ok(Some(corpus));
    }
    let mut stderr = std::io::stderr();
    std::io::Write::write_fmt(&mut stderr, format_args!("skipped: no recordings at {}\n", corpus.display()))?;
    Ok(None)
}

/// Replays them, and fails when one that is in the baselines no longer passes; what the script says.
pub fn replay(clients: &Clients, corpus: &Path, flags: &[&str]) -> Result<String> {
    run(RUN, clients, corpus, flags)
}

/// As [`replay`], those whose tasks call services.
pub fn replay_services(clients: &Clients, corpus: &Path, flags: &[&str]) -> Result<String> {
    run(SERVICES, clients, corpus, flags)
}

fn run(script: &str, clients: &Clients, corpus: &Path, flags: &[&str]) -> Result<String> {
    crate::watchdog::watch_for(crate::watchdog::LIMIT_OF_BUILDS);
    let mut run = clients.python("");
    run.env_remove("AWS_ENDPOINT_URL_SFN").arg(script).arg("--corpus").arg(corpus).args(flags);
    let output = run.output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    Ok(text)
}
