//! One execution in one holder's hands.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use interpreter::{Snapshot, Stimulus, Timestamp, Wait};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use super::calls::{Calls, Claim, Happened};
use super::ledger::{Committed, Held};
use super::round::Round;
use super::term::Term;
use super::unbegun::Unbegun;
use super::watch::rests;
use super::{Deliver, DeliverError, Delivered, Desk, Letter, Said, Start, Started};
use crate::Deployment;
use crate::ports::{Record, StoreError};

/// Due times nearer than this are waited for in hand.
pub(super) const NEAR_MS: i64 = 1_000;
/// Rounds lost against other writers before the letters are told that the store is busy.
const LOST_RACES: u32 = 32;
/// Rounds that an answer loses before it goes into the cell of its wait.
const RACES_OF_ANSWERS: u32 = 3;
/// Pause before results of calls, which must not be lost, are offered to a failing store again.
const STORE_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause before a failing store is asked again.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Opens an execution, then holds it.
pub(super) async fn open(
    deliver: Arc<Deliver>,
    desk: Desk,
    letters: mpsc::UnboundedReceiver<Letter>,
    start: Start,
    told: oneshot::Sender<Result<Started, DeliverError>>,
) {
    let snapshot = Snapshot::begin(&start.machine, start.execution);
    let mut holder = Holder::new(deliver, Held::new(start.machine, snapshot, start.head), letters, None);
    holder.brought.push(Happened { at: holder.now(), stimulus: Stimulus::Started });
    match holder.round(&[]).await {
        Ok(Rounded::Durable(_)) => {
            let _gone = told.send(Ok(Started::New));
            holder.hold(&desk).await;
        }
        Ok(Rounded::Taken(winner)) => {
            let _gone = told.send(Ok(Started::Exists(winner)));
            // It may be ours, of a call whose outcome nobody learnt: then nobody holds it.
            resume(holder.deliver, desk, holder.letters, None).await;
        }
        Err(error) => {
            let _gone = told.send(Err(error.into()));
            settle_start(holder, &desk).await;
        }
    }
}

/// Finds out whether a start that failed was written after all. Then somebody has to hold it.
async fn settle_start(mut holder: Holder, desk: &Desk) {
    let mut pause = STORE_PAUSE;
    loop {
        tokio::time::sleep(pause).await;
        pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
        match holder.reload().await {
            Ok(()) => return holder.hold(desk).await,
            Err(DeliverError::Store(error)) => holder.refuse_letters(&DeliverError::Store(error)),
            Err(nothing_to_hold) => return answer_and_leave(desk, &mut holder.letters, &Err(nothing_to_hold)),
        }
    }
}

fn answer_and_leave(
    desk: &Desk,
    letters: &mut mpsc::UnboundedReceiver<Letter>,
    answer: &Result<Delivered, DeliverError>,
) {
    while let Some(letter) = desk.leave(letters) {
        let _gone = letter.reply.send(answer.clone());
    }
}

/// Takes up an execution because of a letter.
pub(super) async fn resume(
    deliver: Arc<Deliver>,
    desk: Desk,
    mut letters: mpsc::UnboundedReceiver<Letter>,
    until: Option<Timestamp>,
) {
    match Held::load(&deliver, &desk.arn).await {
        Ok(held) => Holder::new(deliver, held, letters, until).hold(&desk).await,
        Err(error) => {
            let answer = deliver.without_reading(&desk.arn, error).await;
            answer_and_leave(&desk, &mut letters, &answer);
        }
    }
}

pub(super) struct Holder {
    pub(super) deliver: Arc<Deliver>,
    pub(super) held: Held,
    letters: mpsc::UnboundedReceiver<Letter>,
    pub(super) calls: Calls,
    /// What calls brought and no commit has written down yet: it must not be lost.
    pub(super) brought: Vec<Happened>,
    /// Letters that found no place in a full round.
    postponed: Vec<Letter>,
    unbegun: Unbegun,
    pub(super) term: Term,
    /// The right to one call that was waited for, until the next round.
    turn: Option<OwnedSemaphorePermit>,
    /// No message stays behind when this process dies: it was a call of the API that made it take the execution up.
    pub(super) unwatched: bool,
    /// What is in hand has just been read, and nothing was written since.
    fresh: bool,
}

impl Holder {
    fn new(
        deliver: Arc<Deliver>,
        held: Held,
        letters: mpsc::UnboundedReceiver<Letter>,
        until: Option<Timestamp>,
    ) -> Holder {
        let unwatched = until.is_none() && deliver.deployment == Deployment::SharedWorker;
        let (calls, unbegun, term) = (Calls::default(), Unbegun::default(), Term::new(until));
        let (brought, postponed) = (Vec::new(), Vec::new());
        Holder { deliver, held, letters, calls, brought, postponed, unbegun, term, turn: None, unwatched, fresh: true }
    }

    /// Serves the execution until nothing needs a holder.
    async fn hold(mut self, desk: &Desk) {
        let mut fate = self.give_up_dead_claims().await;
        while fate.is_continue() {
            let mut letters = std::mem::take(&mut self.postponed);
            self.hear_calls();
            while let Ok(letter) = self.letters.try_recv() {
                letters.push(letter);
            }
            if letters.is_empty() && self.brought.is_empty() && !self.has_work() {
                match self.wait(desk).await {
                    Woken::Letter(letter) => letters.push(letter),
                    Woken::Returned(returned) => self.brought.extend(returned),
                    Woken::Due => {}
                    Woken::Left => return,
                }
            }
            fate = self.deliver_round(letters).await;
        }
        if let ControlFlow::Break(error) = fate {
            let answer = self.deliver.without_reading(&desk.arn, error).await;
            answer_and_leave(desk, &mut self.letters, &answer);
        }
    }

    /// Something can be done at once.
    fn has_work(&self) -> bool {
        if !self.unbegun.is_empty() {
            return true;
        }
        let (snapshot, now) = (&self.held.snapshot, self.now());
        if !self.deliver.performs() || !snapshot.is_open() || self.term.is_over(now) {
            return false;
        }
        let due = snapshot.due().is_some_and(|due| due <= now);
        let may_call = self.turn.is_some() || self.deliver.calls.available_permits() > 0;
        let claimable = self.may_claim() && may_call;
        let said_beside = self.held.has_unheard_answers();
        said_beside || snapshot.ready().next().is_some() || due || (claimable && snapshot.unclaimed().next().is_some())
    }

    /// Neither this actor's time nor the process is about to end.
    fn may_claim(&self) -> bool {
        !self.term.is_full() && !self.deliver.is_draining()
    }

    /// Waits for the next thing to do, or lets go.
    async fn wait(&mut self, desk: &Desk) -> Woken {
        self.turn = None;
        let (snapshot, now) = (&self.held.snapshot, self.now());
        let due = snapshot.due();
        let stays = self.deliver.performs() && !self.term.is_over(now);
        let near =
            stays && !self.deliver.is_draining() && due.is_some_and(|due| due.0.saturating_sub(now.0) <= NEAR_MS);
        let starved = stays && self.may_claim() && snapshot.is_open() && snapshot.unclaimed().next().is_some();
        if self.calls.is_empty() && !near && !starved {
            return self.let_go(desk, due).await;
        }
        let wake = self.term.or_end(due).filter(|_| stays);
        let clock = self.deliver.world.clock.clone();
        let at = || clock.now();
        tokio::select! {
            // The same world gives the same run.
            biased;
            Some(letter) = self.letters.recv() => Woken::Letter(letter),
            returned = self.calls.next(at) => Woken::Returned(returned),
            () = clock.sleep_until(wake.unwrap_or(Timestamp(i64::MAX))), if wake.is_some() => Woken::Due,
            turn = self.deliver.turn(), if starved => {
                self.turn = turn;
                Woken::Due
            }
        }
    }

    /// Arms a message for what is due, unless there is one, then gives the place up, unless a letter has come. Who only answers has sent its
    /// message before it committed.
    async fn let_go(&mut self, desk: &Desk, due: Option<Timestamp>) -> Woken {
        let now = self.now();
        if let Some(due) = due.filter(|due| self.deliver.performs() && !self.is_watched(*due, now))
            && let Err(error) = self.arm(due, now).await
        {
            tracing::error!(execution = desk.arn, %error, "a timer could not be armed; trying again");
            tokio::time::sleep(STORE_PAUSE).await;
            return Woken::Due;
        }
        match desk.leave(&mut self.letters) {
            Some(letter) => Woken::Letter(letter),
            None => Woken::Left,
        }
    }

    /// Folds what came together into one commit, and answers the letters. Breaks when there is nothing to hold any more:
    /// what is stored is gone, or a newer version wrote it, or nobody can read it.
    async fn deliver_round(&mut self, letters: Vec<Letter>) -> ControlFlow<DeliverError> {
        let came = letters.len();
        let letters = self.keep_beats(letters).await;
        if came > 0 && letters.is_empty() && self.brought.is_empty() {
            return ControlFlow::Continue(());
        }
        let mut error = match self.try_round(&letters).await {
            Ok(counted) => {
                self.reply(letters, counted);
                return ControlFlow::Continue(());
            }
            Err(error) => error,
        };
        // What calls brought is offered until the store takes it. Letters are told at once.
        for letter in letters {
            let _gone = letter.reply.send(Err(error.clone()));
        }
        loop {
            tracing::error!(execution = self.held.head.arn, ?error, "a commit failed");
            tokio::time::sleep(STORE_PAUSE).await;
            self.refuse_letters(&error);
            // What is in hand was stepped and not written, or written without our knowing: the journal says what counts.
            error = match self.reload().await {
                Ok(()) => {
                    self.hear_calls();
                    self.brought.extend(self.dead_claims());
                    if self.brought.is_empty() {
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

    fn refuse_letters(&mut self, error: &DeliverError) {
        while let Ok(letter) = self.letters.try_recv() {
            let _gone = letter.reply.send(Err(error.clone()));
        }
    }

    fn reply(&mut self, letters: Vec<Letter>, counted: Vec<Option<bool>>) {
        let closed = self.held.snapshot.closed.as_ref().map(|(_, at)| *at);
        for (letter, counted) in letters.into_iter().zip(counted) {
            let Some(counted) = counted else {
                self.postponed.push(letter);
                continue;
            };
            let sequence = self.held.sequence.unwrap_or(0);
            let _gone = letter.reply.send(Ok(Delivered { counted, closed, sequence }));
        }
    }

    /// Rounds until one is committed; after a lost race the others' entries are read first. Answers which letters counted,
    /// where they had their turn.
    async fn try_round(&mut self, letters: &[Letter]) -> Result<Vec<Option<bool>>, DeliverError> {
        let fresh = std::mem::take(&mut self.fresh);
        if self.deliver.deployment != Deployment::SingleProcess
            && letters.iter().any(|letter| self.misses(&letter.said))
        {
            // Others may have written what it is about since this was read.
            self.reload().await?;
        } else if !fresh {
            self.look_again(letters).await?;
        }
        if self.may_use_cells(letters) && self.is_beside(letters) {
            return self.leave_in_cells(letters).await;
        }
        for lost in 1..=LOST_RACES {
            match self.round(letters).await? {
                Rounded::Durable(counted) => return Ok(counted),
                Rounded::Taken(_) => self.reload().await?,
            }
            if lost >= RACES_OF_ANSWERS && self.may_use_cells(letters) {
                return self.leave_in_cells(letters).await;
            }
        }
        Err(DeliverError::Store(StoreError { message: "too many writers of one execution".into(), retryable: true }))
    }

    /// True when a letter is about a wait that is not in hand.
    pub(super) fn misses(&self, said: &Said) -> bool {
        match said {
            Said::Look | Said::Stop(_) => false,
            Said::Answered(wait, _) | Said::Heartbeat(wait) => !self.held.snapshot.awaits(wait),
        }
    }

    pub(super) async fn reload(&mut self) -> Result<(), DeliverError> {
        let before = self.held.sequence;
        self.held = Held::load(&self.deliver, &self.held.head.arn).await?;
        if self.held.sequence != before {
            // Whoever wrote meanwhile was brought the message that watched over what is in hand.
            self.unwatched = self.deliver.deployment == Deployment::SharedWorker && self.term.is_endless();
        }
        self.fresh = true;
        Ok(())
    }

    /// Steps, claims and commits once, then begins the claimed calls.
    pub(super) async fn round(&mut self, letters: &[Letter]) -> Result<Rounded, StoreError> {
        let now = self.now();
        self.hear_calls();
        let allowance = self.unbegun.allowance(now);
        let mut round = Round { turn: self.turn.take(), allowance, ..Round::default() };
        for released in self.unbegun.released(&mut self.held, &self.deliver.owner) {
            self.step(released, self.before_what_is_due(now), &mut round);
        }
        self.hear_cells(now, &mut round).await?;
        let counted = self.take_in(letters, now, &mut round);
        let full = self.deliver.is_full(&round);
        // What a full one left behind may have happened before what is due by now: its time is that of its last step.
        let at = if full { round.at } else { now };
        if self.held.sequence.is_some() && !full {
            self.step(Stimulus::Tick, now, &mut round);
        }
        let claims = if self.deliver.performs() && !full && !self.deliver.is_draining() {
            let Held { machine, snapshot, rehearsal, .. } = &mut self.held;
            self.deliver.claim(machine, snapshot, rehearsal, now, &mut self.term, &mut round).await
        } else {
            Vec::new()
        };
        if round.events.is_empty() && round.changed.is_empty() && self.held.sequence.is_some() {
            self.calls.cut_stale(&self.held.snapshot);
            self.unbegun.keep(Vec::new());
            self.brought.drain(..round.taken);
            self.tidy_cells(now).await;
            return Ok(Rounded::Durable(counted));
        }
        self.announce(now).await?;
        self.unbegun.add(&claims, now);
        match self.held.commit(&self.deliver, &round, at).await? {
            Committed::Taken(winner) => return Ok(Rounded::Taken(winner)),
            Committed::Durable => _ = self.brought.drain(..round.taken),
        }
        self.fresh = false;
        // Who looks at an execution that rests leaves no message behind: the next calls need one again.
        self.unwatched =
            self.deliver.deployment == Deployment::SharedWorker && self.term.is_endless() && rests(&self.held.snapshot);
        self.calls.cut_stale(&self.held.snapshot);
        self.begin(claims);
        if self.term.newly_full() && !self.calls.is_empty() {
            self.hand_over().await;
        }
        self.tidy_cells(now).await;
        Ok(Rounded::Durable(counted))
    }

    /// Begins the calls of claims that are durable now, but for those that it took too long for.
    fn begin(&mut self, claims: Vec<Claim>) {
        let now = self.now();
        let (late, claims): (Vec<Claim>, Vec<Claim>) = claims.into_iter().partition(|claim| claim.is_late(now));
        if !claims.is_empty() {
            self.term.claimed();
        }
        for claim in claims {
            self.calls.begin(&self.deliver, claim);
        }
        if !late.is_empty() {
            tracing::warn!(execution = self.held.head.arn, calls = late.len(), "a commit came too late for its calls");
        }
        self.unbegun.keep(late.into_iter().map(|claim| claim.wait).collect());
    }

    /// Whether a letter would still change something.
    pub(super) fn counts(&self, said: &Said) -> bool {
        match said {
            Said::Look => false,
            Said::Stop(_) => self.held.snapshot.is_open(),
            Said::Answered(wait, _) | Said::Heartbeat(wait) => {
                self.held.is_open_outside(wait) && !self.held.is_settled_beside(wait)
            }
        }
    }

    pub(super) fn step(&mut self, stimulus: Stimulus, now: Timestamp, round: &mut Round) {
        self.deliver.step(&self.held.machine, &mut self.held.snapshot, stimulus, now, round);
    }

    async fn give_up_dead_claims(&mut self) -> ControlFlow<DeliverError> {
        self.brought.extend(self.dead_claims());
        if self.brought.is_empty() { ControlFlow::Continue(()) } else { self.deliver_round(Vec::new()).await }
    }

    /// Claims that nobody makes a call for. Those of its own without a call, where it is not known that there was none, are
    /// of a holder that panicked; alone on its store, a process knows that those of others are a dead one's.
    fn dead_claims(&self) -> Vec<Happened> {
        let (snapshot, at) = (&self.held.snapshot, self.now());
        let is_dead = |wait: &Wait, owner: &str| {
            let own = owner == self.deliver.owner;
            let made = self.calls.makes(wait) || self.unbegun.contains(wait);
            match self.deliver.deployment {
                Deployment::ApiOnly => false,
                Deployment::SharedWorker => own && !made,
                Deployment::SingleProcess => !own || !made,
            }
        };
        let dead = snapshot.claimed().filter(|(wait, owner)| is_dead(wait, owner));
        dead.map(|(wait, _)| Happened { at, stimulus: Stimulus::TaskLost { wait } }).collect()
    }

    pub(super) fn now(&self) -> Timestamp {
        self.deliver.world.clock.now().max(self.held.at)
    }
}

/// What became of a round.
pub(super) enum Rounded {
    /// For each letter, whether it changed something; `None` when the round was full before its turn.
    Durable(Vec<Option<bool>>),
    /// Another writer was first; this is its entry.
    Taken(Box<Record>),
}

enum Woken {
    Letter(Letter),
    Returned(Vec<Happened>),
    Due,
    Left,
}

impl Deliver {
    /// True when this process makes the calls of tasks itself.
    pub(super) fn performs(&self) -> bool {
        match self.deployment {
            Deployment::SingleProcess | Deployment::SharedWorker => true,
            Deployment::ApiOnly => false,
        }
    }
}
