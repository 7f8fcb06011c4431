//! The processes of a fleet: how they begin, what they do, how they die, and who comes after them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use engine::ports::{Clock, WakeUp};
use engine::worker::{Message, Worker};
use engine::{Deployment, entry};
use futures_util::future::join_all;

use super::{Faults, Fleet, Process};
use crate::simulation::faults::{Gate, Plan};
use crate::simulation::installation::Queues;
use crate::simulation::ports::VirtualClock;

/// How long before its platform ends it a worker is told to.
const GRACE: Duration = Duration::from_secs(15);
/// How much slower at each point a process that answers is, where it loses its races.
const SLOW_MS: u64 = 8;
/// A clock that jumps does so within this.
const JUMPS_WITHIN_MS: u64 = 30_000;
/// Overdue executions are woken this often, where messages get lost.
const SWEEP: Duration = Duration::from_secs(3_600);
/// The clock looks this often, and sends what is due until then.
const SCAN: Duration = Duration::from_secs(60);
const AHEAD_MS: i64 = 900_000;
/// A later due time is the clock's; the queue has the rest.
const CLOCKS_OWN_MS: i64 = 1_200_000;

impl Fleet {
    pub(super) fn begin(&self, deployment: Deployment, right: &VirtualClock) -> Process {
        let number = self.everyone().len();
        let gate = Arc::new(Gate::of(
            format!("{deployment:?} {number}"),
            self.plan(deployment),
            self.installation.log.clone(),
        ));
        self.everyone().push((deployment, gate.clone()));
        let clock = Arc::new(right.beside(self.skew(), self.draw()));
        if self.of.faults.trouble().is_some_and(|trouble| trouble.skew_ms > 0) && self.up_to(4) == 1 {
            let (clock, by, at) = (clock.clone(), self.skew(), Duration::from_millis(self.up_to(JUMPS_WITHIN_MS)));
            let shows = right.beside(by, 0);
            tokio::spawn(async move {
                tokio::time::sleep(at).await;
                clock.jump_to(&shows);
            });
        }
        let sender = Arc::new(self.sender(&gate, &clock));
        let queues = Queues { wake_ups: sender.clone(), starts: Some(sender) };
        Process { service: self.installation.process(deployment, &gate, &clock, queues), gate, clock }
    }

    fn plan(&self, deployment: Deployment) -> Plan {
        let first = !self.everyone().iter().any(|(other, _)| *other == deployment);
        match &self.of.faults {
            Faults::None => Plan::default(),
            Faults::First(plans) => {
                let plan = plans.iter().find(|(doing, _)| first && *doing == deployment);
                plan.map(|(_, plan)| plan.clone()).unwrap_or_default()
            }
            Faults::Chance(trouble) => {
                let latency = self.draw();
                let slow_ms = if trouble.contention && deployment == Deployment::ApiOnly { SLOW_MS } else { 0 };
                let mut plan = Plan { latency: trouble.latency.then_some(latency), slow_ms, ..Plan::default() };
                if trouble.failing && self.up_to(4) == 1 && self.may_die() {
                    plan.failing = Plan::failing_calls(&mut self.chance(), 40, 4);
                }
                plan
            }
        }
    }

    /// How far a clock is off.
    fn skew(&self) -> i64 {
        let most = self.of.faults.trouble().map_or(0, |trouble| trouble.skew_ms);
        if most == 0 { 0 } else { i64::try_from(self.up_to(2 * most)).unwrap_or(0) - most.cast_signed() }
    }

    /// Lets a process that answers live, then the next in its place.
    pub(super) async fn replace_front(self: Arc<Self>, place: usize, clock: Arc<VirtualClock>) {
        loop {
            let Some(process) = self.fronts().get(place).cloned() else { return };
            self.let_live(&process.gate).await;
            let next = self.begin(self.of.fronts_are, &clock);
            if let Some(front) = self.fronts().get_mut(place) {
                *front = next;
            }
        }
    }

    /// Waits until a process has died, of itself or by chance.
    async fn let_live(&self, gate: &Gate) {
        let doomed = self.of.faults.trouble().is_some_and(|trouble| trouble.deaths) && self.up_to(3) == 1;
        let life = Duration::from_millis(self.up_to(if self.up_to(2) == 1 { 2_000 } else { 60_000 }));
        tokio::select! {
            biased;
            _ = gate.death() => {}
            () = tokio::time::sleep(life), if doomed => {
                if self.may_die() {
                    gate.kill();
                } else {
                    gate.death().await;
                }
            }
        }
    }

    fn may_die(&self) -> bool {
        self.deaths_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }

    /// One worker after another, each with batch after batch.
    pub(super) async fn work(self: Arc<Self>, clock: Arc<VirtualClock>) {
        loop {
            let process = self.begin(Deployment::SharedWorker, &clock);
            let worker = Worker::new(process.service.engine().clone());
            tokio::select! {
                biased;
                () = self.let_live(&process.gate) => {}
                _ = join_all((0..self.of.at_once).map(|_| self.batches(&process, &worker))) => {}
            }
        }
    }

    async fn batches(&self, process: &Process, worker: &Worker) {
        loop {
            let most = if self.of.faults.trouble().is_some() { self.up_to(10) } else { 10 };
            let batch = self.queue.receive(usize::try_from(most).unwrap_or(1)).await;
            let term = i64::try_from(self.of.term.as_millis()).unwrap_or(i64::MAX);
            let until = process.clock.now().plus_millis(term);
            let (numbers, messages): (Vec<u64>, Vec<Message>) = batch.into_iter().unzip();
            process.gate.say(|| format!("gets {messages:?}"));
            let handled = worker.handle(messages, until);
            let Ok(undone) = tokio::time::timeout(self.of.term + GRACE, handled).await else {
                process.gate.say(|| "has no time left".into());
                return process.gate.kill();
            };
            if process.gate.is_down().is_some() {
                return;
            }
            let undone: Vec<usize> = undone.into_iter().map(|undone| undone.place).collect();
            process.gate.say(|| format!("is done with {numbers:?} but for the places {undone:?}"));
            for (place, number) in numbers.into_iter().enumerate() {
                if !undone.contains(&place) {
                    self.queue.delete(number);
                }
            }
        }
    }

    /// The clock: sends a message for what is due soon and was left to the records.
    pub(super) async fn scan(self: Arc<Self>, clock: Arc<VirtualClock>) {
        let mut sent_until = clock.now();
        loop {
            tokio::time::sleep(SCAN).await;
            let until = clock.now().plus_millis(AHEAD_MS);
            for execution in self.open() {
                let Some(last) = self.installation.disk.records(&execution).pop() else { continue };
                let Some(due) = last.due.filter(|due| sent_until < *due && *due <= until) else { continue };
                let Ok(written) = entry::decode(last.sequence, &last.body) else { continue };
                if due.0.saturating_sub(written.at.0) > CLOCKS_OWN_MS {
                    let left = u64::try_from(due.0.saturating_sub(clock.now().0)).unwrap_or(0);
                    self.installation.log.say(|| format!("clock: {execution} is due at {due:?}"));
                    self.queue.put(Message::WakeUp(WakeUp::of(&execution, Some(due))), Duration::from_millis(left));
                }
            }
            sent_until = until;
        }
    }

    /// The sweep: wakes what is overdue.
    pub(super) async fn sweep(self: Arc<Self>, clock: Arc<VirtualClock>) {
        loop {
            tokio::time::sleep(SWEEP).await;
            for execution in self.open() {
                let last = self.installation.disk.records(&execution).pop();
                let overdue = last.and_then(|last| last.due).is_some_and(|due| due <= clock.now());
                if overdue && !self.installation.saboteur.sleeps() {
                    self.installation.log.say(|| format!("sweep: {execution} is overdue"));
                    self.swept.fetch_add(1, Ordering::Relaxed);
                    self.queue.put(Message::WakeUp(WakeUp::of(&execution, None)), Duration::ZERO);
                }
            }
        }
    }
}
