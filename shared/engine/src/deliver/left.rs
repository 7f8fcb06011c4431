//! Answers that are left in the cells of their waits, because they lost every race for the next entry.
//!
//! Of two answers to one wait, one by the journal and one by its cell, one must be refused. The cell is read with the
//! journal, so nobody who reads it later writes another answer. Who read both earlier may still write one, but only as
//! the entry after what he read: before he writes the next he reads again. So an answer in a cell counts once there is
//! such an entry behind it, this holder's own or anybody's, and no other answer up to there; or once the journal has it.

use interpreter::{Answer, Detail, Event, Payload, Stimulus, Timestamp, Wait};

use super::calls::Happened;
use super::hold::{Holder, Rounded};
use super::{DeliverError, Letter, Said};
use crate::Deployment;
use crate::cells::Content;
use crate::entry;
use crate::ports::{Direction, Expect, WakeUp};

/// An answer that is in the cell of its wait.
struct Left {
    at: Timestamp,
    wait: Wait,
    answer: Answer<Payload>,
    /// The last event of the attempt before.
    last_event: u64,
}

impl Holder {
    /// True when these letters need no turn to append.
    pub(super) fn may_use_cells(&self, letters: &[Letter]) -> bool {
        let is_answer = |letter: &Letter| matches!(letter.said, Said::Answered(..));
        self.deliver.deployment == Deployment::ApiOnly && !letters.is_empty() && letters.iter().all(is_answer)
    }

    /// True when the cell of a letter's wait has an answer already: perhaps its own, of a call that nobody heard the end of.
    pub(super) fn is_beside(&self, letters: &[Letter]) -> bool {
        let settled = |letter: &Letter| match &letter.said {
            Said::Answered(wait, _) => self.held.is_settled_beside(wait),
            Said::Look | Said::Stop(_) | Said::Heartbeat(_) => false,
        };
        letters.iter().any(settled)
    }

    /// Writes answers into the cells of their waits, tells the workers, and finds out which of them count.
    pub(super) async fn leave_in_cells(&mut self, letters: &[Letter]) -> Result<Vec<Option<bool>>, DeliverError> {
        let (mut all_left, now) = (Vec::with_capacity(letters.len()), self.now());
        for letter in letters {
            all_left.push(self.leave_in_cell(&letter.said, now).await?);
        }
        if all_left.iter().all(Option::is_none) {
            return Ok(vec![Some(false); letters.len()]);
        }
        self.deliver.world.queue.send(WakeUp::of(&self.held.head.arn, None)).await?;
        let known = self.held.sequence;
        self.reload().await?;
        if !self.writes_down(&all_left).await? {
            self.reload().await?;
        }
        let since = self.events_since(known).await?;
        let counted = |left: &Option<Left>| left.as_ref().is_some_and(|left| self.counted(left, &since));
        Ok(all_left.iter().map(|left| Some(counted(left))).collect())
    }

    /// Tries once to take answers out of their cells into the journal; false when others had written the next entry, or
    /// nothing is to be written any more.
    async fn writes_down(&mut self, all_left: &[Option<Left>]) -> Result<bool, DeliverError> {
        self.brought.extend(all_left.iter().flatten().map(|left| {
            let (wait, answer) = (left.wait.clone(), left.answer.clone());
            Happened { at: left.at, stimulus: Stimulus::TaskAnswered { wait, answer } }
        }));
        let before = self.held.sequence;
        let rounded = self.round(&[]).await;
        self.brought.clear();
        Ok(matches!(rounded?, Rounded::Durable(_)) && self.held.sequence != before)
    }

    /// Writes an answer into the cell of its wait; `None` when it cannot count any more.
    async fn leave_in_cell(&mut self, said: &Said, now: Timestamp) -> Result<Option<Left>, DeliverError> {
        let Said::Answered(wait, answer) = said else { return Ok(None) };
        let open = self.held.snapshot.attempt(wait).filter(|_| self.held.is_open_outside(wait));
        let Some((frame, _)) = open else { return Ok(None) };
        let left = Left { at: now, wait: wait.clone(), answer: answer.clone(), last_event: frame.last_event };
        let word = Content::Answered(answer.clone());
        let there = self.held.write(&self.deliver, (wait, now), word.clone(), Expect::NotFinal).await?;
        // Its own, if the call was made again because nobody heard the answer.
        Ok(there.is_none_or(|there| there.content == word).then_some(left))
    }

    /// What happened after an entry.
    async fn events_since(&mut self, known: Option<u64>) -> Result<Vec<Event<Payload>>, DeliverError> {
        let from = known.map_or(0, |known| known + 1);
        let count = self.held.sequence.map_or(0, |last| (last + 1).saturating_sub(from));
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let mut events = Vec::new();
        for record in self.deliver.world.journal.read(&self.held.head.arn, from, Direction::Ascending, count).await? {
            events.extend(entry::decode(record.sequence, &record.body)?.events);
        }
        Ok(events)
    }

    /// Whether no other answer was written into the journal instead.
    fn counted(&self, left: &Left, since: &[Event<Payload>]) -> bool {
        match self.held.snapshot.attempt(&left.wait) {
            Some((_, attempt)) => attempt.parked.as_ref().is_none_or(|parked| *parked == left.answer),
            None => ended_with(&left.answer, left.last_event, since),
        }
    }
}

/// Whether an attempt that is over, and whose last event was `last_event` before these events, ended with this answer.
fn ended_with(answer: &Answer<Payload>, mut last_event: u64, events: &[Event<Payload>]) -> bool {
    for event in events {
        if event.previous != last_event {
            continue;
        }
        match &event.detail {
            Detail::TaskSucceeded { output, .. } => return *answer == Answer::Succeeded { output: output.clone() },
            Detail::TaskFailed { failure, .. } => return *answer == Answer::Failed(failure.clone()),
            Detail::TaskTimedOut { .. } => return false,
            _ => last_event = event.id,
        }
    }
    // It was cut short, and no answer counted.
    false
}

#[cfg(test)]
mod tests {
    use interpreter::{Failure, TaskResource};

    use super::*;

    fn event(id: u64, previous: u64, detail: Detail<Payload>) -> Event<Payload> {
        Event { id, previous, at: Timestamp(1), detail }
    }

    #[test]
    fn an_attempt_ended_with_what_its_own_events_say() {
        let on = || TaskResource { resource_type: "lambda".into(), resource: "invoke.waitForTaskToken".into() };
        let output = || Payload::from_json_text("1");
        let failure = || Failure::new("No", "because");
        let (yes, no) = (Answer::Succeeded { output: output() }, Answer::Failed(failure()));
        let submitted = || event(8, 7, Detail::TaskSubmitted { on: on(), output: Payload::from_json_text("2") });
        let other = || event(9, 4, Detail::TaskFailed { on: on(), failure: failure() });
        let ends = |detail| ended_with(&yes, 7, &[submitted(), other(), event(10, 8, detail)]);
        assert!(ends(Detail::TaskSucceeded { on: on(), output: output() }));
        assert!(!ends(Detail::TaskSucceeded { on: on(), output: Payload::from_json_text("2") }));
        assert!(!ends(Detail::TaskFailed { on: on(), failure: failure() }));
        assert!(!ends(Detail::TaskTimedOut { on: on(), failure: failure() }));
        assert!(ended_with(&no, 7, &[event(8, 7, Detail::TaskFailed { on: on(), failure: failure() })]));
        assert!(!ended_with(&no, 7, &[submitted(), other()]), "it was cut short");
    }
}
