//! The stack that the SAM CLI deploys to an emulator of AWS, started by the first test that asks, for all of a test binary.
//!
//! `python/deploy.py` does the work. The long mode builds the functions by `sam build`; the normal one deploys those that
//! cargo built for the tests, since a second build of all dependencies takes longer than all that is tested here. Tests take turns, and each finds no state machines. The process ends when its
//! standard input does, with the test binary, whatever becomes of that. Deliberately absent: any way to the functions
//! but the endpoint that a user has, and the emulator's own APIs.

#![expect(clippy::indexing_slicing, reason = "an index into JSON does not panic; any other that does fails the test")]

use std::ops::Deref;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::OnceLock;

use anyhow::{Context, Result, bail, ensure};
use aws_config::SdkConfig;
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as Http;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

use crate::client::{Client, text};
use crate::{dynamo, emulators, long_mode, python, server, watchdog};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/python/deploy.py");
const INFRA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../infra");
/// The account it is deployed in: that of AWS's recordings, which `parity/run.py` replays.
pub const ACCOUNT: &str = "111111111111";

/// Where everything is, as the script says; the rest are the stack's own outputs.
#[derive(Debug, Deserialize)]
pub struct Places {
    /// The endpoint of all services.
    pub emulator: String,
    /// That of the Step Functions API.
    pub endpoint: String,
    #[serde(rename = "ApiFunction")]
    pub api: String,
    #[serde(rename = "WorkerFunction")]
    pub worker: String,
    #[serde(rename = "TableName")]
    pub table: String,
    #[serde(rename = "QueueUrl")]
    pub queue: String,
    #[serde(rename = "DeadLettersUrl")]
    pub dead_letters: String,
    /// Seconds.
    pub built_after: f64,
    pub deployed_after: f64,
}

/// A deployed stack.
#[derive(Debug)]
struct Deployment {
    places: Places,
    /// Held for a turn; where tasks call functions by now.
    turns: Mutex<Option<String>>,
    _process: Child,
}

/// A test's turn at the deployed stack.
#[derive(Debug)]
pub struct Turn {
    places: &'static Places,
    http: Http<hyper_util::client::legacy::connect::HttpConnector, Full<Bytes>>,
    functions: MutexGuard<'static, Option<String>>,
}

impl Deref for Turn {
    type Target = Places;

    fn deref(&self) -> &Places {
        self.places
    }
}

/// Waits for this test's turn; state machines of others are gone then. `None`, after saying why, where there are no tools.
pub async fn turn() -> Result<Option<Turn>> {
    // Another test may be building what this one waits for, or have its turn.
    watchdog::watch_for(watchdog::LIMIT_OF_BUILDS);
    static DEPLOYMENT: OnceLock<Result<Option<Deployment>, String>> = OnceLock::new();
    let deployed = tokio::task::block_in_place(|| {
        DEPLOYMENT.get_or_init(|| Deployment::make().map_err(|error| format!("{error:#}")))
    });
    let deployed = match deployed {
        Ok(Some(deployed)) => deployed,
        Ok(None) => return Ok(None),
        Err(error) => bail!("nothing is deployed: {error}"),
    };
    let functions = deployed.turns.lock().await;
    let http = Http::builder(TokioExecutor::new()).build_http();
    let turn = Turn { places: &deployed.places, http, functions };
    watchdog::watch();
    turn.clear().await?;
    Ok(Some(turn))
}

impl Deployment {
    fn make() -> Result<Option<Self>> {
        let Some(tools) = python::deploy_tools()? else { return Ok(None) };
        let mut script = Command::new(tools.join("python"));
        script.arg(SCRIPT).args(["--account", ACCOUNT, "--infra", INFRA]);
        if long_mode() {
            script.arg("--target").arg(python::target()?);
        } else {
            // Each may be older than its sources; they lie side by side.
            let mut programs = PathBuf::new();
            for name in ["api", "clock", "worker"] {
                programs = server::program(name)?;
            }
            script.arg("--programs").arg(programs.parent().context("a program in no folder")?);
        }
        let (line, process) = emulators::serving(&mut script)?;
        let places: Places = serde_json::from_str(&line)?;
        Ok(Some(Self { places, turns: Mutex::default(), _process: process }))
    }
}

impl Turn {
    /// A client of the deployed API.
    pub fn client(&self) -> Client {
        Client::new(&self.endpoint)
    }

    /// The configuration of SDK clients that call the emulator.
    pub async fn sdk(&self) -> SdkConfig {
        dynamo::config_at(&self.emulator, ACCOUNT).await
    }

    /// Tasks call functions at this endpoint from now on; without one, the emulator's own.
    pub async fn calls_functions_at(&mut self, endpoint: Option<&str>) -> Result<()> {
        if self.functions.as_deref() == endpoint {
            return Ok(());
        }
        for function in [&self.api, &self.worker] {
            let path = format!("/2015-03-31/functions/{function}/configuration");
            let mut variables = self.lambda(Method::GET, &path, &Value::Null).await?["Environment"]["Variables"].take();
            variables["LAMBDA_ENDPOINT"] = endpoint.unwrap_or_default().into();
            self.lambda(Method::PUT, &path, &json!({ "Environment": { "Variables": variables } })).await?;
        }
        *self.functions = endpoint.map(str::to_owned);
        Ok(())
    }

    /// Calls an action of a service of the emulator, such as `DynamoDB_20120810.GetItem`.
    pub async fn call(&self, action: &str, members: &Value) -> Result<Value> {
        let request = Request::post(&self.emulator).header("x-amz-target", action);
        let request = request.header("content-type", "application/x-amz-json-1.0").header("authorization", signature());
        self.answer(request.body(Full::from(members.to_string()))?).await
    }

    /// Fails when a message was given up.
    pub async fn has_no_dead_letters(&self) -> Result<()> {
        const HELD: &str = "ApproximateNumberOfMessages";
        let asked = json!({ "QueueUrl": self.dead_letters, "AttributeNames": [HELD] });
        let answer = self.call("AmazonSQS.GetQueueAttributes", &asked).await?;
        ensure!(answer["Attributes"][HELD] == "0", "dead letters: {answer}");
        Ok(())
    }

    async fn lambda(&self, method: Method, path: &str, body: &Value) -> Result<Value> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = Request::builder().method(method).uri(format!("{}{path}", self.emulator));
        let request = request.header("authorization", signature());
        self.answer(request.body(Full::from(body))?).await
    }

    async fn answer(&self, request: Request<Full<Bytes>>) -> Result<Value> {
        let uri = request.uri().clone();
        let response = self.http.request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        ensure!(status.is_success(), "{uri}: {status} {}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).with_context(|| format!("{uri}: {}", String::from_utf8_lossy(&body)))
    }

    /// Stops what runs, so that machines go when they are deleted.
    async fn clear(&self) -> Result<()> {
        let client = self.client();
        loop {
            let page = client.call("ListStateMachines", &json!({})).await?;
            let machines = page["stateMachines"].as_array().context("no list")?;
            if machines.is_empty() {
                return Ok(());
            }
            for machine in machines {
                let of = json!({ "stateMachineArn": text(machine, "stateMachineArn")? });
                if machine["type"] == "STANDARD" {
                    let running = json!({ "stateMachineArn": of["stateMachineArn"], "statusFilter": "RUNNING" });
                    let running = client.call("ListExecutions", &running).await?;
                    for execution in running["executions"].as_array().into_iter().flatten() {
                        let of = json!({ "executionArn": execution["executionArn"] });
                        client.call("StopExecution", &of).await?;
                    }
                }
                client.call("DeleteStateMachine", &of).await?;
            }
        }
    }
}

/// Says whose request it is. The emulator does not check the signature of an account's own key.
fn signature() -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential={ACCOUNT}/20260101/us-east-1/any/aws4_request, SignedHeaders=host, Signature=none"
    )
}
