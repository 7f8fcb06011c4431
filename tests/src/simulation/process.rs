//! One process after another on the same disk: start, recover as `serve` does, work, end or crash.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use asl::{MachineType, StateMachine};
use embedded::TimerQueue;
use interpreter::{Execution, Failure, Limits, Payload, Timestamp};
use service::deliver::{Deliver, DeliverError, Start};
use service::entry::Head;
use service::ports::{Clock, Journal, Machines, Queue};
use service::{Role, Settings};
use tokio::sync::Notify;

use super::faults::{Counts, Gate};
use super::functions::{Functions, PendingAnswer, Shared};
use super::ports::{Gated, GatedQueue, VirtualClock};
use super::{CallMade, Disk, Plan, Scenario};

const MACHINE: &str = "arn:aws:states:us-east-1:123456789012:stateMachine:simulated";
const EXECUTION: &str = "arn:aws:states:us-east-1:123456789012:execution:simulated:one";
const ROLE: &str = "arn:aws:iam::123456789012:role/simulated";
const REVISION: &str = "the-only-revision";
/// 2023-11-14T22:13:20Z.
const BEGIN: Timestamp = Timestamp(1_700_000_000_000);
/// Virtual time after which an execution that is still open is stuck.
const STUCK_AFTER: Duration = Duration::from_secs(7 * 24 * 3600);
/// What is said to a process that did not take it is said again after this.
const AGAIN: Duration = Duration::from_secs(1);
/// Who lost a message is found after this, where messages can be lost.
const SWEEP: Duration = Duration::from_secs(60);
/// Records of a page of open executions: small, so that there are several.
const PAGE: usize = 2;

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
}

/// What outlives processes.
pub struct World {
    pub disk: Disk,
    scenario: Scenario,
    machine: Arc<StateMachine>,
    outside: Shared,
    seed: u64,
    now: Timestamp,
    processes: u64,
}

impl World {
    /// A world in which one execution of the scenario will be started.
    pub fn new(scenario: &Scenario, seed: u64) -> Result<World> {
        let definition = scenario.definition.to_string();
        let parsed = asl::parse(&definition, MachineType::Standard);
        let machine = parsed.machine.with_context(|| format!("{}: {:?}", scenario.name, parsed.diagnostics))?;
        let disk = Disk::default();
        runtime()?.block_on(disk.put_revision(REVISION, &definition))?;
        Ok(World {
            disk,
            scenario: scenario.clone(),
            machine: Arc::new(machine),
            outside: Shared::default(),
            seed,
            now: BEGIN,
            processes: 0,
        })
    }

    /// The ARN of the execution.
    pub fn execution(&self) -> &'static str {
        EXECUTION
    }

    /// The calls that functions got so far.
    pub fn calls(&self) -> Vec<CallMade> {
        self.outside.lock().calls.clone()
    }

    /// Answers to task tokens that were acknowledged as counted, as texts: outputs and error names.
    pub fn counted_answers(&self) -> Vec<String> {
        self.outside.lock().counted.iter().map(|(_, answer)| shown(answer)).collect()
    }

    /// Starts a process and lets it live.
    pub fn run(&mut self, plan: Plan) -> Result<Process> {
        self.processes += 1;
        let gate = Arc::new(Gate::new(plan));
        let runtime = runtime()?;
        let (ended, now) = runtime.block_on(async {
            let clock =
                Arc::new(VirtualClock::new(self.now, self.seed.wrapping_mul(1_000).wrapping_add(self.processes)));
            let life = self.live(gate.clone(), clock.clone());
            let ended = tokio::select! {
                biased;
                how = gate.death() => if how == "crashed" { Ended::Crashed } else { Ended::Stuck(how) },
                () = life => Ended::Done,
                () = tokio::time::sleep(STUCK_AFTER) => Ended::Stuck("nothing moves any more"),
            };
            (ended, clock.now())
        });
        // All tasks of the process end here, wherever they are.
        drop(runtime);
        self.now = now.plus_millis(10);
        Ok(Process { ended, counts: gate.count(|counts| counts.clone()) })
    }

    async fn live(&self, gate: Arc<Gate>, clock: Arc<VirtualClock>) {
        let queue = Arc::new(TimerQueue::new(clock.clone()));
        let asked = Arc::new(Notify::new());
        let stored = Arc::new(Gated { disk: self.disk.clone(), gate: gate.clone() });
        let world = service::World {
            journal: stored.clone(),
            machines: stored.clone(),
            starts: stored.clone(),
            queue: Arc::new(GatedQueue { queue: queue.clone(), gate: gate.clone() }),
            tasks: Arc::new(Functions {
                replies: self.scenario.functions.clone(),
                outside: self.outside.clone(),
                disk: self.disk.clone(),
                gate: gate.clone(),
                clock: clock.clone(),
                asked: asked.clone(),
            }),
            clock: clock.clone(),
        };
        let deliver = Deliver::new(world.clone(), &settings());
        wake_open(&*world.journal, &*world.queue).await;
        if gate.loses_messages() {
            let world = world.clone();
            tokio::spawn(async move {
                loop {
                    tokio::time::sleep(SWEEP).await;
                    wake_open(&*world.journal, &*world.queue).await;
                }
            });
        }
        tokio::spawn(look(deliver.clone(), queue));
        tokio::spawn(answer(deliver.clone(), self.outside.clone(), clock.clone(), asked));
        tokio::spawn(start_and_stop(deliver, self.machine.clone(), self.scenario.clone(), clock));
        self.closed().await;
    }

    async fn closed(&self) {
        loop {
            let mut closing = std::pin::pin!(self.disk.closings().notified());
            closing.as_mut().enable();
            if self.disk.is_closed(EXECUTION) {
                return;
            }
            closing.await;
        }
    }
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?)
}

fn settings() -> Settings {
    Settings {
        partition: "aws".into(),
        region: "us-east-1".into(),
        account: "123456789012".into(),
        key: [7; 32],
        retention_days: 90,
        role: Role::Alone,
        calls: 16,
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
        let Some((last, _)) = page.last() else { return };
        after = Some(last.clone());
        for (execution, due) in &page {
            while queue.send(execution, *due).await.is_err() {
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

/// Looks at whatever messages name.
async fn look(deliver: Arc<Deliver>, messages: Arc<TimerQueue>) {
    loop {
        let execution = messages.next().await;
        let deliver = deliver.clone();
        tokio::spawn(async move {
            // The message is not let go of before somebody has looked, or found that there is nothing.
            while let Err(error) = deliver.look(&execution).await
                && !matches!(error, DeliverError::NoSuchExecution)
            {
                tokio::time::sleep(AGAIN).await;
            }
        });
    }
}

/// The client: starts the execution until that is acknowledged, and stops it if the scenario says so.
async fn start_and_stop(
    deliver: Arc<Deliver>,
    machine: Arc<StateMachine>,
    scenario: Scenario,
    clock: Arc<VirtualClock>,
) {
    loop {
        let execution = Execution {
            arn: EXECUTION.into(),
            name: "one".into(),
            role_arn: ROLE.into(),
            machine_arn: MACHINE.into(),
            machine_name: "simulated".into(),
            region: "us-east-1".into(),
            started: clock.now(),
            input: Payload::from_value(scenario.input.clone()),
            limits: Limits { events: scenario.events.unwrap_or(Limits::STANDARD.events), ..Limits::STANDARD },
        };
        let seconds = machine.timeout_seconds.unwrap_or(execution.limits.seconds);
        let head = Head::new(&execution, seconds, REVISION.into());
        if deliver.start(Start { machine: machine.clone(), execution, head }).await.is_ok() {
            break;
        }
        tokio::time::sleep(AGAIN).await;
    }
    let Some(stop) = scenario.stop else { return };
    clock.sleep_until(BEGIN.plus_millis(i64::try_from(stop.after_ms).unwrap_or(i64::MAX))).await;
    while deliver.stop(EXECUTION, Failure::new(stop.error.clone(), stop.cause.clone())).await.is_err() {
        tokio::time::sleep(AGAIN).await;
    }
}

/// The people with task tokens: they repeat an answer until it is acknowledged.
async fn answer(deliver: Arc<Deliver>, outside: Shared, clock: Arc<VirtualClock>, asked: Arc<Notify>) {
    loop {
        let mut new = std::pin::pin!(asked.notified());
        new.as_mut().enable();
        let first = outside.lock().answers.iter().min_by_key(|pending| pending.at).cloned();
        let Some(pending) = first else {
            new.await;
            continue;
        };
        tokio::select! {
            biased;
            () = clock.sleep_until(pending.at) => give(&deliver, &outside, pending, &clock).await,
            () = new => {}
        }
    }
}

async fn give(deliver: &Arc<Deliver>, outside: &Shared, pending: PendingAnswer, clock: &VirtualClock) {
    let said = deliver.answer(&pending.execution, pending.wait.clone(), pending.answer.clone()).await;
    let mut outside = outside.lock();
    let same = |other: &PendingAnswer| other.execution == pending.execution && other.wait == pending.wait;
    match said {
        Ok(delivered) => {
            outside.answers.retain(|other| !same(other));
            if delivered.counted {
                outside.counted.push((pending.execution.clone(), pending.answer.clone()));
            }
        }
        Err(_) => {
            let later = clock.now().plus_seconds(AGAIN.as_secs());
            outside.answers.iter_mut().filter(|other| same(other)).for_each(|other| other.at = later);
        }
    }
}

fn shown(answer: &interpreter::Answer<Payload>) -> String {
    match answer {
        interpreter::Answer::Succeeded { output } => output.text().to_owned(),
        interpreter::Answer::Failed(failure) => failure.error.clone().unwrap_or_default(),
    }
}
