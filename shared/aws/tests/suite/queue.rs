//! The queue over SQS's protocol: what is sent, how patiently, and what is refused.

use std::sync::Arc;

use anyhow::Result;
use aws::{WorkQueue, clients, create, message};
use engine::ports::{Queue, Starts, WakeUp};
use engine::worker::Message;
use interpreter::Timestamp;
use serde_json::{Value, json};
use stepwell_tests::contracts::execution_arn;
use stepwell_tests::hand_clock::HandClock;
use stepwell_tests::sqs::Sqs;

const URL: &str = "https://queue.invalid/work";
const NOW: Timestamp = Timestamp(1_700_000_000_000);

fn queue(sqs: &Sqs) -> WorkQueue {
    WorkQueue::new(clients::sqs(&sqs.config()), URL, Arc::new(HandClock::at(NOW)))
}

fn written(wake_up: &WakeUp) -> Result<String> {
    Ok(message::write(&Message::WakeUp(wake_up.clone()))?)
}

#[tokio::test]
async fn a_message_names_its_execution_and_waits_as_long_as_it_can() -> Result<()> {
    let (sqs, arn) = (Sqs::default(), execution_arn("one"));
    let queue = queue(&sqs);
    let minutes = |minutes: u64| Some(NOW.plus_seconds(minutes * 60));
    let cases = [
        (None, Some(None)),
        (Some(Timestamp(0)), Some(None)),
        (Some(NOW), Some(None)),
        (Some(Timestamp(NOW.0 + 1)), Some(Some(1))),
        (minutes(14), Some(Some(840))),
        (minutes(20), Some(Some(900))),
        (minutes(26), None),
    ];
    for (due, sent) in cases {
        let wake_up = WakeUp::of(&arn, due);
        queue.send(wake_up.clone()).await?;
        let expected = sent.map(|delay: Option<u32>| {
            let mut body =
                json!({ "QueueUrl": URL, "MessageBody": written(&wake_up).ok(), "MessageGroupId": "8a9a6ea4c0a1e2d5" });
            if let (Some(delay), Some(members)) = (delay, body.as_object_mut()) {
                members.insert("DelaySeconds".into(), delay.into());
            }
            ("SendMessage".to_owned(), body)
        });
        let mut requests = sqs.requests();
        for (_, body) in &mut requests {
            assert!(body["MessageGroupId"].as_str().is_some_and(|group| group.len() == 16));
            body["MessageGroupId"] = json!("8a9a6ea4c0a1e2d5");
        }
        assert_eq!(requests, Vec::from_iter(expected), "due {due:?}");
    }
    Ok(())
}

#[tokio::test]
async fn many_messages_go_ten_at_a_time() -> Result<()> {
    let sqs = Sqs::default();
    let executions: Vec<_> = (0..25).map(|number| WakeUp::of(&execution_arn(&number.to_string()), None)).collect();
    queue(&sqs).send_all(executions.clone()).await?;
    let requests = sqs.requests();
    let sizes: Vec<_> = requests.iter().map(|(_, body)| body["Entries"].as_array().map_or(0, Vec::len)).collect();
    assert_eq!(sizes, [10, 10, 5]);
    let bodies: Vec<&Value> =
        requests.iter().flat_map(|(_, body)| body["Entries"].as_array().into_iter().flatten()).collect();
    for (entry, wake_up) in bodies.iter().zip(&executions) {
        assert_eq!(entry["MessageBody"], written(wake_up)?);
    }
    queue(&sqs).send_all(vec![WakeUp::of(&execution_arn("far"), Some(Timestamp(i64::MAX)))]).await?;
    assert_eq!(sqs.requests(), []);
    Ok(())
}

#[tokio::test]
async fn what_of_a_batch_is_refused_is_sent_again() -> Result<()> {
    let sqs = Sqs::default();
    let executions: Vec<_> = ["a", "b", "c"].map(|name| WakeUp::of(&execution_arn(name), None)).to_vec();
    let failure = |sender: bool| json!({ "Successful": [], "Failed": [{ "Id": "1", "Code": "InternalError", "SenderFault": sender }] });
    sqs.answers(200, failure(false));
    queue(&sqs).send_all(executions.clone()).await?;
    let requests = sqs.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[1].1["Entries"][0]["MessageBody"], written(&WakeUp::of(&execution_arn("b"), None))?);
    sqs.answers(200, failure(true));
    let error = queue(&sqs).send_all(executions.clone()).await.expect_err("our fault");
    assert!(!error.retryable);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_is_busy_is_waited_for() -> Result<()> {
    let (sqs, arn) = (Sqs::default(), execution_arn("one"));
    for _ in 0..4 {
        sqs.answers(503, json!({ "__type": "ServiceUnavailable" }));
    }
    queue(&sqs).send(WakeUp::of(&arn, None)).await?;
    assert_eq!(sqs.requests().len(), 5);
    for _ in 0..50 {
        sqs.answers(400, json!({ "__type": "com.amazonaws.sqs#RequestThrottled" }));
    }
    let error = queue(&sqs).send(WakeUp::of(&arn, None)).await.expect_err("it stays busy");
    assert!(error.retryable, "{error}");
    let gone = Sqs::default();
    gone.answers(400, json!({ "__type": "com.amazonaws.sqs#QueueDoesNotExist" }));
    let error = queue(&gone).send(WakeUp::of(&arn, None)).await.expect_err("no queue");
    assert!(!error.retryable, "{error}");
    Ok(())
}

#[tokio::test]
async fn a_start_is_a_message_with_its_content() -> Result<()> {
    let sqs = Sqs::default();
    let queue = queue(&sqs);
    queue.keep("arn:of:it", r#"{"input":1}"#).await?;
    let requests = sqs.requests();
    let text = requests[0].1["MessageBody"].as_str().unwrap_or_default();
    assert_eq!(message::read(text), Ok(Message::Start(r#"{"input":1}"#.to_owned())));
    assert_eq!(requests[0].1["DelaySeconds"], Value::Null);
    Starts::drop(&queue, "arn:of:it").await?;
    assert_eq!(queue.pending().await?, []);
    assert_eq!(sqs.requests(), []);
    let error = queue.keep("arn:of:it", &"x".repeat(1 << 20)).await.expect_err("no message is so long");
    assert!(!error.retryable);
    assert_eq!(sqs.requests(), []);
    Ok(())
}

#[tokio::test]
async fn a_queue_is_made_with_its_dead_letters() -> Result<()> {
    let sqs = Sqs::default();
    let url = create::create_queue(&clients::sqs(&sqs.config()), "work").await?;
    assert_eq!(url, URL);
    let requests = sqs.requests();
    let operations: Vec<_> = requests.iter().map(|(operation, _)| operation.as_str()).collect();
    assert_eq!(operations, ["CreateQueue", "GetQueueAttributes", "CreateQueue"]);
    assert_eq!(requests[0].1["QueueName"], "work-dead");
    let attributes = &requests[2].1["Attributes"];
    assert_eq!(attributes["MessageRetentionPeriod"], "1209600");
    assert_eq!(attributes["VisibilityTimeout"], "900");
    let redrive: Value = serde_json::from_str(attributes["RedrivePolicy"].as_str().unwrap_or_default())?;
    let dead = "arn:aws:sqs:us-east-1:123456789012:work-dead";
    assert_eq!(redrive, json!({ "deadLetterTargetArn": dead, "maxReceiveCount": 10 }));
    Ok(())
}
