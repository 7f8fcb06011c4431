//! The optimised integrations but Lambda, over the wire: the request, sent once, and the result of each kind of answer.
//!
//! Requests and answers are the cases of `cases/services.json`; answers look as AWS recorded them.

use std::time::Duration;

use engine::ports::{TaskAnswer, TaskCall, TaskRole, Tasks};
use integrations::{Endpoints, Targets, credentials};
use serde::Deserialize;
use serde_json::Value;

use crate::wire::{Does, Said, Server, answer, call, failure, home, targets};

const CASES: &str = include_str!("../cases/services.json");
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
    /// The name of the signature, where it is another than that in resources.
    service: Option<String>,
    /// Method and path, where they are not those of most protocols.
    start: Option<String>,
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
        let start = sent.start.as_deref().unwrap_or("post /");
        assert!(head.starts_with(&format!("{start} http/1.1")), "{name}: {head}");
        assert!(head.contains(&format!("content-type: {}", sent.r#type)), "{name}: {head}");
        let target = sent.target.map(|target| format!("x-amz-target: {}", target.to_ascii_lowercase()));
        assert!(target.is_none_or(|target| head.contains(&target)), "{name}: {head}");
        let service = sent.service.as_deref().or(resource.split(':').next()).unwrap();
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

/// The answer of STS, with credentials until then.
fn assumed(until: &str) -> Vec<u8> {
    let credentials = format!(
        "<AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>of-the-role</SessionToken>\
         <Expiration>{until}</Expiration>"
    );
    xml(
        200,
        &format!(
            "<AssumeRoleResponse><AssumeRoleResult><Credentials>{credentials}</Credentials></AssumeRoleResult></AssumeRoleResponse>"
        ),
    )
}

fn xml(status: u16, body: &str) -> Vec<u8> {
    answer(&Said { status, headers: serde_json::Map::new(), body: body.to_owned() })
}

/// A server that is STS as well; and targets that know it to be.
async fn with_roles(sts: Vec<u8>) -> (Server, Targets) {
    let sent = r#"{"MD5OfMessageBody":"m","MessageId":"i"}"#;
    let server = Server::start(Does::AnswersTo(vec![("Action=AssumeRole", sts), ("", xml(200, sent))])).await;
    let endpoint = || server.url.parse().unwrap();
    let endpoints = Endpoints::default().with("sqs", endpoint()).with("sts", endpoint());
    let targets = Targets::new(endpoints, &home(), credentials::environment());
    (server, targets)
}

fn in_role(machine: &str) -> TaskCall {
    let role = TaskRole {
        arn: "arn:aws:iam::210987654321:role/other".to_owned(),
        machine: format!("arn:aws:states:eu-west-1:123456789012:stateMachine:{machine}"),
        machine_role: "arn:aws:iam::123456789012:role/own".to_owned(),
    };
    let (resource, arguments, _) = ACTIONS[2];
    TaskCall { role: Some(role), ..call(resource, arguments) }
}

#[tokio::test]
async fn a_task_is_called_in_its_role_which_is_assumed_once_for_each_state_machine() {
    let (server, targets) = with_roles(assumed("2999-01-01T00:00:00Z")).await;
    for machine in ["m", "m", "a b"] {
        assert!(matches!(targets.call(in_role(machine)).await, TaskAnswer::Succeeded { .. }), "{machine}");
    }
    let (resource, arguments, _) = ACTIONS[2];
    targets.call(call(resource, arguments)).await;

    let heard = server.heard();
    let asked = |head: &str, body: &str, name: &str, id: &str| {
        assert!(head.contains("/eu-west-1/sts/aws4_request") && !head.contains("of-the-role"), "{head}");
        let role = "RoleArn=arn%3Aaws%3Aiam%3A%3A210987654321%3Arole%2Fother";
        let machine = format!("arn%3Aaws%3Astates%3Aeu-west-1%3A123456789012%3AstateMachine%3A{id}");
        let expected =
            format!("Action=AssumeRole&Version=2011-06-15&{role}&RoleSessionName={name}&ExternalId={machine}");
        assert_eq!(body, expected);
    };
    let sent = |head: &str| {
        assert!(head.contains("credential=asiarole/") && head.contains("x-amz-security-token: of-the-role"), "{head}");
    };
    let [(first, body), (one, _), (two, _), (second, other), (three, _), (own, _)] = heard.as_slice() else {
        panic!("{heard:?}")
    };
    // STS takes no name of one letter, and no space.
    asked(first, body, "-m", "m");
    asked(second, other, "a-b", "a%20b");
    [one, two, three].into_iter().for_each(|head| sent(head));
    assert!(own.contains("/eu-west-1/sqs/aws4_request") && !own.contains("of-the-role"), "{own}");
}

#[tokio::test]
async fn a_task_acts_in_its_machines_role_where_the_installation_says_so() {
    let (server, targets) = with_roles(assumed("2999-01-01T00:00:00Z")).await;
    let own = "arn:aws:dynamodb:eu-west-1:123456789012:table/stepwell-Table".to_owned();
    let targets = targets.in_machine_roles(true).denying_roles(&[own]);
    let (resource, arguments, _) = ACTIONS[2];
    assert!(matches!(targets.call(call(resource, arguments)).await, TaskAnswer::Succeeded { .. }));
    let heard = server.heard();
    let [(_, asked), (sent, _)] = heard.as_slice() else { panic!("{heard:?}") };
    assert!(asked.contains("RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fmachine&"), "{asked}");
    let denied = "%22Effect%22%3A%22Deny%22%2C%22Action%22%3A%22%2A%22%2C%22Resource%22%3A%5B%22arn%3Aaws%3Adynamodb%3Aeu-west-1%3A123456789012%3Atable%2Fstepwell-Table%22%5D";
    assert!(asked.contains("&Policy=") && asked.contains(denied), "{asked}");
    assert!(sent.contains("x-amz-security-token: of-the-role"), "{sent}");

    let refused = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>";
    let (_server, targets) = with_roles(xml(403, refused)).await;
    let (error, cause) = failure(targets.in_machine_roles(true).call(call(resource, arguments)).await);
    assert_eq!(error, "States.TaskFailed");
    let who = "The principal states.amazonaws.com is not authorized to assume the provided role.";
    assert_eq!(cause, format!("{who} (role: arn:aws:iam::123456789012:role/machine)"));
}

#[tokio::test]
async fn a_role_that_is_about_to_end_is_assumed_again() {
    let (server, targets) = with_roles(assumed("2020-01-01T00:00:00Z")).await;
    for _ in 0..2 {
        assert!(matches!(targets.call(in_role("m")).await, TaskAnswer::Succeeded { .. }));
    }
    let asked = server.heard().iter().filter(|(_, body)| body.starts_with("Action=AssumeRole")).count();
    assert_eq!(asked, 2);
}

#[tokio::test]
async fn a_role_that_is_refused_fails_its_task_and_nothing_is_called() {
    let refused = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>";
    let (server, targets) = with_roles(xml(403, refused)).await;
    let (error, cause) = failure(targets.call(in_role("m")).await);
    assert_eq!(error, "States.TaskFailed");
    let (own, other) = ("arn:aws:iam::123456789012:role/own", "arn:aws:iam::210987654321:role/other");
    assert_eq!(cause, format!("The role {own} is not authorized to assume the task state's role, {other}."));
    assert_eq!(server.heard().len(), 1);
}

#[tokio::test]
async fn what_goes_wrong_at_sts_may_pass() {
    let busy = "<ErrorResponse><Error><Code>Throttling</Code><Message>slower</Message></Error></ErrorResponse>";
    for said in [xml(400, busy), xml(503, "busy"), xml(200, "<AssumeRoleResponse/>")] {
        let (server, targets) = with_roles(said).await;
        let (error, cause) = failure(targets.call(in_role("m")).await);
        assert_eq!(error, "SQS.SdkClientException", "{cause}");
        assert!(cause.contains("role/other was not assumed"), "{cause}");
        assert_eq!(server.heard().len(), 1);
    }
}

#[tokio::test]
async fn an_endpoint_that_checks_nothing_knows_no_roles() {
    let server = Server::start(Does::Answers(xml(200, r#"{"MessageId":"i"}"#))).await;
    let endpoints = Endpoints::default().with("sqs", server.url.parse().unwrap());
    let targets = Targets::new(endpoints, &home(), credentials::environment());
    assert!(matches!(targets.call(in_role("m")).await, TaskAnswer::Succeeded { .. }));
    let heard = server.heard();
    let [(head, _)] = heard.as_slice() else { panic!("{heard:?}") };
    assert!(head.contains("/eu-west-1/sqs/aws4_request"), "{head}");
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
