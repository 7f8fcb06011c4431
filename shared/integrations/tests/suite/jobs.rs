//! Jobs over the wire: what starts them, asks for them and cancels them, and what their tasks get.

use engine::ports::{Stage, TaskAnswer, TaskCall, Tasks};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::wire::{self, Does, Said, Server, call, failure, targets};

const CASES: &str = include_str!("../cases/jobs.json");

/// A job: the requests that it takes, with the answers to them, and what its task gets.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    resource: String,
    arguments: Value,
    start: Value,
    /// The answers to polls, all but the last of a job that runs, and the operations by target or path.
    polls: Vec<Value>,
    poll: Requested,
    cancel: Option<Requested>,
    output: Option<Value>,
    cause: Option<Value>,
}

/// A request: the operation by its target, or method and path; and its body.
#[derive(Deserialize)]
struct Requested {
    operation: String,
    body: Value,
}

fn said(status: u16, body: &Value) -> Vec<u8> {
    wire::answer(&Said { status, headers: serde_json::Map::new(), body: body.to_string() })
}

fn staged(stage: Stage, call: &TaskCall) -> TaskCall {
    TaskCall { stage, ..call.clone() }
}

fn started(answer: TaskAnswer) -> (String, String) {
    match answer {
        TaskAnswer::Started { output, ids, subscribed: false } => (output, ids),
        other => panic!("{other:?}"),
    }
}

fn check_request((head, body): &(String, String), expected: &Requested) {
    let operation = expected.operation.to_ascii_lowercase();
    assert!(head.contains(&operation), "{head} is no {operation}");
    let body: Value = if body.is_empty() { Value::Null } else { serde_json::from_str(body).unwrap() };
    assert_eq!(body, expected.body, "{operation}");
}

#[tokio::test]
async fn jobs_are_started_polled_and_cancelled_by_their_rows() {
    let cases: Vec<Case> = serde_json::from_str(CASES).unwrap();
    for case in cases {
        let resource = &case.resource;
        let answers = [&case.start].into_iter().chain(&case.polls).map(|body| said(200, body)).collect();
        let server = Server::start(Does::AnswersInOrder(answers)).await;
        let targets = targets(&server.url);
        let begin = call(resource, &case.arguments.to_string());
        let (_, ids) = started(targets.call(begin.clone()).await);
        let poll = staged(Stage::Poll { ids: ids.clone() }, &begin);
        for _ in case.polls.iter().skip(1) {
            assert_eq!(targets.call(poll.clone()).await, TaskAnswer::Running, "{resource}");
        }
        match (targets.call(poll).await, &case.output, &case.cause) {
            (TaskAnswer::Succeeded { output }, Some(expected), None) => {
                assert_eq!(serde_json::from_str::<Value>(&output).unwrap(), *expected, "{resource}");
            }
            (TaskAnswer::Failed { error, cause }, None, Some(expected)) => {
                assert_eq!(error, "States.TaskFailed", "{resource}");
                assert_eq!(serde_json::from_str::<Value>(&cause.unwrap()).unwrap(), *expected, "{resource}");
            }
            (other, ..) => panic!("{resource}: {other:?}"),
        }
        let heard = server.heard();
        assert_eq!(heard.len(), 1 + case.polls.len(), "{resource}");
        for request in heard.iter().skip(1) {
            check_request(request, &case.poll);
        }
        targets.call(staged(Stage::Cancel { ids: Some(ids) }, &begin)).await;
        let cancels: Vec<_> = server.heard().into_iter().skip(heard.len()).collect();
        match &case.cancel {
            Some(expected) => {
                assert_eq!(cancels.len(), 1, "{resource}");
                cancels.iter().for_each(|request| check_request(request, expected));
            }
            None => assert_eq!(cancels, [], "{resource}"),
        }
    }
}

#[tokio::test]
async fn a_poll_that_tells_nothing_of_the_job_does_not_fail_its_task() {
    let started_job = said(200, &json!({ "JobRunId": "jr" }));
    let begin = call("glue:startJobRun.sync", r#"{"JobName":"j"}"#);
    for (status, code, passing) in [
        (400, "ThrottlingException", true),
        (400, "OperationTimeoutException", false),
        (500, "InternalServiceException", true),
        (503, "Whatever", true),
        (429, "Whatever", true),
        (400, "AccessDeniedException", false),
        (400, "EntityNotFoundException", false),
    ] {
        let refused = said(status, &json!({ "__type": code, "message": "no" }));
        let server = Server::start(Does::AnswersInOrder(vec![started_job.clone(), refused])).await;
        let targets = targets(&server.url);
        let (_, ids) = started(targets.call(begin.clone()).await);
        let answer = targets.call(staged(Stage::Poll { ids }, &begin)).await;
        if passing {
            assert_eq!(answer, TaskAnswer::Running, "{status} {code}");
        } else {
            let (_, cause) = failure(answer);
            assert!(cause.contains(code), "{cause}");
        }
    }
    // No connection.
    let ids = r#"{"poll":{"JobName":"j","RunId":"r"}}"#.to_owned();
    let nowhere = targets("http://127.0.0.1:9");
    assert_eq!(nowhere.call(staged(Stage::Poll { ids }, &begin)).await, TaskAnswer::Running);
}

#[tokio::test]
async fn a_task_of_ecs_that_could_not_be_placed_fails() {
    let answer = json!({ "failures": [{ "reason": "RESOURCE:MEMORY" }], "tasks": [] });
    let server = Server::start(Does::Answers(said(200, &answer))).await;
    let targets = targets(&server.url);
    let (error, cause) = failure(targets.call(call("ecs:runTask.sync", r#"{"TaskDefinition":"t"}"#)).await);
    assert_eq!(error, "AmazonECS.Unknown");
    assert!(cause.contains("RESOURCE:MEMORY"), "{cause}");
}

#[tokio::test]
async fn what_eks_deletes_is_gone_when_it_is_not_found() {
    let deleting = json!({ "cluster": { "name": "c", "status": "DELETING" } });
    let gone = said(404, &json!({ "__type": "ResourceNotFoundException", "message": "No cluster found" }));
    let server = Server::start(Does::AnswersInOrder(vec![said(200, &deleting), said(200, &deleting), gone])).await;
    let targets = targets(&server.url);
    let begin = call("eks:deleteCluster.sync", r#"{"Name":"c"}"#);
    let (_, ids) = started(targets.call(begin.clone()).await);
    let poll = staged(Stage::Poll { ids }, &begin);
    assert_eq!(targets.call(poll.clone()).await, TaskAnswer::Running);
    assert_eq!(targets.call(poll).await, TaskAnswer::Succeeded { output: "{}".to_owned() });
}
