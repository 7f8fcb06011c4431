//! `stepwell serve`: the API, the engine and its background tasks in one process, durable in one directory.
//!
//! This file joins the parts and takes them down again: a planned stop drains ([`drain`]), finishes the requests in
//! flight and ends. Everything acknowledged is in the directory. [`duties`] has the background tasks.

mod drain;
mod duties;
mod log_groups;
mod memory;
mod options;

use std::io::{ErrorKind, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use embedded::{ActivityTasks, Directory, TimerQueue};
use engine::ports::{Logs, Uncounted};
use engine::tokens::Keys;
use engine::{Deployment, Engine, Settings, SystemClock, World};
use integrations::{ConnectionFile, Mocked, Mocks, Targets, credentials};
use service::Service;
use tokio::net::TcpListener;

use crate::http;
use crate::http::AllowedHosts;
pub use drain::Drain;
use log_groups::LogGroups;
pub use options::Options;

/// Room for the evaluation of hostile paths and templates, which recurses within bounds.
const STACK: usize = 8 << 20;
/// How long the end of the process waits for tasks of the runtime.
const SHUTDOWN_MARGIN: Duration = Duration::from_secs(1);
/// A larger file of mocks or connections is refused.
const MOST_FILE_BYTES: u64 = 16 << 20;
/// Connections of clients, calls of tasks, and the rest.
#[cfg(unix)]
const OPEN_FILES: u64 = 8_192;

/// Serves until a signal stops the process.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_new(options.log_directives()).context("--log-level")?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A line that cannot be written, on a disk that is full, is lost: complaining about it there would be a panic.
    log.log_internal_errors(false).init();
    allow_open_files();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(STACK).build()?;
    let served = runtime.block_on(serve(options));
    runtime.shutdown_timeout(SHUTDOWN_MARGIN);
    served
}

/// Connections and calls of tasks are open files, and systems allow few unless they are asked for more.
#[cfg(unix)]
fn allow_open_files() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(now, most)| {
        let wanted = most.min(OPEN_FILES).max(now);
        setrlimit(Resource::RLIMIT_NOFILE, wanted, most)
    });
    if let Err(error) = raised {
        tracing::warn!(%error, "server: limit of open files not raised, it may bound connections and task calls");
    }
}

#[cfg(not(unix))]
fn allow_open_files() {}

/// The installation: its parts, joined.
struct Installation {
    engine: Arc<Engine>,
    service: Arc<Service>,
    directory: Arc<Directory>,
    queue: Arc<TimerQueue>,
    clock: Arc<SystemClock>,
    log_groups: Option<Arc<LogGroups>>,
}

async fn serve(options: &Options) -> anyhow::Result<()> {
    let (listener, stop) = (listen(options).await?, http::Stop::on_signals()?);
    let guard = guard(options, &listener)?;
    let installation = install(options)?;
    let drain = Drain::new(installation.engine.clone(), options.drain_time());
    let resumed = installation.resume(options.discard_express).await?;
    installation.begin_duties(&drain);
    greet(options, &listener, (resumed, guard.asks()))?;
    let hosts = AllowedHosts::new(options.host_names());
    let log_groups = installation.log_groups;
    let routes = http::Routes::new(installation.service, (hosts, guard), drain, options.memory());
    http::serve(listener, routes, stop).await;
    if let Some(log_groups) = log_groups {
        log_groups.flush().await;
    }
    tracing::info!("server: stopped");
    Ok(())
}

/// The keys that requests need, if any.
fn guard(options: &Options, listener: &TcpListener) -> anyhow::Result<http::Guard> {
    let Options { require_keys, tls_terminated_elsewhere, insecure_no_auth, .. } = *options;
    let is_loopback = listener.local_addr()?.ip().is_loopback();
    let required = require_keys || tls_terminated_elsewhere || !(is_loopback || insecure_no_auth);
    let guard = http::Guard::new(options.data_dir.clone(), &options.home(), required)?;
    anyhow::ensure!(
        !(insecure_no_auth && guard.asks()),
        "{} has keys, and --insecure-no-auth would ask for none: leave the flag out, or take keys.json away",
        options.data_dir.display()
    );
    Ok(guard)
}

fn install(options: &Options) -> anyhow::Result<Installation> {
    let mocks = mocks(options)?;
    let directory = Arc::new(Directory::open(&options.data_dir, &options.directory())?);
    let clock = Arc::new(SystemClock::new().map_err(|error| anyhow::anyhow!("no randomness: {error}"))?);
    let log_groups = options.log_groups().map(LogGroups::open).transpose()?.map(Arc::new);
    let queue = Arc::new(TimerQueue::new(clock.clone()));
    let home = options.home();
    let settings = Settings {
        partition: home.partition.clone(),
        region: home.region.clone(),
        account: home.account.clone(),
        keys: Keys::one(directory.key()),
        retention_days: options.retention_days,
        deployment: Deployment::SingleProcess,
        calls: options.calls(),
        max_active_executions: options.active_executions(),
        activity_poll: Settings::ACTIVITY_POLL,
        commit_bytes: Settings::COMMIT_BYTES,
        memory: options.memory(),
        events: options.max_events,
        wait_millionths: options.wait_time_scale,
        retry_millionths: options.retry_time_scale,
    };
    let world = World {
        journal: directory.clone(),
        documents: directory.clone(),
        starts: directory.clone(),
        queue: queue.clone(),
        tasks: Arc::new(Mocked::new(
            mocks,
            Arc::new(
                Targets::new(options.endpoints()?, &home, credentials::chain(&home.region))
                    .allowing_aws(options.allow_aws.clone())
                    .with_connections(connections(options)?),
            ),
        )),
        activities: Arc::new(ActivityTasks::new(clock.clone())),
        clock: clock.clone(),
        metrics: Arc::new(Uncounted),
        logs: log_groups.clone().map(|groups| groups as Arc<dyn Logs>),
    };
    let engine = Engine::new(world, settings);
    let service = Service::new(engine.clone());
    Ok(Installation { engine, service, directory, queue, clock, log_groups })
}

fn mocks(options: &Options) -> anyhow::Result<Option<Mocks>> {
    let Some(path) = &options.mock_config else { return Ok(None) };
    let read = || -> anyhow::Result<Mocks> { Ok(Mocks::parse(&text_of(path)?)?) };
    read().map(Some).with_context(|| format!("the mock configuration {}", path.display()))
}

fn connections(options: &Options) -> anyhow::Result<ConnectionFile> {
    let Some(path) = &options.connections else { return Ok(ConnectionFile::default()) };
    let read = || -> anyhow::Result<ConnectionFile> { Ok(ConnectionFile::parse(&text_of(path)?)?) };
    read().with_context(|| format!("the connections {}", path.display()))
}

pub fn text_of(path: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(MOST_FILE_BYTES + 1).read_to_string(&mut text)?;
    anyhow::ensure!(text.len() as u64 <= MOST_FILE_BYTES, "it has more than {} MiB", MOST_FILE_BYTES >> 20);
    Ok(text)
}

async fn listen(options: &Options) -> anyhow::Result<TcpListener> {
    let Options { host, port, insecure_no_auth, tls_terminated_elsewhere, .. } = options;
    let listener = TcpListener::bind((host.as_str(), *port)).await.map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => anyhow::anyhow!(
            "port {port} of {host} is taken: stop what listens there, or choose another port with --port"
        ),
        _ => anyhow::anyhow!("cannot listen on {host}, port {port}: {error}"),
    })?;
    anyhow::ensure!(
        *insecure_no_auth || *tls_terminated_elsewhere || listener.local_addr()?.ip().is_loopback(),
        "{host} is reachable from other machines, and this server speaks plain HTTP: --tls-terminated-elsewhere says that a \
         proxy speaks TLS to clients, and asks them for keys; --insecure-no-auth lets any client that can reach the port run \
         workflows"
    );
    Ok(listener)
}

/// Prints the endpoint and a command that calls it. Once the first line is out, the endpoint is open.
fn greet(options: &Options, listener: &TcpListener, (resumed, asks): (usize, bool)) -> anyhow::Result<()> {
    let address = listener.local_addr()?;
    let endpoint = format!("http://{address}");
    let mut out = std::io::stdout().lock();
    writeln!(out, "Stepwell serves Step Functions at {endpoint}, data in {}", options.data_dir.display())?;
    if resumed > 0 {
        writeln!(out, "Going on with {resumed} execution{}", if resumed == 1 { "" } else { "s" })?;
    }
    for scale in options.scales() {
        writeln!(out, "{scale}")?;
    }
    if asks {
        writeln!(
            out,
            "Requests need a key: stepwell keys --data-dir {} create NAME --role ROLE",
            options.data_dir.display()
        )?;
    }
    let call = format!("aws stepfunctions --endpoint-url {endpoint} list-state-machines");
    writeln!(out, "Call it: AWS_DISABLE_HOST_PREFIX_INJECTION=true {call}")?;
    if !asks && !address.ip().is_loopback() {
        writeln!(out, "Requests are not authenticated: any client that can reach {address} can run workflows")?;
    }
    Ok(out.flush()?)
}
