//! A queue as SQS's standard ones are: it survives processes, tells at least once, in any order, and hides what it told
//! for a while. Deleting a message deletes it for everyone who got it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use engine::ports::{Clock, Queue, Starts, StoreError, WakeUp};
use engine::worker::Message;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::Chance;
use super::faults::Gate;
use super::ports::VirtualClock;
use super::sabotage::Saboteur;

/// The longest a message can be delayed.
const LONGEST_DELAY_MS: i64 = 900_000;
/// One of so many messages gets lost, where any does.
const LOST: u64 = 6;
/// A later due time is left to its record.
const LEFT_TO_THE_RECORD_MS: i64 = 1_200_000;

/// A queue. Clones are the same queue.
#[derive(Clone)]
pub struct MessageQueue {
    kept: Arc<Mutex<Kept>>,
    changed: Arc<Notify>,
    visibility: Duration,
}

struct Kept {
    messages: BTreeMap<u64, Hidden>,
    /// By execution; Express starts have none.
    sent: BTreeMap<String, u64>,
    numbers: u64,
    /// Order, delays and duplicates; none of them when it is not there.
    moods: Option<Chance>,
    /// It loses messages that name executions.
    loses: bool,
}

struct Hidden {
    message: Message,
    until: Instant,
}

impl MessageQueue {
    pub fn new(visibility: Duration, moods: Option<Chance>, loses: bool) -> MessageQueue {
        let kept = Kept { messages: BTreeMap::new(), sent: BTreeMap::new(), numbers: 0, moods, loses };
        MessageQueue { kept: Arc::new(Mutex::new(kept)), changed: Arc::new(Notify::new()), visibility }
    }

    /// At most `most` messages that are visible, once there is one.
    pub async fn receive(&self, most: usize) -> Vec<(u64, Message)> {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let (told, next) = self.lock().take(most, self.visibility);
            if !told.is_empty() {
                return told;
            }
            match next {
                None => changed.await,
                Some(next) => tokio::select! {
                    biased;
                    () = changed => {}
                    () = tokio::time::sleep_until(next) => {}
                },
            }
        }
    }

    pub fn delete(&self, number: u64) {
        self.lock().messages.remove(&number);
    }

    pub fn is_empty(&self) -> bool {
        self.lock().messages.is_empty()
    }

    /// From now on it delays, doubles and loses nothing.
    pub fn calm_down(&self) {
        self.lock().moods = None;
    }

    /// How many messages were sent for this execution.
    pub fn sent(&self, execution: &str) -> u64 {
        self.lock().sent.get(execution).copied().unwrap_or(0)
    }

    pub fn put(&self, message: Message, delay: Duration) {
        let mut kept = self.lock();
        let whole = delay.as_millis().div_ceil(1_000);
        let delay = Duration::from_secs(u64::try_from(whole).unwrap_or(u64::MAX)) + kept.lateness();
        let execution = match &message {
            Message::WakeUp(wake_up) => wake_up.execution.clone(),
            Message::Start(_) => String::new(),
        };
        *kept.sent.entry(execution).or_default() += 1;
        if kept.loses_one(&message) {
            return;
        }
        kept.numbers += 1;
        let number = kept.numbers;
        kept.messages.insert(number, Hidden { message, until: Instant::now() + delay });
        drop(kept);
        self.changed.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// A start is in its message and nowhere else; no sweep finds it again.
    fn loses_one(&mut self, message: &Message) -> bool {
        let loses = self.loses && matches!(message, Message::WakeUp(_));
        self.moods.as_mut().is_some_and(|chance| loses && chance.up_to(LOST) == 1)
    }

    fn lateness(&mut self) -> Duration {
        let Some(chance) = &mut self.moods else { return Duration::ZERO };
        let most = if chance.up_to(50) == 1 { 60_000 } else { 1_500 };
        Duration::from_millis(chance.up_to(most))
    }

    /// The visible message, or the time of the next one.
    fn take(&mut self, most: usize, visibility: Duration) -> (Vec<(u64, Message)>, Option<Instant>) {
        let now = Instant::now();
        let mut visible: Vec<u64> =
            self.messages.iter().filter(|(_, hidden)| hidden.until <= now).map(|(number, _)| *number).collect();
        let mut told = Vec::new();
        while told.len() < most && !visible.is_empty() {
            let place = match &mut self.moods {
                Some(chance) => usize::try_from(chance.up_to(visible.len() as u64) - 1).unwrap_or(0),
                None => 0,
            };
            let number = visible.remove(place);
            let doubled = self.moods.as_mut().is_some_and(|chance| chance.up_to(12) == 1);
            let hide = if doubled { self.lateness() } else { visibility };
            if let Some(hidden) = self.messages.get_mut(&number) {
                hidden.until = now + hide;
                told.push((number, hidden.message.clone()));
            }
        }
        (told, self.messages.values().map(|hidden| hidden.until).min())
    }
}

/// The queue as one process reaches it.
pub struct Sender {
    pub saboteur: Arc<Saboteur>,
    pub queue: MessageQueue,
    pub gate: Arc<Gate>,
    pub clock: Arc<VirtualClock>,
}

impl Sender {
    async fn put(&self, message: Message, wait_ms: i64) -> Result<(), StoreError> {
        let put = async {
            for _ in 0..self.gate.copies() * self.saboteur.copies() {
                let delay = Duration::from_millis(u64::try_from(wait_ms.min(LONGEST_DELAY_MS)).unwrap_or(0));
                self.queue.put(message.clone(), delay);
            }
            Ok(())
        };
        let answer = self.gate.pass(put).await;
        self.gate.say(|| format!("sends {message:?}: {answer:?}"));
        answer
    }
}

#[async_trait]
impl Queue for Sender {
    async fn send(&self, wake_up: WakeUp) -> Result<(), StoreError> {
        let wait_ms = wake_up.due.map_or(0, |due| due.0.saturating_sub(self.clock.now().0));
        if wait_ms > LEFT_TO_THE_RECORD_MS {
            return Ok(());
        }
        self.put(Message::WakeUp(wake_up), wait_ms).await
    }
}

/// A start is a message, which its worker deletes when it is done.
#[async_trait]
impl Starts for Sender {
    async fn keep(&self, _id: &str, body: &str) -> Result<(), StoreError> {
        self.put(Message::Start(body.to_owned()), 0).await
    }

    async fn drop(&self, _id: &str) -> Result<(), StoreError> {
        Ok(())
    }

    async fn pending(&self) -> Result<Vec<(String, String)>, StoreError> {
        Ok(Vec::new())
    }
}
