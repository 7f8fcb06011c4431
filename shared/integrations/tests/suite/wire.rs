//! The other side of the wire: a server that answers as it is told, and the calls that are made to it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use asl::Resource;
use engine::ports::{Stage, TaskAnswer, TaskCall};
use integrations::{Endpoints, Home, Targets, credentials};
use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[derive(Deserialize)]
pub struct Said {
    pub status: u16,
    pub headers: serde_json::Map<String, Value>,
    pub body: String,
}

/// The way a server deals with every request.
#[derive(Clone)]
pub enum Does {
    Answers(Vec<u8>),
    /// The first whose text is in the request's body.
    AnswersTo(Vec<(&'static str, Vec<u8>)>),
    /// The first whose text is the beginning of the path.
    AnswersPaths(Vec<(&'static str, Vec<u8>)>),
    /// One after the other; the last one again and again.
    AnswersInOrder(Vec<Vec<u8>>),
    Cuts,
    Hangs,
}

/// A server with one answer, and the requests it got: head and body.
pub struct Server {
    pub url: String,
    heard: Arc<Mutex<Vec<(String, String)>>>,
}

impl Server {
    pub async fn start(does: Does) -> Self {
        stepwell_tests::watchdog::watch();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heard = Arc::<Mutex<Vec<_>>>::default();
        let hears = heard.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(stream, does.clone(), hears.clone()));
            }
        });
        Self { url, heard }
    }

    pub fn heard(&self) -> Vec<(String, String)> {
        self.heard.lock().unwrap().clone()
    }
}

async fn converse(mut stream: TcpStream, does: Does, heard: Arc<Mutex<Vec<(String, String)>>>) {
    let (mut buffer, mut bytes) = ([0; 4096], Vec::new());
    loop {
        if let Some(request) = whole(&bytes) {
            let (head, body) = request.clone();
            let number = heard.lock().unwrap().len();
            heard.lock().unwrap().push(request);
            bytes.clear();
            match &does {
                Does::AnswersTo(answers) => {
                    let fitting = answers.iter().find(|(text, _)| body.contains(text));
                    stream.write_all(&fitting.unwrap().1).await.unwrap();
                }
                Does::AnswersPaths(answers) => {
                    let path = head.split(' ').nth(1).unwrap();
                    let fitting = answers.iter().find(|(start, _)| path.starts_with(start));
                    stream.write_all(&fitting.unwrap().1).await.unwrap();
                }
                Does::AnswersInOrder(answers) => {
                    stream.write_all(answers.get(number).or(answers.last()).unwrap()).await.unwrap();
                }
                Does::Answers(answer) => stream.write_all(answer).await.unwrap(),
                Does::Cuts => return,
                Does::Hangs => std::future::pending().await,
            }
        }
        match stream.read(&mut buffer).await {
            Ok(read) if read > 0 => bytes.extend(buffer.iter().take(read)),
            _ => return,
        }
    }
}

/// The head, in lower case, and the body of a request, once both are there.
fn whole(bytes: &[u8]) -> Option<(String, String)> {
    let text = String::from_utf8(bytes.to_vec()).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let head = head.to_ascii_lowercase();
    // A request without a body may leave its length out.
    let length = head.split_once("content-length: ").map_or(Some("0"), |(_, rest)| rest.lines().next());
    let length: usize = length?.parse().ok()?;
    (body.len() == length).then(|| (head.clone(), body.to_owned()))
}

pub fn answer(said: &Said) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {} Whatever\r\ncontent-length: {}\r\n", said.status, said.body.len());
    for (name, value) in &said.headers {
        text.push_str(&format!("{name}: {}\r\n", value.as_str().unwrap()));
    }
    format!("{text}\r\n{}", said.body).into_bytes()
}

/// Targets that are all at this server.
pub fn targets(url: &str) -> Targets {
    let endpoints = Endpoints::default().with_others_at(url.parse().unwrap());
    Targets::new(endpoints, &home(), credentials::environment())
}

pub fn home() -> Home {
    Home { partition: "aws".into(), region: "eu-west-1".into(), account: "123456789012".into() }
}

pub fn call(resource: &str, arguments: &str) -> TaskCall {
    TaskCall {
        resource: Resource::parse(&format!("arn:aws:states:::{resource}")).unwrap(),
        arguments: arguments.to_owned(),
        timeout: Duration::from_secs(20),
        execution: "arn:aws:states:eu-west-1:123456789012:execution:m:e".to_owned(),
        state: "S".to_owned(),
        role: None,
        machine_role: crate::machine_role(),
        test: None,
        attempt: crate::attempt(),
        stage: Stage::Begin,
    }
}

pub fn failure(answer: TaskAnswer) -> (String, String) {
    match answer {
        TaskAnswer::Failed { error, cause } => (error, cause.unwrap_or_default()),
        other => panic!("{other:?}"),
    }
}
