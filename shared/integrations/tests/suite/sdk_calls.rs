//! Calls through the SDK, over the wire: what is refused before anything is sent, and what makes one call differ from the
//! vectors of its protocol.

use engine::ports::{TaskAnswer, TaskCall, TaskRole, Tasks};
use integrations::{AwsCalls, Endpoints, Targets, credentials};
use serde_json::json;

use crate::wire::{self, Does, Said, Server, failure, home, targets};

fn call(resource: &str, arguments: &str) -> TaskCall {
    wire::call(&format!("aws-sdk:{resource}"), arguments)
}

/// A server that answers every request alike.
async fn server(status: u16, headers: serde_json::Value, body: &str) -> Server {
    let headers = headers.as_object().unwrap().clone();
    Server::start(Does::Answers(wire::answer(&Said { status, headers, body: body.to_owned() }))).await
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
    let server = server(200, json!({}), "{}").await;
    let targets = targets(&server.url).withholding(&["stepwell-Table".to_owned()]);
    for arguments in [
        r#"{"RequestItems":{"stepwell-Table":{"Keys":[]}}}"#,
        r#"{"RequestItems":{"arn:aws:dynamodb:eu-west-1:123456789012:table/stepwell-Table":{"Keys":[]}}}"#,
    ] {
        let (error, cause) = failure(targets.call(call("dynamodb:batchGetItem", arguments)).await);
        assert_eq!(error, "DynamoDb.DynamoDbException");
        assert!(cause.contains("belongs to this installation of Stepwell"), "{cause}");
    }
    assert!(server.heard().is_empty());
}

#[tokio::test]
async fn an_object_of_s3_is_put_with_its_json_and_its_checksum() {
    let server = server(200, json!({"etag": "\"e\""}), "").await;
    let arguments = r#"{"Bucket":"b","Key":"k é","Body":{"a": [1, 2.50]}}"#;
    let answer = targets(&server.url).call(call("s3:putObject", arguments)).await;
    assert_eq!(answer, TaskAnswer::Succeeded { output: r#"{"ETag":"\"e\""}"#.to_owned() });
    let heard = server.heard();
    let [(head, body)] = heard.as_slice() else { panic!("{heard:?}") };
    assert!(head.starts_with("put /b/k%20%c3%a9 http/1.1\r\n"), "{head}");
    assert_eq!(body, "{\"a\":[1,2.50]}");
    for header in [
        "content-type: text/plain; charset=utf-8",
        "x-amz-sdk-checksum-algorithm: crc32",
        "x-amz-checksum-crc32: ",
        "x-amz-content-sha256: ",
        "/eu-west-1/s3/aws4_request",
    ] {
        assert!(head.contains(header), "{header}: {head}");
    }
}

/// AWS: recorded.
#[tokio::test]
async fn an_object_of_s3_is_got_with_its_body_last() {
    let headers = json!({
        "accept-ranges": "bytes", "content-type": "binary/octet-stream", "x-amz-server-side-encryption": "AES256",
        "etag": "\"e\"", "last-modified": "Thu, 06 Nov 2025 10:11:12 GMT",
    });
    for body in ["binary data", ""] {
        let server = server(200, headers.clone(), body).await;
        let answer = targets(&server.url).call(call("s3:getObject", r#"{"Bucket":"b","Key":"k"}"#)).await;
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
    for status in [404, 200] {
        let server = server(status, json!({"x-amz-request-id": "R", "x-amz-id-2": "X"}), error).await;
        let copy = call("s3:copyObject", r#"{"Bucket":"b","Key":"k","CopySource":"b/none"}"#);
        assert_eq!(failure(targets(&server.url).call(copy).await), ("S3.NoSuchKeyException".to_owned(), cause(status)));
    }
}

#[tokio::test]
async fn what_is_no_argument_of_the_action_is_not_sent() {
    let server = server(200, json!({}), "{}").await;
    let cases = [
        ("sqs:sendMessage", r#"{"queueUrl":"q"}"#, "[The field \"queueUrl\" is not supported by Step Functions]"),
        (
            "sqs:sendMessage",
            r#"{"QueueUrl":"q","DelaySeconds":1.5}"#,
            "[The value for the field 'DelaySeconds' must be an INTEGER]",
        ),
    ];
    for (resource, arguments, why) in cases {
        let (error, cause) = failure(targets(&server.url).call(call(resource, arguments)).await);
        let expected = format!("The Parameters '{arguments}' could not be used to start the Task: {why}");
        assert_eq!((error.as_str(), cause), ("States.Runtime", expected));
    }
    let (error, _) = failure(targets(&server.url).call(call("s3:getObject", r#"{"Bucket":"b"}"#)).await);
    assert_eq!(error, "S3.SdkClientException");
    assert!(server.heard().is_empty());
}

#[tokio::test]
async fn an_attempt_is_recognised_by_its_token_and_no_other_has_it() {
    let server = server(200, json!({}), "{}").await;
    let targets = targets(&server.url);
    let arguments = r#"{"Name":"n","SecretString":"s"}"#;
    let another = r#"{"e":"arn:aws:states:eu-west-1:123456789012:execution:m:e","p":[],"t":2}"#;
    let retried = || TaskCall {
        attempt: serde_json::from_str(another).unwrap(),
        ..call("secretsmanager:createSecret", arguments)
    };
    for call in
        [call("secretsmanager:createSecret", arguments), call("secretsmanager:createSecret", arguments), retried()]
    {
        assert!(matches!(targets.call(call).await, TaskAnswer::Succeeded { .. }));
    }
    let heard = server.heard();
    let [(_, first), (_, again), (_, other)] = heard.as_slice() else { panic!("{heard:?}") };
    assert!(first.contains(r#""ClientRequestToken":""#), "{first}");
    assert_eq!(first, again);
    assert_ne!(first, other);
    // The optimised integrations do likewise.
    targets.call(wire::call("ecs:runTask", r#"{"TaskDefinition":"d"}"#)).await;
    let token = first.split("ClientRequestToken\":\"").nth(1).unwrap().split('"').next().unwrap();
    let (_, run) = server.heard().pop().unwrap();
    assert!(run.contains(&format!(r#""clientToken":"{token}""#)), "{run}");
}
