//! Lambda as a target, over the wire: what is sent, and what each kind of answer becomes.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use asl::{Integration, Pattern, Resource};
use engine::ports::{Stage, TaskAnswer, TaskCall, Tasks};
use integrations::{Endpoints, Home, Targets, credentials};
use serde_json::{Value, json};
use stepwell_tests::lambda_server::{Answer, Dialect, LambdaServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const ARN: &str = "arn:aws:lambda:us-east-1:123456789012:function:fun";

fn home() -> Home {
    Home { partition: "aws".into(), region: "us-east-1".into(), account: "123456789012".into() }
}

fn targets(url: &str) -> Targets {
    Targets::new(Endpoints::default().with("lambda", url.parse().unwrap()), &home(), credentials::environment())
}

fn function() -> Resource {
    Resource::Lambda { arn: ARN.to_owned() }
}

fn integration(service: &str, action: &str, pattern: Pattern) -> Resource {
    let arn = format!("arn:aws:states:::{service}:{action}{pattern}");
    Resource::Integration(Integration { arn, service: service.to_owned(), action: action.to_owned(), pattern })
}

fn invoke() -> Resource {
    integration("lambda", "invoke", Pattern::RequestResponse)
}

fn call(resource: Resource, arguments: &str) -> TaskCall {
    TaskCall {
        resource,
        arguments: arguments.to_owned(),
        timeout: Duration::from_secs(20),
        execution: "arn:aws:states:us-east-1:123456789012:execution:m:e".to_owned(),
        state: "S".to_owned(),
        role: None,
        machine_role: crate::machine_role(),
        test: None,
        attempt: crate::attempt(),
        stage: Stage::Begin,
    }
}

fn output(answer: TaskAnswer) -> String {
    match answer {
        TaskAnswer::Succeeded { output } | TaskAnswer::Concluded { output } => output,
        other => panic!("{other:?}"),
    }
}

fn failure(answer: TaskAnswer) -> (String, String) {
    match answer {
        TaskAnswer::Failed { error, cause } => (error, cause.unwrap_or_default()),
        other => panic!("{other:?}"),
    }
}

/// Replaces what differs from run to run: ports and request ids.
fn settled(text: &str, server: &LambdaServer) -> String {
    let address = server.url().replace("http://", "");
    text.replace(&address, "HOST").replace("00000000-0000-4000-8000-000000000001", "ID")
}

#[tokio::test]
async fn a_function_gets_its_arguments_and_its_result_is_passed_on_as_sent() {
    for dialect in [Dialect::Aws, Dialect::CargoLambda] {
        let server = LambdaServer::start(dialect).await.unwrap();
        server.register("fun", |_, _| Answer::ReturnsBytes(b"{\"b\": 1.50, \"a\": [ ]}".to_vec()));
        let answer = targets(&server.url()).call(call(function(), r#"{"n":12345678901234567890123}"#)).await;
        assert_eq!(output(answer), "{\"b\": 1.50, \"a\": [ ]}", "{dialect:?}");

        let calls = server.calls();
        assert_eq!(calls.len(), 1);
        assert_eq!(calls[0].target, "/2015-03-31/functions/fun/invocations");
        assert_eq!(calls[0].body, br#"{"n":12345678901234567890123}"#.as_slice());
        assert_eq!(calls[0].header("x-amz-invocation-type"), "");
    }
}

#[tokio::test]
async fn every_request_is_signed_for_lambda_in_its_region() {
    let server = LambdaServer::start(Dialect::Aws).await.unwrap();
    server.register("fun", |_, _| Answer::Returns(json!(1)));
    targets(&server.url()).call(call(function(), "{}")).await;
    let calls = server.calls();
    let authorization = calls[0].header("authorization");
    assert!(authorization.starts_with("AWS4-HMAC-SHA256 Credential="), "{authorization}");
    assert!(authorization.contains("/us-east-1/lambda/aws4_request"), "{authorization}");
    assert!(authorization.contains("SignedHeaders=content-type;host;x-amz-date"), "{authorization}");
    assert!(calls[0].header("user-agent").starts_with("stepwell/"));
}

#[tokio::test]
async fn an_invoke_returns_the_whole_answer_in_the_order_of_aws() {
    let server = LambdaServer::start(Dialect::Aws).await.unwrap();
    server.register("fun", |event, _| Answer::Returns(event.clone()));
    let arguments = json!({"FunctionName": ARN, "Payload": {"z": 1, "a": 2}, "LogType": "Tail", "Qualifier": "live"});
    let answer = targets(&server.url()).call(call(invoke(), &arguments.to_string())).await;
    let text = output(answer);
    assert!(text.contains(r#""Payload":{"z":1,"a":2}"#), "{text}");

    let result: Value = serde_json::from_str(&text).unwrap();
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let expected = ["ExecutedVersion", "LogResult", "Payload", "SdkHttpMetadata", "SdkResponseMetadata", "StatusCode"];
    assert_eq!(keys(&result), expected);
    assert_eq!(result["ExecutedVersion"], "$LATEST");
    assert_eq!(result["LogResult"], "U1RBUlQK");
    assert_eq!(result["StatusCode"], 200);
    assert_eq!(result["SdkResponseMetadata"], json!({"RequestId": "00000000-0000-4000-8000-000000000001"}));
    let metadata = &result["SdkHttpMetadata"];
    assert_eq!(keys(metadata), ["AllHttpHeaders", "HttpHeaders", "HttpStatusCode"]);
    assert_eq!(
        keys(&metadata["HttpHeaders"]),
        [
            "Content-Length",
            "Content-Type",
            "Date",
            "X-Amz-Executed-Version",
            "X-Amz-Log-Result",
            "x-amzn-Remapped-Content-Length",
            "x-amzn-RequestId",
            "X-Amzn-Trace-Id"
        ]
    );
    assert_eq!(metadata["AllHttpHeaders"]["Content-Length"], json!(["13"]));
    assert_eq!(metadata["HttpHeaders"]["Content-Length"], json!("13"));
    assert_eq!(server.calls()[0].target, "/2015-03-31/functions/fun/invocations?Qualifier=live");
}

#[tokio::test]
async fn an_invoke_without_a_payload_has_no_body() {
    let server = LambdaServer::start(Dialect::Aws).await.unwrap();
    server.register("fun", |event, _| Answer::Returns(event.clone()));
    let answer = targets(&server.url()).call(call(invoke(), r#"{"FunctionName":"fun","Payload":null}"#)).await;
    let result: Value = serde_json::from_str(&output(answer)).unwrap();
    assert_eq!(result["Payload"], json!({}));
    assert!(server.calls()[0].body.is_empty());
}

#[tokio::test]
async fn asynchronous_and_dry_invocations_answer_with_their_status() {
    let cases = [
        (Dialect::Aws, "Event", 202),
        (Dialect::Aws, "DryRun", 204),
        // It waits for the function, and its failure is none of the task's.
        (Dialect::CargoLambda, "Event", 202),
    ];
    for (dialect, kind, status) in cases {
        let server = LambdaServer::start(dialect).await.unwrap();
        server.register("fun", |_, _| Answer::raises("Boom", "late"));
        let arguments = json!({"FunctionName": "fun", "InvocationType": kind, "ClientContext": "e30="});
        let resource = integration("lambda", "invoke", Pattern::WaitForTaskToken);
        let answer = targets(&server.url()).call(call(resource, &arguments.to_string())).await;
        let result: Value = serde_json::from_str(&output(answer)).unwrap();
        assert_eq!(result["StatusCode"], status, "{dialect:?} {kind}");
        assert_eq!(result["SdkHttpMetadata"]["HttpStatusCode"], status);
        assert_eq!(result["Payload"], "");
        let calls = server.calls();
        assert_eq!(calls[0].header("x-amz-invocation-type"), kind);
        assert_eq!(calls[0].header("x-amz-client-context"), "e30=");
    }
}

type FailureCase = (Resource, Answer, &'static str, String);

/// Failures both dialects report alike: resource, what the function does, error, cause.
fn failure_cases() -> Vec<FailureCase> {
    let spaced = br#"{"errorMessage": "no", "errorType": "Boom"}"#.to_vec();
    let refuses = |status, code: &str, message: &str| Answer::Refuses {
        status,
        code: code.to_owned(),
        message: message.to_owned(),
    };
    let throttled = "Rate Exceeded. (Service: AWSLambda; Status Code: 429; Error Code: TooManyRequestsException; Request ID: ID; Proxy: null)";
    let denied =
        "No. (Service: AWSLambda; Status Code: 403; Error Code: AccessDeniedException; Request ID: ID; Proxy: null)";
    let gateway = "bad gateway (Service: AWSLambda; Status Code: 502; Error Code: null; Request ID: null; Proxy: null)";
    let raw = |status, body: &[u8]| Answer::Raw { status, headers: Vec::new(), body: body.to_vec() };
    vec![
        (function(), Answer::Fails(spaced.clone()), "Boom", String::from_utf8(spaced.clone()).unwrap()),
        (invoke(), Answer::Fails(spaced), "Boom", r#"{"errorMessage":"no","errorType":"Boom"}"#.to_owned()),
        (
            function(),
            Answer::Fails(br#"{"errorMessage":"x"}"#.to_vec()),
            "Lambda.Unknown",
            "The cause could not be determined because Lambda did not return an error type. \
             Returned payload: {\"errorMessage\":\"x\"}"
                .to_owned(),
        ),
        (
            function(),
            Answer::ReturnsBytes(b"\xff<html>".to_vec()),
            "Lambda.Unknown",
            "The cause could not be determined because Lambda did not return valid JSON. \
             Returned payload: \u{fffd}<html>"
                .to_owned(),
        ),
        (
            function(),
            refuses(429, "TooManyRequestsException", "Rate Exceeded."),
            "Lambda.TooManyRequestsException",
            throttled.to_owned(),
        ),
        (
            invoke(),
            refuses(403, "AccessDeniedException:http://errors", "No."),
            "Lambda.AWSLambdaException",
            denied.to_owned(),
        ),
        (function(), raw(502, b"bad gateway"), "Lambda.AWSLambdaException", gateway.to_owned()),
        (
            invoke(),
            raw(302, b""),
            "Lambda.AWSLambdaException",
            " (Service: AWSLambda; Status Code: 302; Error Code: null; Request ID: null; Proxy: null)".to_owned(),
        ),
    ]
}

#[tokio::test]
async fn failures_get_the_names_and_causes_of_aws() {
    for (resource, answer, error, cause) in failure_cases() {
        for dialect in [Dialect::Aws, Dialect::CargoLambda] {
            let server = LambdaServer::start(dialect).await.unwrap();
            let given = answer.clone();
            server.register("fun", move |_, _| given.clone());
            let failed =
                failure(targets(&server.url()).call(call(resource.clone(), r#"{"FunctionName":"fun"}"#)).await);
            assert_eq!(
                (failed.0.as_str(), settled(&failed.1, &server)),
                (error, cause.clone()),
                "{dialect:?} {answer:?}"
            );
            assert_eq!(server.calls().len(), 1, "{answer:?}");
        }
    }
}

#[tokio::test]
async fn an_unknown_function_is_not_found_in_either_dialect() {
    let not_found = |name: &str, id: &str| {
        format!(
            "Function not found: {name} (Service: AWSLambda; Status Code: 404; \
             Error Code: ResourceNotFoundException; Request ID: {id}; Proxy: null)"
        )
    };
    let full = "arn:aws:lambda:us-east-1:123456789012:function:gone";
    let cases = [
        (Dialect::Aws, "gone", not_found("gone:$LATEST", "ID")),
        (Dialect::CargoLambda, "gone", not_found(&format!("{full}:$LATEST"), "ID")),
        (Dialect::CargoLambda, "gone:live", not_found(&format!("{full}:live"), "ID")),
    ];
    for (dialect, name, cause) in cases {
        let server = LambdaServer::start(dialect).await.unwrap();
        let arguments = json!({"FunctionName": name}).to_string();
        let (error, text) = failure(targets(&server.url()).call(call(invoke(), &arguments)).await);
        assert_eq!((error.as_str(), settled(&text, &server)), ("Lambda.ResourceNotFoundException", cause));
    }
}

#[tokio::test]
async fn a_request_whose_answer_is_lost_was_sent_exactly_once() {
    for (answer, cause) in [
        (Answer::Cuts, "Unable to execute HTTP request: HOST failed to respond: "),
        (Answer::CutsWithinBody, "Unable to execute HTTP request: HOST did not finish its answer: "),
    ] {
        let server = LambdaServer::start(Dialect::Aws).await.unwrap();
        let given = answer.clone();
        server.register("good", |_, _| Answer::Returns(json!(1)));
        server.register("fun", move |_, _| given.clone());
        let targets = targets(&server.url());
        // The second time the connection comes from the pool, where clients are tempted to try again.
        targets.call(call(invoke(), r#"{"FunctionName":"good"}"#)).await;
        let (error, text) = failure(targets.call(call(function(), "{}")).await);
        assert_eq!(error, "Lambda.SdkClientException");
        assert!(settled(&text, &server).starts_with(cause), "{text}");
        assert_eq!(server.calls().iter().filter(|call| call.function == "fun").count(), 1, "{answer:?}");
        assert_eq!(server.connections(), 1, "{answer:?}");
    }
}

#[tokio::test]
async fn a_connection_that_never_opened_is_tried_again() {
    let address: SocketAddr = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let targets = targets(&format!("http://{address}"));
    let began = Instant::now();
    let (answer, server) = tokio::join!(targets.call(call(function(), "{}")), async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let server = LambdaServer::start_at(address, Dialect::Aws).await.unwrap();
        server.register("fun", |_, _| Answer::Returns(json!("late")));
        server
    });
    assert_eq!(output(answer), "\"late\"");
    assert!(began.elapsed() >= Duration::from_millis(50), "the first try cannot have found anybody");
    assert_eq!(server.calls().len(), 1);
}

#[tokio::test]
async fn a_host_that_refuses_connections_fails_the_task() {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (error, cause) = failure(targets(&format!("http://{address}")).call(call(function(), "{}")).await);
    assert_eq!(error, "Lambda.SdkClientException");
    let expected = format!("Unable to execute HTTP request: Connect to {address} failed: Connection refused");
    assert!(cause.starts_with(&expected), "{cause}");
}

#[tokio::test]
async fn tls_is_set_up_at_the_first_call_of_a_secure_endpoint() {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (error, cause) = failure(targets(&format!("https://{address}")).call(call(function(), "{}")).await);
    assert_eq!(error, "Lambda.SdkClientException");
    // A machine without any certificate cannot even try to connect.
    assert!(cause.contains("Connection refused") || cause.contains("No trusted certificates"), "{cause}");
}

#[tokio::test]
async fn a_call_ends_with_its_time() {
    let server = LambdaServer::start(Dialect::Aws).await.unwrap();
    server.register("fun", |_, _| Answer::Hangs);
    let mut hanging = call(function(), "{}");
    hanging.timeout = Duration::from_millis(100);
    let (error, _) = failure(targets(&server.url()).call(hanging).await);
    assert_eq!(error, "Lambda.ClientExecutionTimeoutException");
    assert_eq!(server.calls().len(), 1);
}

#[tokio::test]
async fn answers_are_read_up_to_lambdas_limit() {
    let server = LambdaServer::start(Dialect::Aws).await.unwrap();
    let string = |bytes: usize| Answer::ReturnsBytes(format!("\"{}\"", "a".repeat(bytes - 2)).into_bytes());
    let limit = 6 * 1024 * 1024 + 64 * 1024;
    server.register("fits", move |_, _| string(limit));
    server.register("fun", move |_, _| string(limit + 1));
    let targets = targets(&server.url());
    let fitting = Resource::Lambda { arn: "arn:aws:lambda:us-east-1:123456789012:function:fits".to_owned() };
    assert_eq!(output(targets.call(call(fitting, "{}")).await).len(), limit);
    for (resource, task) in [(function(), ARN), (invoke(), "lambda")] {
        let failed = failure(targets.call(call(resource, r#"{"FunctionName":"fun"}"#)).await);
        let cause = format!(
            "The state/task '{task}' returned a result with a size exceeding the maximum number of bytes service limit."
        );
        assert_eq!(failed, ("States.DataLimitExceeded".to_owned(), cause));
    }
}

#[tokio::test]
async fn what_cannot_be_called_fails_without_a_request() {
    let server = LambdaServer::start(Dialect::Aws).await.unwrap();
    let targets = targets(&server.url());
    let activity = Resource::Activity { arn: "arn:aws:states:us-east-1:123456789012:activity:a".to_owned() };
    let cases = [
        integration("eks", "call", Pattern::RequestResponse),
        integration("aws-sdk:sqs", "sendMail", Pattern::RequestResponse),
        integration("aws-sdk:nothing", "sendMessage", Pattern::RequestResponse),
        // Its answer streams events.
        integration("aws-sdk:kinesis", "subscribeToShard", Pattern::RequestResponse),
        integration("dynamodb", "query", Pattern::RequestResponse),
        integration("lambda", "invoke", Pattern::Sync),
        integration("sqs", "sendMessage", Pattern::Sync),
        activity,
    ];
    for resource in cases {
        let (error, cause) = failure(targets.call(call(resource, "{}")).await);
        assert_eq!(error, "States.Runtime");
        assert!(cause.ends_with("there is no such action, or Stepwell does not perform it."), "{cause}");
    }
    assert!(server.calls().is_empty());
}

/// A server that answers every request with this body; the first lines of the requests go to `heard`.
async fn answers(body: &'static str, heard: tokio::sync::mpsc::UnboundedSender<String>) -> String {
    stepwell_tests::watchdog::watch();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (mut buffer, mut request) = ([0; 1024], Vec::new());
            while !request.ends_with(b"\r\n\r\n") {
                let read = stream.read(&mut buffer).await.unwrap();
                request.extend(buffer.iter().take(read));
            }
            let text = String::from_utf8(request).unwrap();
            heard.send(text.lines().next().unwrap_or_default().to_owned()).unwrap();
            let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
            stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        }
    });
    url
}

#[tokio::test]
async fn a_function_is_asked_once_how_long_it_may_run() {
    let cases = [(r#"{"FunctionName":"fun","Timeout":7}"#, 27), (r#"{"Timeout":900}"#, 920), ("no JSON", 920)];
    for (body, seconds) in cases {
        let (heard, mut requests) = tokio::sync::mpsc::unbounded_channel();
        let url = answers(body, heard).await;
        let targets = targets(&url).asking_timeouts();
        for _ in 0..2 {
            let limit = targets.limit(&call(function(), "{}")).await;
            assert_eq!(limit, Duration::from_secs(seconds), "{body}");
        }
        let live = call(invoke(), r#"{"FunctionName":"fun","Qualifier":"live"}"#);
        assert_eq!(targets.limit(&live).await, Duration::from_secs(seconds), "{body}");
        let path = "/2015-03-31/functions/fun/configuration";
        assert_eq!(requests.try_recv().unwrap(), format!("GET {path} HTTP/1.1"));
        assert_eq!(requests.try_recv().unwrap(), format!("GET {path}?Qualifier=live HTTP/1.1"));
        assert!(requests.try_recv().is_err(), "{body}: asked again");
    }
}

#[tokio::test]
async fn lambda_has_fifteen_minutes_and_some_seconds() {
    let targets = targets("http://127.0.0.1:1");
    let cases = [
        (function(), 920),
        (invoke(), 920),
        (integration("lambda", "invoke", Pattern::WaitForTaskToken), 920),
        (integration("sqs", "sendMessage", Pattern::RequestResponse), 60),
    ];
    for (resource, seconds) in cases {
        let limit = targets.limit(&call(resource.clone(), r#"{"FunctionName":"f"}"#)).await;
        assert_eq!(limit, Duration::from_secs(seconds), "{resource:?}");
    }
}
