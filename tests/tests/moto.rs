//! The queue of `shared/aws` over an SQS that somebody else wrote: moto's server, started by each test.
//!
//! What is sent, and how patiently, is tested by its shape (`shared/aws/tests/queue.rs`); here a queue is made as we make
//! it, and messages go through it. Without Python the tests say so and pass, as `stepwell_tests::python` has it.

use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use aws::{WorkQueue, clients, create, message};
use interpreter::Timestamp;
use service::SystemClock;
use service::ports::{Clock, Notice, Queue, Starts};
use service::worker::Message;
use stepwell_tests::contracts::execution_arn;
use stepwell_tests::{dynamo, python, server};

const ACCOUNT: &str = "123456789012";
const PATIENCE: Duration = Duration::from_secs(60);
/// What `create` makes: a message that was received so often is a dead letter the next time.
const MOST_RECEIVES: usize = 10;

/// moto's server, ended when it is dropped.
struct Moto {
    process: Child,
    endpoint: String,
}

impl Drop for Moto {
    fn drop(&mut self) {
        // It may have ended before; then there is nothing to do.
        let _ended = self.process.kill().and_then(|()| self.process.wait());
    }
}

impl Moto {
    /// `None` where it cannot be had.
    async fn start() -> Result<Option<Self>> {
        let Some(tools) = python::deploy_tools()? else { return Ok(None) };
        let address = server::free_address()?;
        let mut moto = Command::new(tools.join("python"));
        moto.arg(tools.join("moto_server")).args(["-H", "127.0.0.1", "-p", &address.port().to_string()]);
        let process = moto.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let moto = Self { process, endpoint: format!("http://{address}") };
        let limit = Instant::now() + PATIENCE;
        while tokio::net::TcpStream::connect(address).await.is_err() {
            ensure!(Instant::now() < limit, "moto does not answer");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(Some(moto))
    }
}

/// A queue made as an installation makes it, and what reads from it in Lambda's place.
struct World {
    _moto: Moto,
    sqs: aws_sdk_sqs::Client,
    url: String,
    queue: WorkQueue,
    clock: Arc<SystemClock>,
}

impl World {
    async fn open() -> Result<Option<Self>> {
        let Some(moto) = Moto::start().await? else { return Ok(None) };
        let sqs = clients::sqs(&dynamo::config_at(&moto.endpoint, ACCOUNT).await);
        let url = create::create_queue(&sqs, "work").await?;
        let clock = Arc::new(SystemClock::new()?);
        let queue = WorkQueue::new(sqs.clone(), &url, clock.clone());
        Ok(Some(Self { _moto: moto, sqs, url, queue, clock }))
    }

    /// What is visible now, and taken off the queue.
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

#[tokio::test]
async fn a_message_arrives_at_its_time_and_says_what_was_said() -> Result<()> {
    let Some(world) = World::open().await? else { return Ok(()) };
    let now = world.clock.now();
    let at_once = Notice { execution: execution_arn("one"), due: None, announces: Some(7) };
    let later = Notice::of(&execution_arn("later"), Some(Timestamp(now.0 + 2_000)));
    world.queue.send(later.clone()).await?;
    world.queue.send(at_once.clone()).await?;
    assert_eq!(world.until(1).await?, [Message::Look(at_once)]);
    assert_eq!(world.until(1).await?, [Message::Look(later)]);
    ensure!(world.clock.now().0 >= now.0 + 2_000, "it was early");
    // What the clock sends is not sent here.
    world.queue.send(Notice::of(&execution_arn("far"), Some(now.plus_seconds(3_600)))).await?;
    assert_eq!(world.take().await?, []);
    Ok(())
}

#[tokio::test]
async fn every_message_of_a_batch_arrives() -> Result<()> {
    let Some(world) = World::open().await? else { return Ok(()) };
    let arns: BTreeSet<_> = (0..25).map(|number| execution_arn(&number.to_string())).collect();
    world.queue.send_all(arns.iter().map(|arn| Notice::of(arn, None)).collect()).await?;
    let taken = world.until(arns.len()).await?;
    let named = taken.into_iter().filter_map(|message| match message {
        Message::Look(notice) => Some(notice.execution),
        Message::Start(_) => None,
    });
    assert_eq!(named.collect::<BTreeSet<_>>(), arns);
    assert_eq!(world.take().await?, []);
    Ok(())
}

#[tokio::test]
async fn a_start_arrives_with_its_content() -> Result<()> {
    let Some(world) = World::open().await? else { return Ok(()) };
    let body = format!(r#"{{"input":"{}"}}"#, "\u{1F980}\u{FFFE}x".repeat(30 << 10));
    world.queue.keep("arn:of:it", &body).await?;
    assert_eq!(world.until(1).await?, [Message::Start(body)]);
    Ok(())
}

#[tokio::test]
async fn a_message_that_is_never_dealt_with_becomes_a_dead_letter() -> Result<()> {
    let Some(world) = World::open().await? else { return Ok(()) };
    let notice = Notice::of(&execution_arn("broken"), None);
    world.queue.send(notice.clone()).await?;
    let receive = |url: &str| world.sqs.receive_message().queue_url(url).visibility_timeout(0);
    for attempt in 1..=MOST_RECEIVES {
        let seen = receive(&world.url).send().await?.messages.unwrap_or_default();
        ensure!(seen.len() == 1, "attempt {attempt} receives {}", seen.len());
    }
    ensure!(receive(&world.url).send().await?.messages.unwrap_or_default().is_empty(), "it is still there");
    let dead = receive(&format!("{}-dead", world.url)).send().await?.messages.unwrap_or_default();
    let body = dead.first().and_then(|letter| letter.body.as_deref()).context("no dead letter")?;
    assert_eq!(message::read(body), Ok(Message::Look(notice)));
    Ok(())
}

#[tokio::test]
async fn a_queue_that_is_not_there_is_no_reason_to_ask_again() -> Result<()> {
    let Some(world) = World::open().await? else { return Ok(()) };
    let lost = WorkQueue::new(world.sqs.clone(), format!("{}-elsewhere", world.url), world.clock.clone());
    let error = lost.send(Notice::of(&execution_arn("one"), None)).await.expect_err("no queue");
    assert!(!error.retryable, "{error}");
    Ok(())
}
