//! Below the API: bytes that are no HTTP, requests that are no calls, bodies without end, clients without hurry.
//!
//! That clients without hurry are closed in the end is tested in virtual time, beside the server's HTTP.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use stepwell_tests::raw_http::{Answer, Connection, head_of_call};
use tokio::task::JoinSet;

use super::World;

const JSON: (&str, &str) = ("content-type", "application/x-amz-json-1.0");
const LIST: (&str, &str) = ("x-amz-target", "AWSStepFunctions.ListStateMachines");
/// The time limit of a call while others are slow.
const PROMPT: Duration = Duration::from_secs(2);

/// A request line, headers, and the status, error and part of the message that answer it.
type Refusal<'c> = (&'c str, &'c [(&'c str, &'c str)], u16, &'c str, &'c str);

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_no_call_is_refused_in_the_shape_of_aws() -> Result<()> {
    let world = World::join().await?;
    let unknown = "UnknownOperationException";
    let cases: [Refusal<'_>; 17] = [
        ("GET /", &[JSON, LIST], 404, unknown, "POST to /"),
        ("PUT /", &[JSON, LIST], 404, unknown, "POST to /"),
        ("OPTIONS /", &[JSON, LIST], 404, unknown, "POST to /"),
        ("OPTIONS *", &[JSON, LIST], 404, unknown, "POST to /"),
        ("DELETE /", &[JSON, LIST], 404, unknown, "POST to /"),
        ("NONSENSE /", &[JSON, LIST], 404, unknown, "POST to /"),
        ("POST /../../etc/passwd", &[JSON, LIST], 404, unknown, "POST to /"),
        ("POST /health", &[JSON, LIST], 404, unknown, "POST to /"),
        ("POST /", &[LIST], 404, unknown, "content type"),
        ("POST /", &[("content-type", "text/plain"), LIST], 404, unknown, "content type"),
        ("POST /", &[("content-type", "application/x-amz-cbor-1.1"), LIST], 404, unknown, "content type"),
        ("POST /", &[JSON], 404, unknown, "X-Amz-Target"),
        ("POST /", &[JSON, ("x-amz-target", "ListStateMachines")], 404, unknown, "X-Amz-Target"),
        ("POST /", &[JSON, ("x-amz-target", "DynamoDB_20120810.ListTables")], 404, unknown, "X-Amz-Target"),
        ("POST /", &[JSON, ("x-amz-target", "AWSStepFunctions.DropTables")], 400, unknown, "DropTables"),
        ("POST /", &[JSON, ("x-amz-target", "AWSStepFunctions.\"\\")], 400, unknown, "\"\\"),
        ("POST /", &[JSON, LIST, ("origin", "http://example.com")], 403, "AccessDeniedException", "browsers"),
    ];
    for (line, headers, status, kind, part) in cases {
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let request = format!("{line} HTTP/1.1\r\nhost: localhost\r\n{headers}content-length: 2\r\n\r\n{{}}");
        let answer = answer_to(&world, request.as_bytes()).await?.with_context(|| request.clone())?;
        let (found, message) = answer.error()?;
        ensure!(answer.status == status && found == kind && message.contains(part), "{request}: {answer:?}");
    }
    world.is_unharmed().await
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_http_are_refused_or_hung_up_on() -> Result<()> {
    let world = World::join().await?;
    let list = "X-Amz-Target: AWSStepFunctions.ListStateMachines\r\nContent-Type: application/x-amz-json-1.0\r\n";
    let post = |headers: &str, body: &str| {
        format!("POST / HTTP/1.1\r\nHost: localhost\r\n{list}{headers}\r\n{body}").into_bytes()
    };
    let many: String = (0..5_000).map(|number| format!("x-{number}: y\r\n")).collect();
    let cases = [
        ("a TLS greeting", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\0\0\0\0".to_vec()),
        ("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
        ("zeros", vec![0; 100_000]),
        ("no version", b"POST /\r\n\r\n".to_vec()),
        ("a version of tomorrow", b"POST / HTTP/3.7\r\n\r\n".to_vec()),
        ("a line without end", vec![b'A'; 2 << 20]),
        ("a header without end", post(&format!("x-long: {}\r\n", "y".repeat(2 << 20)), "")),
        ("too many headers", post(&many, "")),
        ("a header that is no header", post("no colon here\r\n", "")),
        ("a length that is no number", post("Content-Length: many\r\n", "{}")),
        ("a length below zero", post("Content-Length: -2\r\n", "{}")),
        ("a length beyond numbers", post("Content-Length: 99999999999999999999999\r\n", "{}")),
        ("two lengths", post("Content-Length: 2\r\nContent-Length: 3\r\n", "{}")),
        ("a chunk beyond numbers", post("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\n{}")),
        ("a chunk of no size", post("Transfer-Encoding: chunked\r\n", "size\r\n{}\r\n0\r\n\r\n")),
        ("an unknown encoding", post("Transfer-Encoding: rot13\r\n", "{}")),
    ];
    for (what, bytes) in cases {
        let answer = answer_to(&world, &bytes).await.with_context(|| what)?;
        ensure!(answer.as_ref().is_none_or(|answer| (400..500).contains(&answer.status)), "{what}: {answer:?}");
    }
    world.is_unharmed().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_breaks_off_changes_nothing() -> Result<()> {
    let world = World::join().await?;
    let body = super::machine_of("broken-off", &super::pass().to_string()).to_string();
    let mut connection = Connection::open(world.endpoint()).await?;
    connection.send(head_of_call("CreateStateMachine", body.len() + 1).as_bytes()).await?;
    connection.send(body.as_bytes()).await?;
    connection.finish().await?;
    let answer = connection.answer().await?;
    ensure!(answer.as_ref().is_none_or(|answer| answer.status == 400), "{answer:?}");
    let arn = format!("{}:stateMachine:broken-off", super::HOME);
    let made = world.client().call("DescribeStateMachine", &json!({"stateMachineArn": arn})).await;
    super::ensure_refused(&made, &["StateMachineDoesNotExist"], "half a request")?;
    world.is_unharmed().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large_is_refused_before_it_has_arrived() -> Result<()> {
    let world = World::join().await?;
    let long = head_of_call("CreateStateMachine", 10_000_000_000);
    let chunked = long.replace("Content-Length: 10000000000", "Transfer-Encoding: chunked");
    let chunk = [b"10000\r\n".as_slice(), &[b' '; 0x10000], b"\r\n"].concat();
    for (what, head, block) in [("a length", long, vec![b' '; 0x10000]), ("chunks", chunked, chunk)] {
        let mut flood = JoinSet::new();
        for _ in 0..8 {
            let (endpoint, head, block) = (world.endpoint().to_owned(), head.clone(), block.clone());
            flood.spawn(async move {
                let mut connection = Connection::open(&endpoint).await?;
                connection.send(head.as_bytes()).await?;
                // The most that the server reads before it answers, and a little more.
                for _ in 0..40 {
                    connection.send(&block).await?;
                }
                connection.answer().await?.context("hung up on")
            });
        }
        while let Some(answer) = flood.join_next().await {
            let answer = answer?.with_context(|| what)?;
            ensure!(
                answer.status == 413 && answer.error()?.0 == "RequestEntityTooLargeException",
                "{what}: {answer:?}"
            );
            ensure!(answer.head.contains("connection: close"), "{what}: {answer:?}");
        }
    }
    world.is_unharmed().await
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_sent_at_once_are_answered_in_their_order() -> Result<()> {
    let world = World::join().await?;
    let mut connection = Connection::open(world.endpoint()).await?;
    let requests: String = (0..50).map(|number| head_of_call(&format!("Action{number}"), 2) + "{}").collect();
    connection.send(requests.as_bytes()).await?;
    for number in 0..50 {
        let answer = connection.answer().await?.context("hung up on")?;
        let (_, message) = answer.error()?;
        ensure!(message.contains(&format!("Action{number}.")), "{number}: {message}");
    }
    world.is_unharmed().await
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_and_idle_clients_keep_nobody_from_being_served() -> Result<()> {
    let world = World::join().await?;
    let mut others = JoinSet::new();
    for number in 0..200 {
        let endpoint = world.endpoint().to_owned();
        others.spawn(async move {
            let mut connection = Connection::open(&endpoint).await?;
            let request = head_of_call("ListStateMachines", 10_000) + &" ".repeat(10_000);
            // Idle, in the middle of a head, or in the middle of a body; then byte by byte.
            let begun = [0, 40, 250][number % 3];
            connection.send(&request.as_bytes()[..begun]).await?;
            if begun == 0 {
                connection.answer().await?;
            }
            for byte in &request.as_bytes()[begun..] {
                connection.send(&[*byte]).await?;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Ok::<(), anyhow::Error>(())
        });
    }
    let client = world.client();
    for _ in 0..50 {
        let begun = Instant::now();
        client.call("ListStateMachines", &json!({})).await?;
        ensure!(client.is_healthy().await, "not healthy");
        ensure!(begun.elapsed() < PROMPT, "{:?}", begun.elapsed());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    ensure!(others.try_join_next().is_none(), "a slow client was not slow");
    others.shutdown().await;
    world.is_unharmed().await
}

/// The first answer to these bytes, or `None` when the server hangs up, whether or not it has taken all of them.
async fn answer_to(world: &World, bytes: &[u8]) -> Result<Option<Answer>> {
    let mut connection = Connection::open(world.endpoint()).await?;
    let sent = connection.send(bytes).await.is_ok();
    match connection.answer().await {
        Ok(answer) => Ok(answer),
        // Closed with bytes still on their way: the connection was reset.
        Err(error) if !sent || error.is::<std::io::Error>() => Ok(None),
        Err(error) => Err(error),
    }
}
