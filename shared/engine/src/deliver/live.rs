//! A running execution as a step takes it: its definition, its snapshot, and its test case if it has one.

use std::sync::Arc;

use asl::{Kind, Resource, StateId, StateMachine};
use interpreter::{Call, Frame, Payload, Phase, Snapshot, Timestamp, Wait};

use super::activities::Activities;
use super::test_case_run::TestCaseRun;

pub(super) struct Live {
    pub machine: Arc<StateMachine>,
    pub snapshot: Snapshot,
    pub test_case: Option<TestCaseRun>,
    pub activities: Activities,
}

/// Threads whose payloads are counted; more are taken to hold as much on average.
const COUNTED: usize = 64;

/// Bytes of the payloads that a thread holds.
fn held_by(frame: &Frame<Payload>) -> usize {
    let phase = match &frame.phase {
        Phase::Ready | Phase::Waiting { .. } | Phase::Retrying { .. } | Phase::Parallel { .. } => 0,
        Phase::Task(attempt) => attempt.arguments.bytes(),
        Phase::Map(map) => map.items.bytes(),
        Phase::Finished { output } => output.bytes(),
    };
    let variables = frame.variables.as_ref().map_or(0, Payload::bytes);
    frame.input.bytes().saturating_add(phase).saturating_add(variables)
}

impl Live {
    pub fn new(machine: Arc<StateMachine>, snapshot: Snapshot, test_case: Option<TestCaseRun>) -> Live {
        let activities = Activities::of(&machine);
        Live { machine, snapshot, test_case, activities }
    }

    /// True when something is due by then.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.snapshot.due().is_some_and(|due| due <= now)
    }

    /// True when something can be begun at once: a state can be entered, a call can be claimed, or a job cancelled.
    pub fn can_begin(&self) -> bool {
        let snapshot = &self.snapshot;
        snapshot.ready().next().is_some() || snapshot.unclaimed().next().is_some() || !snapshot.cancels.is_empty()
    }

    /// True when nothing can be begun and no worker makes a call: time alone moves the execution, or an answer with a task
    /// token.
    pub fn is_idle(&self) -> bool {
        !self.can_begin() && self.snapshot.claimed().next().is_none()
    }

    /// Bytes of payloads that its threads hold, about.
    pub fn held_bytes(&self) -> usize {
        let (mut frames, mut bytes) = (0, 0usize);
        for (_, frame) in self.snapshot.frames().take(COUNTED) {
            frames += 1;
            bytes = bytes.saturating_add(held_by(frame));
        }
        let all = self.snapshot.frame_count();
        let more = bytes.checked_div(frames).unwrap_or(0).saturating_mul(all.saturating_sub(frames));
        bytes.saturating_add(more)
    }

    /// True for a task that a client may end with its task token.
    pub fn takes_token(&self, frame: &Frame<Payload>) -> bool {
        let state = self.machine.state(StateId(frame.state));
        state.is_some_and(|state| matches!(&state.kind, Kind::Task(task) if task.resource.takes_token()))
    }

    /// True while a task token may still answer this wait, as far as the journal says.
    pub fn awaits_token(&self, wait: &Wait) -> bool {
        let frame = self.snapshot.attempt(wait).map(|(frame, _)| frame);
        self.snapshot.awaits(wait) && frame.is_some_and(|frame| self.takes_token(frame))
    }

    fn resource_of(&self, wait: &Wait) -> Option<&Resource> {
        let (frame, _) = self.snapshot.attempt(wait)?;
        match &self.machine.state(StateId(frame.state))?.kind {
            Kind::Task(task) => Some(&task.resource),
            _ => None,
        }
    }

    /// True for a job whose call can end it: there was nothing to wait for.
    pub fn ends_with_call(&self, wait: &Wait) -> bool {
        self.resource_of(wait).is_some_and(Resource::is_job)
    }

    /// True when the call of this attempt is made again if it is lost.
    pub fn is_repeatable(&self, wait: &Wait) -> bool {
        self.resource_of(wait).is_some_and(Resource::is_repeatable)
    }

    /// True when the attempt was claimed before, and given back without a call.
    pub fn is_released(&self, wait: &Wait) -> bool {
        self.snapshot.attempt(wait).is_some_and(|(_, attempt)| attempt.call != Call::Unclaimed)
    }

    /// The name of the state that made this attempt, if it is still the current one.
    pub fn state_of(&self, wait: &Wait) -> Option<&str> {
        let (frame, _) = self.snapshot.attempt(wait)?;
        self.machine.state(StateId(frame.state)).map(|state| &*state.name)
    }
}

#[cfg(test)]
mod tests {
    use interpreter::Stimulus;

    use crate::deliver::example::{self, NOW};

    #[test]
    fn an_execution_is_idle_when_only_time_or_a_token_moves_it() {
        let mut live = example::callback();
        assert!(live.can_begin() && !live.is_idle(), "a call can be claimed");
        let wait = example::claim(&mut live, "worker", NOW, 10);
        assert!(!live.can_begin() && !live.is_idle(), "a worker makes the call");
        assert!(live.awaits_token(&wait), "a token may overtake its call");
        example::apply(&mut live, example::returned(&wait), NOW);
        assert!(!live.can_begin() && live.is_idle(), "it waits for its token");
        assert!(live.awaits_token(&wait));
        example::apply(&mut live, example::answered(&wait), NOW);
        assert!(!live.snapshot.is_open() && !live.awaits_token(&wait));
    }

    #[test]
    fn a_call_that_ends_its_task_awaits_no_token() {
        let mut live = example::plain_task();
        let wait = example::claim(&mut live, "worker", NOW, 10);
        assert!(live.snapshot.awaits(&wait) && !live.awaits_token(&wait));
        assert_eq!(live.state_of(&wait), Some("A"));
    }

    #[test]
    fn an_attempt_that_was_given_back_is_released() {
        let mut live = example::plain_task();
        let wait = live.snapshot.unclaimed().next().expect("is unclaimed");
        assert!(!live.is_released(&wait), "it was never claimed");
        example::claim(&mut live, "worker", NOW, 10);
        example::apply(&mut live, Stimulus::TaskReleased { wait: wait.clone(), owner: "worker".to_owned() }, NOW);
        assert!(live.is_released(&wait));
    }

    #[test]
    fn what_is_due_at_this_very_time_is_due() {
        let mut live = example::plain_task();
        example::claim(&mut live, "worker", NOW, 10);
        let due = live.snapshot.due().expect("is open");
        assert!(live.is_due(due) && !live.is_due(due.plus_millis(-1)));
        let stop = Stimulus::StopRequested(interpreter::Failure::of(None, None));
        example::apply(&mut live, stop, NOW);
        assert!(!live.is_due(due), "it is closed");
    }
}
