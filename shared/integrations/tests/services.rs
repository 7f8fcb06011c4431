//! DynamoDB, SNS and SQS as targets, over the wire: what is sent, once, and what each kind of answer becomes.
//!
//! Requests and answers are the cases of `cases/services.json`; answers look as AWS recorded them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "this file is tests and what they share")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use asl::Resource;
use integrations::{Endpoints, Home, Targets};
use serde::Deserialize;
use serde_json::Value;
use service::ports::{TaskAnswer, TaskCall, Tasks};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const CASES: &str = include_str!("cases/services.json");
/// One action of each service, with arguments.
const ACTIONS: [(&str, &str, &str); 3] = [
    ("dynamodb:getItem", r#"{"TableName":"t","Key":{}}"#, "DynamoDB"),
    ("sns:publish", r#"{"TopicArn":"t","Message":"m"}"#, "SNS"),
    ("sqs:sendMessage", r#"{"QueueUrl":"q","MessageBody":"b"}"#, "SQS"),
];

#[derive(Deserialize)]
struct Case {
    name: String,
    resource: String,
    arguments: Value,
    sent: Sent,
    answer: Said,
    output: Option<Value>,
    error: Option<String>,
    cause: Option<String>,
}

#[derive(Deserialize)]
struct Sent {
    target: Option<String>,
    r#type: String,
    body: String,
}

#[derive(Deserialize)]
struct Said {
    status: u16,
    headers: serde_json::Map<String, Value>,
    body: String,
}

/// What a server does with every request.
#[derive(Clone)]
enum Does {
    Answers(Vec<u8>),
    Cuts,
    Hangs,
}

/// A server with one answer, and the requests it got: head and body.
struct Server {
    url: String,
    heard: Arc<Mutex<Vec<(String, String)>>>,
}

impl Server {
    async fn start(does: Does) -> Self {
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

    fn heard(&self) -> Vec<(String, String)> {
        self.heard.lock().unwrap().clone()
    }
}

async fn converse(mut stream: TcpStream, does: Does, heard: Arc<Mutex<Vec<(String, String)>>>) {
    let (mut buffer, mut bytes) = ([0; 4096], Vec::new());
    loop {
        if let Some(request) = whole(&bytes) {
            heard.lock().unwrap().push(request);
            bytes.clear();
            match &does {
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
    let length: usize = head.split_once("content-length: ")?.1.lines().next()?.parse().ok()?;
    (body.len() == length).then(|| (head.clone(), body.to_owned()))
}

fn answer(said: &Said) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {} Whatever\r\ncontent-length: {}\r\n", said.status, said.body.len());
    for (name, value) in &said.headers {
        text.push_str(&format!("{name}: {}\r\n", value.as_str().unwrap()));
    }
    format!("{text}\r\n{}", said.body).into_bytes()
}

fn targets(url: &str) -> Targets {
    let endpoint = || Some(url.parse().unwrap());
    let endpoints = Endpoints { lambda: None, dynamodb: endpoint(), sns: endpoint(), sqs: endpoint() };
    Targets::new(endpoints, &home())
}

fn home() -> Home {
    Home { partition: "aws".into(), region: "eu-west-1".into(), account: "123456789012".into() }
}

fn call(resource: &str, arguments: &str) -> TaskCall {
    TaskCall {
        resource: Resource::parse(&format!("arn:aws:states:::{resource}")).unwrap(),
        arguments: arguments.to_owned(),
        timeout: Duration::from_secs(20),
        execution: "arn:aws:states:eu-west-1:123456789012:execution:m:e".to_owned(),
        state: "S".to_owned(),
        role: None,
        test: None,
    }
}

fn failure(answer: TaskAnswer) -> (String, String) {
    match answer {
        TaskAnswer::Failed { error, cause } => (error, cause.unwrap_or_default()),
        TaskAnswer::Succeeded { output } | TaskAnswer::Concluded { output } => panic!("{output}"),
    }
}

#[tokio::test]
async fn requests_and_answers_look_as_those_of_aws() {
    let cases: Vec<Case> = serde_json::from_str(CASES).unwrap();
    for case in cases {
        let Case { name, resource, arguments, sent, answer: said, output, error, cause } = case;
        let server = Server::start(Does::Answers(answer(&said))).await;
        let answer = targets(&server.url).call(call(&resource, &arguments.to_string())).await;

        let heard = server.heard();
        let [(head, body)] = heard.as_slice() else { panic!("{name}: sent {} times", heard.len()) };
        assert_eq!(body, &sent.body, "{name}");
        assert!(head.starts_with("post / http/1.1"), "{name}: {head}");
        assert!(head.contains(&format!("content-type: {}", sent.r#type)), "{name}: {head}");
        let target = sent.target.map(|target| format!("x-amz-target: {}", target.to_ascii_lowercase()));
        assert!(target.is_none_or(|target| head.contains(&target)), "{name}: {head}");
        let service = resource.split(':').next().unwrap();
        assert!(head.contains(&format!("/eu-west-1/{service}/aws4_request")), "{name}: {head}");

        match output {
            // As texts, since the order of the members counts.
            Some(output) => {
                assert_eq!(answer, TaskAnswer::Succeeded { output: output.to_string() }, "{name}");
            }
            None => assert_eq!(answer, TaskAnswer::Failed { error: error.unwrap(), cause }, "{name}"),
        }
    }
}

#[tokio::test]
async fn a_request_whose_answer_is_lost_is_not_sent_again() {
    for (resource, arguments, prefix) in ACTIONS {
        let server = Server::start(Does::Cuts).await;
        let (error, cause) = failure(targets(&server.url).call(call(resource, arguments)).await);
        assert_eq!(error, format!("{prefix}.SdkClientException"));
        assert!(cause.starts_with("Unable to execute HTTP request: 127.0.0.1:"), "{cause}");
        assert_eq!(server.heard().len(), 1, "{resource}");
    }
}

#[tokio::test]
async fn a_call_ends_with_its_time_and_never_after_a_minute() {
    for (resource, arguments, prefix) in ACTIONS {
        let server = Server::start(Does::Hangs).await;
        let targets = targets(&server.url);
        let mut hanging = call(resource, arguments);
        hanging.timeout = Duration::from_millis(50);
        assert_eq!(targets.limit(&hanging).await, Duration::from_secs(60));
        let (error, _) = failure(targets.call(hanging).await);
        assert_eq!(error, format!("{prefix}.ClientExecutionTimeoutException"));
    }
}

#[tokio::test]
async fn an_answer_beyond_every_result_is_not_read_to_its_end() {
    for (resource, arguments, prefix) in ACTIONS {
        let said = |bytes| Said { status: 200, headers: serde_json::Map::new(), body: "a".repeat(bytes) };
        let server = Server::start(Does::Answers(answer(&said((1 << 20) + 1)))).await;
        let (error, cause) = failure(targets(&server.url).call(call(resource, arguments)).await);
        assert_eq!(error, "States.DataLimitExceeded");
        let service = prefix.to_ascii_lowercase();
        let told = "returned a result with a size exceeding the maximum number of bytes service limit.";
        assert_eq!(cause, format!("The state/task '{service}' {told}"));

        let server = Server::start(Does::Answers(answer(&said(1 << 20)))).await;
        let (error, _) = failure(targets(&server.url).call(call(resource, arguments)).await);
        assert_eq!(error, format!("{prefix}.SdkClientException"), "what fits is read, and is no answer of the service");
    }
}

#[tokio::test]
async fn a_role_is_never_ignored_at_aws() {
    for (resource, arguments, _) in ACTIONS {
        let mut with_role = call(resource, arguments);
        with_role.role = Some("arn:aws:iam::210987654321:role/other".to_owned());
        let (error, cause) = failure(Targets::new(Endpoints::default(), &home()).call(with_role).await);
        assert_eq!(error, "States.TaskFailed");
        assert!(cause.contains("role/other"), "{cause}");
    }
}

#[tokio::test]
async fn what_is_the_installations_own_is_not_touched_however_it_is_named() {
    let server = Server::start(Does::Answers(answer(&Said {
        status: 200,
        headers: serde_json::Map::new(),
        body: "{}".to_owned(),
    })))
    .await;
    let targets = targets(&server.url).withholding(&["stepwell-Table".to_owned(), "stepwell-Queue".to_owned()]);
    let own = [
        ("dynamodb:putItem", r#"{"TableName":"stepwell-Table","Item":{}}"#),
        (
            "dynamodb:getItem",
            r#"{"TableName":"arn:aws:dynamodb:eu-west-1:123456789012:table/stepwell-Table","Key":{}}"#,
        ),
        (
            "sqs:sendMessage",
            r#"{"QueueUrl":"https://sqs.eu-west-1.amazonaws.com/123456789012/stepwell-Queue","MessageBody":"b"}"#,
        ),
        ("sqs:sendMessage", r#"{"QueueUrl":"stepwell-Queue/?a#b","MessageBody":"b"}"#),
        ("sqs:sendMessage", r#"{"QueueUrl":"https://q/1/step\nwell-Queue","MessageBody":"b"}"#),
        ("sqs:sendMessage", r#"{"QueueUrl":"https://q/123456789012/%73tepwell-Queue","MessageBody":"b"}"#),
        ("sqs:sendMessage", r#"{"QueueUrl":"\u0073tepwell-Queue","MessageBody":"b"}"#),
    ];
    for (resource, arguments) in own {
        let (_, cause) = failure(targets.call(call(resource, arguments)).await);
        assert!(
            cause.ends_with("belongs to this installation of Stepwell: its workflows may not touch it."),
            "{cause}"
        );
    }
    assert!(server.heard().is_empty());
    let other =
        call("dynamodb:putItem", r#"{"TableName":"stepwell-Table-2","Item":{"note":{"S":"stepwell-Table, 100 %"}}}"#);
    assert!(matches!(targets.call(other).await, TaskAnswer::Succeeded { .. }));
}
