//! What a holder has to do with cells ([`crate::cells`]): leaves heartbeats there, hears them and the answers that others
//! left ([`super::left`]), and lets no wait pass its time without closing its cell. A process that is alone on its store
//! hears everybody, and has none.

use asl::{Kind, StateId};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use interpreter::{Answer, Attempt, Frame, LOST_AFTER_LEASE_MS, Payload, Phase, Stimulus, Timestamp, Wait};

use super::calls::{Happened, waits_outside};
use super::hold::Holder;
use super::ledger::{Held, nonce};
use super::round::Round;
use super::{Deliver, DeliverError, Delivered, Letter, Said};
use crate::Deployment;
use crate::cells::{self, CellRead, Content};
use crate::entry::Unreadable;
use crate::ports::{Expect, Put, StoreError};

/// A cell is removed this long after it was written, when its wait is over.
const KEPT_MS: i64 = 15 * 60 * 1_000;
/// Cells on their way at a time.
const AT_A_TIME: usize = 16;
/// Heartbeats that may overtake one whose wait is being closed, before that is given up as a busy store.
const OVERTAKEN: u32 = 8;

impl Held {
    /// True when a wait has its answer, or its end, in its cell.
    pub fn is_settled_beside(&self, wait: &Wait) -> bool {
        self.notes.iter().any(|note| note.wait == *wait && note.content != Content::Heartbeat)
    }

    /// True when answers are in cells that the journal knows nothing of.
    pub fn has_unheard_answers(&self) -> bool {
        let is_answer = |note: &CellRead| matches!(note.content, Content::Answered(_));
        self.notes.iter().any(|note| is_answer(note) && self.is_open_outside(&note.wait))
    }

    /// True while somebody outside may answer a wait.
    pub fn is_open_outside(&self, wait: &Wait) -> bool {
        let waits = |(frame, _): (&Frame<Payload>, &Attempt<Payload>)| self.is_outside(frame);
        self.snapshot.awaits(wait) && self.snapshot.attempt(wait).is_some_and(waits)
    }

    fn is_outside(&self, frame: &Frame<Payload>) -> bool {
        let state = self.machine.state(StateId(frame.state));
        state.is_some_and(|state| matches!(&state.kind, Kind::Task(task) if waits_outside(&task.resource)))
    }

    /// What the cell of a wait that is due is closed over; `None` when a heartbeat in it came in time. A missed heartbeat
    /// is missed as of the last one that was seen; the end of the wait's time, or of its call, is the end.
    fn closes_over(&self, wait: &Wait, attempt: &Attempt<Payload>, now: Timestamp) -> Option<Expect> {
        let lost = attempt.call.claim().map(|(_, lease)| lease.plus_millis(LOST_AFTER_LEASE_MS));
        if lost.is_some_and(|lost| lost <= now) || attempt.deadline.is_some_and(|deadline| deadline <= now) {
            return Some(Expect::NotFinal);
        }
        let seen = self.notes.iter().find(|note| note.wait == *wait);
        let next = seen.zip(attempt.heartbeat).map(|(seen, seconds)| seen.at.plus_seconds(seconds));
        if next.is_some_and(|next| next > now) { None } else { Some(Expect::seen(seen.map(|seen| seen.nonce))) }
    }

    /// Takes an answer out of its cell, or removes an old cell.
    async fn tidy(&self, deliver: &Deliver, note: &CellRead, now: Timestamp) {
        let old = now.0.saturating_sub(note.at.0) > KEPT_MS;
        let tidied = match note.content {
            Content::Answered(_) => {
                self.write(deliver, (&note.wait, now), Content::Closed, Expect::Nonce(note.nonce)).await.map(|_| ())
            }
            Content::Heartbeat | Content::Closed if old => {
                deliver.world.journal.drop_cell(&self.head.arn, &note.key).await
            }
            Content::Heartbeat | Content::Closed => Ok(()),
        };
        if let Err(error) = tidied {
            tracing::warn!(%error, "a cell could not be tidied");
        }
    }

    /// Writes a cell; what is there instead, when that stays.
    pub(super) async fn write(
        &self,
        deliver: &Deliver,
        (wait, at): (&Wait, Timestamp),
        content: Content,
        over: Expect,
    ) -> Result<Option<CellRead>, StoreError> {
        let unreadable = |error: Unreadable| StoreError { message: error.to_string(), retryable: false };
        let execution = (self.head.arn.as_str(), self.head.started);
        let cell = cells::encode(execution, (wait, at), &content, nonce(deliver)).map_err(unreadable)?;
        match deliver.world.journal.put_cell(cell, over).await? {
            Put::Written => Ok(None),
            Put::Refused(there) => cells::decode(&there).map(Some).map_err(unreadable),
        }
    }
}

impl Holder {
    fn has_cells(&self) -> bool {
        match self.deliver.deployment {
            Deployment::ApiOnly | Deployment::SharedWorker => true,
            Deployment::SingleProcess => false,
        }
    }

    /// Looks at the cells again while the execution is in hand: a message that came may be about one, and who answers writes
    /// one entry, and no more, of what he read (see [`super::left`]).
    pub(super) async fn look_again(&mut self, letters: &[Letter]) -> Result<(), DeliverError> {
        let looks = letters.iter().any(|letter| match self.deliver.deployment {
            Deployment::SharedWorker => matches!(letter.said, Said::Look),
            Deployment::ApiOnly => matches!(letter.said, Said::Answered(..)),
            Deployment::SingleProcess => false,
        });
        if looks { self.held.read_cells(&self.deliver).await } else { Ok(()) }
    }

    /// Writes heartbeats into the cells of their waits and answers them; gives back the other letters.
    pub(super) async fn keep_beats(&mut self, letters: Vec<Letter>) -> Vec<Letter> {
        if !self.has_cells() {
            return letters;
        }
        let mut others = Vec::with_capacity(letters.len());
        for letter in letters {
            let Said::Heartbeat(wait) = &letter.said else {
                others.push(letter);
                continue;
            };
            let answer = self.keep_beat(wait, &letter.said).await;
            let closed = self.held.snapshot.closed.as_ref().map(|(_, at)| *at);
            let sequence = self.held.sequence.unwrap_or(0);
            let _gone = letter.reply.send(answer.map(|counted| Delivered { counted, closed, sequence }));
        }
        others
    }

    async fn keep_beat(&mut self, wait: &Wait, said: &Said) -> Result<bool, DeliverError> {
        if self.misses(said) {
            // Others may have written what it is about since this was read.
            self.reload().await?;
        }
        if !self.counts(said) {
            return Ok(false);
        }
        let beats = self.held.snapshot.attempt(wait).is_some_and(|(_, attempt)| attempt.beat.is_some());
        let now = self.now();
        Ok(!beats || self.held.write(&self.deliver, (wait, now), Content::Heartbeat, Expect::NotFinal).await?.is_none())
    }

    /// Steps what cells say. Comes before any other step: with each, everything is done that is due.
    pub(super) async fn hear_cells(&mut self, now: Timestamp, round: &mut Round) -> Result<(), StoreError> {
        if !self.has_cells() {
            return Ok(());
        }
        let due = self.held.snapshot.due().is_some_and(|due| due <= now);
        if due {
            self.settle_due(now).await?;
        }
        self.close_cells(self.failed_outside(), now).await?;
        if due || self.deliver.performs() {
            // Who only answers leaves it to the workers, unless time would overtake it.
            self.step_notes(now, due, round);
        }
        Ok(())
    }

    /// Returns when each wait for somebody outside that is due has something to be heard in its cell, or a closed one.
    async fn settle_due(&mut self, now: Timestamp) -> Result<(), StoreError> {
        for _ in 0..OVERTAKEN {
            let due = self.due_outside(now);
            if due.is_empty() {
                return Ok(());
            }
            self.close_cells(due, now).await?;
        }
        Err(StoreError { message: format!("{} has too many heartbeats", self.held.head.arn), retryable: true })
    }

    /// Steps answers and, when something is due, heartbeats: all of them, or as many as one commit takes.
    fn step_notes(&mut self, now: Timestamp, due: bool, round: &mut Round) {
        let snapshot = &self.held.snapshot;
        let due_at = |note: &CellRead| snapshot.frame(&note.wait.path).and_then(Frame::due);
        let open = self.held.notes.iter().filter(|note| self.held.is_open_outside(&note.wait));
        let mut heard: Vec<CellRead> = open.filter(|note| due || note.content != Content::Heartbeat).cloned().collect();
        heard.sort_by_key(|note| due_at(note).unwrap_or(Timestamp(i64::MAX)));
        for CellRead { wait, at, content, .. } in heard {
            if self.deliver.is_full(round) {
                return;
            }
            let stimulus = match content {
                Content::Answered(answer) => Stimulus::TaskAnswered { wait, answer },
                Content::Heartbeat => Stimulus::TaskHeartbeat { wait, at },
                Content::Closed => continue,
            };
            // The others' cells have not been heard yet.
            self.step(stimulus, self.before_what_is_due(now), round);
        }
    }

    /// Waits for somebody outside that are due, and in whose cells there is nothing that decides, each with what its cell
    /// may be closed over.
    fn due_outside(&self, now: Timestamp) -> Vec<(Wait, Expect)> {
        let held = &self.held;
        let passed = |time: Option<Timestamp>| time.is_some_and(|time| time <= now);
        let due = held.snapshot.frames().filter(|(_, frame)| passed(frame.due())).filter_map(|(path, frame)| {
            let Phase::Task(attempt) = &frame.phase else { return None };
            let wait = Wait { path: path.clone(), attempt_id: frame.attempt_id };
            let open = held.is_outside(frame) && attempt.parked.is_none() && !held.is_settled_beside(&wait);
            let over = if open { held.closes_over(&wait, attempt, now) } else { None };
            over.map(|over| (wait, over))
        });
        due.collect()
    }

    /// Waits for somebody outside whose call has failed or got lost, which ends them unless somebody was told the token and
    /// has answered in the cell.
    fn failed_outside(&self) -> Vec<(Wait, Expect)> {
        let failed = self.brought.iter().filter_map(|happened| match &happened.stimulus {
            Stimulus::TaskReturned { wait, answer: Answer::Failed(_) } | Stimulus::TaskLost { wait } => Some(wait),
            _ => None,
        });
        // Of a call whose return could not be written down at once it is said, too, that it was lost.
        let returned = |wait: &Wait| {
            let answered = |one: &Happened| matches!(&one.stimulus, Stimulus::TaskReturned { wait: of, answer: Answer::Succeeded { .. } } if of == wait);
            self.brought.iter().any(answered)
        };
        let undecided = failed.filter(|wait| {
            let held = &self.held;
            let Some((frame, attempt)) = held.snapshot.attempt(wait) else { return false };
            let claimed = attempt.call.claim().is_some() && !returned(wait);
            held.is_outside(frame) && claimed && attempt.parked.is_none() && !held.is_settled_beside(wait)
        });
        undecided.map(|wait| (wait.clone(), Expect::NotFinal)).collect()
    }

    /// Closes cells; what is in those that stay is noted.
    async fn close_cells(&mut self, due: Vec<(Wait, Expect)>, now: Timestamp) -> Result<(), StoreError> {
        let (held, deliver) = (&self.held, &*self.deliver);
        let mut closing = Vec::with_capacity(due.len());
        for (wait, over) in &due {
            closing.push(held.write(deliver, (wait, now), Content::Closed, *over));
        }
        let found: Vec<Option<CellRead>> = stream::iter(closing).buffered(AT_A_TIME).try_collect().await?;
        for ((wait, _), found) in due.into_iter().zip(found) {
            self.held.notes.retain(|note| note.wait != wait);
            let key = cells::key(self.held.head.started, &wait);
            let closed = || CellRead { wait, at: now, content: Content::Closed, nonce: 0, key };
            self.held.notes.push(found.unwrap_or_else(closed));
        }
        Ok(())
    }

    /// Takes away what cells said that the journal knows by now, and what nobody can ask for any more. What fails is
    /// done by who comes next.
    pub(super) async fn tidy_cells(&mut self, now: Timestamp) {
        if self.deliver.deployment != Deployment::SharedWorker {
            return;
        }
        let (notes, snapshot) = (std::mem::take(&mut self.held.notes), &self.held.snapshot);
        // Cells are read behind the journal: one may be of a wait that began since.
        let is_open = |note: &CellRead| snapshot.awaits(&note.wait) || note.wait.attempt_id > snapshot.last_attempt_id;
        let (open, done): (Vec<CellRead>, Vec<CellRead>) = notes.into_iter().partition(is_open);
        self.held.notes = open;
        let (held, deliver) = (&self.held, &*self.deliver);
        let mut tidying = Vec::with_capacity(done.len());
        for note in &done {
            tidying.push(held.tidy(deliver, note, now));
        }
        stream::iter(tidying).buffer_unordered(AT_A_TIME).collect::<Vec<()>>().await;
    }
}
