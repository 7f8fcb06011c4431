//! Calls through the SDK, over the wire: what is refused before anything is sent, and what makes one call differ from the
//! vectors of its protocol.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use asl::Resource;
use engine::ports::{TaskAnswer, TaskCall, TaskRole, Tasks};
use integrations::{AwsCalls, Endpoints, Home, Targets, credentials};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

fn home() -> Home {
    Home { partition: "aws".into(), region: "eu-west-1".into(), account: "123456789012".into() }
}

fn call(resource: &str, arguments: &str) -> TaskCall {
    TaskCall {
        resource: Resource::parse(&format!("arn:aws:states:::aws-sdk:{resource}")).unwrap(),
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

/// A server that answers every request alike, and the texts of the requests it was sent.
async fn server(status: &str, headers: &str, body: &str) -> (String, Arc<Mutex<Vec<String>>>) {
    stepwell_tests::watchdog::watch();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let heard = Arc::new(Mutex::new(Vec::new()));
    let answer =
        format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n{body}", body.len());
    let hears = heard.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (mut request, mut part) = (Vec::new(), [0; 4096]);
            // Requests here are small: the head names the length of the body.
            while let Ok(length) = stream.read(&mut part).await {
                request.extend_from_slice(part.get(..length).unwrap());
                let text = String::from_utf8_lossy(&request).into_owned();
                if length == 0 || is_complete(&text) {
                    hears.lock().unwrap().push(text);
                    break;
                }
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (url, heard)
}

fn is_complete(request: &str) -> bool {
    request.split_once("\r\n\r\n").is_some_and(|(head, body)| {
        let head = head.to_ascii_lowercase();
        let wanted = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
        body.len() >= wanted.map_or(0, |length| length.parse().unwrap())
    })
}

fn at(url: &str) -> Targets {
    let endpoints = Endpoints::default().with_others_at(url.parse().unwrap());
    Targets::new(endpoints, &home(), credentials::environment())
}

#[tokio::test]
async fn a_service_is_not_called_at_aws_in_the_programs_own_name_unless_allowed() {
    let none = || Targets::new(Endpoints::default(), &home(), credentials::environment());
    let allowed = |names: &str| none().allowing_aws(names.parse::<AwsCalls>().unwrap());
    for targets in [none(), allowed(""), allowed("s3, ssm")] {
        let (error, cause) = failure(targets.call(call("sqs:listQueues", "{}")).await);
        assert_eq!(error, "States.Runtime");
        assert!(cause.starts_with("'sqs' is not called at AWS in the name of this installation"), "{cause}");
    }
    // These get as far as the credentials, of which there are none.
    let in_role = TaskCall {
        role: Some(TaskRole {
            arn: "arn:aws:iam::123456789012:role/r".to_owned(),
            machine: "arn:aws:states:eu-west-1:123456789012:stateMachine:m".to_owned(),
            machine_role: "arn:aws:iam::123456789012:role/m".to_owned(),
        }),
        ..call("sqs:listQueues", "{}")
    };
    for (targets, call) in [
        (allowed("all"), call("sqs:listQueues", "{}")),
        (allowed("sqs"), call("sqs:listQueues", "{}")),
        (none(), in_role),
    ] {
        let (error, cause) = failure(targets.call(call).await);
        assert_eq!(error, "Sqs.SdkClientException", "{cause}");
        assert!(cause.starts_with("Unable to execute HTTP request: No AWS credentials"), "{cause}");
    }
}

#[tokio::test]
async fn the_installations_own_is_not_named_anywhere_in_arguments() {
    let (url, heard) = server("200 OK", "", "{}").await;
    let targets = at(&url).withholding(&["stepwell-Table".to_owned()]);
    for arguments in [
        r#"{"RequestItems":{"stepwell-Table":{"Keys":[]}}}"#,
        r#"{"RequestItems":{"arn:aws:dynamodb:eu-west-1:123456789012:table/stepwell-Table":{"Keys":[]}}}"#,
    ] {
        let (error, cause) = failure(targets.call(call("dynamodb:batchGetItem", arguments)).await);
        assert_eq!(error, "DynamoDb.DynamoDbException");
        assert!(cause.contains("belongs to this installation of Stepwell"), "{cause}");
    }
    assert!(heard.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_object_of_s3_is_put_with_its_json_and_its_checksum() {
    let (url, heard) = server("200 OK", "etag: \"e\"\r\n", "").await;
    let arguments = r#"{"Bucket":"b","Key":"k é","Body":{"a": [1, 2.50]}}"#;
    let answer = at(&url).call(call("s3:putObject", arguments)).await;
    assert_eq!(answer, TaskAnswer::Succeeded { output: r#"{"ETag":"\"e\""}"#.to_owned() });
    let heard = heard.lock().unwrap();
    let [request] = heard.as_slice() else { panic!("{heard:?}") };
    assert!(request.starts_with("PUT /b/k%20%C3%A9 HTTP/1.1\r\n"), "{request}");
    assert!(request.ends_with("\r\n\r\n{\"a\":[1,2.50]}"), "{request}");
    let head = request.to_ascii_lowercase();
    for header in [
        "content-type: text/plain; charset=utf-8",
        "x-amz-sdk-checksum-algorithm: crc32",
        "x-amz-checksum-crc32: ",
        "x-amz-content-sha256: ",
        "/eu-west-1/s3/aws4_request",
    ] {
        assert!(head.contains(header), "{header}: {request}");
    }
}

/// AWS: recorded.
#[tokio::test]
async fn an_object_of_s3_is_got_with_its_body_last() {
    let headers = "accept-ranges: bytes\r\ncontent-type: binary/octet-stream\r\nx-amz-server-side-encryption: AES256\r\n\
                   etag: \"e\"\r\nlast-modified: Thu, 06 Nov 2025 10:11:12 GMT\r\n";
    for body in ["binary data", ""] {
        let (url, _) = server("200 OK", headers, body).await;
        let answer = at(&url).call(call("s3:getObject", r#"{"Bucket":"b","Key":"k"}"#)).await;
        let length = body.len();
        let output = format!(
            r#"{{"AcceptRanges":"bytes","ContentLength":{length},"ContentType":"binary/octet-stream","ETag":"\"e\"","LastModified":"2025-11-06T10:11:12Z","Metadata":{{}},"ServerSideEncryption":"AES256","Body":"{body}"}}"#
        );
        assert_eq!(answer, TaskAnswer::Succeeded { output });
    }
}

#[tokio::test]
async fn errors_of_s3_have_both_ids_and_may_come_with_a_success() {
    let error = "<?xml version=\"1.0\"?>\n<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>";
    let cause = |status: u16| {
        format!(
            "The specified key does not exist. (Service: S3, Status Code: {status}, Request ID: R, Extended Request ID: \
             X) (SDK Attempt Count: 1)"
        )
    };
    for (status, code) in [("404 Not Found", 404), ("200 OK", 200)] {
        let (url, _) = server(status, "x-amz-request-id: R\r\nx-amz-id-2: X\r\n", error).await;
        let copy = call("s3:copyObject", r#"{"Bucket":"b","Key":"k","CopySource":"b/none"}"#);
        assert_eq!(failure(at(&url).call(copy).await), ("S3.NoSuchKeyException".to_owned(), cause(code)));
    }
}

#[tokio::test]
async fn what_is_no_argument_of_the_action_is_not_sent() {
    let (url, heard) = server("200 OK", "", "{}").await;
    let cases = [
        ("sqs:sendMessage", r#"{"queueUrl":"q"}"#, "[The field \"queueUrl\" is not supported by Step Functions]"),
        (
            "sqs:sendMessage",
            r#"{"QueueUrl":"q","DelaySeconds":1.5}"#,
            "[The value for the field 'DelaySeconds' must be an INTEGER]",
        ),
    ];
    for (resource, arguments, why) in cases {
        let (error, cause) = failure(at(&url).call(call(resource, arguments)).await);
        let expected = format!("The Parameters '{arguments}' could not be used to start the Task: {why}");
        assert_eq!((error.as_str(), cause), ("States.Runtime", expected));
    }
    let (error, _) = failure(at(&url).call(call("s3:getObject", r#"{"Bucket":"b"}"#)).await);
    assert_eq!(error, "S3.SdkClientException");
    assert!(heard.lock().unwrap().is_empty());
}
