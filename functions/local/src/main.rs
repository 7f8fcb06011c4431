//! The `stepwell` binary: Step Functions on one machine. Reads the command line and hands over; decides nothing.

mod access_keys;
mod http;
mod serve;
mod validate;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Step Functions that runs where you are: without a command it serves the API, like `stepwell serve`.
#[derive(Parser)]
#[command(name = "stepwell", version, about, args_conflicts_with_subcommands = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: serve::Options,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the Step Functions API, durable in one directory
    Serve(Box<serve::Options>),
    /// Say what is wrong with definitions, and where
    Validate(validate::Options),
    /// Make and end the access keys of a data directory
    Keys(access_keys::Options),
}

fn main() -> ExitCode {
    let line = CommandLine::parse();
    let done = match line.command {
        Some(Command::Validate(options)) => return validate::run(&options),
        Some(Command::Keys(options)) => access_keys::run(&options),
        Some(Command::Serve(options)) => serve::run(&options).map(|()| ExitCode::SUCCESS),
        None => serve::run(&line.serve).map(|()| ExitCode::SUCCESS),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            let _nobody_reads_it = writeln!(std::io::stderr(), "stepwell: {error:#}");
            ExitCode::FAILURE
        }
    }
}
