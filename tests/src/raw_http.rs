//! HTTP/1.1 by hand, for tests that send what no client sends: bytes go out as they are, answers are read one by one.
//!
//! Deliberately absent: answers without a length, which the server under test never gives, and anything that would keep
//! a test from sending nonsense.

use std::io;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// A larger answer is a fault of the server.
const LARGEST: usize = 16 << 20;
const BLOCK: usize = 64 << 10;

/// A connection to a server.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    /// The bytes that have arrived and are not read yet.
    received: Vec<u8>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// The lines of the head, in lower case.
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body).with_context(|| format!("not JSON: {self:?}"))
    }

    /// The name of an error in AWS's shape, without its namespace, and its message.
    pub fn error(&self) -> Result<(String, String)> {
        let body = self.json()?;
        let member =
            |name: &str| body.get(name).and_then(Value::as_str).with_context(|| format!("no {name} in {body}"));
        let kind = member("__type")?.rsplit('#').next().unwrap_or_default().to_owned();
        Ok((kind, member("message")?.to_owned()))
    }
}

impl Connection {
    /// Connects to an endpoint, such as `http://127.0.0.1:8083`.
    pub async fn open(endpoint: &str) -> Result<Self> {
        let address = endpoint.strip_prefix("http://").context("an endpoint without http")?;
        crate::watchdog::watch();
        let stream = within(TcpStream::connect(address)).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: Vec::new() })
    }

    /// Sends bytes as they are. Fails when the server does not take them any more.
    pub async fn send(&mut self, bytes: &[u8]) -> Result<()> {
        within(self.stream.write_all(bytes)).await
    }

    /// Says that nothing more will be sent.
    pub async fn finish(&mut self) -> Result<()> {
        within(self.stream.shutdown()).await
    }

    /// The next answer, or `None` when the server closes the connection instead.
    pub async fn answer(&mut self) -> Result<Option<Answer>> {
        tokio::time::timeout(PATIENCE, self.read_answer()).await.context("no answer and no end")?
    }

    async fn read_answer(&mut self) -> Result<Option<Answer>> {
        let end = loop {
            if let Some(end) = self.received.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            if !self.receive().await? {
                ensure!(self.received.is_empty(), "an answer broke off: {:?}", String::from_utf8_lossy(&self.received));
                return Ok(None);
            }
        };
        let head = String::from_utf8_lossy(self.received.get(..end).unwrap_or_default()).to_ascii_lowercase();
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).context("an answer without status")?;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length.map_or(Ok(0), |length| length.trim().parse())?;
        while self.received.len() < end + length {
            ensure!(self.receive().await?, "the body of an answer broke off");
        }
        let body = self.received.get(end..end + length).unwrap_or_default().to_vec();
        self.received.drain(..end + length);
        Ok(Some(Answer { status, head, body }))
    }

    /// Receives something; false at the end.
    async fn receive(&mut self) -> Result<bool> {
        let mut block = vec![0; BLOCK];
        let count = self.stream.read(&mut block).await?;
        self.received.extend_from_slice(block.get(..count).unwrap_or_default());
        ensure!(self.received.len() <= LARGEST, "an answer of more than {LARGEST} bytes");
        Ok(count > 0)
    }
}

/// A network operation, limited as an answer is.
async fn within<T>(work: impl Future<Output = io::Result<T>>) -> Result<T> {
    Ok(tokio::time::timeout(PATIENCE, work).await.context("the connection takes nothing")??)
}

/// The head of a well-formed call, up to and with the empty line.
pub fn head_of_call(action: &str, length: usize) -> String {
    format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-amz-json-1.0\r\n\
         X-Amz-Target: AWSStepFunctions.{action}\r\nContent-Length: {length}\r\n\r\n"
    )
}

/// Calls an action with a body of any bytes, on a connection of its own.
pub async fn call(endpoint: &str, action: &str, body: &[u8]) -> Result<Answer> {
    let mut connection = Connection::open(endpoint).await?;
    connection.send(head_of_call(action, body.len()).as_bytes()).await?;
    connection.send(body).await?;
    match connection.answer().await? {
        Some(answer) => Ok(answer),
        None => bail!("{action} was not answered"),
    }
}
