//! The people outside: who starts executions, who stops them, and who answers task tokens. They repeat what they say
//! until it is acknowledged.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use interpreter::{Answer, Failure, Wait};
use service::api::Service;
use service::deliver::{DeliverError, Delivered};
use service::ports::Clock;

use super::faults::Gate;
use super::functions::PendingAnswer;
use super::installation::{BEGIN, Installation};
use super::ports::VirtualClock;
use super::scenario::Stop;

/// What was not acknowledged is said again after this.
pub const AGAIN: Duration = Duration::from_secs(1);
/// A process that has not answered by then is taken for dead, and by its platform out of service.
const PATIENCE: Duration = Duration::from_secs(30);

/// How people reach a process that answers.
pub trait Front: Send + Sync + 'static {
    /// A process that answers; `None` when there is none at the moment.
    fn reach(&self) -> Option<(Arc<Service>, Arc<Gate>)>;
}

/// Everyone outside.
#[derive(Clone)]
pub struct People {
    pub installation: Arc<Installation>,
    pub front: Arc<dyn Front>,
    /// Not that of any process.
    pub clock: Arc<VirtualClock>,
}

impl People {
    /// Says something until somebody acknowledges it.
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

    /// Starts an execution, until that is acknowledged.
    pub async fn start(&self, machine: &str, arn: &str) {
        let now = self.clock.now();
        let started = self
            .insist(|service| async move {
                let Some(start) = self.installation.start(machine, arn, now) else { return Err(DeliverError::Lost) };
                service.deliver().start(start).await
            })
            .await;
        self.installation.log.say(|| format!("people: {arn} is started: {}", word(&started)));
        self.installation.outside.lock().started.push(arn.to_owned());
    }

    /// Stops it as its scenario says.
    pub async fn stop(&self, arn: &str, stop: &Stop) {
        self.clock.sleep_until(BEGIN.plus_millis(i64::try_from(stop.after_ms).unwrap_or(i64::MAX))).await;
        let failure = || Failure::new(stop.error.clone(), stop.cause.clone());
        let stopped = self.insist(|service| async move { service.deliver().stop(arn, failure()).await }).await;
        self.installation.log.say(|| format!("people: {arn} is stopped: {}", stopped.counted));
        if stopped.counted {
            self.installation.outside.lock().stopped.push(arn.to_owned());
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
        let say = || self.say(&pending.execution, &pending.wait, &pending.answer);
        let delivered = say().await;
        self.installation
            .log
            .say(|| format!("people: {} is answered {:?}: {}", pending.execution, pending.wait, delivered.counted));
        if let Some(again) = &pending.again {
            let delivered = self.say(&pending.execution, &pending.wait, again).await;
            if delivered.counted {
                let twice = PendingAnswer { answer: again.clone(), ..pending.clone() };
                self.installation.outside.lock().counted.push(twice);
            }
        }
        let now = self.clock.now();
        let mut outside = self.installation.outside.lock();
        outside.answers.retain(|other| other.execution != pending.execution || other.wait != pending.wait);
        if delivered.counted {
            outside.counted.push(pending);
        } else {
            outside.refused.push((pending, now));
        }
    }

    async fn say(&self, execution: &str, wait: &Wait, answer: &Answer<interpreter::Payload>) -> Delivered {
        self.insist(|service| async move { service.deliver().answer(execution, wait.clone(), answer.clone()).await })
            .await
    }

    /// Sends heartbeats, for ever.
    async fn beat(&self, pending: &PendingAnswer) {
        let Some(every) = pending.beats_every_ms else { return std::future::pending().await };
        let (execution, wait) = (pending.execution.as_str(), &pending.wait);
        loop {
            tokio::time::sleep(Duration::from_millis(every)).await;
            self.insist(|service| async move { service.deliver().heartbeat(execution, wait.clone()).await }).await;
        }
    }
}

fn word(started: &service::deliver::Started) -> &'static str {
    match started {
        service::deliver::Started::New => "new",
        service::deliver::Started::Exists(_) => "there already",
    }
}
