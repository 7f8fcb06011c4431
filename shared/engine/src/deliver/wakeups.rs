//! Wake-ups: one queued message per execution that no actor keeps, for its earliest due time.
//!
//! A wake-up is queued before the commit that needs it: so the last record's due time, while it is ahead, says that the
//! message is on its way, and an actor that passes by meanwhile lets go without sending another. While calls are in flight the
//! record says nothing of messages; then a process queues one and remembers it. Without these rules every message that finds
//! nothing to do would send its successor, and none would ever die.
//!
//! Decisions only: the actor sends. Deliberately absent: knowledge of the messages of other processes where calls are in
//! flight.

use std::collections::HashMap;

use interpreter::Timestamp;

use super::cells::Cells;
use super::live::Live;
use crate::ports::WakeUp;
use crate::{Deployment, Guarded};

/// Due times nearer than this are waited for by the actor itself.
pub(super) const NEAR_MS: i64 = 1_000;
/// A wake-up of another process that is due sooner than this may have been delivered already, since that process's clock
/// is ahead.
const AHEAD_MS: i64 = 3_000;
/// A message that comes earlier than this before its time is one that its queue could not delay for longer. One that is due
/// sooner than this may be the one that is being dealt with, where the clock has been set back since it was sent.
pub(crate) const EARLY_MS: i64 = 1_000;
/// A wake-up that is due later than this may be left to a record, and then goes with it when the next is written.
const KEPT_MS: i64 = 900_000;
/// Wake-ups that a process remembers at most.
const REMEMBERED: usize = 4_096;

/// The wake-ups that this process has queued and that are still to come, by execution.
#[derive(Default)]
pub(super) struct Queued(Guarded<HashMap<String, Timestamp>>);

impl Queued {
    /// A wake-up for `due` is on its way.
    pub fn sent(&self, execution: &str, due: Timestamp, now: Timestamp) {
        if due > now.plus_millis(KEPT_MS) {
            return;
        }
        let mut queued = self.0.lock();
        if queued.len() >= REMEMBERED {
            queued.retain(|_, due| *due > now);
        }
        if queued.len() >= REMEMBERED {
            // Forgetting costs a message each, no more.
            queued.clear();
        }
        queued.insert(execution.to_owned(), due);
    }

    /// The wake-up for `due` has been delivered: it is not to come any more, even if the clock is set back now.
    pub fn delivered(&self, execution: &str, due: Timestamp) {
        let mut queued = self.0.lock();
        if queued.get(execution) == Some(&due) {
            queued.remove(execution);
        }
    }

    /// True when a wake-up comes at `due` or before, and has not been delivered yet.
    pub fn covers(&self, execution: &str, due: Timestamp, now: Timestamp) -> bool {
        let queued = self.0.lock();
        queued.get(execution).is_some_and(|sent| *sent <= due && *sent > now.plus_millis(EARLY_MS))
    }
}

/// The work that is left in an execution, as far as wake-ups are about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outstanding {
    /// The earliest due time.
    pub due: Timestamp,
    /// Nothing can be begun and no worker makes a call.
    pub idle: bool,
    /// A state can be entered, a call can be claimed, or a job cancelled.
    pub can_begin: bool,
    /// Cells have answers that the journal lacks.
    pub unapplied_answers: bool,
}

impl Outstanding {
    /// `None` when the execution is closed, and no job of it has to be cancelled.
    pub fn of(live: &Live, cells: &Cells) -> Option<Outstanding> {
        let unapplied_answers = cells.has_unapplied_answers(live);
        let (idle, can_begin) = (live.is_idle(), live.can_begin());
        let closed = live.snapshot.closed.as_ref().filter(|_| can_begin).map(|(_, at)| *at);
        Some(Outstanding { due: live.snapshot.due().or(closed)?, idle, can_begin, unapplied_answers })
    }

    /// The same but for calls that wait for their turn in this process.
    pub fn without_beginning(self) -> Outstanding {
        Outstanding { can_begin: false, ..self }
    }

    /// True when a worker has something to do at once.
    fn is_urgent(&self) -> bool {
        self.can_begin || self.unapplied_answers
    }

    /// The wake-up for `due`: at once when a worker has something to do at once.
    pub fn wake_up(&self, execution: &str, due: Timestamp) -> WakeUp {
        WakeUp::of(execution, Some(due).filter(|_| !self.is_urgent()))
    }

    /// True when a wake-up is on its way that comes at the due time or before.
    pub fn is_armed(&self, execution: &str, queued: &Queued, now: Timestamp) -> bool {
        if self.is_urgent() {
            return false;
        }
        (self.idle && self.due > now.plus_millis(AHEAD_MS)) || queued.covers(execution, self.due, now)
    }
}

/// A message that has to be queued before a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BeforeCommit {
    Nothing,
    /// A wake-up for the due time.
    Arm,
    /// A wake-up that names the record that is about to be written: a worker has to take over from here.
    Announce,
}

/// One actor's wake-ups.
pub(super) struct Wakeups {
    deployment: Deployment,
    /// No message brought the execution here that would come again if this process died.
    stays: bool,
    /// No wake-up is queued: an API call loaded this execution, or another process's commit used up the one there was.
    no_wakeup_armed: bool,
}

impl Wakeups {
    /// `stays`: the process has no end that it knows of; it was not a message that loaded the execution.
    pub fn new(deployment: Deployment, stays: bool) -> Wakeups {
        let mut wakeups = Wakeups { deployment, stays, no_wakeup_armed: false };
        wakeups.written_by_others();
        wakeups
    }

    fn can_lack_one(&self) -> bool {
        self.stays && self.deployment == Deployment::SharedWorker
    }

    /// Another process has written to the execution, or may have: the wake-up for what is loaded was delivered to it.
    pub fn written_by_others(&mut self) {
        self.no_wakeup_armed = self.can_lack_one();
    }

    /// A commit of this actor is durable. A worker that is woken for an idle execution takes the message away: the next calls
    /// need one again.
    pub fn committed(&mut self, live: &Live) {
        self.no_wakeup_armed = self.can_lack_one() && live.is_idle();
    }

    /// The message that has to be queued before the commit that leaves this outstanding. `over`: this actor's time is over.
    pub fn before_commit(&self, outstanding: &Outstanding, over: bool, now: Timestamp) -> BeforeCommit {
        let due = outstanding.due;
        if !self.deployment.performs_tasks() {
            return BeforeCommit::Announce;
        }
        if outstanding.idle {
            let near = due.0.saturating_sub(now.0) <= NEAR_MS;
            let kept = near || (outstanding.unapplied_answers && !over);
            return if kept && !self.no_wakeup_armed { BeforeCommit::Nothing } else { BeforeCommit::Arm };
        }
        if self.no_wakeup_armed { BeforeCommit::Announce } else { BeforeCommit::Nothing }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::example::{self, NOW};

    const IDLE: Outstanding =
        Outstanding { due: Timestamp(NOW.0 + 60_000), idle: true, can_begin: false, unapplied_answers: false };
    const CALLING: Outstanding = Outstanding { idle: false, ..IDLE };
    const URGENT: [Outstanding; 2] =
        [Outstanding { idle: false, can_begin: true, ..IDLE }, Outstanding { unapplied_answers: true, ..IDLE }];

    #[test]
    fn a_message_that_may_be_in_hand_covers_nothing() {
        let (queued, now) = (Queued::default(), NOW);
        for (sent, covers) in [(-1, false), (0, false), (EARLY_MS, false), (EARLY_MS + 1, true), (60_000, true)] {
            queued.sent("one", now.plus_millis(sent), now);
            assert_eq!(queued.covers("one", now.plus_millis(60_000), now), covers, "{sent} ms ahead");
        }
        assert!(!queued.covers("one", now.plus_millis(59_999), now), "it comes later than that");
        assert!(!queued.covers("another", now.plus_millis(60_000), now));
        queued.delivered("one", now.plus_millis(59_999));
        assert!(queued.covers("one", now.plus_millis(60_000), now), "that was another");
        queued.delivered("one", now.plus_millis(60_000));
        assert!(!queued.covers("one", now.plus_millis(60_000), now));
    }

    #[test]
    fn a_wake_up_that_may_be_left_to_a_record_is_not_remembered() {
        let queued = Queued::default();
        queued.sent("one", NOW.plus_millis(KEPT_MS + 1), NOW);
        assert!(!queued.covers("one", NOW.plus_millis(KEPT_MS + 1), NOW));
        queued.sent("one", NOW.plus_millis(KEPT_MS), NOW);
        assert!(queued.covers("one", NOW.plus_millis(KEPT_MS), NOW));
    }

    #[test]
    fn a_process_remembers_a_bounded_number_of_wake_ups() {
        let queued = Queued::default();
        for number in 0..=REMEMBERED {
            queued.sent(&number.to_string(), NOW.plus_millis(60_000), NOW);
        }
        assert!(queued.0.lock().len() <= REMEMBERED);
        assert!(queued.covers(&REMEMBERED.to_string(), NOW.plus_millis(60_000), NOW), "the last one is remembered");
    }

    #[test]
    fn the_due_time_of_an_idle_execution_says_that_its_wake_up_is_on_its_way() {
        let queued = Queued::default();
        for (ahead, armed) in [(-1, false), (0, false), (AHEAD_MS, false), (AHEAD_MS + 1, true)] {
            let outstanding = Outstanding { due: NOW.plus_millis(ahead), ..IDLE };
            assert_eq!(outstanding.is_armed("one", &queued, NOW), armed, "{ahead} ms ahead");
        }
        assert!(!CALLING.is_armed("one", &queued, NOW), "the record says nothing while calls are in flight");
        queued.sent("one", CALLING.due, NOW);
        assert!(CALLING.is_armed("one", &queued, NOW), "this process queued one itself");
        assert!(!CALLING.is_armed("another", &queued, NOW));
    }

    #[test]
    fn what_a_worker_can_do_at_once_is_not_left_to_a_later_wake_up() {
        let queued = Queued::default();
        queued.sent("one", IDLE.due, NOW);
        for urgent in URGENT {
            assert!(!urgent.is_armed("one", &queued, NOW), "{urgent:?}");
            assert_eq!(urgent.wake_up("one", urgent.due).due, None, "{urgent:?}");
        }
        assert_eq!(IDLE.wake_up("one", IDLE.due).due, Some(IDLE.due));
    }

    #[test]
    fn an_api_process_announces_every_commit_that_leaves_something_outstanding() {
        let wakeups = Wakeups::new(Deployment::ApiOnly, true);
        for outstanding in [IDLE, CALLING, URGENT[0], URGENT[1]] {
            let announced = BeforeCommit::Announce;
            assert_eq!(wakeups.before_commit(&outstanding, false, NOW), announced, "{outstanding:?}");
        }
    }

    #[test]
    fn a_wake_up_is_queued_before_the_commit_that_makes_an_execution_idle() {
        let near = Outstanding { due: NOW.plus_millis(NEAR_MS), ..IDLE };
        let far = Outstanding { due: NOW.plus_millis(NEAR_MS + 1), ..IDLE };
        for deployment in [Deployment::SingleProcess, Deployment::SharedWorker] {
            let wakeups = Wakeups::new(deployment, false);
            assert_eq!(wakeups.before_commit(&far, false, NOW), BeforeCommit::Arm);
            assert_eq!(wakeups.before_commit(&near, false, NOW), BeforeCommit::Nothing, "the actor waits itself");
            assert_eq!(wakeups.before_commit(&CALLING, false, NOW), BeforeCommit::Nothing, "its calls keep it");
        }
    }

    #[test]
    fn unapplied_answers_keep_an_actor_until_its_time_is_over() {
        let wakeups = Wakeups::new(Deployment::SharedWorker, false);
        let answers = Outstanding { unapplied_answers: true, ..IDLE };
        assert_eq!(wakeups.before_commit(&answers, false, NOW), BeforeCommit::Nothing);
        assert_eq!(wakeups.before_commit(&answers, true, NOW), BeforeCommit::Arm);
    }

    #[test]
    fn a_worker_that_no_message_brought_queues_one_before_it_begins_calls() {
        let mut wakeups = Wakeups::new(Deployment::SharedWorker, true);
        let (near, calling) = (Outstanding { due: NOW, ..IDLE }, example::plain_task());
        assert_eq!(wakeups.before_commit(&CALLING, false, NOW), BeforeCommit::Announce);
        assert_eq!(wakeups.before_commit(&near, false, NOW), BeforeCommit::Arm);
        wakeups.committed(&calling);
        assert_eq!(wakeups.before_commit(&CALLING, false, NOW), BeforeCommit::Nothing, "one is queued");
        wakeups.committed(&example::timer(60));
        assert_eq!(wakeups.before_commit(&CALLING, false, NOW), BeforeCommit::Announce);
        wakeups.committed(&calling);
        wakeups.written_by_others();
        assert_eq!(wakeups.before_commit(&CALLING, false, NOW), BeforeCommit::Announce);
    }

    #[test]
    fn a_message_or_the_lock_on_the_directory_comes_again_when_the_process_dies() {
        for (deployment, stays) in [(Deployment::SharedWorker, false), (Deployment::SingleProcess, true)] {
            let mut wakeups = Wakeups::new(deployment, stays);
            assert_eq!(wakeups.before_commit(&CALLING, false, NOW), BeforeCommit::Nothing);
            wakeups.committed(&example::timer(60));
            wakeups.written_by_others();
            assert_eq!(wakeups.before_commit(&CALLING, false, NOW), BeforeCommit::Nothing);
        }
    }

    #[test]
    fn a_closed_execution_with_a_job_leaves_its_cancelling() {
        let (mut live, wait) = example::job();
        let stop = interpreter::Stimulus::StopRequested(interpreter::Failure::of(None, None));
        example::apply(&mut live, stop, NOW);
        let outstanding = Outstanding::of(&live, &Cells::default()).expect("a job has to be cancelled");
        assert!(outstanding.can_begin && !outstanding.idle);
        example::apply(&mut live, interpreter::Stimulus::JobCancelled { wait }, NOW);
        assert_eq!(Outstanding::of(&live, &Cells::default()), None);
    }

    #[test]
    fn a_closed_execution_leaves_nothing_outstanding() {
        let mut live = example::timer(60);
        let cells = Cells::default();
        assert_eq!(Outstanding::of(&live, &cells), Some(IDLE));
        example::apply(&mut live, interpreter::Stimulus::Tick, NOW.plus_seconds(60));
        assert_eq!(Outstanding::of(&live, &cells), None);
    }
}
