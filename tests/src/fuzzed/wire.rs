//! Input from clients and stores: requests, the tokens in them, and journal entries.
//!
//! Requests go to the API's own entry point over a store in memory, in virtual time; what a request must
//! not do is end in anything but an answer in AWS's shape that blames the client.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use embedded::ActivityTasks;
use engine::entry::{Assembly, decode};
use engine::ports::{Queue, StoreError, TaskAnswer, TaskCall, Tasks, Uncounted, WakeUp};
use engine::tokens::{Keys, Purpose, Signer};
use engine::{Deployment, Engine, Settings};
use interpreter::{ActivityTarget, Limits, Moment, Stimulus, Timestamp, Wait, step};
use serde_json::{Value, json};
use service::wire::{Head, JSON};
use service::{Answer, Call, Service};

use super::set;
use crate::simulation::{Disk, VirtualClock};

const KEY: [u8; 32] = [7; 32];
const HOME: &str = "arn:aws:states:us-east-1:123456789012";
/// Written in a request, these are the tokens that lead on and that a task waits for.
pub(super) const PLACEHOLDERS: [&str; 2] = ["@PAGE@", "@TASK@"];
/// The parts of a token.
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// Answers that may be given to a token that was never given out.
const REFUSALS: [&str; 2] = ["InvalidToken", "ValidationException"];

/// A service over a memory, with two machines of either kind and an execution that waits for a task token.
struct Desk {
    service: Arc<Service>,
    disk: Disk,
}

impl Desk {
    async fn new() -> Desk {
        let disk = Disk::default();
        let stored = Arc::new(disk.clone());
        let clock = Arc::new(VirtualClock::new(Timestamp(1_700_000_000_000), 1));
        let world = engine::World {
            journal: stored.clone(),
            documents: stored.clone(),
            starts: stored,
            queue: Arc::new(Nowhere),
            tasks: Arc::new(Nowhere),
            activities: Arc::new(ActivityTasks::new(clock.clone())),
            metrics: Arc::new(Uncounted),
            logs: None,
            clock,
        };
        let settings = Settings {
            partition: "aws".into(),
            region: "us-east-1".into(),
            account: "123456789012".into(),
            keys: Keys::one(KEY),
            retention_days: 90,
            deployment: Deployment::SharedWorker,
            calls: 4,
            max_active_executions: usize::MAX,
            activity_poll: Settings::ACTIVITY_POLL,
            commit_bytes: Settings::COMMIT_BYTES,
            memory: usize::MAX,
            events: interpreter::Limits::STANDARD.events,
            wait_millionths: Limits::STANDARD.wait_millionths,
            retry_millionths: Limits::STANDARD.retry_millionths,
        };
        let desk = Desk { service: Service::new(Engine::new(world, settings)), disk };
        desk.furnish().await;
        desk
    }

    async fn furnish(&self) {
        let pass = json!({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}});
        let ask = json!({"StartAt": "T", "States": {"T": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
            "Parameters": {"FunctionName": "f", "Payload": {"token.$": "$$.Task.Token"}},
            "End": true,
        }}});
        for (name, kind, definition) in
            [("pass", "STANDARD", &pass), ("quick", "EXPRESS", &pass), ("ask", "STANDARD", &ask)]
        {
            let role = "arn:aws:iam::123456789012:role/r";
            let members = json!({"name": name, "type": kind, "roleArn": role, "definition": definition.to_string()});
            self.good("CreateStateMachine", &members).await;
        }
        for (machine, name) in [("pass", "one"), ("pass", "two"), ("ask", "one")] {
            let members = json!({"stateMachineArn": format!("{HOME}:stateMachine:{machine}"), "name": name});
            self.good("StartExecution", &members).await;
        }
    }

    async fn call(&self, action: &str, body: Vec<u8>) -> Answer {
        self.service.answer(Call { action: action.to_owned(), body, invocation: None }).await
    }

    /// The answer to a call that cannot be refused.
    async fn good(&self, action: &str, members: &Value) -> Value {
        let answer = self.call(action, members.to_string().into()).await;
        assert_eq!(answer.status, 200, "{action} {members}: {answer:?}");
        serde_json::from_str(&answer.body).unwrap_or_default()
    }

    async fn page_token(&self, list: &List) -> String {
        let mut members = list.members();
        set(&mut members, "maxResults", json!(1));
        let page = self.good(list.action, &members).await;
        text_at(&page, "/nextToken")
    }

    async fn task_token(&self) -> String {
        let members = json!({"executionArn": format!("{HOME}:execution:ask:one")});
        let page = self.good("GetExecutionHistory", &members).await;
        let events = page.get("events").and_then(Value::as_array).into_iter().flatten();
        let mut parameters = events.filter_map(|event| event.pointer("/taskScheduledEventDetails/parameters"));
        let parameters = parameters.find_map(Value::as_str).unwrap_or_default();
        text_at(&serde_json::from_str(parameters).unwrap_or_default(), "/Payload/token")
    }
}

fn text_at(value: &Value, place: &str) -> String {
    let text = value.pointer(place).and_then(Value::as_str).unwrap_or_default();
    assert!(!text.is_empty(), "no {place} in {value}");
    text.to_owned()
}

/// A queue without readers and functions that return null.
struct Nowhere;

#[async_trait]
impl Queue for Nowhere {
    async fn send(&self, _: WakeUp) -> Result<(), StoreError> {
        Ok(())
    }
}

#[async_trait]
impl Tasks for Nowhere {
    async fn call(&self, _: TaskCall) -> TaskAnswer {
        TaskAnswer::Succeeded { output: "null".into() }
    }

    async fn limit(&self, _: &TaskCall) -> Duration {
        Duration::from_secs(60)
    }
}

/// Lives through something at a desk of its own, in virtual time.
fn at_a_desk<T>(something: impl AsyncFnOnce(Desk) -> T) -> Option<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().ok()?;
    Some(runtime.block_on(async { something(Desk::new().await).await }))
}

/// An answer in AWS's shape, to whatever: good, or an error that blames the client.
fn check(answer: &Answer, what: &str) {
    let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    assert!(body.is_object(), "{what}: {answer:?}");
    let Some(error) = answer.error else {
        assert_eq!(answer.status, 200, "{what}: {answer:?}");
        return;
    };
    assert!((400..500).contains(&answer.status), "{what}: {answer:?}");
    let member = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    assert!(member("__type").ends_with(error) && !member("message").is_empty(), "{what}: {answer:?}");
}

/// Requests, parted by zero bytes: a line that is the header `X-Amz-Target`, and a body.
pub(super) fn request(bytes: &[u8]) {
    at_a_desk(async |desk| {
        let tokens = [desk.page_token(&LISTS[0]).await, desk.task_token().await];
        for request in bytes.split(|byte| *byte == 0) {
            let (target, body) =
                request.split_at(request.iter().position(|byte| *byte == b'\n').unwrap_or(request.len()));
            let target = String::from_utf8_lossy(target);
            let header = |name: &str| match name {
                "content-type" => Some(JSON),
                "x-amz-target" => Some(&*target),
                _ => None,
            };
            let answer = match Head::read("POST", "/", header) {
                Ok(head) => desk.call(&head.action, with_tokens(body.get(1..).unwrap_or_default(), &tokens)).await,
                Err(answer) => answer,
            };
            check(&answer, &target);
        }
    });
}

fn with_tokens(body: &[u8], tokens: &[String; 2]) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(body) else { return body.to_owned() };
    let pairs = PLACEHOLDERS.iter().zip(tokens);
    pairs.fold(text.to_owned(), |text, (placeholder, token)| text.replace(placeholder, token)).into()
}

/// A list that comes in pages.
struct List {
    action: &'static str,
    /// The member that says of what, and its value.
    of: Option<(&'static str, &'static str)>,
}

const LISTS: [List; 3] = [
    List { action: "ListStateMachines", of: None },
    List {
        action: "ListExecutions",
        of: Some(("stateMachineArn", "arn:aws:states:us-east-1:123456789012:stateMachine:pass")),
    },
    List {
        action: "GetExecutionHistory",
        of: Some(("executionArn", "arn:aws:states:us-east-1:123456789012:execution:pass:one")),
    },
];

impl List {
    fn members(&self) -> Value {
        let mut members = json!({});
        if let Some((name, value)) = self.of {
            set(&mut members, name, json!(value));
        }
        members
    }
}

/// The change to a token, by the first byte of what a token target gets; the next byte says to which call.
enum Forgery<'b> {
    /// It is replaced by this text.
    Text(String),
    /// It is signed as ours are, over this content: what a thief of the key could send, or an older version of us.
    Signed(Value),
    /// Letters of a good one are exchanged: pairs of a place and a letter.
    Altered(&'b [u8]),
}

impl<'b> Forgery<'b> {
    fn of(bytes: &'b [u8]) -> Option<(usize, Forgery<'b>)> {
        let (kind, rest) = bytes.split_first()?;
        let (which, rest) = rest.split_first()?;
        let forgery = match kind % 3 {
            0 => Forgery::Text(String::from_utf8_lossy(rest).into_owned()),
            1 => Forgery::Signed(serde_json::from_slice(rest).ok()?),
            _ => Forgery::Altered(rest),
        };
        Some((usize::from(*which), forgery))
    }

    fn token(&self, purpose: Purpose, good: &str) -> String {
        match self {
            Forgery::Text(text) => text.clone(),
            Forgery::Signed(content) => Signer::new(Keys::one(KEY)).sign(purpose, content),
            Forgery::Altered(pairs) => {
                let mut letters = good.as_bytes().to_vec();
                let length = letters.len().max(1);
                for pair in pairs.chunks_exact(2) {
                    let [place, letter] = *pair else { continue };
                    let letter = LETTERS.get(usize::from(letter % 64)).copied().unwrap_or(b'A');
                    if let Some(place) = letters.get_mut(usize::from(place) % length) {
                        *place = letter;
                    }
                }
                String::from_utf8(letters).unwrap_or_default()
            }
        }
    }

    /// A token that was not given out is refused as such; one that is signed may be good, and never breaks anything.
    fn check(&self, answer: &Answer, token: &str, good: &str) {
        check(answer, token);
        match self {
            Forgery::Signed(_) => {}
            Forgery::Text(_) | Forgery::Altered(_) if token == good => assert_eq!(answer.status, 200, "{answer:?}"),
            Forgery::Text(_) | Forgery::Altered(_) => {
                let refused = answer.error.is_some_and(|error| REFUSALS.contains(&error));
                assert!(refused, "{token}: {answer:?}");
            }
        }
    }
}

/// A forged token to the next page of a list.
pub(super) fn page_token(bytes: &[u8]) {
    let Some((which, forgery)) = Forgery::of(bytes) else { return };
    let Some(list) = LISTS.get(which % LISTS.len()) else { return };
    at_a_desk(async |desk| {
        let good = desk.page_token(list).await;
        let token = forgery.token(Purpose::Page, &good);
        let mut members = list.members();
        set(&mut members, "nextToken", json!(token));
        let answer = desk.call(list.action, members.to_string().into()).await;
        forgery.check(&answer, &token, &good);
    });
}

/// A forged token of a task, sent with an answer that would end its wait.
pub(super) fn task_token(bytes: &[u8]) {
    let Some((which, forgery)) = Forgery::of(bytes) else { return };
    let actions = ["SendTaskSuccess", "SendTaskFailure", "SendTaskHeartbeat"];
    let Some(action) = actions.get(which % actions.len()) else { return };
    at_a_desk(async |desk| {
        let good = desk.task_token().await;
        let token = forgery.token(Purpose::Task, &good);
        let members = json!({"taskToken": token, "output": "1"});
        let answer = desk.call(action, members.to_string().into()).await;
        forgery.check(&answer, &token, &good);
        // A caller that waits for its answer still gets it.
        if answer.status != 200 {
            desk.good(action, &json!({"taskToken": good, "output": "1"})).await;
        }
    });
}

/// Bytes as a stored entry, and what goes on from it.
pub(super) fn entry(bytes: &[u8]) {
    let Ok(entry) = decode(0, bytes) else { return };
    let Ok(assembly) = Assembly::of(vec![(0, entry)]) else { return };
    let _missing = assembly.missing();
    let Ok((_, snapshot)) = assembly.finish() else { return };
    let definition = r#"{"StartAt":"M","States":{"M":{"Type":"Map","Next":"W","ItemProcessor":{"StartAt":"P",
        "States":{"P":{"Type":"Pass","Next":"T"},"T":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:123456789012:function:f","End":true}}}},
        "W":{"Type":"Wait","Seconds":5,"End":true}}}"#;
    let Some(machine) = asl::parse(definition, asl::MachineType::Standard).machine else { return };
    let token = |_: &Wait| String::from("token");
    let moment = Moment {
        now: Timestamp(1_700_000_000_000),
        seed: [3; 32],
        token: &token,
        activity: &ActivityTarget::none,
        work: interpreter::Work::USUAL,
    };
    let _stepped = step(&machine, snapshot, Stimulus::Tick, &moment);
}

/// The entries of the executions at a desk.
pub(super) fn entries() -> Vec<Vec<u8>> {
    let bodies = at_a_desk(async |desk| {
        let executions = desk.disk.executions();
        executions.iter().flat_map(|execution| desk.disk.records(execution)).map(|record| record.body).collect()
    });
    bodies.unwrap_or_default()
}
