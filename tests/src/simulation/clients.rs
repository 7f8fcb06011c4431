//! The clients outside: who starts executions, who stops them, and who answers task tokens. They repeat what they say
//! until it is acknowledged, as SDKs do: through the API, but for what it does not tell.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use engine::deliver::DeliverError;
use engine::ports::Clock;
use interpreter::{Answer, Failure, Payload, Timestamp, Wait};
use serde_json::{Value, json};
use service::{Call, Service};

use super::faults::Gate;
use super::functions::PendingAnswer;
use super::installation::{BEGIN, Installation, machine_arn};
use super::ports::VirtualClock;
use super::scenario::{Scenario, Stop};

/// A request without acknowledgement is repeated after this.
pub const AGAIN: Duration = Duration::from_secs(1);
/// A process that has not answered by then is taken for dead, and by its platform out of service.
const PATIENCE: Duration = Duration::from_secs(30);

/// The error of an answer to a wait that is over.
const OVER: &str = "TaskTimedOut";

/// How clients reach a process that answers.
pub trait Front: Send + Sync + 'static {
    /// A process that answers; `None` when there is none at the moment.
    fn reach(&self) -> Option<(Arc<Service>, Arc<Gate>)>;
}

/// Everyone outside.
#[derive(Clone)]
pub struct Clients {
    pub installation: Arc<Installation>,
    pub front: Arc<dyn Front>,
    /// Not that of any process.
    pub clock: Arc<VirtualClock>,
}

impl Clients {
    /// Repeats a call until a process acknowledges it.
    pub async fn insist<T, E, F>(&self, say: impl Fn(Arc<Service>) -> F) -> T
    where
        F: Future<Output = Result<T, E>>,
    {
        loop {
            if let Some((service, gate)) = self.front.reach() {
                match tokio::time::timeout(PATIENCE, say(service)).await {
                    Ok(Ok(answer)) => return answer,
                    Ok(Err(_)) => {}
                    Err(_) => gate.kill(),
                }
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Asks the API, until it answers with success or with this error; whether it was success.
    pub async fn ask(&self, action: &str, body: &Value, invocation: Option<String>, or: Option<&str>) -> bool {
        let call =
            || Call { action: action.to_owned(), body: body.to_string().into_bytes(), invocation: invocation.clone() };
        self.insist(|service| async move {
            let answer = service.answer(call()).await;
            match answer.error {
                None => Ok(true),
                said if said == or => Ok(false),
                Some(_) => Err(answer),
            }
        })
        .await
    }

    /// Starts an execution, until that is acknowledged.
    pub async fn start(&self, scenario: &Scenario, arn: &str) {
        if scenario.has_own_limits() {
            self.start_within_limits(&scenario.name, arn).await;
        } else {
            let (machine, name) = (machine_arn(&scenario.name), arn.rsplit(':').next().unwrap_or_default());
            let body = json!({ "stateMachineArn": machine, "name": name, "input": scenario.input.to_string() });
            self.ask("StartExecution", &body, Some(invocation(arn)), None).await;
            self.installation.log.say(|| format!("clients: {arn} is started"));
        }
        self.installation.outside.lock().started.push(arn.to_owned());
    }

    /// Past the API, which knows one limit for all.
    async fn start_within_limits(&self, machine: &str, arn: &str) {
        let now = self.clock.now();
        let started = self
            .insist(|service| async move {
                let Some(start) = self.installation.start(machine, arn, now) else { return Err(DeliverError::Lost) };
                service.engine().deliver().start(start).await
            })
            .await;
        self.installation.log.say(|| format!("clients: {arn} is started: {}", word(&started)));
    }

    /// Stops it as its scenario says. The API does not tell whether there was something to stop.
    pub async fn stop(&self, arn: &str, stop: &Stop) {
        self.clock.sleep_until(BEGIN.plus_millis(i64::try_from(stop.after_ms).unwrap_or(i64::MAX))).await;
        let failure = || Failure::new(stop.error.clone(), stop.cause.clone());
        let stopped = self.insist(|service| async move { service.engine().deliver().stop(arn, failure()).await }).await;
        self.installation.log.say(|| format!("clients: {arn} is stopped: {}", stopped.counted));
        if stopped.counted {
            self.installation.outside.lock().stopped.push(arn.to_owned());
        }
    }

    /// Redrives it so many times, each time once it has ended without success. A call is repeated with its token until it is
    /// acknowledged or refused.
    pub async fn redrive(&self, arn: &str, times: u64, pause: impl Fn() -> Duration) {
        for number in 0..times {
            self.installation.disk.closed(arn).await;
            tokio::time::sleep(pause()).await;
            let body = json!({ "executionArn": arn, "clientToken": format!("redrive-{number}") });
            let call = || Call {
                action: "RedriveExecution".to_owned(),
                body: body.to_string().into_bytes(),
                invocation: None,
            };
            let redriven = self.insist(|service| async move {
                let answer = service.answer(call()).await;
                match answer.error {
                    None => Ok(redrive_date(&answer.body)),
                    Some("ExecutionNotRedrivable") => Ok(None),
                    Some(_) => Err(answer),
                }
            });
            let redriven = redriven.await;
            self.installation.log.say(|| format!("clients: {arn} is redriven: {redriven:?}"));
            let Some(at) = redriven else { return };
            self.installation.outside.lock().redriven.entry(arn.to_owned()).or_default().push(at);
        }
    }

    /// Answers task tokens, for ever.
    pub async fn answer(self) {
        let mut begun: BTreeSet<(String, Wait)> = BTreeSet::new();
        let asked = self.installation.asked.clone();
        loop {
            let mut new = std::pin::pin!(asked.notified());
            new.as_mut().enable();
            let pending = self.installation.outside.lock().answers.clone();
            for answer in pending {
                if begun.insert((answer.execution.clone(), answer.wait.clone())) {
                    tokio::spawn(self.clone().give(answer));
                }
            }
            new.await;
        }
    }

    async fn give(self, pending: PendingAnswer) {
        tokio::select! {
            biased;
            () = self.clock.sleep_until(pending.at) => {}
            () = self.beat(&pending) => {}
        }
        let rival = async {
            if let Some(rival) = &pending.rival {
                self.tell(&pending, rival).await;
            }
        };
        let first = async {
            self.tell(&pending, &pending.answer).await;
            if let Some(again) = &pending.again {
                self.tell(&pending, again).await;
            }
        };
        tokio::join!(first, rival);
        let mut outside = self.installation.outside.lock();
        outside.answers.retain(|other| other.execution != pending.execution || other.wait != pending.wait);
    }

    /// Sends one of the pending answers, and records its outcome.
    async fn tell(&self, pending: &PendingAnswer, answer: &Answer<Payload>) {
        let counted = self.say(&pending.token, answer).await;
        let now = self.installation.disk.now();
        let told =
            || format!("clients: {} is answered {:?} with {answer:?}: {counted}", pending.execution, pending.wait);
        self.installation.log.say(told);
        let given = PendingAnswer { answer: answer.clone(), ..pending.clone() };
        let mut outside = self.installation.outside.lock();
        if counted {
            outside.counted.push(given);
        } else {
            outside.refused.push((given, now));
        }
    }

    /// Whether it counted.
    async fn say(&self, token: &str, answer: &Answer<Payload>) -> bool {
        let (action, body) = match answer {
            Answer::Succeeded { output } => ("SendTaskSuccess", json!({ "taskToken": token, "output": output.text() })),
            Answer::Failed(Failure { error, cause }) => {
                ("SendTaskFailure", json!({ "taskToken": token, "error": error, "cause": cause }))
            }
        };
        self.ask(action, &body, None, Some(OVER)).await
    }

    /// Sends heartbeats, for ever.
    async fn beat(&self, pending: &PendingAnswer) {
        let Some(every) = pending.beats_every_ms else { return std::future::pending().await };
        let body = json!({ "taskToken": pending.token });
        loop {
            tokio::time::sleep(Duration::from_millis(every)).await;
            self.ask("SendTaskHeartbeat", &body, None, Some(OVER)).await;
        }
    }
}

fn redrive_date(body: &str) -> Option<Timestamp> {
    let seconds = serde_json::from_str::<Value>(body).ok()?.get("redriveDate")?.as_f64()?;
    #[expect(clippy::cast_possible_truncation, reason = "it was whole milliseconds before it was written")]
    Some(Timestamp((seconds * 1000.0).round() as i64))
}

/// The id that an SDK gives a call, and its repetitions.
fn invocation(arn: &str) -> String {
    let number = arn.bytes().fold(0u64, |number, byte| number.wrapping_mul(31).wrapping_add(u64::from(byte)));
    format!("00000000-0000-4000-8000-{:012}", number % 1_000_000_000_000)
}

fn word(started: &engine::deliver::Started) -> &'static str {
    match started {
        engine::deliver::Started::New => "new",
        engine::deliver::Started::Exists(_) => "there already",
    }
}
