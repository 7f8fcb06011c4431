//! One process after another on the same disk: start, recover as `serve` does, work, end or crash.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use embedded::TimerQueue;
use engine::Deployment;
use engine::deliver::{Deliver, DeliverError};
use engine::ports::{Clock, Journal, Queue, Starts, WakeUp};
use interpreter::Timestamp;
use serde_json::json;
use service::Service;

use super::check::{Fate, check};
use super::clients::{AGAIN, Clients, Front};
use super::express::Express;
use super::faults::{Counts, Gate};
use super::functions::Script;
use super::installation::{BEGIN, Installation, Queues, Room, execution_arn, runtime};
use super::ports::{GatedQueue, VirtualClock};
use super::random_replies::RandomReplies;
use super::sabotage::{Sabotage, Saboteur};
use super::{CallMade, Disk, Plan, Scenario};

/// Virtual time after which an execution that is still open is stuck.
const STUCK_AFTER: Duration = Duration::from_secs(7 * 24 * 3600);
/// An execution that lost its message is found after this, where messages can be lost.
const SWEEP: Duration = Duration::from_secs(60);
/// Records of a page of open executions: small, so that there are several.
const PAGE: usize = 2;

/// The circumstances of a process that lives alone.
#[derive(Debug, Clone)]
pub struct Alone {
    pub seed: u64,
    pub room: Room,
    /// How many express executions are started besides.
    pub express: u64,
    /// A port that breaks its promise.
    pub sabotage: Option<Sabotage>,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Every execution is closed.
    Done,
    Crashed,
    /// It went on and on, or nothing moved any more.
    Stuck(&'static str),
}

/// One process's life.
#[derive(Debug, Clone)]
pub struct Process {
    pub ended: Ended,
    pub counts: Counts,
    /// How long it lived.
    pub lived: Duration,
}

/// A world in which one process lives at a time.
pub struct World {
    pub disk: Disk,
    pub installation: Arc<Installation>,
    planned: Vec<(String, Scenario)>,
    express: Express,
    seed: u64,
    now: Timestamp,
    processes: u64,
}

impl World {
    /// A world in which one execution of the scenario will be started, with room for all that it does.
    pub fn new(scenario: &Scenario, seed: u64) -> Result<World> {
        let of = Alone { seed, room: Room::AMPLE, express: 0, sabotage: None };
        World::of(&of, std::slice::from_ref(scenario))
    }

    /// A world in which one execution of each of these will be started.
    pub fn of(of: &Alone, scenarios: &[Scenario]) -> Result<World> {
        let mut script = Script { random_replies: Some(RandomReplies::new(of.seed)), ..Script::default() };
        let express = Express::new(of.express, &mut script);
        let mut installation = Installation::new(scenarios, script)?;
        (installation.room, installation.metrics) = (of.room, express.overdue.clone());
        installation.saboteur = Arc::new(Saboteur::of(of.sabotage));
        let planned = scenarios.iter().map(|scenario| (execution_arn(&scenario.name, "one"), scenario.clone()));
        Ok(World {
            disk: installation.disk.clone(),
            installation: Arc::new(installation),
            planned: planned.collect(),
            express,
            seed: of.seed,
            now: BEGIN,
            processes: 0,
        })
    }

    /// The ARN of the first execution.
    pub fn execution(&self) -> &str {
        self.planned.first().map_or("", |(execution, _)| execution)
    }

    /// The calls that functions got so far, for the first execution.
    pub fn calls(&self) -> Vec<CallMade> {
        self.installation.calls(self.execution())
    }

    /// Starts a process and lets it live.
    pub fn run(&mut self, plan: Plan) -> Result<Process> {
        self.processes += 1;
        let gate = Arc::new(Gate::new(plan));
        let runtime = runtime()?;
        let (ended, now, lived) = runtime.block_on(async {
            let seed = self.seed.wrapping_mul(1_000).wrapping_add(self.processes);
            let clock = Arc::new(VirtualClock::watched(self.now, seed).steady());
            gate.watches(clock.clone());
            let life = self.live(gate.clone(), clock.clone());
            let ended = tokio::select! {
                biased;
                how = gate.death() => if how == "crashed" { Ended::Crashed } else { Ended::Stuck(how) },
                _circles = clock.watchdog().barks() => Ended::Stuck("it goes round in circles"),
                () = life => Ended::Done,
                () = tokio::time::sleep(STUCK_AFTER) => Ended::Stuck("nothing moves any more"),
            };
            (ended, clock.now(), clock.elapsed())
        });
        // All tasks of the process end here, wherever they are.
        drop(runtime);
        self.now = now.plus_millis(10);
        Ok(Process { ended, counts: gate.count(|counts| counts.clone()), lived })
    }

    /// Starts processes that live by these plans until one has done everything, and another without faults if none has.
    pub fn through(&mut self, plans: &[Plan]) -> Result<()> {
        for plan in plans.iter().chain([&Plan::default()]) {
            match self.run(plan.clone())?.ended {
                Ended::Crashed => {}
                Ended::Done => return Ok(()),
                Ended::Stuck(how) => anyhow::bail!("{how}"),
            }
        }
        anyhow::bail!("a process without faults crashed")
    }

    /// Holds what came of it to the promises.
    pub fn kept(&self) -> Result<()> {
        for (execution, scenario) in &self.planned {
            ensure!(self.disk.is_closed(execution), "{execution} is still open");
            let kept = check(&self.installation, execution, scenario, Fate::AsItsScenarioSays);
            kept.with_context(|| execution.clone())?;
        }
        self.express.check(&self.installation)
    }

    async fn live(&self, gate: Arc<Gate>, clock: Arc<VirtualClock>) {
        let queue = Arc::new(TimerQueue::new(clock.clone()));
        let gated = Arc::new(GatedQueue { queue: queue.clone(), gate: gate.clone() });
        let queues = || Queues { wake_ups: gated.clone(), starts: None };
        let world = self.installation.ports(&gate, &clock, queues());
        let service = self.installation.process(Deployment::SingleProcess, &gate, &clock, queues());
        wake_open(&*world.journal, &*world.queue).await;
        while service.engine().express().resume().await.is_err() {
            tokio::time::sleep(AGAIN).await;
        }
        if gate.loses_messages() {
            let world = world.clone();
            tokio::spawn(async move {
                loop {
                    tokio::time::sleep(SWEEP).await;
                    wake_open(&*world.journal, &*world.queue).await;
                }
            });
        }
        tokio::spawn(look(service.engine().deliver().clone(), queue));
        let drops_starts = !gate.fails();
        let front = Arc::new(OneProcess { service, gate });
        let clients = Clients { installation: self.installation.clone(), front, clock };
        tokio::spawn(clients.clone().answer());
        for (execution, scenario) in &self.planned {
            tokio::spawn(start_and_stop(clients.clone(), scenario.clone(), execution.clone()));
        }
        self.express.until_done(&clients, &self.installation).await;
        for (execution, _) in &self.planned {
            self.disk.closed(execution).await;
        }
        // A kept start is deleted when its execution has ended, if the store lets it.
        while drops_starts && self.disk.pending().await.is_ok_and(|pending| !pending.is_empty()) {
            tokio::time::sleep(AGAIN).await;
        }
    }
}

struct OneProcess {
    service: Arc<Service>,
    gate: Arc<Gate>,
}

impl Front for OneProcess {
    fn reach(&self) -> Option<(Arc<Service>, Arc<Gate>)> {
        Some((self.service.clone(), self.gate.clone()))
    }
}

/// The client: starts the execution until that is acknowledged, and stops it if the scenario says so.
async fn start_and_stop(clients: Clients, scenario: Scenario, execution: String) {
    let role = "arn:aws:iam::123456789012:role/simulated";
    let machine = json!({ "name": scenario.name, "definition": scenario.definition.to_string(), "roleArn": role });
    clients.ask("CreateStateMachine", &machine, None, None).await;
    clients.start(&scenario, &execution).await;
    if let Some(stop) = &scenario.stop {
        clients.stop(&execution, stop).await;
    }
}

/// Sends a message for everything that is open, as a process does at its start.
async fn wake_open(journal: &dyn Journal, queue: &dyn Queue) {
    let mut after: Option<String> = None;
    loop {
        let Ok(page) = journal.open(after.as_deref(), PAGE).await else {
            tokio::time::sleep(AGAIN).await;
            continue;
        };
        for (execution, due) in &page.executions {
            while queue.send(WakeUp::of(execution, *due)).await.is_err() {
                tokio::time::sleep(AGAIN).await;
            }
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return,
        }
    }
}

/// Looks at whatever messages name.
async fn look(deliver: Arc<Deliver>, messages: Arc<TimerQueue>) {
    loop {
        let told = messages.next().await;
        let (deliver, messages) = (deliver.clone(), messages.clone());
        tokio::spawn(async move {
            // The message is deleted only after the execution was loaded, or found to need nothing.
            while let Err(error) = deliver.wake(&told.execution).await
                && !matches!(error, DeliverError::NoSuchExecution)
            {
                tokio::time::sleep(AGAIN).await;
            }
            messages.delivered(told);
        });
    }
}
