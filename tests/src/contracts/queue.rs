//! The contract of a queue over SQS: messages arrive, in time, once, and come back when they are not deleted.
//!
//! The shape of requests and their retries are tested elsewhere (`shared/aws/tests/suite/queue.rs`). Here a queue is made as an
//! installation makes it, and messages go through an SQS; `tests/emulators.rs` has which.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use aws::{WorkQueue, create, message};
use engine::SystemClock;
use engine::ports::{Clock, Queue, Starts, WakeUp};
use engine::worker::Message;
use interpreter::Timestamp;

use super::execution_arn;

const PATIENCE: Duration = Duration::from_secs(60);

/// A queue, and what reads from it in Lambda's place.
pub struct Mailbox {
    sqs: aws_sdk_sqs::Client,
    url: String,
    queue: WorkQueue,
    clock: Arc<SystemClock>,
}

impl Mailbox {
    pub async fn make(sqs: aws_sdk_sqs::Client, name: &str) -> Result<Self> {
        let url = create::create_queue(&sqs, name).await?;
        let clock = Arc::new(SystemClock::new()?);
        let queue = WorkQueue::new(sqs.clone(), &url, clock.clone());
        Ok(Self { sqs, url, queue, clock })
    }

    /// The messages visible now, which are deleted.
    async fn take(&self) -> Result<Vec<Message>> {
        let request = self.sqs.receive_message().queue_url(&self.url).max_number_of_messages(10);
        let mut taken = Vec::new();
        for received in request.send().await?.messages.unwrap_or_default() {
            let body = received.body.context("no body")?;
            taken.push(message::read(&body).map_err(|error| anyhow::anyhow!("{error}"))?);
            let delete = self.sqs.delete_message().queue_url(&self.url);
            delete.set_receipt_handle(received.receipt_handle).send().await?;
        }
        Ok(taken)
    }

    async fn until(&self, count: usize) -> Result<Vec<Message>> {
        let (mut taken, limit) = (Vec::new(), Instant::now() + PATIENCE);
        while taken.len() < count {
            ensure!(Instant::now() < limit, "{} of {count} messages arrived", taken.len());
            taken.extend(self.take().await?);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(taken)
    }
}

pub async fn a_message_arrives_at_its_time_and_says_what_was_said(mailbox: &Mailbox) -> Result<()> {
    let now = mailbox.clock.now();
    let at_once = WakeUp { execution: execution_arn("one"), due: None, announces: Some(7), ended: None };
    let later = WakeUp::of(&execution_arn("later"), Some(Timestamp(now.0 + 2_000)));
    mailbox.queue.send(later.clone()).await?;
    mailbox.queue.send(at_once.clone()).await?;
    assert_eq!(mailbox.until(1).await?, [Message::WakeUp(at_once)]);
    assert_eq!(mailbox.until(1).await?, [Message::WakeUp(later)]);
    ensure!(mailbox.clock.now().0 >= now.0 + 2_000, "it was early");
    // The clock's messages are not sent here.
    mailbox.queue.send(WakeUp::of(&execution_arn("far"), Some(now.plus_seconds(3_600)))).await?;
    assert_eq!(mailbox.take().await?, []);
    Ok(())
}

pub async fn every_message_of_a_batch_arrives(mailbox: &Mailbox) -> Result<()> {
    let arns: BTreeSet<_> = (0..25).map(|number| execution_arn(&number.to_string())).collect();
    mailbox.queue.send_all(arns.iter().map(|arn| WakeUp::of(arn, None)).collect()).await?;
    let taken = mailbox.until(arns.len()).await?;
    let named = taken.into_iter().filter_map(|message| match message {
        Message::WakeUp(wake_up) => Some(wake_up.execution),
        Message::Start(_) => None,
    });
    assert_eq!(named.collect::<BTreeSet<_>>(), arns);
    assert_eq!(mailbox.take().await?, []);
    Ok(())
}

pub async fn a_start_arrives_with_its_content(mailbox: &Mailbox) -> Result<()> {
    let body = format!(r#"{{"input":"{}"}}"#, "\u{1F980}\u{FFFE}x".repeat(30 << 10));
    mailbox.queue.keep("arn:of:it", &body).await?;
    assert_eq!(mailbox.until(1).await?, [Message::Start(body)]);
    Ok(())
}

pub async fn a_message_that_is_never_dealt_with_becomes_a_dead_letter(mailbox: &Mailbox) -> Result<()> {
    let wake_up = WakeUp::of(&execution_arn("broken"), None);
    mailbox.queue.send(wake_up.clone()).await?;
    let receive = |url: &str| mailbox.sqs.receive_message().queue_url(url).visibility_timeout(0);
    for attempt in 1..=create::QUEUE_MOST_RECEIVES {
        let seen = receive(&mailbox.url).send().await?.messages.unwrap_or_default();
        ensure!(seen.len() == 1, "attempt {attempt} receives {}", seen.len());
    }
    ensure!(receive(&mailbox.url).send().await?.messages.unwrap_or_default().is_empty(), "it is still there");
    let dead = receive(&format!("{}-dead", mailbox.url)).send().await?.messages.unwrap_or_default();
    let body = dead.first().and_then(|letter| letter.body.as_deref()).context("no dead letter")?;
    assert_eq!(message::read(body), Ok(Message::WakeUp(wake_up)));
    Ok(())
}

pub async fn a_message_that_is_handed_back_comes_again(mailbox: &Mailbox) -> Result<()> {
    let wake_up = WakeUp::of(&execution_arn("again"), None);
    mailbox.queue.send(wake_up.clone()).await?;
    let received = mailbox.sqs.receive_message().queue_url(&mailbox.url).send().await?.messages.unwrap_or_default();
    let [message] = received.as_slice() else { anyhow::bail!("{} messages", received.len()) };
    assert_eq!(mailbox.take().await?, [], "nobody else gets it before");
    let back = mailbox.sqs.change_message_visibility().queue_url(&mailbox.url).visibility_timeout(0);
    back.set_receipt_handle(message.receipt_handle.clone()).send().await?;
    assert_eq!(mailbox.until(1).await?, [Message::WakeUp(wake_up)]);
    Ok(())
}

pub async fn a_queue_that_is_not_there_is_no_reason_to_ask_again(mailbox: &Mailbox) -> Result<()> {
    let nowhere = format!("{}-elsewhere", mailbox.url);
    let lost = WorkQueue::new(mailbox.sqs.clone(), nowhere, mailbox.clock.clone());
    let sent = lost.send(WakeUp::of(&execution_arn("one"), None)).await;
    assert!(matches!(&sent, Err(error) if !error.retryable), "{sent:?}");
    Ok(())
}
