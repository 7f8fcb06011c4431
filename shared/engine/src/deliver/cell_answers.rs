//! Answers that are written into the cells of their waits, because they lost every race for the next entry.
//!
//! Of two answers to one wait, one by the journal and one by its cell, one must be refused. The cell is read with the
//! journal, so a process that reads it later writes no other answer. A process that read both earlier may still write one,
//! but only as the entry after what it read: before it writes the next it reads again. So an answer in a cell counts once
//! there is such an entry behind it, of any writer, and no other answer up to there; or once the journal has it.

use interpreter::{Answer, Detail, Event, Payload, Stimulus, Timestamp, Wait};

use super::DeliverError;
use super::actor::Actor;
use super::inbox::TimedStimulus;
use super::live::Live;
use super::mailbox::{Command, Request};
use super::round::Rounded;
use crate::Deployment;
use crate::cells::Content;
use crate::entry;
use crate::ports::{Direction, Expect, WakeUp};

/// An answer that is in the cell of its wait.
struct CellAnswer {
    at: Timestamp,
    wait: Wait,
    answer: Answer<Payload>,
    /// The last event of the attempt when it was written.
    last_event: u64,
}

impl Actor {
    /// True when these requests need no entry of their own.
    pub(super) fn may_use_cells(&self, requests: &[Request]) -> bool {
        may_use_cells(self.deliver.deployment, requests)
    }

    /// True when the cell of a request's wait has an answer already: perhaps its own, of a call whose outcome its client did
    /// not learn.
    pub(super) fn has_settled_cells(&self, requests: &[Request]) -> bool {
        let settled = |request: &Request| match &request.command {
            Command::Answer(of, _) => self.loaded.cells.is_settled(&of.wait),
            Command::Wake | Command::Stop(_) | Command::Redrive(_) => false,
            Command::Heartbeat(_) | Command::JobEnded(_) | Command::Lease(..) => false,
        };
        requests.iter().any(settled)
    }

    /// Writes answers into the cells of their waits, wakes a worker, and finds out which of them count.
    pub(super) async fn answer_in_cells(&mut self, requests: &[Request]) -> Result<Vec<Option<bool>>, DeliverError> {
        let (mut answers, now) = (Vec::with_capacity(requests.len()), self.now());
        for request in requests {
            answers.push(self.write_answer(&request.command, now).await?);
        }
        if answers.iter().all(Option::is_none) {
            return Ok(vec![Some(false); requests.len()]);
        }
        self.deliver.world.queue.send(WakeUp::of(&self.loaded.head.arn, None)).await?;
        let known = self.loaded.sequence;
        self.reload().await?;
        if !self.append_answers(&answers).await? {
            self.reload().await?;
        }
        let since = self.events_since(known).await?;
        let counted = |answer: &Option<CellAnswer>| {
            answer.as_ref().is_some_and(|answer| answer.counts(&self.loaded.live, &since))
        };
        Ok(answers.iter().map(|answer| Some(counted(answer))).collect())
    }

    /// Tries once to take answers out of their cells into the journal; false when another process had written the next
    /// entry, or nothing is to be written any more.
    async fn append_answers(&mut self, answers: &[Option<CellAnswer>]) -> Result<bool, DeliverError> {
        let stimuli = answers.iter().flatten().map(|one| {
            let (wait, answer) = (one.wait.clone(), one.answer.clone());
            TimedStimulus { at: one.at, stimulus: Stimulus::TaskAnswered { wait, answer } }
        });
        self.inbox.add_completions(stimuli);
        let before = self.loaded.sequence;
        let rounded = self.round(&[]).await;
        // The cells have them.
        self.inbox.discard_completions();
        Ok(matches!(rounded?, Rounded::Durable(_)) && self.loaded.sequence != before)
    }

    /// Writes an answer into the cell of its wait; `None` when it cannot count any more.
    async fn write_answer(&mut self, command: &Command, now: Timestamp) -> Result<Option<CellAnswer>, DeliverError> {
        let Command::Answer(of, answer) = command else { return Ok(None) };
        if !command.is_for(self.loaded.head.started) {
            return Ok(None);
        }
        let (live, wait) = (&self.loaded.live, &of.wait);
        let open = live.snapshot.attempt(wait).filter(|_| live.awaits_token(wait));
        let Some((frame, _)) = open else { return Ok(None) };
        let (wait, answer, last_event) = (wait.clone(), answer.clone(), frame.last_event);
        let content = Content::Answered(answer.clone());
        let written = (&wait, now);
        let there = self.loaded.write_cell(&self.deliver, written, content.clone(), Expect::NotFinal).await?;
        // Its own, if the client made the call again because it got no answer.
        let own = there.is_none_or(|there| there.content == content);
        Ok(own.then_some(CellAnswer { at: now, wait, answer, last_event }))
    }

    /// The events after an entry.
    async fn events_since(&mut self, known: Option<u64>) -> Result<Vec<Event<Payload>>, DeliverError> {
        let from = known.map_or(0, |known| known + 1);
        let count = self.loaded.sequence.map_or(0, |last| (last + 1).saturating_sub(from));
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let mut events = Vec::new();
        let journal = &self.deliver.world.journal;
        for record in journal.read(&self.loaded.head.arn, from, Direction::Ascending, count).await? {
            events.extend(entry::decode(record.sequence, &record.body)?.events);
        }
        Ok(events)
    }
}

/// Only answers can be written into cells, and a process that is alone on its store, or performs tasks, appends.
fn may_use_cells(deployment: Deployment, requests: &[Request]) -> bool {
    let is_answer = |request: &Request| matches!(request.command, Command::Answer(..));
    deployment == Deployment::ApiOnly && !requests.is_empty() && requests.iter().all(is_answer)
}

impl CellAnswer {
    /// Whether no other answer was written into the journal instead; `since` are the events after it was written.
    fn counts(&self, live: &Live, since: &[Event<Payload>]) -> bool {
        match live.snapshot.attempt(&self.wait) {
            Some((_, attempt)) => attempt.parked.as_ref().is_none_or(|parked| *parked == self.answer),
            None => ended_with(&self.answer, self.last_event, since),
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
            Detail::TaskSucceeded { output, .. } | Detail::ActivitySucceeded { output } => {
                return *answer == Answer::Succeeded { output: output.clone() };
            }
            Detail::TaskFailed { failure, .. } | Detail::ActivityFailed(failure) => {
                return *answer == Answer::Failed(failure.clone());
            }
            Detail::TaskTimedOut { .. } | Detail::ActivityTimedOut(_) => return false,
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
    use crate::deliver::example::{self, NOW};
    use crate::deliver::mailbox::TokenWait;

    fn requests(commands: &[Command]) -> Vec<Request> {
        commands.iter().map(|command| Request::new(command.clone(), NOW).0).collect()
    }

    #[test]
    fn an_api_process_that_only_answers_may_use_cells() {
        let (_, wait) = example::waiting_for_token();
        let of = TokenWait { wait, started: None };
        let answer = Command::Answer(of.clone(), example::succeeded());
        let answers = requests(&[answer.clone(), answer.clone()]);
        assert!(may_use_cells(Deployment::ApiOnly, &answers));
        assert!(!may_use_cells(Deployment::SharedWorker, &answers));
        assert!(!may_use_cells(Deployment::SingleProcess, &answers));
        assert!(!may_use_cells(Deployment::ApiOnly, &[]));
        for other in [Command::Wake, Command::Heartbeat(of), Command::Stop(Failure::of(None, None))] {
            assert!(!may_use_cells(Deployment::ApiOnly, &requests(&[answer.clone(), other])));
        }
    }

    #[test]
    fn of_two_answers_the_one_in_the_journal_counts() {
        let mut live = example::callback();
        let wait = example::claim(&mut live, "worker", NOW, 10);
        let last_event = live.snapshot.attempt(&wait).map_or(0, |(frame, _)| frame.last_event);
        let (yes, no) = (example::succeeded(), Answer::Failed(Failure::of(None, None)));
        let in_cell = |answer| CellAnswer { at: NOW, wait: wait.clone(), answer, last_event };
        assert!(in_cell(yes.clone()).counts(&live, &[]), "no other is there");
        example::apply(&mut live, example::answered(&wait), NOW);
        assert!(in_cell(yes.clone()).counts(&live, &[]), "it is this one");
        assert!(!in_cell(no).counts(&live, &[]), "it is another one");
        example::apply(&mut live, example::returned(&wait), NOW);
        assert!(!in_cell(yes).counts(&live, &[]), "the attempt is over, and its end is not among the events");
    }

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
