//! A fleet: several processes that answer and several that work, on one store and one queue, all at the same time.
//!
//! Everything lives in one runtime with virtual time. A process that crashed never gets another answer from its ports; what
//! it had asked for may still happen. Workers get batches of messages and have a term, as on Lambda; who is gone is
//! replaced. Clients talk to any process that answers, and to another when that one does not.
//!
//! Deliberately absent: dead letters, and machines that change while executions run.

mod processes;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use engine::Deployment;
use service::Service;

use super::api_checks;
use super::check::{Fate, check};
use super::clients::{Clients, Front};
use super::express::Express;
use super::faults::{Counts, Gate, Plan};
use super::functions::Script;
use super::installation::{BEGIN, Installation, Queues, Room, execution_arn, runtime};
use super::ports::VirtualClock;
use super::queue::{MessageQueue, Sender};
use super::random_replies::RandomReplies;
use super::sabotage::{Sabotage, Saboteur};
use super::scenario::Stop;
use super::{Chance, Scenario};

/// Virtual time after which a world that still moves is stuck.
const STUCK_AFTER: Duration = Duration::from_secs(3 * 24 * 3600);
/// After the last execution has closed, the queue has to be empty by then.
const DRAINED_AFTER: Duration = Duration::from_secs(3 * 3600);

/// Makes the chance of redrives out of a world's seed.
const REDRIVES: u64 = 0x05EE_D0F2_ED21;

/// A world's circumstances.
#[derive(Debug, Clone)]
pub struct Circumstances {
    pub seed: u64,
    pub workers: usize,
    pub fronts: usize,
    /// Their work besides answering: none, or all that they begin.
    pub fronts_are: Deployment,
    /// Batches that a worker deals with at a time.
    pub at_once: usize,
    /// How long a worker may work on a batch.
    pub term: Duration,
    /// How long a call may take.
    pub limit: Duration,
    /// How long a message that was told is hidden.
    pub visibility: Duration,
    /// The limits of each process.
    pub room: Room,
    /// How many express executions are started besides.
    pub express: u64,
    pub faults: Faults,
    /// A port that breaks its promise.
    pub sabotage: Option<Sabotage>,
}

#[derive(Debug, Clone)]
pub enum Faults {
    None,
    /// The first process that does this lives by this plan.
    First(Vec<(Deployment, Plan)>),
    /// By chance.
    Chance(Trouble),
}

/// The random faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trouble {
    /// Processes die at any moment.
    pub deaths: bool,
    /// The store and the queue answer with errors, whether they did what they were asked or not.
    pub failing: bool,
    /// Calls of ports take their time, now and then longer than a client's timeout.
    pub latency: bool,
    /// Functions take longer than they should, and some never answer.
    pub slowness: bool,
    /// The queue delays, doubles and mixes up its messages.
    pub moods: bool,
    /// Clocks are off by this many milliseconds at most, either way, and jump.
    pub skew_ms: u64,
    /// Some executions are stopped.
    pub stops: bool,
    /// Processes that answer are slower than those that work, and lose every race.
    pub contention: bool,
    /// What ends without success is redriven, up to three times.
    pub redrives: bool,
    /// The queue loses messages, and a sweep wakes what is overdue.
    pub losses: bool,
}

impl Trouble {
    /// All of it but contention, and lost messages: the sweep that makes them good would hide what gets lost otherwise.
    pub const ALL: Trouble = Trouble {
        deaths: true,
        failing: true,
        latency: true,
        slowness: true,
        moods: true,
        skew_ms: 1_400,
        stops: true,
        contention: false,
        redrives: true,
        losses: false,
    };
}

impl Faults {
    /// The random faults.
    fn trouble(&self) -> Option<Trouble> {
        match self {
            Faults::Chance(trouble) => Some(*trouble),
            Faults::None | Faults::First(_) => None,
        }
    }
}

/// The counts of a world that kept its promises.
#[derive(Debug, Default)]
pub struct Tally {
    pub appends: usize,
    /// The most that were sent for one execution.
    pub messages: u64,
    /// Processes that died.
    pub deaths: u64,
    /// How often clocks were asked.
    pub asked: u64,
    /// Answers that were left in cells.
    pub cells: u64,
    /// How often an execution was redriven.
    pub redrives: u64,
    /// The port calls of the first process of each kind.
    pub worker: Counts,
    pub front: Counts,
}

/// A world of many processes.
pub struct Fleet {
    of: Circumstances,
    installation: Arc<Installation>,
    queue: MessageQueue,
    planned: Vec<Planned>,
    express: Express,
    chance: Mutex<Chance>,
    fronts: Mutex<Vec<Process>>,
    everyone: Mutex<Vec<(Deployment, Arc<Gate>)>>,
    /// Processes that may still die by chance.
    deaths_left: AtomicU64,
    /// Messages that the sweep sent.
    swept: AtomicU64,
}

struct Planned {
    execution: String,
    scenario: Scenario,
    fate: Fate,
    begins: Duration,
    /// How often it is redriven at most.
    redrives: u64,
}

/// A process: what it answers with, and its gate.
#[derive(Clone)]
struct Process {
    service: Arc<Service>,
    gate: Arc<Gate>,
    clock: Arc<VirtualClock>,
}

impl Fleet {
    /// A world in which one execution of each of these will be started.
    pub fn new(of: Circumstances, scenarios: &[Scenario]) -> Result<Fleet> {
        let mut chance = Chance::new(of.seed);
        let trouble = of.faults.trouble();
        let (slowness, moods, random_replies) = (chance.draw(), chance.draw(), chance.draw());
        let slowness = trouble.filter(|trouble| trouble.slowness).map(|_| Mutex::new(Chance::new(slowness)));
        let mut script = Script {
            limit: of.limit,
            slowness,
            random_replies: Some(RandomReplies::new(random_replies)),
            ..Script::default()
        };
        let express = Express::new(of.express, &mut script);
        let moods = trouble.filter(|trouble| trouble.moods).map(|_| Chance::new(moods));
        let stops = trouble.is_some_and(|trouble| trouble.stops);
        // Of a chance of its own: the worlds stay what they were.
        let mut redrives = Chance::new(of.seed ^ REDRIVES);
        let redriven = trouble.is_some_and(|trouble| trouble.redrives);
        let planned = (0u32..).zip(scenarios).map(|(number, scenario)| Planned {
            execution: execution_arn(&scenario.name, &format!("e{number}")),
            scenario: scenario.clone(),
            fate: if stops && chance.up_to(8) == 1 { Fate::MayBeStopped } else { Fate::AsItsScenarioSays },
            begins: Duration::from_millis(trouble.map_or(0, |_| chance.up_to(3_000))),
            redrives: if redriven && scenario.expected.is_none() { redrives.up_to(4) - 1 } else { 0 },
        });
        let planned = planned.collect();
        let mut installation = Installation::new(scenarios, script)?;
        installation.saboteur = Arc::new(Saboteur::of(of.sabotage));
        (installation.room, installation.metrics) = (of.room, express.overdue.clone());
        Ok(Fleet {
            installation: Arc::new(installation),
            queue: MessageQueue::new(of.visibility, moods, trouble.is_some_and(|trouble| trouble.losses)),
            swept: AtomicU64::new(0),
            planned,
            express,
            deaths_left: AtomicU64::new(chance.up_to(7) - 1),
            chance: Mutex::new(chance),
            fronts: Mutex::default(),
            everyone: Mutex::default(),
            of,
        })
    }

    /// Lives until every execution is closed and every message dealt with, and holds what came of it to the promises.
    /// When it does not keep them, what happened is in the error if `told`.
    pub fn run(self, log: Telling) -> Result<Tally> {
        let fleet = Arc::new(self);
        let runtime = runtime()?;
        let lived = runtime.block_on(async {
            if log == Telling::Everything {
                fleet.installation.log.open();
            }
            let asked = fleet.api_checker();
            tokio::select! {
                biased;
                circles = asked.clock.watchdog().barks() => Err(circles),
                lived = async {
                    fleet.clone().live(&asked).await?;
                    fleet.kept(&asked).await
                } => lived,
            }
        });
        drop(runtime);
        lived.map_err(|error| {
            let lines = fleet.installation.log.lines();
            if lines.is_empty() { error } else { error.context(format!("{}\n", lines.join("\n"))) }
        })
    }

    async fn live(self: Arc<Self>, asked: &Process) -> Result<()> {
        for planned in &self.planned {
            api_checks::create(&asked.service, &planned.scenario.name, &planned.scenario.definition).await?;
        }
        let clock = asked.clock.clone();
        for _ in 0..self.of.fronts {
            let process = self.begin(self.of.fronts_are, &clock);
            self.fronts().push(process);
        }
        for place in 0..self.of.fronts {
            tokio::spawn(self.clone().replace_front(place, clock.clone()));
        }
        for _ in 0..self.of.workers {
            tokio::spawn(self.clone().work(clock.clone()));
        }
        tokio::spawn(self.clone().scan(clock.clone()));
        if self.of.faults.trouble().is_some_and(|trouble| trouble.losses) {
            tokio::spawn(self.clone().sweep(clock.clone()));
        }
        let clients = Clients { installation: self.installation.clone(), front: Arc::new(Reach(self.clone())), clock };
        tokio::spawn(clients.clone().answer());
        let ended = tokio::time::timeout(STUCK_AFTER, self.clone().until_closed(clients)).await;
        ended.with_context(|| format!("nothing moves any more: {:?} are open", self.open()))??;
        self.queue.calm_down();
        self.deaths_left.store(0, Ordering::Relaxed);
        let drained = tokio::time::timeout(DRAINED_AFTER, async {
            while !self.queue.is_empty() {
                tokio::time::sleep(Duration::from_secs(5)).await;
            }
        });
        drained.await.context("messages go on and on")
    }

    /// Starts everything, and waits until everything that was started has ended.
    async fn until_closed(self: Arc<Self>, clients: Clients) -> Result<()> {
        let mut begun = Vec::new();
        for place in 0..self.planned.len() {
            begun.push(tokio::spawn(self.clone().client(clients.clone(), place)));
        }
        self.express.until_done(&clients, &self.installation).await;
        for one in begun {
            one.await?;
        }
        // Also a start whose client never saw the answer.
        for execution in self.installation.disk.executions() {
            self.installation.disk.closed(&execution).await;
        }
        Ok(())
    }

    async fn client(self: Arc<Self>, clients: Clients, place: usize) {
        let Some(planned) = self.planned.get(place) else { return };
        tokio::time::sleep(planned.begins).await;
        clients.start(&planned.scenario, &planned.execution).await;
        if let Some(stop) = &planned.scenario.stop {
            clients.stop(&planned.execution, stop).await;
        } else if planned.fate == Fate::MayBeStopped {
            let after_ms = self.up_to(20_000);
            let stop = Stop { after_ms, error: "Enough".into(), cause: "somebody said so".into() };
            clients.stop(&planned.execution, &stop).await;
        }
        let pause = || Duration::from_millis(self.up_to(5_000));
        clients.redrive(&planned.execution, planned.redrives, pause).await;
    }

    // ---- what came of it ----

    /// A process without faults, for who asks before and after.
    fn api_checker(&self) -> Process {
        let (gate, clock) = (Arc::new(Gate::new(Plan::default())), Arc::new(VirtualClock::watched(BEGIN, self.draw())));
        let sender = Arc::new(self.sender(&gate, &clock));
        let queues = Queues { wake_ups: sender.clone(), starts: Some(sender) };
        Process { service: self.installation.process(Deployment::ApiOnly, &gate, &clock, queues), gate, clock }
    }

    fn sender(&self, gate: &Arc<Gate>, clock: &Arc<VirtualClock>) -> Sender {
        Sender {
            saboteur: self.installation.saboteur.clone(),
            queue: self.queue.clone(),
            gate: gate.clone(),
            clock: clock.clone(),
        }
    }

    async fn kept(&self, asked: &Process) -> Result<Tally> {
        for planned in &self.planned {
            let (execution, scenario) = (&planned.execution, &planned.scenario);
            let reference = check(&self.installation, execution, scenario, planned.fate);
            let reference = reference.with_context(|| execution.clone())?;
            let told = api_checks::describe(&asked.service, &self.installation.disk, execution, &reference).await;
            told.with_context(|| execution.clone())?;
            let (messages, records) = (self.queue.sent(execution), self.installation.disk.records(execution).len());
            let most = self.most_messages(records);
            ensure!(messages <= most, "{execution}: {messages} messages for {records} records");
        }
        self.express.check(&self.installation)?;
        let everyone = self.everyone();
        let first = |deployment| {
            let gate = everyone.iter().find(|(other, _)| *other == deployment);
            gate.map(|(_, gate)| gate.count(|counts| counts.clone())).unwrap_or_default()
        };
        let sent = self.planned.iter().map(|planned| self.queue.sent(&planned.execution));
        Ok(Tally {
            appends: everyone.iter().map(|(_, gate)| gate.count(|counts| counts.appends.len())).sum(),
            messages: sent.max().unwrap_or(0),
            deaths: everyone.iter().filter(|(_, gate)| gate.is_down().is_some()).count() as u64,
            cells: everyone.iter().map(|(_, gate)| gate.count(|counts| counts.cells)).sum(),
            redrives: self.installation.outside.lock().redriven.values().map(|dates| dates.len() as u64).sum(),
            asked: asked.clock.watchdog().count(),
            worker: first(Deployment::SharedWorker),
            front: first(Deployment::ApiOnly),
        })
    }

    /// A storm is what grows faster than what happened.
    fn most_messages(&self, records: usize) -> u64 {
        let deaths = self.everyone().iter().filter(|(_, gate)| gate.is_down().is_some()).count();
        8 + 3 * records as u64 + 8 * deaths as u64 + self.swept.load(Ordering::Relaxed)
    }

    fn open(&self) -> Vec<String> {
        let disk = &self.installation.disk;
        disk.executions().into_iter().filter(|execution| !disk.is_closed(execution)).collect()
    }

    // ---- chance, and what is shared ----

    fn draw(&self) -> u64 {
        self.chance().draw()
    }

    fn up_to(&self, most: u64) -> u64 {
        self.chance().up_to(most)
    }

    fn chance(&self) -> MutexGuard<'_, Chance> {
        self.chance.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fronts(&self) -> MutexGuard<'_, Vec<Process>> {
        self.fronts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn everyone(&self) -> MutexGuard<'_, Vec<(Deployment, Arc<Gate>)>> {
        self.everyone.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether what happened is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Telling {
    Nothing,
    Everything,
}

/// Clients reach any process that answers.
struct Reach(Arc<Fleet>);

impl Reach {
    fn process(&self) -> Option<Process> {
        let place = usize::try_from(self.0.up_to(self.0.of.fronts as u64) - 1).unwrap_or(0);
        self.0.fronts().get(place).cloned()
    }
}

impl Front for Reach {
    fn reach(&self) -> Option<(Arc<Service>, Arc<Gate>)> {
        self.process().map(|process| (process.service, process.gate))
    }
}
