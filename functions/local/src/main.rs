//! The `stepwell` binary: Step Functions on one machine. Reads the command line and hands over; decides nothing.

mod http;
mod serve;
mod validate;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use asl::MachineType;
use clap::{Parser, Subcommand, ValueEnum};

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
    Serve(serve::Options),
    /// Say what is wrong with definitions, and where
    Validate {
        /// Definitions in JSON or YAML; - is standard input
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// The type of the state machines
        #[arg(long = "type", value_enum, default_value_t = Type::Standard, ignore_case = true)]
        machine_type: Type,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Type {
    Standard,
    Express,
}

fn main() -> ExitCode {
    let line = CommandLine::parse();
    let served = match line.command {
        Some(Command::Validate { files, machine_type: Type::Standard }) => {
            return validate::run(&files, MachineType::Standard);
        }
        Some(Command::Validate { files, machine_type: Type::Express }) => {
            return validate::run(&files, MachineType::Express);
        }
        Some(Command::Serve(options)) => serve::run(&options),
        None => serve::run(&line.serve),
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _nobody_reads_it = writeln!(std::io::stderr(), "stepwell: {error:#}");
            ExitCode::FAILURE
        }
    }
}
