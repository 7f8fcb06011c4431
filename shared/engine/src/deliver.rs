//! The deliver loop: load -> step -> commit -> dispatch. Nothing else writes an execution.
//!
//! Whoever has something to say to an execution writes it a letter. While letters, calls in flight or short waits keep it
//! busy, one *holder* per process and execution folds what came together into one commit, as far as that takes it in
//! ([`Settings::commit_bytes`]), answers the letters once that is durable, and begins the calls whose claims were in it. A
//! holder that has nothing left to do arms one message for the earliest due time, unless there is one ([`watch`]), and lets
//! go. Two processes that hold the same execution race on the conditional append: the loser reads the winner's entries and
//! applies its letters behind them. A process that only answers ([`Deployment::ApiOnly`]) sends its message before it commits and
//! lets go at once; one whose time is short ([`Deliver::drive`]) begins no call that outlasts it, and leaves the rest to a
//! message.

mod burial;
mod calls;
mod contention;
mod express;
mod hold;
mod ledger;
mod left;
mod news;
mod rehearsal;
mod round;
mod term;
mod unbegun;
mod watch;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use asl::StateMachine;
use interpreter::{Answer, Execution, Failure, Payload, Stimulus, Timestamp, Wait};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tracing::Instrument;

use crate::definitions::{Definitions, Missing};
use crate::entry::{Head, Unreadable};
use crate::ports::{Record, StoreError, WakeUp};
use crate::tokens::Seal;
use crate::{Deployment, Settings, World};

pub use express::ExpressEnd;
pub use ledger::status_of;
pub(crate) use watch::EARLY_MS;

/// What an input may weigh before its execution counts as more than one.
const HAND_BYTES: usize = 16 << 10;

/// Delivers stimuli to executions, and does what they wait for.
pub struct Deliver {
    world: World,
    deployment: Deployment,
    seal: Seal,
    owner: String,
    /// Calls of tasks that may begin.
    calls: Arc<Semaphore>,
    /// Executions that may be in hand.
    max_active_executions: Arc<Semaphore>,
    /// Permits of `max_active_executions` in all.
    permits: usize,
    /// This process ends: it claims nothing more.
    draining: AtomicBool,
    /// See [`Settings::commit_bytes`].
    commit_bytes: usize,
    desks: Mutex<HashMap<String, mpsc::UnboundedSender<Letter>>>,
    definitions: Definitions,
    watches: watch::Watches,
}

/// Why a letter was not taken.
#[derive(Debug, Clone)]
pub enum DeliverError {
    NoSuchExecution,
    Store(StoreError),
    /// As many executions are in hand as may be: nothing was begun.
    Busy,
    /// What is stored cannot be read.
    Unreadable(Unreadable),
    /// The holder ended without an answer: a defect, contained to this execution.
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

/// What became of a start.
#[derive(Debug)]
pub enum Started {
    /// It is durable and on its way.
    New,
    /// There is one of that name; this is its first entry.
    Exists(Box<Record>),
}

/// What became of a letter, once what it changed is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivered {
    /// It changed something: the wait was still open, the execution still running.
    pub counted: bool,
    /// When the execution ended, if it has.
    pub closed: Option<Timestamp>,
    /// The execution's last record.
    pub sequence: u64,
}

/// What is said to an execution.
#[derive(Debug, Clone)]
enum Said {
    Look,
    Stop(Failure),
    Answered(Wait, Answer<Payload>),
    Heartbeat(Wait),
}

struct Letter {
    /// When it was written.
    at: Timestamp,
    said: Said,
    reply: oneshot::Sender<Result<Delivered, DeliverError>>,
}

impl Said {
    fn stimulus(&self, at: Timestamp) -> Stimulus {
        match self.clone() {
            Said::Look => Stimulus::Tick,
            Said::Stop(failure) => Stimulus::StopRequested(failure),
            Said::Answered(wait, answer) => Stimulus::TaskAnswered { wait, answer },
            Said::Heartbeat(wait) => Stimulus::TaskHeartbeat { wait, at },
        }
    }
}

impl Deliver {
    pub fn new(world: World, settings: &Settings) -> Arc<Deliver> {
        let seed = world.clock.seed();
        let permits = settings.max_active_executions.min(Semaphore::MAX_PERMITS);
        let owner = seed.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Arc::new(Deliver {
            definitions: Definitions::new(world.documents.clone()),
            world,
            deployment: settings.deployment,
            seal: Seal::new(settings.keys.clone()),
            owner,
            calls: Arc::new(Semaphore::new(settings.calls)),
            max_active_executions: Arc::new(Semaphore::new(permits)),
            permits,
            draining: AtomicBool::new(false),
            commit_bytes: settings.commit_bytes,
            desks: Mutex::new(HashMap::new()),
            watches: watch::Watches::default(),
        })
    }

    /// Names this process in claims.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// Begins the planned end of this process: it claims no more task calls, and each execution is released once its calls
    /// in flight have returned and their results are committed.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Permits of active executions that are taken, of which a large input takes several.
    pub fn active_executions(&self) -> usize {
        self.permits.saturating_sub(self.max_active_executions.available_permits())
    }

    /// The definitions that executions are pinned to.
    pub fn definitions(&self) -> &Definitions {
        &self.definitions
    }

    /// Starts an execution. When this returns `New`, it will end, whatever crashes.
    pub async fn start(self: &Arc<Self>, start: Start) -> Result<Started, DeliverError> {
        let arn = start.execution.arn.clone();
        let weight = (start.execution.input.text().len() / HAND_BYTES).saturating_add(1);
        let weight = u32::try_from(weight).unwrap_or(u32::MAX);
        let Ok(hand) = self.max_active_executions.clone().try_acquire_many_owned(weight) else {
            return Err(DeliverError::Busy);
        };
        let (told, hears) = oneshot::channel();
        let (sender, letters) = mpsc::unbounded_channel();
        let opened = {
            let mut desks = self.desks.lock().unwrap_or_else(PoisonError::into_inner);
            let free = !desks.contains_key(&arn);
            if free {
                desks.insert(arn.clone(), sender.clone());
                let desk = self.desk(arn.clone(), sender, Some(hand));
                let opening = hold::open(self.clone(), desk, letters, start, told);
                tokio::spawn(opening.instrument(span(&arn)));
            }
            free
        };
        if opened {
            return hears.await.unwrap_or(Err(DeliverError::Lost));
        }
        let ends = self.world.journal.ends(&arn).await?;
        ends.map(|(first, _)| Started::Exists(Box::new(first))).ok_or(DeliverError::Lost)
    }

    /// Ends a running execution.
    pub async fn stop(self: &Arc<Self>, arn: &str, failure: Failure) -> Result<Delivered, DeliverError> {
        self.say(arn, Said::Stop(failure)).await
    }

    /// Answers a wait for a task token.
    pub async fn answer(
        self: &Arc<Self>,
        arn: &str,
        wait: Wait,
        answer: Answer<Payload>,
    ) -> Result<Delivered, DeliverError> {
        self.say(arn, Said::Answered(wait, answer)).await
    }

    pub async fn heartbeat(self: &Arc<Self>, arn: &str, wait: Wait) -> Result<Delivered, DeliverError> {
        self.say(arn, Said::Heartbeat(wait)).await
    }

    /// A message named the execution: there may be something to do. Waits for its turn to take the execution in hand, and
    /// returns once the first commit is through.
    pub async fn look(self: &Arc<Self>, arn: &str) -> Result<Delivered, DeliverError> {
        // Never closed, so there is always a hand in the end.
        let hand = self.max_active_executions.clone().acquire_owned().await.ok();
        let (reply, hears) = oneshot::channel();
        self.post(arn, self.letter(Said::Look, reply), None, hand);
        hears.await.unwrap_or(Err(DeliverError::Lost))
    }

    /// A message came whose time it is.
    pub(crate) fn told(&self, wake_up: &WakeUp) {
        if let Some(due) = wake_up.due {
            self.watches.told(&wake_up.execution, due);
        }
    }

    /// Looks at an execution, and returns when nothing of it is in this process's hands any more, which is before
    /// `until` unless a call that was begun takes longer. What is left to do then, a message tells somebody else.
    pub async fn drive(self: &Arc<Self>, arn: &str, until: Timestamp) -> Result<Delivered, DeliverError> {
        let (reply, hears) = oneshot::channel();
        let holder = self.post(arn, self.letter(Said::Look, reply), Some(until), None);
        let delivered = hears.await.unwrap_or(Err(DeliverError::Lost));
        holder.closed().await;
        delivered
    }

    async fn say(self: &Arc<Self>, arn: &str, said: Said) -> Result<Delivered, DeliverError> {
        let (reply, hears) = oneshot::channel();
        // Whoever answers or stops is never kept waiting by what others started.
        let hand = self.max_active_executions.clone().try_acquire_owned().ok();
        self.post(arn, self.letter(said, reply), None, hand);
        hears.await.unwrap_or(Err(DeliverError::Lost))
    }

    fn letter(&self, said: Said, reply: oneshot::Sender<Result<Delivered, DeliverError>>) -> Letter {
        Letter { at: self.world.clock.now(), said, reply }
    }

    /// Brings a letter to the execution's holder, or to a new one, which holds until `until`.
    fn post(
        self: &Arc<Self>,
        arn: &str,
        letter: Letter,
        until: Option<Timestamp>,
        hand: Option<OwnedSemaphorePermit>,
    ) -> mpsc::UnboundedSender<Letter> {
        let mut desks = self.desks.lock().unwrap_or_else(PoisonError::into_inner);
        let letter = match desks.get(arn) {
            Some(sender) => match sender.send(letter) {
                Ok(()) => return sender.clone(),
                Err(back) => back.0,
            },
            None => letter,
        };
        let (sender, letters) = mpsc::unbounded_channel();
        let _receiver_is_here = sender.send(letter);
        desks.insert(arn.to_owned(), sender.clone());
        let resuming = hold::resume(self.clone(), self.desk(arn.to_owned(), sender.clone(), hand), letters, until);
        tokio::spawn(resuming.instrument(span(arn)));
        sender
    }

    fn desk(
        self: &Arc<Self>,
        arn: String,
        sender: mpsc::UnboundedSender<Letter>,
        hand: Option<OwnedSemaphorePermit>,
    ) -> Desk {
        Desk { deliver: self.clone(), arn, sender, _hand: hand }
    }
}

/// What is logged while an execution is in hand says which, and which request brought it.
fn span(execution: &str) -> tracing::Span {
    tracing::info_span!("execution", execution)
}

/// A holder's place: where letters for its execution arrive. Given up even when the holder panics.
struct Desk {
    deliver: Arc<Deliver>,
    arn: String,
    sender: mpsc::UnboundedSender<Letter>,
    _hand: Option<OwnedSemaphorePermit>,
}

impl Desk {
    /// Gives the place up, unless a letter is waiting: then here it is.
    fn leave(&self, letters: &mut mpsc::UnboundedReceiver<Letter>) -> Option<Letter> {
        let mut desks = self.deliver.desks.lock().unwrap_or_else(PoisonError::into_inner);
        match letters.try_recv() {
            Ok(letter) => Some(letter),
            Err(_) => {
                desks.remove(&self.arn);
                None
            }
        }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let mut desks = self.deliver.desks.lock().unwrap_or_else(PoisonError::into_inner);
        if desks.get(&self.arn).is_some_and(|sender| sender.same_channel(&self.sender)) {
            desks.remove(&self.arn);
        }
    }
}
