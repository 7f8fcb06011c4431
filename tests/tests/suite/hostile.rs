//! Hostile clients of the real server: every request is answered in AWS's
//! shape or served, and afterwards the server is well, works, is not large, and has not panicked.
//!
//! [`wire`] is what is wrong below the API, [`requests`] what is wrong in calls, [`machines`] what is wrong with the
//! workflows. All tests share one server, unless the runner gives each test a process of its own.

mod machines;
mod requests;
mod wire;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use stepwell_tests::client::{CallError, Client};
use stepwell_tests::server::Server;
use tempfile::TempDir;
use tokio::sync::Mutex;

/// The limit of the server's memory, with all of this at once, in MiB.
const LARGEST_MIB: u64 = 512;
const PATIENCE: Duration = Duration::from_secs(20);
const ROLE: &str = "arn:aws:iam::123456789012:role/stepwell-tests";
/// The home of the server's ARNs.
const HOME: &str = "arn:aws:states:us-east-1:123456789012";

/// A server for all tests that run at the same time.
struct World {
    server: Server,
    _directory: TempDir,
}

impl World {
    async fn join() -> Result<Arc<World>> {
        static SHARED: Mutex<Weak<World>> = Mutex::const_new(Weak::new());
        let mut shared = SHARED.lock().await;
        if let Some(world) = shared.upgrade() {
            return Ok(world);
        }
        let directory = TempDir::new()?;
        let lambda = format!("http://{}", functions_that_return_null()?);
        let server = Server::start(&directory.path().join("data"), &["--lambda-endpoint", &lambda]).await?;
        let world = Arc::new(World { server, _directory: directory });
        *shared = Arc::downgrade(&world);
        Ok(world)
    }

    /// A client of this test's own: connections do not outlive the runtime they were made in.
    fn client(&self) -> Client {
        Client::new(self.server.endpoint())
    }

    fn endpoint(&self) -> &str {
        self.server.endpoint()
    }

    /// Nothing that was done to the server has harmed it.
    async fn is_unharmed(&self) -> Result<()> {
        let client = self.client();
        ensure!(client.is_healthy().await, "not healthy");
        let machine = client.create("still-works", &pass()).await?;
        let output = self.output(&machine, "1").await?;
        ensure!(output == "1", "a workflow that hands on 1 answers {output}");
        let log = self.server.log_text();
        ensure!(!log.contains("panicked") && !log.contains("ERROR"), "{log}");
        let peak = self.server.peak_mib()?;
        ensure!(peak <= LARGEST_MIB, "the server took {peak} MiB");
        Ok(())
    }

    /// Runs a machine with an input as written; the output as written.
    async fn output(&self, machine: &str, input: &str) -> Result<String> {
        let client = self.client();
        let members = json!({"stateMachineArn": machine, "input": input});
        let started = client.call("StartExecution", &members).await?;
        let execution = started["executionArn"].as_str().context("no executionArn")?;
        let description = client.finished(execution, PATIENCE).await?;
        Ok(description["output"].as_str().with_context(|| format!("{description}"))?.to_owned())
    }
}

/// Where functions are called, which all return null, for as long as the process of the tests lives.
fn functions_that_return_null() -> Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\nnull";
            // A caller that is gone needs no answer; requests fit one read.
            let _answered = connection.read(&mut [0; 16 << 10]).and_then(|_| connection.write_all(answer));
        }
    });
    Ok(address)
}

/// A machine that hands on its input.
fn pass() -> Value {
    json!({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}})
}

/// The members of a call that makes a machine of this text.
fn machine_of(name: &str, definition: &str) -> Value {
    json!({"name": name, "roleArn": ROLE, "definition": definition})
}

/// Checks that a call is refused with one of these errors.
#[track_caller]
fn ensure_refused(answer: &Result<Value, CallError>, kinds: &[&str], what: &str) -> Result<()> {
    match answer {
        Err(CallError::Refused { status, kind, message }) => {
            ensure!(*status == 400 && kinds.contains(&kind.as_str()), "{what}: {status} {kind}: {message}");
            ensure!(!message.is_empty(), "{what}: {kind} has no message");
            Ok(())
        }
        other => bail!("{what}: {other:?}"),
    }
}
