//! The real `stepwell` process, started by a test on a free port and a data directory, and killed when it is dropped.
//!
//! The binary is the one beside the running test; when it is missing or older than its sources, cargo is asked to build
//! it in the test's own profile. Deliberately absent: any way into the process but its flags, its port and signals.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail, ensure};

use crate::client::Client;
use crate::watchdog;

/// The account of a server that is told no other.
pub const ACCOUNT: &str = "123456789012";
const START_LIMIT: Duration = Duration::from_secs(20);
/// A drain takes 25 seconds at most, and requests in flight 4 more.
const STOP_LIMIT: Duration = Duration::from_secs(45);
const POLL: Duration = Duration::from_millis(5);
/// Another process may take a free port between asking for it and using it.
const ATTEMPTS: usize = 3;

/// A running server.
#[derive(Debug)]
pub struct Server {
    process: Child,
    client: Client,
    log: PathBuf,
}

impl Server {
    /// Starts a server that keeps its data in `directory` and takes further flags; answers when it is healthy.
    ///
    /// Its log is beside the directory, in a file of the same name that ends in `.log`, and goes on over restarts.
    pub async fn start(directory: &Path, flags: &[&str]) -> Result<Self> {
        let mut failure = None;
        for _ in 0..ATTEMPTS {
            match Self::try_start(directory, flags).await {
                Ok(server) => return Ok(server),
                Err(error) => failure = Some(error),
            }
        }
        failure.map_or_else(|| bail!("never tried"), Err)
    }

    async fn try_start(directory: &Path, flags: &[&str]) -> Result<Self> {
        watchdog::watch();
        let address = free_address()?;
        let log = directory.with_extension("log");
        let output = File::options().create(true).append(true).open(&log)?;
        let process = command()?
            .arg("serve")
            .args(["--host", "127.0.0.1", "--port", &address.port().to_string()])
            .arg("--data-dir")
            .arg(directory)
            .args(flags)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()?;
        watchdog::started(process.id());
        let client = Client::new(&format!("http://{address}"));
        let mut server = Self { process, client, log };
        server.until_healthy().await?;
        Ok(server)
    }

    async fn until_healthy(&mut self) -> Result<()> {
        let limit = Instant::now() + START_LIMIT;
        while !self.client.is_healthy().await {
            if let Some(status) = self.process.try_wait()? {
                bail!("the server ended with {status}:\n{}", self.log_text());
            }
            ensure!(Instant::now() < limit, "the server does not get healthy:\n{}", self.log_text());
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    pub fn client(&self) -> &Client {
        &self.client
    }

    pub fn endpoint(&self) -> &str {
        self.client.endpoint()
    }

    /// The process's number.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// The most memory the process had so far, in MiB. On Linux only.
    pub fn peak_mib(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
        let kib: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
        Ok(kib / 1024)
    }

    /// The log of this directory's servers so far.
    pub fn log_text(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// SIGKILL, now; nothing in the process gets to say anything.
    pub fn kill(mut self) -> Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    /// Asks the server to stop (SIGTERM) and waits until it did.
    pub async fn stop(self) -> Result<ExitStatus> {
        self.signal_stop()?;
        self.ended().await
    }

    /// Asks the server to stop (SIGTERM).
    pub fn signal_stop(&self) -> Result<()> {
        let pid = self.process.id().to_string();
        ensure!(Command::new("kill").args(["-TERM", &pid]).status()?.success(), "kill -TERM failed");
        Ok(())
    }

    /// Waits until a server ends that was asked to.
    pub async fn ended(mut self) -> Result<ExitStatus> {
        let limit = Instant::now() + STOP_LIMIT;
        loop {
            if let Some(status) = self.process.try_wait()? {
                return Ok(status);
            }
            ensure!(Instant::now() < limit, "the server does not stop:\n{}", self.log_text());
            tokio::time::sleep(POLL).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended before; then there is nothing to do.
        let _ended = self.process.kill().and_then(|()| self.process.wait());
        watchdog::ended(self.process.id());
    }
}

/// The `stepwell` command without arguments, free of what the tester's own environment says.
pub fn command() -> Result<Command> {
    let mut command = Command::new(binary()?);
    let inherited = std::env::vars_os().map(|(name, _)| name);
    for name in inherited.filter(|name| decides_behaviour(&name.to_string_lossy())) {
        command.env_remove(name);
    }
    command.env("RUST_BACKTRACE", "1");
    Ok(command)
}

fn decides_behaviour(variable: &str) -> bool {
    ["AWS_", "LAMBDA_", "SFN_", "STEPWELL_", "WAIT_TIME_", "RUST_LOG"].iter().any(|prefix| variable.starts_with(prefix))
}

/// A free address.
pub fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}

/// The path of the binary, built if need be.
pub fn binary() -> Result<&'static Path> {
    static BINARY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    watchdog::watch();
    let found = BINARY.get_or_init(|| find_or_build().map_err(|error| format!("{error:#}")));
    found.as_deref().map_err(|error| anyhow::anyhow!("no stepwell binary: {error}"))
}

fn find_or_build() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("STEPWELL_BINARY") {
        return Ok(named.into());
    }
    program("stepwell")
}

/// The path of any binary of the workspace, built if need be.
pub fn program(name: &str) -> Result<PathBuf> {
    watchdog::watch();
    let test = std::env::current_exe()?;
    let profile = test.ancestors().nth(2).context("a test in no profile's folder")?;
    let binary = profile.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    if !is_fresh(&binary) {
        build(profile)?;
    }
    Ok(binary)
}

/// True when the binary was made of this checkout's sources and none is newer; cargo lists them beside it.
fn is_fresh(binary: &Path) -> bool {
    let Ok(built) = modified(binary) else { return false };
    let Ok(listed) = fs::read_to_string(binary.with_extension("d")) else { return false };
    let Some((_, sources)) = listed.split_once(": ") else { return false };
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_string_lossy);
    if here.is_none_or(|here| !sources.contains(&*here)) {
        return false;
    }
    // A space within a path is written as `\ `; such a source is taken as changed, which costs one look by cargo.
    sources.split_whitespace().all(|source| modified(Path::new(source)).is_ok_and(|time| time <= built))
}

fn modified(path: &Path) -> std::io::Result<SystemTime> {
    fs::metadata(path)?.modified()
}

fn build(profile: &Path) -> Result<()> {
    watchdog::watch_for(watchdog::LIMIT_OF_BUILDS);
    let name = profile.file_name().and_then(|name| name.to_str()).context("a profile without a name")?;
    let name = if name == "debug" { "dev" } else { name };
    let target = profile.parent().context("a profile in no folder")?;
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        // The whole workspace, and a test, for which cargo chooses the features of dependencies as in the tests' own build:
        // others would build them again.
        .args(["build", "--quiet", "--workspace", "--bins", "--test", "suite", "--profile", name])
        .arg("--target-dir")
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()?;
    ensure!(status.success(), "cargo build --workspace --bins: {status}");
    Ok(())
}
