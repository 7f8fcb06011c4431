//! The cells of an execution's waits ([`crate::cells`]) as of when they were last read, and what follows from them.
//!
//! Decisions only: [`super::cell_access`] reads and writes. An installation of one process has no cells.

use interpreter::{Answer, Attempt, Frame, LOST_AFTER_LEASE_MS, Payload, Phase, Snapshot, Stimulus, Timestamp, Wait};

use super::inbox::TimedStimulus;
use super::live::Live;
use crate::cells::{self as stored, CellRead, Content, StopWish};
use crate::entry::{Head, Unreadable};
use crate::ports::{Cell, Expect};

/// A cell is removed this long after it was written, when its wait is over.
const KEPT_MS: i64 = 15 * 60 * 1_000;

/// The cells of one execution.
#[derive(Debug, Default)]
pub(super) struct Cells {
    read: Vec<CellRead>,
    stop: Option<StopWish>,
}

/// The treatment of the cell of a wait that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tidying {
    /// The journal has its answer.
    Close,
    /// No request that saw the wait open is under way any more.
    Remove,
    Leave,
}

impl Cells {
    /// The cells that belong to the execution with this head.
    pub fn decode(head: &Head, cells: &[Cell]) -> Result<Cells, Unreadable> {
        let stop_key = stored::stop_key(head.started);
        let own = cells.iter().filter(|cell| stored::belongs(cell, head.started));
        let (stops, waits): (Vec<&Cell>, Vec<&Cell>) = own.partition(|cell| cell.key == stop_key);
        let stop = stops.first().map(|cell| stored::decode_stop(cell)).transpose()?;
        Ok(Cells { read: waits.into_iter().map(stored::decode).collect::<Result<_, _>>()?, stop })
    }

    /// The wish that the execution be stopped.
    pub fn stop_wish(&self) -> Option<&StopWish> {
        self.stop.as_ref()
    }

    pub fn forget_stop_wish(&mut self) {
        self.stop = None;
    }

    /// True when the cell of a wait has its answer, or is closed: no other answer counts.
    pub fn is_settled(&self, wait: &Wait) -> bool {
        self.read.iter().any(|cell| cell.wait == *wait && cell.content != Content::Heartbeat)
    }

    /// True while an answer with a task token would count.
    pub fn awaits_token(&self, live: &Live, wait: &Wait) -> bool {
        live.awaits_token(wait) && !self.is_settled(wait)
    }

    /// True when cells have answers that the journal lacks.
    pub fn has_unapplied_answers(&self, live: &Live) -> bool {
        self.read.iter().any(|cell| matches!(cell.content, Content::Answered(_)) && live.awaits_token(&cell.wait))
    }

    /// The cells to apply before anything else: answers, and heartbeats when something is due. The earliest due wait comes
    /// first.
    pub fn to_apply(&self, live: &Live, due: bool) -> Vec<CellRead> {
        let due_at = |cell: &CellRead| live.snapshot.frame(&cell.wait.path).and_then(Frame::due);
        let open = self.read.iter().filter(|cell| live.awaits_token(&cell.wait));
        let counts = |cell: &&CellRead| match cell.content {
            Content::Answered(_) => true,
            Content::Heartbeat => due,
            Content::Closed => false,
        };
        let mut apply: Vec<CellRead> = open.filter(counts).cloned().collect();
        apply.sort_by_key(|cell| due_at(cell).unwrap_or(Timestamp(i64::MAX)));
        apply
    }

    /// Waits for task tokens that are due and have nothing in their cells that decides, each with what its cell may be
    /// closed over.
    pub fn to_close_when_due(&self, live: &Live, now: Timestamp) -> Vec<(Wait, Expect)> {
        let passed = |time: Option<Timestamp>| time.is_some_and(|time| time <= now);
        let due = live.snapshot.frames().filter(|(_, frame)| passed(frame.due())).filter_map(|(path, frame)| {
            let Phase::Task(attempt) = &frame.phase else { return None };
            let wait = Wait { path: path.clone(), attempt_id: frame.attempt_id };
            let open = live.takes_token(frame) && attempt.parked.is_none() && !self.is_settled(&wait);
            let over = if open { self.closes_over(&wait, attempt, now) } else { None };
            over.map(|over| (wait, over))
        });
        due.collect()
    }

    /// The content over which the cell of a wait that is due is closed; `None` when a heartbeat in it came in time. A missed heartbeat
    /// is missed as of the last one that was read; the end of the wait's time, or of its call, is the end.
    fn closes_over(&self, wait: &Wait, attempt: &Attempt<Payload>, now: Timestamp) -> Option<Expect> {
        let lost = attempt.call.claim().map(|(_, lease)| lease.plus_millis(LOST_AFTER_LEASE_MS));
        // A poll that is lost is made again.
        let lost = lost.filter(|_| attempt.job.is_none());
        if lost.is_some_and(|lost| lost <= now) || attempt.deadline.is_some_and(|deadline| deadline <= now) {
            return Some(Expect::NotFinal);
        }
        if attempt.beat.is_none_or(|beat| beat > now) {
            // A poll is due.
            return None;
        }
        let read = self.read.iter().find(|cell| cell.wait == *wait);
        let next = read.zip(attempt.heartbeat).map(|(cell, seconds)| cell.at.plus_seconds(seconds));
        if next.is_some_and(|next| next > now) { None } else { Some(Expect::seen(read.map(|cell| cell.nonce))) }
    }

    /// Waits for task tokens whose call has failed or was lost, or whose job has ended. That ends them, unless a client was
    /// given the token and has answered in the cell.
    pub fn to_close_before_failing(&self, live: &Live, completions: &[TimedStimulus]) -> Vec<(Wait, Expect)> {
        let polls = |wait: &Wait| live.snapshot.attempt(wait).is_some_and(|(_, attempt)| attempt.job.is_some());
        let failed = completions.iter().filter_map(|completion| match &completion.stimulus {
            Stimulus::TaskReturned { wait, answer } => {
                let ends = matches!(answer, Answer::Failed(_)) || polls(wait) || live.ends_with_call(wait);
                ends.then_some(wait)
            }
            Stimulus::TaskLost { wait } => (!polls(wait) && !live.is_repeatable(wait)).then_some(wait),
            _ => None,
        });
        // A call whose return could not be written down at once is reported as lost, too.
        let returned = |wait: &Wait| {
            completions.iter().any(|completion| match &completion.stimulus {
                Stimulus::TaskReturned { wait: of, answer: Answer::Succeeded { .. } } => {
                    of == wait && !polls(wait) && !live.ends_with_call(wait)
                }
                Stimulus::JobStarted { wait: of, .. } => of == wait,
                _ => false,
            })
        };
        let undecided = failed.filter(|wait| {
            let Some((frame, attempt)) = live.snapshot.attempt(wait) else { return false };
            let claimed = attempt.call.claim().is_some() && !returned(wait);
            live.takes_token(frame) && claimed && attempt.parked.is_none() && !self.is_settled(wait)
        });
        undecided.map(|wait| (wait.clone(), Expect::NotFinal)).collect()
    }

    /// This is in the cell of its wait now.
    pub fn replace(&mut self, cell: CellRead) {
        self.read.retain(|old| old.wait != cell.wait);
        self.read.push(cell);
    }

    /// Takes out the cells of waits that are over.
    pub fn take_over(&mut self, snapshot: &Snapshot) -> Vec<CellRead> {
        // Cells are read after the journal: one may be of a wait that began since.
        let is_open = |cell: &CellRead| snapshot.awaits(&cell.wait) || cell.wait.attempt_id > snapshot.last_attempt_id;
        let (open, over) = std::mem::take(&mut self.read).into_iter().partition(is_open);
        self.read = open;
        over
    }

    /// The treatment of a cell whose wait is over.
    pub fn tidying(cell: &CellRead, now: Timestamp) -> Tidying {
        let old = now.0.saturating_sub(cell.at.0) > KEPT_MS;
        match cell.content {
            Content::Answered(_) => Tidying::Close,
            Content::Heartbeat | Content::Closed if old => Tidying::Remove,
            Content::Heartbeat | Content::Closed => Tidying::Leave,
        }
    }
}

#[cfg(test)]
mod tests {
    use interpreter::{Failure, ThreadPath};

    use super::*;
    use crate::deliver::example::{self, NOW};

    fn cells(wait: &Wait, at: Timestamp, content: Content) -> Cells {
        Cells { read: vec![CellRead { wait: wait.clone(), at, content, nonce: 5, key: String::new() }], stop: None }
    }

    fn answer() -> Content {
        Content::Answered(example::succeeded())
    }

    #[test]
    fn the_first_answer_in_a_cell_settles_its_wait_and_a_heartbeat_does_not() {
        let (live, wait) = example::waiting_for_token();
        let other = Wait { path: ThreadPath::root(), attempt_id: wait.attempt_id + 1 };
        for (content, settles, unapplied) in
            [(Content::Heartbeat, false, false), (Content::Closed, true, false), (answer(), true, true)]
        {
            let cells = cells(&wait, NOW, content.clone());
            assert_eq!(cells.is_settled(&wait), settles, "{content:?}");
            assert_eq!(cells.awaits_token(&live, &wait), !settles, "{content:?}");
            assert_eq!(cells.has_unapplied_answers(&live), unapplied, "{content:?}");
            assert!(!cells.is_settled(&other) && !cells.awaits_token(&live, &other));
        }
    }

    #[test]
    fn an_answer_that_the_journal_has_is_not_unapplied() {
        let (mut live, wait) = example::waiting_for_token();
        example::apply(&mut live, example::answered(&wait), NOW);
        assert!(!cells(&wait, NOW, answer()).has_unapplied_answers(&live));
    }

    #[test]
    fn answers_are_applied_at_once_and_heartbeats_when_something_is_due() {
        let (live, wait) = example::waiting_for_token();
        for (content, due, applied) in [
            (answer(), false, 1),
            (answer(), true, 1),
            (Content::Heartbeat, false, 0),
            (Content::Heartbeat, true, 1),
            (Content::Closed, true, 0),
        ] {
            assert_eq!(cells(&wait, NOW, content.clone()).to_apply(&live, due).len(), applied, "{content:?} {due}");
        }
    }

    #[test]
    fn a_wait_does_not_time_out_before_its_cell_is_closed() {
        let (live, wait) = example::waiting_for_token();
        let beat = NOW.plus_seconds(10);
        let none = Cells::default();
        assert_eq!(none.to_close_when_due(&live, beat.plus_millis(-1)), []);
        assert_eq!(none.to_close_when_due(&live, beat), [(wait.clone(), Expect::Absent)]);
        for settled in [answer(), Content::Closed] {
            assert_eq!(cells(&wait, NOW, settled).to_close_when_due(&live, beat), [], "it is decided");
        }
    }

    #[test]
    fn a_heartbeat_is_missed_as_of_the_last_one_that_was_read() {
        let (live, wait) = example::waiting_for_token();
        let beats = cells(&wait, NOW.plus_seconds(3), Content::Heartbeat);
        assert_eq!(beats.to_close_when_due(&live, NOW.plus_millis(12_999)), []);
        let missed = beats.to_close_when_due(&live, NOW.plus_seconds(13));
        assert_eq!(missed, [(wait, Expect::Nonce(5))], "a later heartbeat keeps the cell open");
    }

    #[test]
    fn heartbeats_do_not_outlast_the_end_of_a_wait() {
        let (live, wait) = example::waiting_for_token();
        let beats = cells(&wait, NOW.plus_seconds(59), Content::Heartbeat);
        assert_eq!(beats.to_close_when_due(&live, NOW.plus_millis(59_999)), []);
        assert_eq!(beats.to_close_when_due(&live, NOW.plus_seconds(60)), [(wait, Expect::NotFinal)]);
    }

    #[test]
    fn the_cell_of_a_failed_call_is_closed_before_the_failure_counts() {
        let mut live = example::callback();
        let wait = example::claim(&mut live, "worker", NOW, 10);
        let at = NOW;
        let failure = Answer::Failed(Failure::of(None, None));
        let failed = TimedStimulus { at, stimulus: Stimulus::TaskReturned { wait: wait.clone(), answer: failure } };
        let lost = TimedStimulus { at, stimulus: Stimulus::TaskLost { wait: wait.clone() } };
        let returned = TimedStimulus { at, stimulus: example::returned(&wait) };
        let none = Cells::default();
        let closes = [(wait.clone(), Expect::NotFinal)];
        for ended in [&failed, &lost] {
            assert_eq!(none.to_close_before_failing(&live, std::slice::from_ref(ended)), closes);
            let answered = cells(&wait, NOW, answer());
            assert_eq!(answered.to_close_before_failing(&live, std::slice::from_ref(ended)), [], "it is decided");
        }
        assert_eq!(none.to_close_before_failing(&live, std::slice::from_ref(&returned)), []);
        assert_eq!(none.to_close_before_failing(&live, &[lost.clone(), returned.clone()]), [], "it returned first");
        example::apply(&mut live, returned.stimulus, NOW);
        assert_eq!(none.to_close_before_failing(&live, &[lost]), [], "the journal has its return");
    }

    #[test]
    fn the_cell_of_a_job_stays_open_while_it_is_polled_and_is_closed_before_its_end_counts() {
        let (mut live, wait) = example::job();
        let (none, due) = (Cells::default(), NOW.plus_seconds(1));
        assert_eq!(none.to_close_when_due(&live, due), [], "a poll is due");
        example::apply(&mut live, Stimulus::Tick, due);
        example::claim(&mut live, "worker", due, 10);
        let late = NOW.plus_seconds(100);
        assert_eq!(none.to_close_when_due(&live, late), [], "a poll that is lost is made again");
        let stimuli = [
            (Stimulus::TaskLost { wait: wait.clone() }, false),
            (Stimulus::JobPolled { wait: wait.clone() }, false),
            (example::returned(&wait), true),
        ];
        for (stimulus, closes) in stimuli {
            let completion = TimedStimulus { at: due, stimulus };
            let closed = none.to_close_before_failing(&live, std::slice::from_ref(&completion));
            assert_eq!(!closed.is_empty(), closes, "{completion:?}");
        }
    }

    #[test]
    fn the_cell_of_a_wait_that_began_since_the_journal_was_read_is_kept() {
        let (mut live, wait) = example::waiting_for_token();
        let later = Wait { attempt_id: live.snapshot.last_attempt_id + 1, ..wait.clone() };
        let mut open = cells(&wait, NOW, Content::Heartbeat);
        let mut newer = cells(&later, NOW, Content::Heartbeat);
        assert_eq!(open.take_over(&live.snapshot).len() + newer.take_over(&live.snapshot).len(), 0);
        example::apply(&mut live, example::answered(&wait), NOW);
        assert_eq!(open.take_over(&live.snapshot).len(), 1, "its wait is over");
        assert_eq!(newer.take_over(&live.snapshot).len(), 0);
    }

    #[test]
    fn a_cell_outlasts_every_request_that_saw_its_wait_open() {
        let (_, wait) = example::waiting_for_token();
        for (content, after_ms, expected) in [
            (answer(), 0, Tidying::Close),
            (answer(), KEPT_MS + 1, Tidying::Close),
            (Content::Closed, KEPT_MS, Tidying::Leave),
            (Content::Closed, KEPT_MS + 1, Tidying::Remove),
            (Content::Heartbeat, KEPT_MS, Tidying::Leave),
            (Content::Heartbeat, KEPT_MS + 1, Tidying::Remove),
        ] {
            for cell in cells(&wait, NOW, content).read {
                assert_eq!(Cells::tidying(&cell, NOW.plus_millis(after_ms)), expected, "{cell:?} {after_ms}");
            }
        }
    }

    #[test]
    fn a_cell_has_what_was_written_last() {
        let (_, wait) = example::waiting_for_token();
        let mut cells = cells(&wait, NOW, Content::Heartbeat);
        cells.replace(CellRead { wait: wait.clone(), at: NOW, content: Content::Closed, nonce: 6, key: String::new() });
        assert!(cells.is_settled(&wait) && cells.read.len() == 1);
    }
}
