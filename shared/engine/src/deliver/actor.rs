//! The actor of one execution: loads it, goes round while it has something to do, lets go of it.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use interpreter::{Snapshot, Stimulus, Timestamp, Wait};
use tokio::sync::oneshot;

use super::calls::Calls;
use super::cancels::Cancels;
use super::inbox::{Inbox, TimedStimulus};
use super::loaded::{LoadedExecution, Reading};
use super::mailbox::{Command, Mailbox, Request};
use super::permits::{Permit, Turn};
use super::round::Rounded;
use super::time_budget::TimeBudget;
use super::unstarted_claims::UnstartedClaims;
use super::wakeups::{BeforeCommit, NEAR_MS, Outstanding, Wakeups};
use super::{Deliver, DeliverError, Delivered, Start, Started, Visit};
use crate::Deployment;
use crate::memory::Holding;
use crate::ports::{StoreError, WakeUp};

/// Rounds lost against other writers before requests are refused because the store is busy.
const LOST_RACES: u32 = 32;
/// Rounds that an answer, or the wish to stop, loses before it goes into a cell.
const RACES_OF_ANSWERS: u32 = 3;
/// Pause before completions, which must not be lost, are offered to a failing store again.
const STORE_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause before a failing store is asked again.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

pub(super) struct Actor {
    pub(super) deliver: Arc<Deliver>,
    pub(super) loaded: LoadedExecution,
    pub(super) calls: Calls,
    pub(super) cancels: Cancels,
    pub(super) inbox: Inbox,
    pub(super) unstarted: UnstartedClaims,
    pub(super) budget: TimeBudget,
    pub(super) wakeups: Wakeups,
    /// The right to one call that was waited for, until the next round.
    pub(super) permit: Option<Permit>,
    /// The right to be kept in memory while nothing can be done at once.
    place: Option<Permit>,
    /// What its payloads take of the memory budget.
    pub(super) holding: Holding,
    /// The execution has just been read, and nothing was written since.
    pub(super) just_loaded: bool,
}

/// Writes the first entry of an execution, then keeps it.
pub(super) async fn start(
    deliver: Arc<Deliver>,
    mailbox: Mailbox,
    start: Start,
    reply: oneshot::Sender<Result<Started, DeliverError>>,
    place: Permit,
) {
    let snapshot = Snapshot::begin(&start.machine, start.execution);
    let loaded = LoadedExecution::new(start.machine, snapshot, start.head);
    let mut actor = Actor::new(deliver, loaded, mailbox, Visit::default(), Some(place));
    let started = TimedStimulus { at: actor.now(), stimulus: Stimulus::Started };
    actor.inbox.add_completions([started]);
    match actor.round(&[]).await {
        Ok(Rounded::Durable(_)) => {
            let _gone = reply.send(Ok(Started::New));
            actor.run().await;
        }
        Ok(Rounded::Taken(winner)) => {
            let _gone = reply.send(Ok(Started::Exists(winner)));
            // It may be ours, of a call whose outcome is unknown: then no other actor has it.
            resume(actor.deliver, actor.inbox.into_mailbox(), Visit::default(), actor.place).await;
        }
        Err(error) => {
            let _gone = reply.send(Err(error.into()));
            settle_start(actor).await;
        }
    }
}

/// Finds out whether a start that failed was written after all. Then it needs an actor.
async fn settle_start(mut actor: Actor) {
    let mut pause = STORE_PAUSE;
    loop {
        tokio::time::sleep(pause).await;
        pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
        match actor.reload().await {
            Ok(()) => return actor.run().await,
            Err(DeliverError::Store(error)) => actor.inbox.refuse_requests(&Err(DeliverError::Store(error))),
            Err(not_there) => return actor.inbox.into_mailbox().answer_all_and_close(&Err(not_there)),
        }
    }
}

/// Loads an execution because of a request, then keeps it as long as `visit` and its place allow.
pub(super) async fn resume(deliver: Arc<Deliver>, mut mailbox: Mailbox, visit: Visit, place: Option<Permit>) {
    deliver.memory.room().await;
    match LoadedExecution::load(&deliver, mailbox.execution(), Reading::Usual).await {
        Ok(loaded) => Actor::new(deliver, loaded, mailbox, visit, place).run().await,
        Err(error) => {
            let reply = deliver.without_reading(mailbox.execution(), error).await;
            mailbox.answer_all_and_close(&reply);
        }
    }
}

/// Why an actor goes on.
enum Woken {
    Request(Request),
    Completed(Vec<TimedStimulus>),
    Due,
    LetGo,
}

impl Actor {
    fn new(
        deliver: Arc<Deliver>,
        loaded: LoadedExecution,
        mailbox: Mailbox,
        visit: Visit,
        place: Option<Permit>,
    ) -> Actor {
        let (budget, inbox) = (TimeBudget::new(visit.until), Inbox::new(mailbox));
        let wakeups = Wakeups::new(deliver.deployment, budget.is_endless());
        let (calls, cancels, unstarted) = (Calls::default(), Cancels::default(), UnstartedClaims::default());
        let (permit, just_loaded) = (visit.call, true);
        let holding = deliver.memory.hold(loaded.live.held_bytes());
        Actor {
            deliver,
            loaded,
            calls,
            cancels,
            inbox,
            unstarted,
            budget,
            wakeups,
            permit,
            place,
            holding,
            just_loaded,
        }
    }

    /// Goes round until the execution needs no actor.
    async fn run(mut self) {
        self.enqueue_again().await;
        let mut fate = self.give_up_dead_claims().await;
        while fate.is_continue() {
            self.collect_completions();
            if self.deliver.deployment.performs_tasks() {
                self.cancels.begin(&self.deliver, &self.loaded.live).await;
            }
            let mut requests = self.inbox.take_requests();
            if requests.is_empty() && self.inbox.completions().is_empty() && !self.has_work() {
                match self.wait().await {
                    Woken::Request(request) => requests.push(request),
                    Woken::Completed(completions) => self.inbox.add_completions(completions),
                    Woken::Due => {}
                    Woken::LetGo => return,
                }
            }
            fate = self.deliver_round(requests).await;
        }
        if let ControlFlow::Break(error) = fate {
            let reply = self.deliver.without_reading(&self.loaded.head.arn, error).await;
            self.inbox.into_mailbox().answer_all_and_close(&reply);
        }
    }

    /// Something can be done at once.
    fn has_work(&self) -> bool {
        if !self.unstarted.is_empty() {
            return true;
        }
        let (live, now) = (&self.loaded.live, self.now());
        if !self.deliver.deployment.performs_tasks() || !live.snapshot.is_open() || self.budget.is_over(now) {
            return false;
        }
        let may_call = self.permit.is_some() || self.deliver.permits.has_call(&self.loaded.head.arn);
        let claimable = self.may_claim() && may_call && live.snapshot.unclaimed().next().is_some();
        let unapplied = self.loaded.cells.has_unapplied_answers(live) || self.loaded.wished_stop().is_some();
        unapplied || live.snapshot.ready().next().is_some() || live.is_due(now) || claimable
    }

    /// Neither this actor's time nor the process is about to end.
    fn may_claim(&self) -> bool {
        !self.budget.is_exceeded() && !self.deliver.is_draining()
    }

    /// Waits for the next thing to do, or lets go.
    async fn wait(&mut self) -> Woken {
        self.permit = None;
        let (snapshot, now) = (&self.loaded.live.snapshot, self.now());
        let due = snapshot.due();
        let stays = self.deliver.deployment.performs_tasks() && !self.budget.is_over(now);
        let near = stays
            && self.has_place()
            && !self.deliver.is_draining()
            && due.is_some_and(|due| due.0.saturating_sub(now.0) <= NEAR_MS);
        let starved = stays && self.may_claim() && snapshot.is_open() && snapshot.unclaimed().next().is_some();
        let parks = starved && self.may_park();
        if self.calls.is_empty() && self.cancels.is_empty() && !near && (!starved || parks) {
            return self.let_go(parks).await;
        }
        // Given up when anything else comes first: a round takes all the permits that there are, and a turn that was kept would
        // bring one, and so one commit for one call.
        let mut turn = starved.then(|| self.deliver.permits.call(&self.loaded.head.arn));
        let wake = self.budget.or_end(due).filter(|_| stays);
        let clock = self.deliver.world.clock.clone();
        let at = || clock.now();
        tokio::select! {
            // The same world gives the same run.
            biased;
            Some(request) = self.inbox.next_request() => Woken::Request(request),
            completions = self.calls.next(at) => Woken::Completed(completions),
            completions = self.cancels.next(at) => Woken::Completed(completions),
            () = clock.sleep_until(wake.unwrap_or(Timestamp(i64::MAX))), if wake.is_some() => Woken::Due,
            Some(permit) = turn_of(&mut turn), if starved => {
                self.permit = permit;
                Woken::Due
            }
        }
    }

    /// May keep the execution while nothing can be done at once. A worker whose time ends has its messages as places.
    fn has_place(&self) -> bool {
        (self.place.is_some() && self.deliver.memory.has_room()) || !self.budget.is_endless()
    }

    /// May let go of an execution that can begin a call, and come back when it is its turn: elsewhere a message would bring it
    /// to another process at once.
    fn may_park(&self) -> bool {
        let crowded = self.place.is_none() || self.deliver.permits.is_crowded() || !self.deliver.memory.has_room();
        !self.deliver.deployment.has_peers() && self.budget.is_endless() && crowded
    }

    /// Queues a wake-up for what is due, unless there is one, then closes the mailbox, unless a request has come. An API
    /// process has queued its wake-up before it committed. `parks`: the calls that can begin wait for their turn.
    async fn let_go(&mut self, parks: bool) -> Woken {
        let (now, execution) = (self.now(), &self.loaded.head.arn);
        let unarmed = Outstanding::of(&self.loaded.live, &self.loaded.cells)
            .filter(|_| self.deliver.deployment.performs_tasks())
            .map(|outstanding| if parks { outstanding.without_beginning() } else { outstanding })
            .filter(|outstanding| !outstanding.is_armed(execution, &self.deliver.queued, now));
        if let Some(outstanding) = unarmed
            && let Err(error) = self.arm(&outstanding, now).await
        {
            tracing::error!(execution = self.loaded.head.arn, %error, "wake-up not queued, retrying in a second");
            tokio::time::sleep(STORE_PAUSE).await;
            return Woken::Due;
        }
        match self.inbox.close() {
            Some(request) => Woken::Request(request),
            None => {
                if parks {
                    self.deliver.park(&self.loaded.head.arn);
                }
                Woken::LetGo
            }
        }
    }

    /// Queues what has to be on its way before a commit.
    pub(super) async fn arm_before_commit(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let Some(outstanding) = Outstanding::of(&self.loaded.live, &self.loaded.cells) else { return Ok(()) };
        match self.wakeups.before_commit(&outstanding, self.budget.is_over(now), now) {
            BeforeCommit::Nothing => Ok(()),
            BeforeCommit::Arm => self.arm(&outstanding, now).await,
            BeforeCommit::Announce => {
                let announces = Some(self.loaded.sequence.map_or(0, |last| last + 1));
                let wake_up = outstanding.wake_up(&self.loaded.head.arn, outstanding.due);
                self.deliver.world.queue.send(WakeUp { announces, ..wake_up }).await
            }
        }
    }

    /// Queues a wake-up for the earliest due time, and remembers it.
    async fn arm(&mut self, outstanding: &Outstanding, now: Timestamp) -> Result<(), StoreError> {
        let execution = &self.loaded.head.arn;
        let wake_up = outstanding.wake_up(execution, outstanding.due);
        let due = wake_up.due;
        self.deliver.world.queue.send(wake_up).await?;
        if let Some(due) = due {
            self.deliver.queued.sent(execution, due, now);
        }
        Ok(())
    }

    /// The time is too short for a call that could begin: other workers are woken now, not when all calls are back.
    pub(super) async fn hand_over(&mut self) {
        let Some(outstanding) = Outstanding::of(&self.loaded.live, &self.loaded.cells) else { return };
        let execution = &self.loaded.head.arn;
        let wake_up = outstanding.wake_up(execution, self.now());
        if let Err(error) = self.deliver.world.queue.send(wake_up).await {
            tracing::warn!(execution, %error, "wake-up not queued, retrying when the calls in flight return");
        }
    }

    /// Folds what came together into one commit, and answers the requests. Breaks when there is nothing to keep any more:
    /// what is stored is gone, or a newer version wrote it, or it is damaged.
    async fn deliver_round(&mut self, requests: Vec<Request>) -> ControlFlow<DeliverError> {
        let came = requests.len();
        let requests = self.write_heartbeats(requests).await;
        if came > 0 && requests.is_empty() && self.inbox.completions().is_empty() {
            return ControlFlow::Continue(());
        }
        match self.try_round(&requests).await {
            Ok(counted) => {
                self.reply(requests, counted);
                ControlFlow::Continue(())
            }
            Err(error) => {
                // Completions are offered until the store takes them. Requests are refused at once.
                for request in requests {
                    request.answer(Err(error.clone()));
                }
                self.recover(error).await
            }
        }
    }

    /// Reads the execution anew after a commit failed, and offers the completions until the store takes them.
    async fn recover(&mut self, mut error: DeliverError) -> ControlFlow<DeliverError> {
        loop {
            tracing::error!(execution = self.loaded.head.arn, ?error, "commit failed, reloading the execution");
            tokio::time::sleep(STORE_PAUSE).await;
            self.inbox.refuse_requests(&Err(error.clone()));
            // The loaded state was stepped and not written, or written without our knowing: the journal decides.
            error = match self.reload().await {
                Ok(()) => {
                    self.collect_completions();
                    let dead = self.dead_claims();
                    self.inbox.add_completions(dead);
                    if self.inbox.completions().is_empty() {
                        return ControlFlow::Continue(());
                    }
                    match self.try_round(&[]).await {
                        Ok(_) => return ControlFlow::Continue(()),
                        Err(error) => error,
                    }
                }
                Err(busy @ DeliverError::Store(_)) => busy,
                Err(over) => return ControlFlow::Break(over),
            };
        }
    }

    fn reply(&mut self, requests: Vec<Request>, counted: Vec<Option<bool>>) {
        for (request, counted) in requests.into_iter().zip(counted) {
            match counted {
                Some(counted) => {
                    let reply = self.delivered_to(&request.command, counted);
                    request.answer(Ok(reply));
                }
                None => self.inbox.postpone(request),
            }
        }
    }

    pub(super) fn delivered(&self, counted: bool, command: &Command) -> Delivered {
        let cancelled = !counted && self.loaded.was_cancelled(command);
        let (closed, redriven) = (self.loaded.closed_at(), self.loaded.redriven_at());
        let sequence = self.loaded.sequence.unwrap_or(0);
        Delivered { counted, cancelled, closed, redriven, sequence, lease: None }
    }

    fn delivered_to(&self, command: &Command, counted: bool) -> Delivered {
        let lease = match command {
            Command::Lease(of, _) => Some(self.lease(&of.wait, counted)),
            Command::Wake | Command::Stop(_) | Command::Redrive(_) => None,
            Command::Answer(..) | Command::Heartbeat(_) | Command::JobEnded(_) => None,
        };
        Delivered { lease, ..self.delivered(counted, command) }
    }

    /// Rounds until one is committed; after a lost race the others' entries are read first. Answers which requests counted,
    /// where they had their turn.
    async fn try_round(&mut self, requests: &[Request]) -> Result<Vec<Option<bool>>, DeliverError> {
        let just_loaded = std::mem::take(&mut self.just_loaded);
        let has_peers = self.deliver.deployment.has_peers();
        let reading = reading_for(requests);
        let unread = reading == Reading::WithKept && self.loaded.is_kept_unread();
        // What this actor saw closed, another process may have redriven since: a wake-up may be about that.
        let reopened = has_peers && !just_loaded && !requests.is_empty() && !self.loaded.live.snapshot.is_open();
        if unread || reopened || (has_peers && requests.iter().any(|request| self.loaded.lacks(&request.command))) {
            // Another process may have written what it is about since this was read.
            self.read_again(reading).await?;
        } else if !just_loaded {
            self.refresh_cells(requests).await?;
        }
        if self.may_use_cells(requests) && self.has_settled_cells(requests) {
            return self.answer_in_cells(requests).await;
        }
        for lost in 1..=LOST_RACES {
            match self.round(requests).await? {
                Rounded::Durable(counted) => return Ok(counted),
                Rounded::Taken(_) => self.read_again(reading).await?,
            }
            if lost >= RACES_OF_ANSWERS && self.may_use_cells(requests) {
                return self.answer_in_cells(requests).await;
            }
            if lost >= RACES_OF_ANSWERS && self.may_wish_stop(requests) {
                return self.wish_stop(requests).await;
            }
        }
        Err(DeliverError::Store(StoreError { message: "too many writers of one execution".into(), retryable: true }))
    }

    pub(super) async fn reload(&mut self) -> Result<(), DeliverError> {
        self.read_again(Reading::Usual).await
    }

    async fn read_again(&mut self, reading: Reading) -> Result<(), DeliverError> {
        let before = self.loaded.sequence;
        let loaded = LoadedExecution::load(&self.deliver, &self.loaded.head.arn, reading).await?;
        if before.is_some() && loaded.head.started != self.loaded.head.started {
            // This one was forgotten: what its calls brought is nothing to another of its name.
            return Err(DeliverError::NoSuchExecution);
        }
        self.loaded = loaded;
        if self.loaded.sequence != before {
            self.wakeups.written_by_others();
        }
        self.just_loaded = true;
        Ok(())
    }

    /// Takes over the completions of calls that have returned.
    pub(super) fn collect_completions(&mut self) {
        let now = self.now();
        self.inbox.add_completions(self.calls.ready(now));
    }

    async fn give_up_dead_claims(&mut self) -> ControlFlow<DeliverError> {
        let dead = self.dead_claims();
        self.inbox.add_completions(dead);
        if self.inbox.completions().is_empty() {
            ControlFlow::Continue(())
        } else {
            self.deliver_round(Vec::new()).await
        }
    }

    /// Claims whose calls no process makes.
    fn dead_claims(&self) -> Vec<TimedStimulus> {
        let (snapshot, at) = (&self.loaded.live.snapshot, self.now());
        let is_dead = |wait: &Wait, owner: &str| {
            let makes = self.calls.makes(wait) || self.unstarted.contains(wait);
            is_dead_claim(self.deliver.deployment, owner == self.deliver.owner, makes)
        };
        let dead = snapshot.claimed().filter(|(wait, owner)| is_dead(wait, owner));
        dead.map(|(wait, _)| TimedStimulus { at, stimulus: Stimulus::TaskLost { wait } }).collect()
    }

    pub(super) fn now(&self) -> Timestamp {
        self.deliver.world.clock.now().max(self.loaded.at)
    }
}

/// A redrive goes on with what is kept of a closed execution.
fn reading_for(requests: &[Request]) -> Reading {
    let redrives = requests.iter().any(|request| matches!(request.command, Command::Redrive(_)));
    if redrives { Reading::WithKept } else { Reading::Usual }
}

/// The permit, once it is there; never ends while nothing is waited for.
pub(super) async fn turn_of(turn: &mut Option<Turn>) -> Option<Option<Permit>> {
    match turn {
        Some(turn) => Some(turn.await),
        None => std::future::pending().await,
    }
}

/// Whether no process makes the call of a claim. A claim of this process without a call, where it is not known that there was
/// none, is that of an actor that panicked; a process that is alone on its store knows that the owner of any other is dead.
fn is_dead_claim(deployment: Deployment, own: bool, makes: bool) -> bool {
    match deployment {
        Deployment::ApiOnly => false,
        Deployment::SharedWorker => own && !makes,
        Deployment::SingleProcess => !own || !makes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_dead_when_its_owner_cannot_be_making_the_call() {
        for (deployment, own, makes, dead) in [
            (Deployment::ApiOnly, true, false, false),
            (Deployment::ApiOnly, false, false, false),
            (Deployment::SharedWorker, true, true, false),
            (Deployment::SharedWorker, true, false, true),
            (Deployment::SharedWorker, false, false, false),
            (Deployment::SingleProcess, true, true, false),
            (Deployment::SingleProcess, true, false, true),
            (Deployment::SingleProcess, false, false, true),
        ] {
            assert_eq!(is_dead_claim(deployment, own, makes), dead, "{deployment:?} own {own} makes {makes}");
        }
    }
}
