//! What AWS recorded, replayed against the server: nothing that once passed may fail.
//!
//! `parity/run.py` decides which recordings count and does the work; `parity/README.md` says what fails and why. The
//! recordings are no part of this repository: where they are not beside the checkout the test says so and passes, also
//! in CI, for a clone need not have them.

use std::path::Path;

use anyhow::{Result, ensure};
use stepwell_tests::python::Clients;
use stepwell_tests::server;

const RUN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/parity/run.py");
/// The recordings' folder, seen from this package.
const CORPUS: &str = "../../shared/parity";

#[test]
fn whatever_once_agreed_with_aws_still_does() -> Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join(CORPUS);
    if !corpus.join("replay.py").is_file() {
        eprintln!("skipped: no recordings at {}", corpus.display());
        return Ok(());
    }
    let Some(clients) = Clients::find()? else { return Ok(()) };
    let mut run = clients.python("");
    run.env_remove("AWS_ENDPOINT_URL_SFN")
        .arg(RUN)
        .arg("--corpus")
        .arg(corpus)
        .arg("--stepwell")
        .arg(server::binary()?);
    let output = run.output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    println!("{text}");
    ensure!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
