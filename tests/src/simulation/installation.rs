//! The installation, which outlives processes, and each process's ports to it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use asl::{MachineType, StateMachine};
use embedded::ActivityTasks;
use engine::deliver::Start;
use engine::entry::Head;
use engine::ports::{Documents, Metrics, Queue, Starts, Uncounted};
use engine::tokens::Keys;
use engine::{Deployment, Engine, Settings};
use interpreter::{Execution, Limits, Payload, Timestamp};
use service::Service;
use tokio::sync::Notify;

use super::faults::Gate;
use super::functions::{Functions, PendingAnswer, Script, Shared};
use super::log::Log;
use super::ports::{Gated, VirtualClock};
use super::sabotage::Saboteur;
use super::{CallMade, Chance, Disk, Scenario};

/// 2023-11-14T22:13:20Z.
pub const BEGIN: Timestamp = Timestamp(1_700_000_000_000);
/// The longest a call takes, unless a world says otherwise.
const LIMIT: Duration = Duration::from_secs(900);

/// How much a process may have in hand at a time.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    /// Calls of tasks.
    pub calls: usize,
    /// Executions, more or less.
    pub max_active_executions: usize,
    /// Bytes of payloads in a commit, more or less.
    pub commit_bytes: usize,
}

impl Room {
    pub const AMPLE: Room = Room { calls: 16, max_active_executions: usize::MAX, commit_bytes: Settings::COMMIT_BYTES };
    /// An execution that needs more has to wait.
    pub const NARROW: Room = Room { calls: 1, max_active_executions: 1, commit_bytes: 1 };

    /// Often so little that executions have to wait for each other.
    pub fn drawn(chance: &mut Chance) -> Room {
        let calls = [1, 1, 2, 3, Room::AMPLE.calls, Room::AMPLE.calls];
        let max_active_executions = [1, 2, Room::AMPLE.max_active_executions, Room::AMPLE.max_active_executions];
        let mut one_of = |numbers: &[usize]| {
            let place = usize::try_from(chance.up_to(numbers.len() as u64) - 1).unwrap_or(0);
            numbers.get(place).copied().unwrap_or(1)
        };
        let bytes = [1, 100, 400, Room::AMPLE.commit_bytes, Room::AMPLE.commit_bytes];
        Room {
            calls: one_of(&calls),
            max_active_executions: one_of(&max_active_executions),
            commit_bytes: one_of(&bytes),
        }
    }
}

/// A disk, functions, clients, and the machines of the scenarios.
pub struct Installation {
    pub disk: Disk,
    pub outside: Shared,
    /// Told when there is a new answer to give.
    pub asked: Arc<Notify>,
    pub log: Log,
    pub saboteur: Arc<Saboteur>,
    /// Of each process.
    pub room: Room,
    pub metrics: Arc<dyn Metrics>,
    script: Arc<Script>,
    machines: BTreeMap<String, Machine>,
    /// Every process that there was, by what it is called in claims.
    processes: Mutex<BTreeMap<String, Arc<Gate>>>,
}

/// Where a process's messages go.
pub struct Queues {
    pub wake_ups: Arc<dyn Queue>,
    /// Where starts of express executions are kept, if not on the disk.
    pub starts: Option<Arc<dyn Starts>>,
}

struct Machine {
    definition: Arc<StateMachine>,
    scenario: Scenario,
}

impl Installation {
    /// One that holds these scenarios, each as a machine of its name.
    pub fn new(scenarios: &[Scenario], mut script: Script) -> Result<Installation> {
        crate::watchdog::watch();
        let disk = Disk::default();
        let mut machines = BTreeMap::new();
        for scenario in scenarios {
            let text = scenario.definition.to_string();
            let parsed = asl::parse(&text, MachineType::Standard);
            let definition = parsed.machine.with_context(|| format!("{}: {:?}", scenario.name, parsed.diagnostics))?;
            // Nothing in it waits.
            futures_util::future::FutureExt::now_or_never(disk.put_revision(&scenario.name, &text))
                .context("the disk is not immediate")??;
            if scenario.expected.is_some() {
                script.replies.insert(scenario.name.clone(), scenario.functions.clone());
            }
            let machine = Machine { definition: Arc::new(definition), scenario: scenario.clone() };
            machines.insert(scenario.name.clone(), machine);
        }
        if script.limit.is_zero() {
            script.limit = LIMIT;
        }
        Ok(Installation {
            disk,
            outside: Shared::default(),
            asked: Arc::new(Notify::new()),
            log: Log::default(),
            saboteur: Arc::default(),
            room: Room::AMPLE,
            metrics: Arc::new(Uncounted),
            script: Arc::new(script),
            machines,
            processes: Mutex::default(),
        })
    }

    /// A process with this gate and this clock, whose messages go to `queue`.
    pub fn process(
        &self,
        deployment: Deployment,
        gate: &Arc<Gate>,
        clock: &Arc<VirtualClock>,
        queue: Queues,
    ) -> Arc<Service> {
        let engine = Engine::new(self.ports(gate, clock, queue), settings(deployment, self.room));
        self.processes().insert(engine.deliver().owner().to_owned(), gate.clone());
        Service::new(engine)
    }

    /// True when the process that is called that in claims has died.
    pub fn died(&self, owner: &str) -> bool {
        self.processes().get(owner).is_some_and(|gate| gate.is_down().is_some())
    }

    fn processes(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Gate>>> {
        self.processes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The ports as such a process sees them.
    pub fn ports(&self, gate: &Arc<Gate>, clock: &Arc<VirtualClock>, queue: Queues) -> engine::World {
        let stored = Arc::new(Gated { disk: self.disk.clone(), gate: gate.clone(), saboteur: self.saboteur.clone() });
        engine::World {
            journal: stored.clone(),
            documents: stored.clone(),
            starts: queue.starts.unwrap_or(stored),
            queue: queue.wake_ups,
            tasks: Arc::new(Functions {
                script: self.script.clone(),
                outside: self.outside.clone(),
                disk: self.disk.clone(),
                gate: gate.clone(),
                saboteur: self.saboteur.clone(),
                clock: clock.clone(),
                asked: self.asked.clone(),
            }),
            activities: Arc::new(ActivityTasks::new(clock.clone())),
            clock: clock.clone(),
            metrics: self.metrics.clone(),
            logs: None,
        }
    }

    /// The start of an execution of this machine, asked for at `now`.
    pub fn start(&self, machine: &str, arn: &str, now: Timestamp) -> Option<Start> {
        let Machine { definition, scenario } = self.machines.get(machine)?;
        let execution = Execution {
            arn: arn.to_owned(),
            name: arn.rsplit(':').next().unwrap_or_default().to_owned(),
            role_arn: "arn:aws:iam::123456789012:role/simulated".into(),
            machine_arn: machine_arn(machine),
            machine_name: machine.to_owned(),
            region: "us-east-1".into(),
            started: now,
            input: Payload::from_value(scenario.input.clone()),
            limits: scenario.limits(),
        };
        let seconds = definition.timeout_seconds.unwrap_or(execution.limits.seconds);
        let head = Head::new(&execution, seconds, machine.to_owned());
        Some(Start { machine: definition.clone(), execution, head })
    }

    /// The definition of a machine.
    pub fn definition(&self, machine: &str) -> Result<&StateMachine> {
        self.machines.get(machine).map(|machine| &*machine.definition).with_context(|| machine.to_owned())
    }

    /// The calls that functions got so far for this execution.
    pub fn calls(&self, execution: &str) -> Vec<CallMade> {
        self.outside.lock().calls.iter().filter(|call| call.execution == execution).cloned().collect()
    }

    /// Answers to task tokens that were acknowledged as counted.
    pub fn counted_answers(&self, execution: &str) -> Vec<PendingAnswer> {
        let outside = self.outside.lock();
        outside.counted.iter().filter(|answer| answer.execution == execution).cloned().collect()
    }
}

/// The ARN of this machine.
pub fn machine_arn(machine: &str) -> String {
    format!("arn:aws:states:us-east-1:123456789012:stateMachine:{machine}")
}

/// The ARN of an execution of this machine.
pub fn execution_arn(machine: &str, name: &str) -> String {
    format!("arn:aws:states:us-east-1:123456789012:execution:{machine}:{name}")
}

fn settings(deployment: Deployment, room: Room) -> Settings {
    Settings {
        partition: "aws".into(),
        region: "us-east-1".into(),
        account: "123456789012".into(),
        keys: Keys::one([7; 32]),
        retention_days: 90,
        deployment,
        calls: room.calls,
        max_active_executions: room.max_active_executions,
        activity_poll: Settings::ACTIVITY_POLL,
        commit_bytes: room.commit_bytes,
        memory: usize::MAX,
        events: Limits::STANDARD.events,
        wait_millionths: Limits::STANDARD.wait_millionths,
        retry_millionths: Limits::STANDARD.retry_millionths,
    }
}

/// A runtime whose time is virtual.
pub fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?)
}
