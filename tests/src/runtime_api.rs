//! What Lambda and AWS are to a function's process: the Runtime API, DynamoDB and SQS, all at one port of this machine.
//!
//! A function is its real binary, and asks here for events as it does on Lambda: one at a time. Its memory and processor
//! time are read from `/proc`. Deliberately absent: TLS, time limits (a deadline is told and not kept), and freezing.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};
use tokio::task::{JoinHandle, JoinSet};

use crate::dynamo::Dynamo;
use crate::server;
use crate::sqs::Sqs;
use crate::watchdog;

pub const TABLE: &str = "stepwell";
pub const QUEUE: &str = "https://queue.invalid/stepwell";
/// A worker's quarter of an hour.
const TERM: Duration = Duration::from_secs(900);
/// How long a function may take to begin, and to do what it is asked.
const PATIENCE: Duration = Duration::from_secs(300);
const NEXT: &str = "/2018-06-01/runtime/invocation/next";

/// A function's process and its surroundings. It ends when it is dropped.
#[derive(Debug)]
pub struct Function {
    process: Child,
    events: mpsc::UnboundedSender<Bytes>,
    heard: mpsc::UnboundedReceiver<Heard>,
    accepting: JoinHandle<()>,
}

/// A function's request to the Runtime API.
#[derive(Debug)]
enum Heard {
    AsksForWork,
    Answers(Bytes),
    Fails(Bytes),
}

/// A process's memory, in MiB.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    pub resident: f64,
    /// The most that was resident since [`Function::forget_peak`], or the start.
    pub peak: f64,
}

/// The other end of everything the process opens.
struct Surroundings {
    dynamo: Dynamo,
    sqs: Sqs,
    events: Mutex<mpsc::UnboundedReceiver<Bytes>>,
    told: mpsc::UnboundedSender<Heard>,
}

impl Function {
    /// Starts `program` over that table and queue, with more variables; returns when it asks for work.
    pub async fn start(program: &Path, dynamo: &Dynamo, sqs: &Sqs, more: &[(&str, &str)]) -> Result<Function> {
        watchdog::watch();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (events, waiting) = mpsc::unbounded_channel();
        let (told, heard) = mpsc::unbounded_channel();
        let (dynamo, sqs) = (dynamo.clone(), sqs.clone());
        let surroundings = Surroundings { dynamo, sqs, events: Mutex::new(waiting), told };
        let accepting = tokio::spawn(accept(listener, Arc::new(surroundings)));
        let process = command(program, address, more).spawn()?;
        watchdog::started(process.id());
        let mut function = Function { process, events, heard, accepting };
        match function.hear().await? {
            Heard::AsksForWork => Ok(function),
            Heard::Answers(said) | Heard::Fails(said) => bail!("it begins with {}", String::from_utf8_lossy(&said)),
        }
    }

    /// Gives it an event; its answer, once it asks for more work.
    pub async fn invoke(&mut self, event: &Value) -> Result<Value> {
        self.events.send(Bytes::from(event.to_string())).ok().context("nobody takes events")?;
        let answer = match self.hear().await? {
            Heard::Answers(answer) => answer,
            Heard::Fails(why) => bail!("the function fails: {}", String::from_utf8_lossy(&why)),
            Heard::AsksForWork => bail!("the function asks twice"),
        };
        ensure!(matches!(self.hear().await?, Heard::AsksForWork), "the function answers twice");
        Ok(serde_json::from_slice(&answer)?)
    }

    async fn hear(&mut self) -> Result<Heard> {
        let heard = tokio::time::timeout(PATIENCE, self.heard.recv()).await;
        if let Some(status) = self.process.try_wait()? {
            bail!("the function ended: {status}");
        }
        heard.context("the function says nothing")?.context("nobody listens")
    }

    /// Time on a processor, of all threads there are.
    pub fn cpu(&self) -> Result<Duration> {
        let mut nanoseconds = 0;
        for thread in std::fs::read_dir(self.proc("task"))? {
            let told = std::fs::read_to_string(thread?.path().join("schedstat"))?;
            nanoseconds += told.split_whitespace().next().context("no schedstat")?.parse::<u64>()?;
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    pub fn memory(&self) -> Result<Memory> {
        let status = std::fs::read_to_string(self.proc("status"))?;
        let mib = |name: &str| -> Result<f64> {
            let told = status.lines().find_map(|line| line.strip_prefix(name)).context("no such figure")?;
            Ok(told.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
        };
        Ok(Memory { resident: mib("VmRSS:")?, peak: mib("VmHWM:")? })
    }

    /// The peak of its memory is looked for from now on.
    pub fn forget_peak(&self) -> Result<()> {
        Ok(std::fs::write(self.proc("clear_refs"), "5")?)
    }

    fn proc(&self, name: &str) -> String {
        format!("/proc/{}/{name}", self.process.id())
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        // It may have ended before; then there is nothing to do. First of all: it complains when its surroundings are gone.
        let _ended = self.process.kill().and_then(|()| self.process.wait());
        watchdog::ended(self.process.id());
        self.accepting.abort();
    }
}

/// The binary of a function: in the folder, seen from the checkout, that is the only argument of this process, where cargo,
/// cargo-lambda or the SAM CLI, whose folders begin with a capital, left it; without one that of this workspace, built if
/// need be.
pub fn program(name: &str) -> Result<PathBuf> {
    // Cargo itself says `--bench`.
    let Some(folder) = std::env::args().skip(1).find(|argument| !argument.starts_with("--")) else {
        return server::program(name);
    };
    let capital = name.get(..1).unwrap_or_default().to_uppercase() + name.get(1..).unwrap_or_default();
    let places = [format!("{name}/bootstrap"), format!("{capital}/bootstrap"), name.to_owned()];
    // Cargo starts a benchmark in its package's folder.
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("no checkout")?;
    let mut places = places.iter().map(|place| checkout.join(&folder).join(place));
    places.find(|place| place.is_file()).with_context(|| format!("no {name} in {folder}"))
}

fn command(program: &Path, address: SocketAddr, more: &[(&str, &str)]) -> Command {
    let mut command = Command::new(program);
    let endpoint = format!("http://{address}");
    command.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit()).envs([
        ("AWS_LAMBDA_RUNTIME_API", address.to_string().as_str()),
        ("AWS_LAMBDA_FUNCTION_NAME", "function"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "group"),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "stream"),
        ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
        ("AWS_ENDPOINT_URL", &endpoint),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("STEPWELL_TABLE", TABLE),
        ("STEPWELL_QUEUE", QUEUE),
        ("STEPWELL_PARTITION", "aws"),
        ("STEPWELL_ACCOUNT", "123456789012"),
        ("STEPWELL_RETENTION_DAYS", "90"),
    ]);
    command.envs(more.iter().copied());
    command
}

async fn accept(listener: TcpListener, surroundings: Arc<Surroundings>) {
    // The set's end, when this task is aborted, is the end of every connection.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let surroundings = surroundings.clone();
        connections.spawn(async move {
            let service = service_fn(move |request| answer(surroundings.clone(), request));
            // A broken connection is the process's own affair.
            let _ended = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(surroundings: Arc<Surroundings>, request: Request<Incoming>) -> io::Result<Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let path = head.uri.path().to_owned();
    if path == NEXT {
        return surroundings.next().await;
    }
    if path.starts_with("/2018-06-01/") {
        let heard = if path.ends_with("/response") { Heard::Answers(body) } else { Heard::Fails(body) };
        surroundings.told.send(heard).map_err(io::Error::other)?;
        return respond(Response::builder().status(StatusCode::ACCEPTED), Bytes::new());
    }
    let target = head.headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let of_queue = target.starts_with("AmazonSQS.");
    let request = Request::from_parts(head, SdkBody::from(body));
    let request = HttpRequest::try_from(request).map_err(io::Error::other)?;
    let (dynamo, sqs) = (&surroundings.dynamo, &surroundings.sqs);
    let called = if of_queue { sqs.call(request) } else { dynamo.call(request) };
    let answered = called.await.map_err(io::Error::other)?;
    let status = answered.status().as_u16();
    let body = Bytes::copy_from_slice(answered.body().bytes().unwrap_or_default());
    respond(Response::builder().status(status).header("content-type", "application/x-amz-json-1.0"), body)
}

impl Surroundings {
    /// An event, as soon as there is one.
    async fn next(&self) -> io::Result<Response<Full<Bytes>>> {
        self.told.send(Heard::AsksForWork).map_err(io::Error::other)?;
        let event = self.events.lock().await.recv().await.ok_or_else(|| io::Error::other("no more events"))?;
        let deadline = SystemTime::now() + TERM;
        let deadline = deadline.duration_since(UNIX_EPOCH).map_err(io::Error::other)?.as_millis();
        let head = Response::builder()
            .header("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd")
            .header("lambda-runtime-deadline-ms", deadline.to_string())
            .header("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:123456789012:function:function")
            .header("content-type", "application/json");
        respond(head, event)
    }
}

fn respond(head: http::response::Builder, body: Bytes) -> io::Result<Response<Full<Bytes>>> {
    head.body(Full::new(body)).map_err(io::Error::other)
}
