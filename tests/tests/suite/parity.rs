//! What AWS recorded, replayed against the server: nothing that once passed may fail. `parity/README.md` says what fails
//! and why; `deployed.rs` does the same on Lambda.

use anyhow::{Context, Result};
use stepwell_tests::emulators::Emulator;
use stepwell_tests::python::Clients;
use stepwell_tests::{parity, server};

#[test]
fn whatever_once_agreed_with_aws_still_does() -> Result<()> {
    let (Some(corpus), Some(clients)) = (parity::corpus()?, Clients::find()?) else { return Ok(()) };
    let binary = server::binary()?.to_str().context("a path that is no text")?;
    println!("{}", parity::replay(&clients, &corpus, &["--stepwell", binary])?);
    Ok(())
}

#[test]
fn tasks_that_call_services_agree_with_aws_over_an_emulator() -> Result<()> {
    let (Some(corpus), Some(clients)) = (parity::corpus()?, Clients::find()?) else { return Ok(()) };
    let binary = server::binary()?.to_str().context("a path that is no text")?;
    let emulator = Emulator::moto(clients.python(""))?;
    let flags = ["--stepwell", binary, "--emulator", emulator.endpoint()];
    println!("{}", parity::replay_services(&clients, &corpus, &flags)?);
    Ok(())
}
