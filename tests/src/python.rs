//! Python tools of the tests, installed from PyPI into environments under `target`: the aws CLI and boto3, emulators of
//! AWS, and the tools of a deployment.
//!
//! The versions are pinned in `tests/python/*requirements.txt` and `infra/local-requirements.txt`; an environment is made
//! once, and again when its file changes. Without Python or PyPI the tests that need it say so and pass, unless
//! `STEPWELL_CI` is set: there a client that cannot be installed is a failure.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::watchdog;

const REQUIREMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/python/requirements.txt");
const DEPLOY_REQUIREMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/python/deploy-requirements.txt");
const LOCAL_REQUIREMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/local-requirements.txt");

/// An environment with the clients in it.
#[derive(Debug, Clone)]
pub struct Clients {
    programs: PathBuf,
}

impl Clients {
    /// Finds or makes the environment. `None`, after saying why on standard error, where it cannot be had.
    pub fn find() -> Result<Option<Self>> {
        let found = found("aws CLI and boto3", install("stock-clients", REQUIREMENTS))?;
        Ok(found.map(|programs| Clients { programs }))
    }

    /// Python with boto3, set to call `endpoint`.
    pub fn python(&self, endpoint: &str) -> Command {
        self.set_up(Command::new(self.programs.join("python")), endpoint)
    }

    /// The aws CLI, set to call `endpoint`.
    pub fn aws(&self, endpoint: &str) -> Command {
        // Not the script beside it: what that names as its interpreter may be too long a path for the system.
        let mut command = Command::new(self.programs.join("python"));
        command.arg(self.programs.join("aws"));
        self.set_up(command, endpoint)
    }

    /// The settings README tells a user to make, and none of the tester's own.
    fn set_up(&self, mut command: Command, endpoint: &str) -> Command {
        let inherited = std::env::vars_os().map(|(name, _)| name);
        for name in inherited.filter(|name| name.to_string_lossy().starts_with("AWS_")) {
            command.env_remove(name);
        }
        let nowhere = self.programs.join("no-such-file");
        command
            .env("AWS_ENDPOINT_URL_SFN", endpoint)
            .env("AWS_DISABLE_HOST_PREFIX_INJECTION", "true")
            .env("AWS_DEFAULT_REGION", "us-east-1")
            // `serve` takes any; this one the emulator of AWS takes, too.
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "any")
            .env("AWS_CONFIG_FILE", &nowhere)
            .env("AWS_SHARED_CREDENTIALS_FILE", &nowhere)
            .env("AWS_PAGER", "")
            .env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }
}

/// The folder of the SAM CLI, an emulator of AWS and a Python with boto3. `None` as for [`Clients::find`].
pub fn deploy_tools() -> Result<Option<PathBuf>> {
    found("SAM CLI and emulator", install("deploy-tools", DEPLOY_REQUIREMENTS))
}

/// The folder of what `infra/local.py` starts, and of a Python that can run it. `None` as for [`Clients::find`].
pub fn local_tools() -> Result<Option<PathBuf>> {
    found("cargo-lambda and emulator", install("local-tools", LOCAL_REQUIREMENTS))
}

/// A tool that cannot be installed is a failure in CI; elsewhere a line on standard error says so.
fn found(what: &str, installed: Result<PathBuf>) -> Result<Option<PathBuf>> {
    match installed {
        Ok(programs) => Ok(Some(programs)),
        Err(error) if is_ci() => Err(error.context(format!("{what} are not to be had"))),
        Err(error) => {
            let mut stderr = std::io::stderr();
            std::io::Write::write_fmt(&mut stderr, format_args!("skipped, no {what}: {error:#}\n"))?;
            Ok(None)
        }
    }
}

/// Makes the environment `name` of what `requirements` lists, unless it is there; its folder of programs.
fn install(name: &str, requirements: &str) -> Result<PathBuf> {
    watchdog::watch_for(watchdog::LIMIT_OF_BUILDS);
    let home = target()?.join(name);
    fs::create_dir_all(&home)?;
    // Test binaries may run at the same time; the first makes the environment, the others wait for it.
    let lock = File::create(home.join("lock"))?;
    lock.lock()?;
    let (environment, installed) = (home.join("venv"), home.join("installed.txt"));
    let wanted = fs::read_to_string(requirements)?;
    let programs = environment.join(if cfg!(windows) { "Scripts" } else { "bin" });
    if fs::read_to_string(&installed).is_ok_and(|text| text == wanted) {
        return Ok(programs);
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", requirements];
    run(Command::new(programs.join("python")).args(pip))?;
    fs::write(&installed, wanted)?;
    Ok(programs)
}

/// True where nothing may be skipped.
pub fn is_ci() -> bool {
    std::env::var_os("STEPWELL_CI").is_some_and(|value| !value.is_empty() && value != "0")
}

/// Cargo's target folder: the test runs from `target/PROFILE/deps`.
pub fn target() -> Result<PathBuf> {
    let test = std::env::current_exe()?;
    test.ancestors().nth(3).map(Path::to_owned).context("a test in no target folder")
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
