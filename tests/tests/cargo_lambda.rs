//! What `infra/local.py` starts: the functions under `cargo lambda watch`, on an emulated DynamoDB and SQS.
//!
//! `python/under_cargo_lambda.py` does the work. Deliberately absent: builds by `cargo lambda watch` itself, which would
//! take the tests' time; it serves the tests' own binaries (`--only-lambda-apis`). `infra/README.md` has such a run.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use stepwell_tests::{python, server};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/python/under_cargo_lambda.py");
const LOCAL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/local.py");

#[test]
fn workflows_run_under_cargo_lambda_watch() -> Result<()> {
    let Some(tools) = python::local_tools()? else { return Ok(()) };
    let programs = server::program("worker")?;
    for name in ["api", "clock"] {
        server::program(name)?;
    }
    let scratch = tempfile::tempdir()?;
    let mut walk = Command::new(tools.join("python"));
    walk.arg(SCRIPT).args(["--local", LOCAL]).arg("--scratch").arg(scratch.path());
    walk.arg("--programs").arg(programs.parent().context("a program in no folder")?);
    let output = walk.env("PYTHONDONTWRITEBYTECODE", "1").output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    println!("{text}");
    Ok(())
}
