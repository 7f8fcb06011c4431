//! Where a process is made to fail, and the gate through which all its port calls go.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use engine::ports::StoreError;
use tokio::sync::Notify;

use super::Chance;
use super::log::Log;
use super::ports::VirtualClock;

/// A process that makes more port calls than this is going round in circles.
const MOST_POINTS: u64 = 200_000;

/// One of so many commits is slow, where calls take their time, and takes so long at most.
const SLOW_COMMITS: u64 = 40;
const SLOWEST_MS: u64 = 25_000;

/// The faults of one process. Points and calls are counted from 1.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// The process dies at this point. Every port call has two: before its effect and after it.
    pub crash_at: Option<u64>,
    /// These calls of the store or the queue answer with an error.
    pub failing: BTreeMap<u64, Failing>,
    /// These messages never arrive.
    pub lost: BTreeSet<u64>,
    /// These messages arrive twice.
    pub doubled: BTreeSet<u64>,
    /// At these points the process stands still for so many milliseconds, while others go on.
    pub stalls: BTreeMap<u64, u64>,
    /// At these points the process's clock is set ahead, or back, by so many milliseconds.
    pub clock_steps: BTreeMap<u64, i64>,
    /// These commits take so many milliseconds, half of them before they are visible.
    pub slow_commits: BTreeMap<u64, u64>,
    /// So many milliseconds more go by at each point: others are faster, and win every race.
    pub slow_ms: u64,
    /// How long port calls take, by chance from this seed; a millisecond at each point unless it is there.
    pub latency: Option<u64>,
}

/// How a call fails.
#[derive(Debug, Clone, Copy)]
pub struct Failing {
    pub effect: Effect,
    pub retryable: bool,
}

/// Whether a call that answers with an error did what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    None,
    Happened,
}

impl Plan {
    pub fn crash_at(point: u64) -> Plan {
        Plan { crash_at: Some(point), ..Plan::default() }
    }

    pub fn stalls_at(point: u64, millis: u64) -> Plan {
        Plan { stalls: BTreeMap::from([(point, millis)]), ..Plan::default() }
    }

    /// The clock is set ahead, or back.
    pub fn clock_steps_at(point: u64, millis: i64) -> Plan {
        Plan { clock_steps: BTreeMap::from([(point, millis)]), ..Plan::default() }
    }

    pub fn slower_by(millis: u64) -> Plan {
        Plan { slow_ms: millis, ..Plan::default() }
    }

    /// So many commits from one on take so long.
    pub fn slow_from(commit: u64, commits: u64, millis: u64) -> Plan {
        Plan { slow_commits: (commit..commit + commits).map(|commit| (commit, millis)).collect(), ..Plan::default() }
    }

    /// Up to `most` failing calls among the first `calls`.
    pub fn failing_calls(chance: &mut Chance, calls: u64, most: u64) -> BTreeMap<u64, Failing> {
        (0..chance.up_to(most))
            .map(|_| {
                let effect = if chance.up_to(2) == 1 { Effect::None } else { Effect::Happened };
                (chance.up_to(calls), Failing { effect, retryable: chance.up_to(3) > 1 })
            })
            .collect()
    }
}

/// The calls of a process so far.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// Moments at which it could have crashed.
    pub points: u64,
    /// Calls of the store or the queue.
    pub calls: u64,
    pub messages: u64,
    /// Bytes of each record that was offered to the journal.
    pub appends: Vec<usize>,
    /// Entries that were read back.
    pub loads: u64,
    /// Answers that were left in cells.
    pub cells: u64,
}

/// The one way to the ports: counts, and fails where the plan says.
pub struct Gate {
    plan: Plan,
    latency: Option<Mutex<Chance>>,
    counts: Mutex<Counts>,
    crashed: Mutex<Option<&'static str>>,
    down: Notify,
    clock: OnceLock<Arc<VirtualClock>>,
    name: String,
    log: Log,
}

impl Gate {
    pub fn new(plan: Plan) -> Gate {
        Gate::of("the process".into(), plan, Log::default())
    }

    /// The gate of a process with a name, whose calls are told to the log.
    pub fn of(name: String, plan: Plan, log: Log) -> Gate {
        let latency = plan.latency.map(|seed| Mutex::new(Chance::new(seed)));
        Gate {
            plan,
            latency,
            counts: Mutex::default(),
            crashed: Mutex::new(None),
            down: Notify::new(),
            clock: OnceLock::new(),
            name,
            log,
        }
    }

    /// The clock that the plan sets back.
    pub fn watches(&self, clock: Arc<VirtualClock>) {
        self.clock.get_or_init(|| clock);
    }

    /// Goes through with a call of the store or the queue.
    pub async fn pass<T>(&self, call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        self.point().await;
        let answer = match self.fault() {
            None => call.await,
            Some(Failing { effect, retryable }) => {
                if effect == Effect::Happened {
                    let _the_caller_never_learns = call.await;
                }
                let number = self.count(|counts| counts.calls);
                Err(StoreError { message: format!("planned for call {number}"), retryable })
            }
        };
        self.point().await;
        answer
    }

    /// Goes through with the next commit, which may take longer than anything else.
    pub async fn commit<T>(
        &self,
        bytes: usize,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let number = self.count(|counts| {
            counts.appends.push(bytes);
            counts.appends.len() as u64
        });
        let planned = self.plan.slow_commits.get(&number).copied();
        let half = Duration::from_millis(planned.unwrap_or_else(|| self.drawn_slowness()) / 2);
        let slow = async {
            tokio::time::sleep(half).await;
            let answer = call.await;
            tokio::time::sleep(half).await;
            answer
        };
        self.pass(slow).await
    }

    /// Where calls take their time, a commit takes very long now and then: the store is throttled.
    fn drawn_slowness(&self) -> u64 {
        let Some(latency) = &self.latency else { return 0 };
        let mut chance = latency.lock().unwrap_or_else(PoisonError::into_inner);
        if chance.up_to(SLOW_COMMITS) == 1 { chance.up_to(SLOWEST_MS) } else { 0 }
    }

    /// How the next call fails, if it does. To be asked once for each.
    pub fn fault(&self) -> Option<Failing> {
        let number = self.count(|counts| {
            counts.calls += 1;
            counts.calls
        });
        self.plan.failing.get(&number).copied()
    }

    /// A moment at which the process may die: then this never returns, nor does any later point.
    pub async fn point(&self) {
        // Nothing in the world is immediate: others get their turn.
        tokio::time::sleep(self.pause() + Duration::from_millis(self.plan.slow_ms)).await;
        let point = self.count(|counts| {
            counts.points += 1;
            counts.points
        });
        if let Some(millis) = self.plan.stalls.get(&point) {
            tokio::time::sleep(Duration::from_millis(*millis)).await;
        }
        if let (Some(millis), Some(clock)) = (self.plan.clock_steps.get(&point), self.clock.get()) {
            clock.step(*millis);
        }
        if self.plan.crash_at == Some(point) {
            self.go_down("crashed");
        } else if point > MOST_POINTS {
            self.go_down("goes round in circles");
        }
        if self.is_down().is_some() {
            std::future::pending::<()>().await;
        }
    }

    /// Mostly milliseconds; now and then longer than a client's timeout.
    fn pause(&self) -> Duration {
        let Some(latency) = &self.latency else { return Duration::from_millis(1) };
        let mut chance = latency.lock().unwrap_or_else(PoisonError::into_inner);
        let most = match chance.up_to(1_000) {
            1 => 12_000,
            2..=10 => 1_500,
            11..=100 => 100,
            _ => 8,
        };
        Duration::from_millis(chance.up_to(most))
    }

    pub fn say(&self, line: impl FnOnce() -> String) {
        self.log.say(|| format!("{}: {}", self.name, line()));
    }

    /// The process dies now.
    pub fn kill(&self) {
        self.go_down("crashed");
    }

    /// How often the next message arrives.
    pub fn copies(&self) -> u64 {
        let number = self.count(|counts| {
            counts.messages += 1;
            counts.messages
        });
        if self.plan.lost.contains(&number) {
            return 0;
        }
        if self.plan.doubled.contains(&number) { 2 } else { 1 }
    }

    pub fn count<T>(&self, count: impl FnOnce(&mut Counts) -> T) -> T {
        count(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until the process has died, and says how.
    pub async fn death(&self) -> &'static str {
        loop {
            let mut down = std::pin::pin!(self.down.notified());
            down.as_mut().enable();
            if let Some(how) = self.is_down() {
                return how;
            }
            down.await;
        }
    }

    /// True when the plan loses messages, which only a sweep makes good.
    pub fn loses_messages(&self) -> bool {
        !self.plan.lost.is_empty()
    }

    /// True when the plan has calls fail.
    pub fn fails(&self) -> bool {
        !self.plan.failing.is_empty()
    }

    pub fn is_down(&self) -> Option<&'static str> {
        *self.crashed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn go_down(&self, how: &'static str) {
        *self.crashed.lock().unwrap_or_else(PoisonError::into_inner) = Some(how);
        self.say(|| how.to_owned());
        self.down.notify_waiters();
    }
}
