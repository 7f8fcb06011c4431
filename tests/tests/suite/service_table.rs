//! The table of services that calls through the SDK are made by is what its generator writes, of the version it names.

use std::process::Command;

use anyhow::{Context, Result, bail};
use stepwell_tests::python;

const GENERATOR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/integrations/table/generate.py");
/// The generator's message for a file that it would write otherwise.
const OTHER: &str = "not what generate.py writes";

#[test]
fn the_table_of_services_is_what_its_generator_writes() -> Result<()> {
    stepwell_tests::watchdog::watch();
    let output = Command::new("python3").args(["-B", GENERATOR, "--check"]).output().context("python3")?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        return Ok(());
    }
    if said.contains(OTHER) || python::is_ci() {
        bail!("{said}");
    }
    // As for the other tools: without PyPI the test says so and passes, but in CI.
    let mut stderr = std::io::stderr();
    std::io::Write::write_fmt(&mut stderr, format_args!("skipped, no botocore: {said}\n"))?;
    Ok(())
}
