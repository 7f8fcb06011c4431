//! The deliver loop: load -> fold -> commit -> dispatch. Nothing else writes an execution.
//!
//! A request to an execution goes to its mailbox. While requests, calls in flight or short waits keep it busy, one actor
//! per process and execution folds what came together into one commit, as far as that takes it in
//! ([`Settings::commit_bytes`]), answers the requests once that is durable, and begins the calls whose claims were in it
//! ([`round`]). An actor that has nothing left to do queues one wake-up for the earliest due time, unless there is one
//! ([`wakeups`]), and lets go. Two processes that load the same execution race on the conditional append: the loser reads the
//! winner's entries and applies its requests behind them. A process that only answers ([`Deployment::ApiOnly`]) queues its
//! wake-up before it commits and lets go at once; one whose time is short ([`Deliver::drive`]) begins no call that outlasts
//! it, and leaves the rest to a wake-up.

mod activities;
mod actor;
mod calls;
mod cancels;
mod cell_access;
mod cell_answers;
mod cells;
mod claim;
#[cfg(test)]
mod example;
mod express;
mod force_fail;
mod inbox;
mod live;
mod loaded;
mod logs;
mod mailbox;
mod parked;
mod permits;
mod round;
mod steps;
mod stop_wish;
mod test_case_run;
mod time_budget;
mod unstarted_claims;
mod wakeups;

use std::sync::Arc;

use asl::StateMachine;
use interpreter::{Answer, Execution, Failure, Payload, Timestamp};
use sha2::{Digest, Sha256};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::Instrument;

use crate::definitions::{Definitions, Missing};
use crate::entry::{Head, Unreadable};
use crate::memory::{Memory, Shares};
use crate::ports::{Record, StoreError, WakeUp};
use crate::tokens::{Signer, TaskToken};
use crate::{Deployment, MachineStatuses, Settings, World};
use mailbox::{Command, Mailboxes, Redrive, Reply, Request, TokenWait};
use parked::Parked;
use permits::{Permit, Permits};

pub use activities::{Lease, LeasedTask};
pub(crate) use calls::completion;
pub use express::ExpressEnd;
pub use loaded::status_of;
pub(crate) use loaded::{LONGEST_APPEND_MS, LONGEST_ATTEMPT_MS};
pub(crate) use steps::beside_others;
pub(crate) use wakeups::EARLY_MS;

/// Delivers stimuli to executions, and makes the calls that they wait for.
pub struct Deliver {
    world: World,
    deployment: Deployment,
    signer: Signer,
    owner: String,
    permits: Permits,
    parked: Parked,
    memory: Arc<Memory>,
    /// This process ends: it claims nothing more.
    draining: watch::Sender<bool>,
    /// See [`Settings::commit_bytes`].
    commit_bytes: usize,
    mailboxes: Arc<Mailboxes>,
    definitions: Definitions,
    found_activities: activities::FoundActivities,
    statuses: MachineStatuses,
    queued: wakeups::Queued,
}

/// Why a request failed.
#[derive(Debug, Clone)]
pub enum DeliverError {
    NoSuchExecution,
    Store(StoreError),
    /// As many executions are loaded as may be: nothing was begun.
    Busy,
    /// The stored execution cannot be read.
    Unreadable(Unreadable),
    /// The actor ended without an answer: a defect, contained to this execution.
    Lost,
}

impl From<StoreError> for DeliverError {
    fn from(error: StoreError) -> Self {
        DeliverError::Store(error)
    }
}

impl From<Unreadable> for DeliverError {
    fn from(error: Unreadable) -> Self {
        DeliverError::Unreadable(error)
    }
}

impl From<Missing> for DeliverError {
    fn from(missing: Missing) -> Self {
        match missing {
            Missing::Store(error) => DeliverError::Store(error),
            Missing::Unreadable(what) => DeliverError::Unreadable(what),
        }
    }
}

/// An execution to be started.
pub struct Start {
    pub machine: Arc<StateMachine>,
    pub execution: Execution,
    pub head: Head,
}

/// The outcome of a start.
#[derive(Debug)]
pub enum Started {
    /// It is durable and on its way.
    New,
    /// There is one of that name; this is its first entry.
    Exists(Box<Record>),
}

/// The outcome of a request, once its change is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// It changed something: the wait was still open, the execution still running.
    pub counted: bool,
    /// It did not, because the wait was given up when a branch beside it failed.
    pub cancelled: bool,
    /// When the execution ended, if it has.
    pub closed: Option<Timestamp>,
    /// When it was redriven last, if it was.
    pub redriven: Option<Timestamp>,
    /// The execution's last record.
    pub sequence: u64,
    /// The answer to a request for a lease.
    pub lease: Option<Lease>,
}

impl Deliver {
    pub fn new(world: World, settings: &Settings) -> Arc<Deliver> {
        let seed = world.clock.seed();
        let owner = seed.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Arc::new(Deliver {
            definitions: Definitions::new(world.documents.clone(), Shares::of(settings.memory).definitions),
            statuses: MachineStatuses::new(world.documents.clone(), settings.deployment),
            world,
            deployment: settings.deployment,
            signer: Signer::new(settings.keys.clone()),
            owner,
            permits: Permits::new(settings.calls, settings.max_active_executions),
            parked: Parked::default(),
            memory: Memory::new(Shares::of(settings.memory).executions),
            draining: watch::Sender::new(false),
            commit_bytes: settings.commit_bytes,
            mailboxes: Arc::default(),
            found_activities: activities::FoundActivities::default(),
            queued: wakeups::Queued::default(),
        })
    }

    /// Names this process in claims.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// Begins the planned end of this process: it claims no more task calls, and each execution is released once its calls
    /// in flight have returned and their results are committed.
    pub fn drain(&self) {
        self.draining.send_replace(true);
    }

    /// False while executions hold more than their share of the memory budget.
    pub fn has_memory(&self) -> bool {
        self.memory.has_room()
    }

    fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }

    /// Waits until the planned end of this process begins.
    pub async fn draining(&self) {
        // The sender is in `self`, so the channel stays open.
        let mut draining = self.draining.subscribe();
        let _begun = draining.wait_for(|draining| *draining).await;
    }

    /// Executions that this process has in memory: their calls are in flight, or something is due within a second.
    pub fn active_executions(&self) -> usize {
        self.mailboxes.open_ones()
    }

    /// The definitions that executions are pinned to.
    pub fn definitions(&self) -> &Definitions {
        &self.definitions
    }

    /// Which state machines are deleted: a change of a machine's document is told to it.
    pub fn statuses(&self) -> &MachineStatuses {
        &self.statuses
    }

    /// Starts an execution. When this returns `New`, it will end, whatever crashes.
    pub async fn start(self: &Arc<Self>, start: Start) -> Result<Started, DeliverError> {
        let arn = start.execution.arn.clone();
        if !self.memory.has_room() {
            return Err(DeliverError::Busy);
        }
        let Some(place) = self.permits.for_start(&arn, start.execution.input.text().len()) else {
            return Err(DeliverError::Busy);
        };
        if let Some(mailbox) = self.mailboxes.open(&arn) {
            let (reply, answered) = oneshot::channel();
            self.spawn(&arn, actor::start(self.clone(), mailbox, start, reply, place));
            return answered.await.unwrap_or(Err(DeliverError::Lost));
        }
        let ends = self.world.journal.ends(&arn).await?;
        ends.map(|(first, _)| Started::Exists(Box::new(first))).ok_or(DeliverError::Lost)
    }

    /// Ends a running execution.
    pub async fn stop(self: &Arc<Self>, arn: &str, failure: Failure) -> Result<Delivered, DeliverError> {
        self.request(arn, Command::Stop(failure)).await
    }

    /// Goes on with an execution that ended without success. It counts if the execution had ended, can go on, and this token
    /// has not redriven it before.
    pub async fn redrive(self: &Arc<Self>, arn: &str, client_token: Option<&str>) -> Result<Delivered, DeliverError> {
        let redrive = Redrive { at: self.world.clock.now(), token: client_token.map(token_hash) };
        self.request(arn, Command::Redrive(redrive)).await
    }

    /// Answers the wait of a task token.
    pub async fn answer(
        self: &Arc<Self>,
        token: &TaskToken,
        answer: Answer<Payload>,
    ) -> Result<Delivered, DeliverError> {
        self.request(&token.execution, Command::Answer(token_wait(token), answer)).await
    }

    pub async fn heartbeat(self: &Arc<Self>, token: &TaskToken) -> Result<Delivered, DeliverError> {
        self.request(&token.execution, Command::Heartbeat(token_wait(token))).await
    }

    /// A message named the execution: there may be something to do. Returns once the first commit is durable.
    pub async fn wake(self: &Arc<Self>, arn: &str) -> Result<Delivered, DeliverError> {
        self.request(arn, Command::Wake).await
    }

    /// A wake-up came at its time.
    pub(crate) fn delivered(&self, wake_up: &WakeUp) {
        if let Some(due) = wake_up.due {
            self.queued.delivered(&wake_up.execution, due);
        }
    }

    /// The job of a wait has ended: its task is polled. A signal that is lost only delays that.
    pub async fn job_ended(self: &Arc<Self>, of: &TaskToken) -> Result<Delivered, DeliverError> {
        self.request(&of.execution, Command::JobEnded(token_wait(of))).await
    }

    /// Signals the end of a nested execution to the execution that waits for it.
    async fn tell_parent(self: &Arc<Self>, parent: &TaskToken) {
        match self.deployment {
            Deployment::SingleProcess => {
                let (request, _answered) = Request::new(Command::JobEnded(token_wait(parent)), self.world.clock.now());
                self.post(&parent.execution, request, Visit::default());
            }
            Deployment::ApiOnly | Deployment::SharedWorker => {
                let wake_up = WakeUp { ended: Some(parent.clone()), ..WakeUp::of(&parent.execution, None) };
                if let Err(error) = self.world.queue.send(wake_up).await {
                    let execution = &parent.execution;
                    tracing::warn!(execution, %error, "end of a nested execution not signalled, left to the next poll");
                }
            }
        }
    }

    /// Wakes an execution, tells it of jobs that have ended, and returns when this process keeps nothing of it any more,
    /// which is before `until` unless a call that was begun takes longer. The rest has a wake-up then.
    pub async fn drive(
        self: &Arc<Self>,
        arn: &str,
        ended: &[TaskToken],
        until: Timestamp,
    ) -> Result<Delivered, DeliverError> {
        for of in ended {
            let (request, _answered) = Request::new(Command::JobEnded(token_wait(of)), self.world.clock.now());
            self.post(arn, request, Visit { until: Some(until), call: None });
        }
        let (request, answered) = Request::new(Command::Wake, self.world.clock.now());
        let actor = self.post(arn, request, Visit { until: Some(until), call: None });
        let delivered = answered.await.unwrap_or(Err(DeliverError::Lost));
        actor.closed().await;
        delivered
    }

    async fn request(self: &Arc<Self>, arn: &str, command: Command) -> Reply {
        let (request, answered) = Request::new(command, self.world.clock.now());
        self.post(arn, request, Visit::default());
        answered.await.unwrap_or(Err(DeliverError::Lost))
    }

    /// Brings a request to the execution's actor, or to a new one.
    fn post(self: &Arc<Self>, arn: &str, request: Request, visit: Visit) -> mpsc::UnboundedSender<Request> {
        let posted = self.mailboxes.post(arn, request);
        if let Some(mailbox) = posted.opened {
            let place = self.permits.for_visit(arn);
            self.spawn(arn, actor::resume(self.clone(), mailbox, visit, place));
        }
        posted.actor
    }

    /// Runs an actor.
    fn spawn(&self, arn: &str, actor: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(actor.instrument(span(arn)));
    }
}

/// What a request brings along for the actor that it makes necessary.
#[derive(Default)]
struct Visit {
    /// The actor keeps the execution until then.
    until: Option<Timestamp>,
    /// The right to one call, which the execution has waited for.
    call: Option<Permit>,
}

fn token_wait(token: &TaskToken) -> TokenWait {
    TokenWait { wait: token.wait(), started: token.started }
}

/// The hash by which a client's token is known: tokens themselves are not stored.
pub fn token_hash(client_token: &str) -> String {
    let digest = Sha256::digest(client_token.as_bytes());
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// Each log line of an actor names its execution.
fn span(execution: &str) -> tracing::Span {
    tracing::info_span!("execution", execution)
}
