//! The messages that an emulated SQS keeps: who was given which, and until when it is kept from others.
//!
//! By tokio's clock, so virtual where a test's time is. As SQS in this: a message that was received again knows nothing
//! of earlier receipts. Unlike it: whatever is visible is found at once, and comes in the order in which it became so.

use std::time::Duration;

use aws::Delivery;
use serde_json::{Value, json};
use tokio::time::Instant;

/// How long a message that was received by a request is kept from others: SQS's own time, which the template leaves to the
/// queue of dead letters.
const HIDDEN: Duration = Duration::from_secs(30);

/// Messages of all queues.
#[derive(Debug, Default)]
pub struct Kept {
    messages: Vec<Message>,
    count: u64,
}

#[derive(Debug, Clone)]
struct Message {
    queue: String,
    delivery: Delivery,
    attributes: Value,
    visible: Instant,
}

impl Kept {
    /// Does what a request asks for; its answer, if it is about messages that are kept.
    pub fn perform(&mut self, operation: &str, body: &Value) -> Option<Value> {
        let entries = || body.get("Entries").and_then(Value::as_array).cloned().unwrap_or_default();
        let queue = text(body, "QueueUrl");
        match operation {
            "SendMessage" => Some(json!({ "MessageId": self.send(&queue, body), "MD5OfMessageBody": "" })),
            "SendMessageBatch" => {
                let sent = entries().into_iter().map(|entry| {
                    json!({ "Id": entry.get("Id"), "MessageId": self.send(&queue, &entry), "MD5OfMessageBody": "" })
                });
                Some(json!({ "Successful": sent.collect::<Vec<_>>(), "Failed": [] }))
            }
            "ChangeMessageVisibilityBatch" => {
                let (changed, failed): (Vec<Value>, Vec<Value>) =
                    entries().into_iter().partition(|entry| self.change(entry));
                let id = |entry: &Value| entry.get("Id").cloned().unwrap_or_default();
                let changed: Vec<Value> = changed.iter().map(|entry| json!({ "Id": id(entry) })).collect();
                let refused =
                    |entry: &Value| json!({ "Id": id(entry), "SenderFault": true, "Code": "ReceiptHandleIsInvalid" });
                Some(json!({ "Successful": changed, "Failed": failed.iter().map(refused).collect::<Vec<_>>() }))
            }
            "ReceiveMessage" => {
                let most = body.get("MaxNumberOfMessages").and_then(Value::as_u64).unwrap_or(1);
                let received = self.receive(&queue, usize::try_from(most).unwrap_or(1), HIDDEN);
                let message = |delivery: &Delivery| {
                    json!({
                        "MessageId": delivery.id, "ReceiptHandle": delivery.receipt, "Body": delivery.body,
                        "MessageAttributes": self.attributes(&delivery.id),
                    })
                };
                Some(json!({ "Messages": received.iter().map(message).collect::<Vec<_>>() }))
            }
            "DeleteMessage" => {
                self.delete(&text(body, "ReceiptHandle"));
                Some(json!({}))
            }
            _ => None,
        }
    }

    /// The bodies of all messages of a queue, visible or not.
    pub fn bodies(&self, queue: &str) -> Vec<String> {
        let of = self.messages.iter().filter(|message| message.queue == queue);
        of.map(|message| message.delivery.body.clone()).collect()
    }

    fn attributes(&self, id: &str) -> Value {
        let of = self.messages.iter().find(|message| message.delivery.id == id);
        of.map(|message| message.attributes.clone()).unwrap_or_default()
    }

    /// The visible messages of a queue, received with that visibility timeout.
    pub fn receive(&mut self, queue: &str, most: usize, hidden: Duration) -> Vec<Delivery> {
        let now = Instant::now();
        self.messages.sort_by_key(|message| message.visible);
        let visible = self.messages.iter_mut().filter(|message| message.queue == queue && message.visible <= now);
        let mut received = Vec::new();
        for message in visible.take(most) {
            message.visible = now + hidden;
            message.delivery.times += 1;
            message.delivery.receipt = format!("{} {}", message.delivery.id, message.delivery.times);
            received.push(message.delivery.clone());
        }
        received
    }

    /// Takes away a message by its last receipt.
    pub fn delete(&mut self, receipt: &str) {
        self.messages.retain(|message| message.delivery.receipt != receipt);
    }

    pub fn purge(&mut self) {
        self.messages.clear();
    }

    /// When a queue has something visible next; `None` when it is empty.
    pub fn next(&self, queue: &str) -> Option<Instant> {
        self.messages.iter().filter(|message| message.queue == queue).map(|message| message.visible).min()
    }

    /// Keeps what a request sends; its id.
    pub fn send(&mut self, queue: &str, body: &Value) -> String {
        self.count += 1;
        let delay = Duration::from_secs(body.get("DelaySeconds").and_then(Value::as_u64).unwrap_or(0));
        let id = format!("message {}", self.count);
        let delivery = Delivery { id: id.clone(), body: text(body, "MessageBody"), ..Delivery::default() };
        let attributes = body.get("MessageAttributes").cloned().unwrap_or_default();
        self.messages.push(Message { queue: queue.to_owned(), delivery, attributes, visible: Instant::now() + delay });
        id
    }

    /// False when the receipt is no longer valid.
    fn change(&mut self, entry: &Value) -> bool {
        let (receipt, now) = (text(entry, "ReceiptHandle"), Instant::now());
        let seconds = entry.get("VisibilityTimeout").and_then(Value::as_u64).unwrap_or(0);
        let held = |message: &&mut Message| message.delivery.receipt == receipt && message.visible > now;
        let Some(message) = self.messages.iter_mut().find(held) else { return false };
        message.visible = now + Duration::from_secs(seconds);
        true
    }
}

fn text(body: &Value, name: &str) -> String {
    body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}
